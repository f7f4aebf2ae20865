//! A network on its way: float, int8, program, all simulators.

use ndarray::{ArrayD, IxDyn};
use vta_compile::{Options, Sparsity};
use vta_net::graph::onnx::{export, import};
use vta_net::graph::{Graph, Node, Op, TensorId};
use vta_net::quant::{Calibration, QuantError, QuantOptions, float, quantise};
use vta_program::config::HwConfig;
use vta_tensor::host::Tensor;
use vta_test_support::numbers::Numbers;
use vta_test_support::random_network::{Case, Checked};

/// Most elements of all tensors together, and of all multiply-accumulates.
const MOST: (usize, u64) = (1 << 15, 1 << 21);

/// Whether a network is small enough to be run many times.
pub(crate) fn small(graph: &Graph) -> bool {
    let of = |dims: &[usize]| dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    let mut all = graph.tensors().iter();
    let elements = all.try_fold(0usize, |n, t| n.checked_add(of(&t.dims)?));
    let macs = graph.nodes().map(|n| graph.macs(n));
    elements.is_some_and(|n| n <= MOST.0) && macs.fold(0, u64::saturating_add) <= MOST.1
}

/// What was imported gives itself again when it is exported and imported.
pub(crate) fn survives(graph: &Graph) {
    let of = |g: &Graph| -> Vec<String> {
        let tensor = |t| {
            let info = g.tensor(t);
            format!("{} {:?}", info.name, info.dims)
        };
        g.nodes()
            .map(|n| {
                let inputs: Vec<String> = n.inputs.iter().map(|t| tensor(*t)).collect();
                let (op, out) = (n.op.name(), tensor(n.output));
                format!("{} = {op} of {inputs:?} to {out}", n.name)
            })
            .collect()
    };
    let bytes = export(graph);
    let again = import(&bytes, "again.onnx").unwrap_or_else(|e| {
        let nodes = of(graph);
        panic!("what was imported cannot be exported: {e}: {nodes:#?}")
    });
    // Weights may hold NaN, which equals nothing: so files are compared.
    if export(&again) == bytes {
        return;
    }
    // An output that is a copy of another tensor is called as the output is, and
    // comes last, whatever node the file had for it.
    let copies = |n: &Node| {
        let from = n.inputs.first().map(|t| &graph.tensor(*t).dims);
        matches!(n.op, Op::Reshape) && from == Some(&graph.tensor(n.output).dims)
    };
    let ops = |g: &Graph| {
        let mut ops: Vec<_> = g.nodes().map(|n| n.op.name()).collect();
        ops.sort_unstable();
        ops
    };
    if graph.nodes().any(copies) && ops(graph) == ops(&again) {
        return;
    }
    // Nodes can be merged anew where one that read between them was not written. Then
    // the values are the same.
    if same_values(graph, &again) {
        return;
    }
    panic!(
        "another network comes back: {:#?}, then {:#?}",
        of(graph),
        of(&again)
    );
}

/// Runs a network in float and int8; compiles it; what compiles is proven, ends
/// well, and equals the integer reference. Whether it came to the end.
pub(crate) fn through(graph: &Graph, config: &HwConfig, sparsity: Sparsity) -> bool {
    let calibration = match Calibration::noise(graph, 1, 1) {
        Ok(calibration) => calibration,
        Err(e) => {
            assert!(!e.to_string().is_empty());
            return false;
        }
    };
    let sample = &calibration.samples()[0];
    let outputs = float::run(graph, sample).expect("it was observed");
    assert_eq!(outputs.len(), graph.outputs.len());
    let options = QuantOptions {
        effort: 1 << 20,
        ..QuantOptions::default()
    };
    let net = match quantise(graph, &calibration, &options) {
        Ok(net) => net,
        Err(QuantError::Net(e)) => panic!("the quantiser made what it refuses: {e}"),
        Err(e) => {
            assert!(!e.to_string().is_empty());
            return false;
        }
    };
    let case = Case {
        net,
        options: Options {
            config: config.clone(),
            sparsity,
        },
        inputs: sample.clone(),
        ticks: false,
    };
    held(&case)
}

/// A random integer network on a random configuration.
pub(crate) fn run(data: &[u8]) {
    held(&Case::random(&mut Numbers::of_bytes(data)));
}

/// What compiles is proven, ends well in every engine, and equals the integer
/// reference. Whether it compiles.
fn held(case: &Case) -> bool {
    match case.check() {
        Ok(Checked::Right { .. }) => true,
        Ok(Checked::DoesNotFit(e)) => {
            assert!(!e.to_string().is_empty());
            false
        }
        Err(what) => panic!("{what}"),
    }
}

/// Whether two networks give the same on an input; large ones are taken at their word.
fn same_values(a: &Graph, b: &Graph) -> bool {
    if !small(a) || !small(b) {
        return true;
    }
    let inputs = |g: &Graph| -> Vec<Tensor> {
        let one = |t: &TensorId| {
            let mut n = 0.0f32;
            let value = || {
                n += 1.0;
                (n * 0.7).sin()
            };
            let dims = g.tensor(*t).dims.as_slice();
            Tensor::F32(ArrayD::from_shape_simple_fn(IxDyn(dims), value))
        };
        g.inputs.iter().map(one).collect()
    };
    let (Ok(x), Ok(y)) = (float::run(a, &inputs(a)), float::run(b, &inputs(b))) else {
        return false;
    };
    let near = |x: &Tensor, y: &Tensor| {
        let (Some(x), Some(y)) = (x.as_f32(), y.as_f32()) else {
            return false;
        };
        let most = x.iter().filter(|v| v.is_finite());
        let most = most.fold(1e-6f32, |m, v| m.max(v.abs()));
        let mut pairs = x.iter().zip(y);
        let close = |(x, y): (&f32, &f32)| {
            (x - y).abs() <= 1e-3 * most || !(x.is_finite() && y.is_finite())
        };
        x.shape() == y.shape() && pairs.all(close)
    };
    x.len() == y.len() && x.iter().zip(&y).all(|(x, y)| near(x, y))
}
