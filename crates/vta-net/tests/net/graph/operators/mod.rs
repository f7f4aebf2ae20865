//! Each operator of the list: what it becomes in the graph.

mod convolution;
mod elementwise;
mod file;
mod folding;
mod functions;
mod host;
mod layout;
mod matrices;
mod pooling;
mod quantised;
mod resizing;

use crate::graph::model::{
    Attr, Dim, INT8, INT32, Message, Model, UINT8, floats, ints, ramp, raw, scalar,
};
use Attr::{Float, Floats, Int, Ints, Tensor, Text};
use vta_net::graph::{Conv, Dense, Graph, Node, Op, Window};

/// One line for each node: name, operands' dimensions, result's dimensions.
fn lines(g: &Graph) -> Vec<String> {
    let dims = |t| format!("{:?}", g.tensor(t).dims);
    g.nodes()
        .map(|n| {
            let inputs: Vec<String> = n.inputs.iter().map(|t| dims(*t)).collect();
            format!("{} {} -> {}", n.op.name(), inputs.join(" "), dims(n.output))
        })
        .collect()
}

fn only(g: &Graph) -> &Node {
    let nodes: Vec<&Node> = g.nodes().collect();
    assert_eq!(nodes.len(), 1, "{:?}", lines(g));
    nodes[0]
}

fn conv(g: &Graph) -> &Conv {
    match &only(g).op {
        Op::Conv(c) => c,
        other => panic!("{}", other.name()),
    }
}

fn dense(g: &Graph) -> &Dense {
    match &only(g).op {
        Op::Dense(d) => d,
        other => panic!("{}", other.name()),
    }
}

/// A model of one operator on x `[1, 4, 9, 11]`, result y.
fn single(opset: i64, op: &str, inputs: &[&str], attrs: &[(&str, Attr)]) -> Model {
    Model::new(opset)
        .input("x", &[1, 4, 9, 11])
        .node(op, inputs, &["y"], attrs)
        .output("y")
}

fn output(g: &Graph) -> &[usize] {
    &g.tensor(g.outputs[0]).dims
}
