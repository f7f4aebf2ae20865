//! Constants that are computed at import.

use super::*;

#[test]
fn shape_arithmetic() {
    let zero = || Tensor(raw("", 7, &[], &0i64.to_le_bytes()));
    let m = Model::new(11)
        .input("x", &[1, 4, 3, 5])
        .node("Shape", &["x"], &["s"], &[])
        .node("Constant", &[], &["zero"], &[("value", zero())])
        .node("Gather", &["s", "zero"], &["n"], &[("axis", Int(0))])
        .node("Unsqueeze", &["n"], &["n1"], &[("axes", Ints(vec![0]))])
        .node(
            "Constant",
            &[],
            &["rest"],
            &[("value", Tensor(ints("", &[-1])))],
        )
        .node("Concat", &["n1", "rest"], &["to"], &[("axis", Int(0))])
        .node("Reshape", &["x", "to"], &["y"], &[])
        .output("y");
    assert_eq!(lines(&m.graph()), ["Reshape [1, 4, 3, 5] -> [1, 60]"]);
}

#[test]
fn sizes_for_resize() {
    let m = Model::new(13)
        .input("x", &[1, 4, 3, 5])
        .node("Shape", &["x"], &["s"], &[])
        .node("Slice", &["s", "two", "four"], &["hw"], &[])
        .node("Cast", &["hw"], &["f"], &[("to", Int(1))])
        .node("Mul", &["f", "k"], &["g"], &[])
        .node("Floor", &["g"], &["gf"], &[])
        .node("Cast", &["gf"], &["gi"], &[("to", Int(7))])
        .node("Slice", &["s", "zero", "two"], &["nc"], &[])
        .node("Concat", &["nc", "gi"], &["sz"], &[("axis", Int(0))])
        .node("Resize", &["x", "", "", "sz"], &["y"], &[])
        .output("y")
        .init(ints("zero", &[0]))
        .init(ints("two", &[2]))
        .init(ints("four", &[4]))
        .init(scalar("k", 2.0));
    assert_eq!(lines(&m.graph()), ["Resize [1, 4, 3, 5] -> [1, 4, 6, 10]"]);
}

#[test]
fn integer_division_and_filled_tensors() {
    let m = Model::new(13)
        .input("x", &[1, 12])
        .node("Shape", &["x"], &["s"], &[])
        .node("Div", &["s", "d"], &["q"], &[])
        .node(
            "ConstantOfShape",
            &["q"],
            &["c"],
            &[("value", Tensor(floats("", &[1], &[3.0])))],
        )
        .node("Concat", &["x", "c"], &["y"], &[("axis", Int(1))])
        .output("y")
        .init(ints("d", &[1, 5]));
    // [1, 12] / [1, 5] = [1, 2] threes behind x.
    let g = m.graph();
    assert_eq!(output(&g), [1, 14]);
    let sum = g.nodes().find_map(|n| match &n.op {
        Op::AddConst(c) => Some(c.values.iter().copied().collect::<Vec<_>>()),
        _ => None,
    });
    let want = [vec![0.0; 12], vec![3.0; 2]].concat();
    assert_eq!(sum, Some(want));
}

#[test]
fn dequantised_weights() {
    let m = Model::new(13)
        .input("x", &[1, 1, 2, 2])
        .node(
            "DequantizeLinear",
            &["q", "s", "z"],
            &["w"],
            &[("axis", Int(0))],
        )
        .node("DequantizeLinear", &["qb", "sb"], &["b"], &[])
        .node("Conv", &["x", "w", "b"], &["y"], &[])
        .output("y")
        .init(raw("q", INT8, &[2, 1, 1, 1], &[10, 0xf6]))
        .init(floats("s", &[2], &[0.5, 0.25]))
        .init(raw("z", INT8, &[2], &[2, 0]))
        .init(raw(
            "qb",
            INT32,
            &[2],
            &[100, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        ))
        .init(scalar("sb", 0.5));
    let g = m.graph();
    assert_eq!(conv(&g).weight.as_slice(), Some(&[4.0, -2.5][..]));
    assert_eq!(conv(&g).bias.as_slice(), Some(&[50.0, -0.5][..]));
    assert_eq!(conv(&g).weight_name, "q");
}
