//! Upsampling.

use super::*;
use vta_net::graph::HostOp;

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

fn linear(mode: &'static str, scale: f32) -> Vec<Op> {
    let attrs = [
        ("mode", Text("linear")),
        ("coordinate_transformation_mode", Text(mode)),
    ];
    let m = single(13, "Resize", &["x", "", "s"], &attrs);
    let g = m.init(floats("s", &[4], &[1.0, 1.0, scale, 1.0])).graph();
    g.nodes().map(|n| n.op.clone()).collect()
}

#[test]
fn linear_by_whole_factors_is_one_operator() {
    for (mode, half_pixel) in [
        ("half_pixel", true),
        ("pytorch_half_pixel", true),
        ("asymmetric", false),
    ] {
        for scale in [2.0, 3.0] {
            let factor = [scale as usize, 1];
            let op = HostOp::ResizeLinear { factor, half_pixel };
            assert_eq!(linear(mode, scale), [Op::Host(op)], "{mode}");
        }
    }
    // No input has the same share of two outputs at the same distance.
    for (mode, scale) in [("align_corners", 2.0), ("half_pixel", 1.5)] {
        let ops = linear(mode, scale);
        let sums = |op: &Op| matches!(op, Op::Host(HostOp::Interpolate { .. }));
        assert!(ops.iter().any(sums), "{mode}: {ops:?}");
    }
    let old = [
        ("mode", Text("linear")),
        ("scales", Floats(vec![1.0, 1.0, 2.0, 4.0])),
    ];
    let op = HostOp::ResizeLinear {
        factor: [2, 4],
        half_pixel: false,
    };
    let g = single(7, "Upsample", &["x"], &old).graph();
    assert_eq!(only(&g).op, Op::Host(op));
}
