//! Functions of single elements: by name, and as exporters write them.

use crate::graph::model::{Attr, Model, scalar};
use vta_net::graph::onnx;
use vta_net::graph::{Function, Graph, Op};
use vta_net::quant::float;
use vta_tensor::host::Tensor;

fn model() -> Model {
    Model::new(20).input("x", &[1, 2, 3, 4]).output("y")
}

/// The functions of the only node of a graph.
fn only(g: &Graph) -> Vec<Function> {
    let ops: Vec<&Op> = g.nodes().map(|n| &n.op).collect();
    match ops.as_slice() {
        [Op::Elementwise(functions)] => functions.clone(),
        [Op::Sigmoid] => vec![Function::Sigmoid],
        ops => panic!("{ops:?}"),
    }
}

fn run(g: &Graph) -> Vec<f32> {
    let x = ndarray::ArrayD::from_shape_fn(vec![1, 2, 3, 4], |i| {
        0.5 * (i[1] * 12 + i[2] * 4 + i[3]) as f32 - 5.9
    });
    let out = float::run(g, &[Tensor::F32(x)]).expect("it runs");
    out[0].as_f32().expect("float").iter().copied().collect()
}

#[test]
fn operators_with_one_operand() {
    for name in [
        "Abs",
        "Ceil",
        "Celu",
        "Cos",
        "Elu",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "Log",
        "Mish",
        "Reciprocal",
        "Round",
        "Selu",
        "Sigmoid",
        "Sign",
        "Sin",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Tanh",
        "ThresholdedRelu",
    ] {
        let g = model().node(name, &["x"], &["y"], &[]).graph();
        let functions = only(&g);
        assert_eq!(functions[0].name(), name);
        // What is written gives the same values, and comes back as it was.
        let again = onnx::import(&onnx::export(&g), "again").expect("it is read");
        assert_eq!(only(&again), functions, "{name}");
        let (one, other) = (run(&g), run(&again));
        let same = one
            .iter()
            .zip(&other)
            .all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{name}");
    }
    let e = model()
        .node("Elu", &["x"], &["y"], &[("alpha", Attr::Float(f32::NAN))])
        .error();
    assert!(e.contains("attribute alpha is NaN"), "{e}");
}

#[test]
fn what_exporters_write_for_a_function_is_the_function() {
    let swish = model()
        .node("Sigmoid", &["x"], &["s"], &[])
        .node("Mul", &["x", "s"], &["y"], &[]);
    assert_eq!(only(&swish.graph()), [Function::Swish { alpha: 1.0 }]);
    let hard_swish = model()
        .init(scalar("three", 3.0))
        .init(scalar("zero", 0.0))
        .init(scalar("six", 6.0))
        .node("Add", &["x", "three"], &["a"], &[])
        .node("Clip", &["a", "zero", "six"], &["c"], &[])
        .node("Mul", &["x", "c"], &["m"], &[])
        .node("Div", &["m", "six"], &["y"], &[]);
    assert_eq!(only(&hard_swish.graph()), [Function::HardSwish]);
    let gelu = model()
        .init(scalar("root", std::f32::consts::SQRT_2))
        .init(scalar("one", 1.0))
        .init(scalar("half", 0.5))
        .node("Div", &["x", "root"], &["d"], &[])
        .node("Erf", &["d"], &["e"], &[])
        .node("Add", &["e", "one"], &["a"], &[])
        .node("Mul", &["x", "a"], &["m"], &[])
        .node("Mul", &["m", "half"], &["y"], &[]);
    assert_eq!(only(&gelu.graph()), [Function::Gelu { tanh: false }]);
    let mish = model()
        .node("Softplus", &["x"], &["s"], &[])
        .node("Tanh", &["s"], &["t"], &[])
        .node("Mul", &["t", "x"], &["y"], &[]);
    assert_eq!(only(&mish.graph()), [Function::Mish]);
}

#[test]
fn what_is_read_elsewhere_stays_a_node() {
    let g = Model::new(20)
        .input("x", &[1, 4])
        .output("y")
        .output("s")
        .node("Sigmoid", &["x"], &["s"], &[])
        .node("Mul", &["x", "s"], &["y"], &[])
        .graph();
    let names: Vec<&str> = g.nodes().map(|n| n.op.name()).collect();
    assert_eq!(names, ["Sigmoid", "Mul"]);
}

/// The values of each form are those of the nodes one by one.
#[test]
fn merging_changes_no_value() {
    let parts = |inner: bool| {
        let mut m = Model::new(20).input("x", &[1, 2, 3, 4]).output("y");
        if inner {
            // An output in between keeps the nodes apart.
            m = m.output("t").output("p");
        }
        m.init(scalar("c", 0.3))
            .node("Tanh", &["x"], &["t"], &[])
            .node("Mul", &["t", "c"], &["p"], &[])
            .node("Add", &["p", "x"], &["q"], &[])
            .node("Exp", &["q"], &["y"], &[])
            .graph()
    };
    let (merged, apart) = (parts(false), parts(true));
    assert_eq!(merged.nodes().count(), 1);
    assert!(apart.nodes().count() > 1);
    assert_eq!(run(&merged), run(&apart));
}

#[test]
fn slopes_and_extremes() {
    let prelu = |values: &[f32]| {
        let slope = crate::graph::model::floats("s", &[values.len() as i64, 1, 1], values);
        model()
            .init(slope)
            .node("PRelu", &["x", "s"], &["y"], &[])
            .graph()
    };
    let one = prelu(&[0.25]);
    assert!(one.nodes().any(|n| n.op == Op::LeakyRelu { alpha: 0.25 }));
    let two = run(&prelu(&[0.5, 2.0]));
    // -5.9 in channel 0; 0.1 and more in channel 1.
    assert!((two[0] + 2.95).abs() < 1e-6 && (two[23] - 5.6).abs() < 1e-6);
    let max = model()
        .init(scalar("c", 1.0))
        .node("Max", &["x", "c"], &["y"], &[])
        .graph();
    assert!(run(&max).iter().all(|v| *v >= 1.0));
    let two = model()
        .init(scalar("m", -1.0))
        .node("Mul", &["x", "m"], &["n"], &[])
        .node("Min", &["x", "n"], &["y"], &[])
        .graph();
    let least = run(&two);
    assert!(least.iter().all(|v| *v <= 0.0));
}
