//! Matrix products.

use super::*;

fn gemm(trans_b: i64, w: &[i64]) -> Model {
    Model::new(13)
        .input("x", &[1, 2])
        .node(
            "Gemm",
            &["x", "w", "c"],
            &["y"],
            &[
                ("transB", Int(trans_b)),
                ("alpha", Float(2.0)),
                ("beta", Float(0.5)),
            ],
        )
        .output("y")
        .init(floats("w", w, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
        .init(floats("c", &[3], &[2.0, 4.0, 6.0]))
}

#[test]
fn gemm_of_both_orientations() {
    let g = gemm(1, &[3, 2]).graph();
    let d = dense(&g);
    assert_eq!(
        d.weight.as_slice(),
        Some(&[2.0, 4.0, 6.0, 8.0, 10.0, 12.0][..])
    );
    assert!(!d.transposed);
    assert_eq!(d.bias.as_slice(), Some(&[1.0, 2.0, 3.0][..]));
    let g = gemm(0, &[2, 3]).graph();
    let d = dense(&g);
    assert_eq!(
        d.weight.as_slice(),
        Some(&[2.0, 8.0, 4.0, 10.0, 6.0, 12.0][..])
    );
    assert!(d.transposed);
    assert_eq!(d.weight_name, "w");
}

#[test]
fn matmul_and_its_bias() {
    let m = Model::new(13)
        .input("x", &[1, 5, 2])
        .node("MatMul", &["x", "w"], &["t"], &[])
        .node("Add", &["b", "t"], &["y"], &[])
        .output("y")
        .init(ramp("w", &[2, 3]))
        .init(ramp("b", &[3]));
    let g = m.graph();
    assert_eq!(output(&g), [1, 5, 3]);
    assert!(dense(&g).transposed);
    assert_eq!(dense(&g).bias[2], 0.5);
    assert_eq!(dense(&g).weight[[2, 1]], 3.5);
}

#[test]
fn a_weight_that_the_file_transposes_keeps_name_and_orientation() {
    let m = Model::new(13)
        .input("x", &[1, 5, 2])
        .node("Transpose", &["w"], &["wt"], &[("perm", Ints(vec![1, 0]))])
        .node("MatMul", &["x", "wt"], &["y"], &[])
        .output("y")
        .init(ramp("w", &[3, 2]));
    let g = m.graph();
    assert_eq!(dense(&g).weight_name, "w");
    assert!(!dense(&g).transposed);
    assert_eq!(dense(&g).weight[[2, 1]], 3.5);
}

#[test]
fn other_products() {
    let two = Model::new(13)
        .input("a", &[1, 2, 3])
        .input("b", &[1, 3, 4])
        .node("MatMul", &["a", "b"], &["y"], &[])
        .output("y");
    assert_eq!(
        lines(&two.graph()),
        ["MatMul [1, 2, 3] [1, 3, 4] -> [1, 2, 4]"]
    );
    let left = Model::new(13)
        .input("x", &[1, 3, 4])
        .node("MatMul", &["w", "x"], &["y"], &[])
        .output("y")
        .init(ramp("w", &[5, 3]));
    assert_eq!(
        lines(&left.graph()),
        [
            "Transpose [1, 3, 4] -> [1, 4, 3]",
            "Gemm [1, 4, 3] -> [1, 4, 5]",
            "Transpose [1, 4, 5] -> [1, 5, 4]"
        ]
    );
}
