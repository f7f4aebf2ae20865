//! One layer, on every configuration, dense and sparse.

use crate::cases::{Conv, Kept, Numbers, convs, windows};
use proptest::prelude::*;
use vta_compile::{Options, Sparsity, compile};
use vta_net::graph::Window;
use vta_net::quant::{QNet, QOp, reference};
use vta_program::config::HwConfig;
use vta_program::program::Program;
use vta_tensor::host::Tensor;
use vta_test_support::network::{Sim, run};
use vta_test_support::nodes::{INT8, int8, node};

pub fn inputs(net: &QNet, seed: u64) -> Vec<Tensor> {
    let mut n = Numbers(!seed);
    let dims = net.inputs.iter().map(|t| net.tensor(*t).dims.clone());
    dims.map(|d| int8(&d, n.int8(d.iter().product()))).collect()
}

pub fn check(net: &QNet, sparsity: Sparsity, config: &str, seed: u64) {
    let options = Options {
        config: HwConfig::built_in(config).expect("built in"),
        sparsity,
    };
    let program = compile(net, &options).expect("it compiles");
    right(net, &program, seed);
}

/// A program is proven to be the network, and gives what the reference gives.
pub fn right(net: &QNet, program: &Program, seed: u64) {
    program.validate().expect("it is a program");
    if let Err(findings) = vta_verify::against(program, net) {
        panic!("{}", findings[0]);
    }
    let inputs = inputs(net, seed);
    let expected = reference::run(net, &inputs).expect("the reference runs");
    for sim in [Sim::Fsim, Sim::Tsim] {
        assert_eq!(run(program, &inputs, sim).outputs, expected, "{sim:?}");
    }
}

pub fn configs() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        3 => Just("de10"),
        1 => prop::sample::select(HwConfig::BUILT_IN.to_vec())
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn convolutions(conv in convs(), config in configs(), sparse in any::<bool>()) {
        let net = conv.net();
        let sparsity = if sparse { Sparsity::Sparse } else { Sparsity::Dense };
        check(&net, sparsity, config, conv.seed);
    }

    /// The pool may be in the tile of the convolution.
    #[test]
    fn convolutions_with_a_pool(conv in convs(), pool in windows(), config in configs(), sparse in any::<bool>()) {
        let conv = Conv { residual: false, ..conv };
        let [_, c, h, w] = conv.out().expect("a result");
        let kernel = [0, 1].map(|i| pool.kernel[i].min([h, w][i]));
        let window = Window {
            kernel,
            pads: std::array::from_fn(|i| pool.pads[i].min(kernel[i % 2] - 1)),
            dilation: [1, 1],
            ..pool
        };
        let mut net = conv.net();
        let shape = Conv { co: c, ci: c, groups: c, size: [h, w], window, ..conv.clone() };
        let sums = net.outputs[0];
        let y = node(&mut net, QOp::MaxPool(window), &[sums], &shape.out().expect("a result"));
        net.outputs = vec![y];
        let sparsity = if sparse { Sparsity::Sparse } else { Sparsity::Dense };
        check(&net, sparsity, config, conv.seed);
    }

    #[test]
    fn pools(window in windows(), c in 1..70_usize, extra in [0..=20_usize, 0..=20], config in configs(), seed in any::<u64>()) {
        let window = Window {
            // Padding less than the kernel, as ONNX asks.
            pads: std::array::from_fn(|i| window.pads[i].min(window.kernel[i % 2] - 1)),
            dilation: [1, 1],
            ..window
        };
        let size = [0, 1].map(|i| window.kernel[i] + extra[i]);
        let shape = Conv {
            co: c, ci: c, groups: c, size, window, residual: false, leaky: None,
            by_channel: false, post_shift: 0, kept: Kept::Share(1.0), seed,
        };
        let mut net = QNet::default();
        let x = net.add_tensor("x", &[1, c, size[0], size[1]], INT8);
        net.inputs.push(x);
        let y = node(&mut net, QOp::MaxPool(window), &[x], &shape.out().expect("a result"));
        net.outputs.push(y);
        check(&net, Sparsity::Dense, config, seed);
    }
}
