//! Files of exponents.

use vta_net::graph::{Builder, ConvSpec, Graph};
use vta_net::quant::{Exponents, quantise_with, reference};
use vta_tensor::host::Tensor;

thread_local! {
    static GRAPH: Graph = small();
}

/// A network with a weight of each kind: tensors `x`, `a`, `b`, `sum`, `y`.
fn small() -> Graph {
    let mut b = Builder::new("small", 1);
    let x = b.input("x", &[1, 3, 4, 4]);
    let a = b.conv("a", x, ConvSpec::new(20, 3).pad(1));
    let d = b.conv("b", a, ConvSpec::new(20, 3).pad(1).groups(20));
    let s = b.add("sum", a, d);
    let r = b.relu("r", s);
    let f = b.flatten("f", r);
    let y = b.dense("y", f, 5, 1.0);
    b.output(y);
    b.finish()
}

/// Calls with the small network.
pub(crate) fn graph(f: impl FnOnce(&Graph)) {
    GRAPH.with(f);
}

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let exponents = match Exponents::from_json(&text) {
        Ok(exponents) => exponents,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    let again = Exponents::from_json(&exponents.to_json());
    assert_eq!(again.as_ref(), Ok(&exponents));
    graph(|graph| match quantise_with(graph, &exponents, None) {
        Ok(net) => {
            let x = ndarray::ArrayD::from_elem(vec![1, 3, 4, 4], 0.5_f32);
            let y = reference::run(&net, &[Tensor::F32(x)]);
            y.unwrap_or_else(|e| panic!("what was quantised does not run: {e}"));
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    });
}
