//! Operators on single elements.

use super::*;

fn op(op: &str, inputs: &[&str]) -> Vec<Op> {
    let m = single(13, op, inputs, &[]).init(floats("c", &[1], &[4.0]));
    m.graph().nodes().map(|n| n.op.clone()).collect()
}

fn value(op: &Op) -> (&str, f32) {
    match op {
        Op::AddConst(c) => ("add", c.values[[0]]),
        Op::MulConst(c) if c.values.ndim() == 0 => ("mul", c.values[[]]),
        Op::MulConst(c) => ("mul", c.values[[0]]),
        other => panic!("{}", other.name()),
    }
}

#[test]
fn arithmetic_with_constants() {
    let values = |name: &str, inputs: &[&str]| -> Vec<(String, f32)> {
        let ops = op(name, inputs);
        ops.iter()
            .map(|o| (value(o).0.to_owned(), value(o).1))
            .collect()
    };
    let pair = |n: &str, v: f32| (n.to_owned(), v);
    assert_eq!(values("Add", &["x", "c"]), [pair("add", 4.0)]);
    assert_eq!(values("Add", &["c", "x"]), [pair("add", 4.0)]);
    assert_eq!(values("Mul", &["c", "x"]), [pair("mul", 4.0)]);
    assert_eq!(values("Sub", &["x", "c"]), [pair("add", -4.0)]);
    assert_eq!(
        values("Sub", &["c", "x"]),
        [pair("mul", -1.0), pair("add", 4.0)]
    );
    assert_eq!(values("Div", &["x", "c"]), [pair("mul", 0.25)]);
}

#[test]
fn arithmetic_of_two_tensors() {
    assert!(op("Add", &["x", "x"]) == [Op::Add]);
    let square = vta_net::graph::Function::Product {
        left: vec![],
        right: vec![],
    };
    assert!(op("Mul", &["x", "x"]) == [Op::Elementwise(vec![square])]);
    let ops = op("Sub", &["x", "x"]);
    assert_eq!((value(&ops[0]), &ops[1]), (("mul", -1.0), &Op::Add));
}

#[test]
fn activations() {
    let one = |opset: i64, op: &str, attrs: &[(&str, Attr)]| {
        let g = single(opset, op, &["x"], attrs).graph();
        only(&g).op.clone()
    };
    assert_eq!(one(13, "Relu", &[]), Op::Relu);
    assert_eq!(one(13, "Sigmoid", &[]), Op::Sigmoid);
    assert_eq!(one(13, "LeakyRelu", &[]), Op::LeakyRelu { alpha: 0.01 });
    let alpha = [("alpha", Float(0.25))];
    assert_eq!(one(13, "LeakyRelu", &alpha), Op::LeakyRelu { alpha: 0.25 });
    let range = [("min", Float(0.0)), ("max", Float(6.0))];
    let relu6 = Op::Clip { min: 0.0, max: 6.0 };
    assert_eq!(one(10, "Clip", &range), relu6);
    assert_eq!(one(10, "Clip", &[("min", Float(0.0))]), Op::Relu);
}

#[test]
fn clip_with_operands() {
    let clip = |inputs: &[&str]| {
        let m = single(11, "Clip", inputs, &[]);
        let g = m.init(scalar("lo", 0.0)).init(scalar("hi", 6.0)).graph();
        only(&g).op.clone()
    };
    assert_eq!(clip(&["x", "lo", "hi"]), Op::Clip { min: 0.0, max: 6.0 });
    assert_eq!(clip(&["x", "lo"]), Op::Relu);
    let min = f32::MIN;
    assert_eq!(clip(&["x", "", "hi"]), Op::Clip { min, max: 6.0 });
}

#[test]
fn softmax_before_and_after_opset_13() {
    let of = |opset: i64, attrs: &[(&str, Attr)]| {
        lines(&single(opset, "Softmax", &["x"], attrs).graph())
    };
    let plain = ["Softmax [1, 4, 9, 11] -> [1, 4, 9, 11]"];
    assert_eq!(of(13, &[]), plain);
    assert_eq!(of(11, &[("axis", Int(3))]), plain);
    assert_eq!(
        of(11, &[]),
        [
            "Reshape [1, 4, 9, 11] -> [1, 396]",
            "Softmax [1, 396] -> [1, 396]",
            "Reshape [1, 396] -> [1, 4, 9, 11]"
        ]
    );
}

#[test]
fn what_does_nothing_at_inference_is_left_out() {
    let m = Model::new(12)
        .input("x", &[1, 4])
        .node("Identity", &["x"], &["a"], &[])
        .node("Dropout", &["a"], &["b", "mask"], &[])
        .node("Cast", &["b"], &["c"], &[("to", Int(1))])
        .node("Relu", &["c"], &["d"], &[])
        .node("Identity", &["d"], &["y"], &[])
        .output("y");
    let g = m.graph();
    assert_eq!(lines(&g), ["Relu [1, 4] -> [1, 4]"]);
    assert_eq!(g.tensor(g.outputs[0]).name, "y");
}

#[test]
fn batch_normalisation_alone() {
    let epsilon = [("epsilon", Float(1.0))];
    let m = single(
        13,
        "BatchNormalization",
        &["x", "g", "b", "m", "v"],
        &epsilon,
    )
    .init(floats("g", &[4], &[1.0, 2.0, 3.0, 4.0]))
    .init(floats("b", &[4], &[0.5; 4]))
    .init(floats("m", &[4], &[1.0; 4]))
    .init(floats("v", &[4], &[3.0; 4]));
    let g = m.graph();
    let Op::Scale { scale, shift } = &only(&g).op else {
        panic!("{}", only(&g).op.name())
    };
    assert_eq!(scale.to_vec(), [0.5, 1.0, 1.5, 2.0]);
    assert_eq!(shift.to_vec(), [0.0, -0.5, -1.0, -1.5]);
}
