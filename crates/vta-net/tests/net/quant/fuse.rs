//! Host steps that only feed each other become one.

use vta_net::graph::{Graph, zoo};
use vta_net::quant::{self, Calibration, QOp, QuantOptions, fuse_host, reference};
use vta_tensor::host::HostOp;

/// As many as there are of what only the host does.
fn host_nodes(net: &quant::QNet) -> usize {
    net.nodes
        .iter()
        .filter(|n| matches!(n.op, QOp::Host(_)))
        .count()
}

#[test]
fn fused_steps_give_the_same() {
    for name in ["resnet8", "yolo-tiny", "mobilenetv1-0.25"] {
        let Some(graph) = zoo::build(name, 3) else {
            continue;
        };
        same(&graph);
    }
}

fn same(graph: &Graph) {
    let calibration = Calibration::noise(graph, 1, 2).expect("noise fits");
    let net = quant::quantise(graph, &calibration, &QuantOptions::default()).expect("int8");
    let mut fused = net.clone();
    fuse_host(&mut fused);
    quant::check(&fused).expect("it makes sense");
    assert!(host_nodes(&fused) <= host_nodes(&net));
    let inputs = graph.inputs.iter().map(|t| {
        let dims = graph.tensor(*t).dims.clone();
        let mut n = 0.0;
        let values = ndarray::ArrayD::from_shape_simple_fn(dims, || {
            n += 1.0;
            (n * 0.37f32).sin()
        });
        vta_tensor::host::Tensor::F32(values)
    });
    let inputs: Vec<_> = inputs.collect();
    let want = reference::run(&net, &inputs).expect("it runs");
    assert_eq!(reference::run(&fused, &inputs).expect("it runs"), want);
    // Nothing is left that could still go.
    for node in &fused.nodes {
        let QOp::Host(HostOp::Fused { ops }) = &node.op else {
            continue;
        };
        assert!(ops.len() > 1, "{}", node.name);
    }
}
