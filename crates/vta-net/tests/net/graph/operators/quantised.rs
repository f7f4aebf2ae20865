//! Quantised activations.

use super::*;

fn pair(zero: i8) -> Vec<String> {
    let m = Model::new(13)
        .input("x", &[1, 1, 2, 2])
        .node("Conv", &["x", "w"], &["c"], &[])
        .node("QuantizeLinear", &["c", "s", "z"], &["q"], &[])
        .node("DequantizeLinear", &["q", "s", "z"], &["d"], &[])
        .node("Sigmoid", &["d"], &["y"], &[])
        .output("y")
        .init(ramp("w", &[1, 1, 1, 1]))
        .init(scalar("s", 0.25))
        .init(raw("z", INT8, &[], &[zero as u8]));
    m.graph().nodes().map(|n| format!("{:?}", n.op)).collect()
}

#[test]
fn pairs_are_dropped_but_not_the_clip_in_them() {
    let symmetric = pair(3);
    assert_eq!(symmetric.len(), 3);
    assert_eq!(symmetric[1], "Clip { min: -32.75, max: 31.0 }");
    let with = pair(-128);
    assert_eq!(with.len(), 3);
    // The range of int8 from its lowest value on: 255 steps of 0.25.
    assert_eq!(with[1], "Clip { min: 0.0, max: 63.75 }");
}

#[test]
fn integers_that_are_an_input_are_scaled() {
    let m = Model::new(13)
        .open_input("x", UINT8, &[Dim::Name("N"), Dim::Size(3)])
        .node("DequantizeLinear", &["x", "s", "z"], &["y"], &[])
        .output("y")
        .init(scalar("s", 0.5))
        .init(raw("z", UINT8, &[], &[128]));
    assert_eq!(
        lines(&m.graph()),
        ["Add [1, 3] -> [1, 3]", "Mul [1, 3] -> [1, 3]"]
    );
}
