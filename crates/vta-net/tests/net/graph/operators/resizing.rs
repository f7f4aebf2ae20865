//! Upsampling.

use super::*;

fn factor(m: &Model) -> [usize; 2] {
    let g = m.graph();
    match only(&g).op {
        Op::Resize { factor } => factor,
        ref other => panic!("{}", other.name()),
    }
}

#[test]
fn all_spellings() {
    let scales = || floats("s", &[4], &[1.0, 1.0, 2.0, 3.0]);
    let old = [("scales", Floats(vec![1.0, 1.0, 2.0, 3.0]))];
    assert_eq!(factor(&single(7, "Upsample", &["x"], &old)), [2, 3]);
    assert_eq!(
        factor(&single(9, "Upsample", &["x", "s"], &[]).init(scales())),
        [2, 3]
    );
    assert_eq!(
        factor(&single(10, "Resize", &["x", "s"], &[]).init(scales())),
        [2, 3]
    );
    assert_eq!(
        factor(&single(13, "Resize", &["x", "", "s"], &[]).init(scales())),
        [2, 3]
    );
    let sizes = ints("n", &[1, 4, 18, 33]);
    let inputs = ["x", "", "", "n"];
    assert_eq!(
        factor(&single(13, "Resize", &inputs, &[]).init(sizes)),
        [2, 3]
    );
    let m = single(18, "Resize", &["x", "", "s"], &[("axes", Ints(vec![3, 2]))]);
    assert_eq!(factor(&m.init(floats("s", &[2], &[3.0, 2.0]))), [2, 3]);
}

#[test]
fn nearest_repeats_or_picks() {
    let m = |mode: &'static str, nearest: &'static str| {
        let attrs = [
            ("coordinate_transformation_mode", Text(mode)),
            ("nearest_mode", Text(nearest)),
        ];
        let m = single(13, "Resize", &["x", "", "s"], &attrs);
        let m = m.init(floats("s", &[4], &[1.0, 1.0, 3.0, 3.0]));
        lines(&m.graph())
    };
    let repeats = ["Resize [1, 4, 9, 11] -> [1, 4, 27, 33]"];
    let picks = [
        "Gather [1, 4, 9, 11] -> [1, 4, 27, 11]",
        "Gather [1, 4, 27, 11] -> [1, 4, 27, 33]",
    ];
    assert_eq!(m("asymmetric", "floor"), repeats);
    assert_eq!(m("half_pixel", "round_prefer_ceil"), repeats);
    assert_eq!(m("asymmetric", "round_prefer_floor"), picks);
    assert_eq!(m("align_corners", "floor"), picks);
}

/// Values of ONNX's test `resize_upsample_scales_linear`.
#[test]
fn linear_sums() {
    let m = Model::new(13)
        .input("x", &[1, 1, 2, 2])
        .node(
            "Resize",
            &["x", "", "s"],
            &["y"],
            &[("mode", Text("linear"))],
        )
        .output("y")
        .init(floats("s", &[4], &[1.0, 1.0, 2.0, 2.0]));
    let x = ndarray::ArrayD::from_shape_vec(vec![1, 1, 2, 2], vec![1., 2., 3., 4.]);
    let x = vta_tensor::host::Tensor::F32(x.expect("four values"));
    let y = vta_net::quant::float::run(&m.graph(), &[x]).expect("it runs");
    let y: Vec<f32> = y[0].as_f32().expect("float").iter().copied().collect();
    let want = [
        1., 1.25, 1.75, 2., 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3., 3.25, 3.75, 4.,
    ];
    assert_eq!(y, want);
}
