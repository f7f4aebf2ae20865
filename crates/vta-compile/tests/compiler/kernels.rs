//! Kernels that are larger than the scratchpads are cut along themselves.

use crate::cases::{Conv, Kept, Numbers};
use crate::layers::right;
use ndarray::Array4;
use proptest::prelude::*;
use vta_compile::{Options, Sparsity, compile};
use vta_net::graph::Window;
use vta_net::quant::{QConv, QNet, QOp, Shift};
use vta_program::config::HwConfig;
use vta_test_support::nodes::{INT8, node};

/// Scratchpads of so many inputs, weights and accumulators.
fn tiny([inp, wgt, acc]: [u32; 3]) -> HwConfig {
    HwConfig {
        inp_depth: inp,
        wgt_depth: wgt,
        acc_depth: acc,
        out_depth: acc,
        ..HwConfig::default()
    }
}

fn compiles(net: &QNet, config: HwConfig, sparsity: Sparsity, seed: u64) {
    let program = compile(net, &Options { config, sparsity });
    let program = program.unwrap_or_else(|e| panic!("{e}"));
    right(net, &program, seed);
}

prop_compose! {
    /// Kernels of up to 20x20, most of them larger than half of the map.
    fn large()(
        kernel in [1..=20_usize, 1..=20],
        stride in [1..=3_usize, 1..=3],
        dilation in [1..=2_usize, 1..=2],
        before in [0..=10_usize, 0..=10],
        after in [0..=10_usize, 0..=10],
        more in [0..=6_usize, 0..=6],
        (channels, depthwise) in (1..=40_usize, any::<bool>()),
        (residual, slope) in (any::<bool>(), any::<bool>()),
        kept in prop_oneof![Just(Kept::One), (0.1..=1.0).prop_map(Kept::Share)],
        seed in any::<u64>(),
    ) -> Conv {
        let axis = |i: usize| {
            let span = (kernel[i] - 1) * dilation[i] + 1;
            let pads = [before[i].min(span - 1), after[i].min(span - 1)];
            (pads, (span + more[i]).saturating_sub(pads[0] + pads[1]).max(1))
        };
        let (([top, bottom], h), ([left, right], w)) = (axis(0), axis(1));
        Conv {
            co: channels,
            ci: channels,
            groups: if depthwise { channels } else { 1 },
            size: [h, w],
            window: Window { kernel, stride, dilation, pads: [top, left, bottom, right] },
            residual,
            leaky: slope.then(|| vec![3]),
            by_channel: false,
            post_shift: 0,
            kept,
            seed,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Where one position of one block fits, every kernel does.
    #[test]
    fn any_kernel(
        conv in large(),
        depths in [1..=5_u32, 1..=5, 4..=6],
        sparse in any::<bool>(),
    ) {
        let sparsity = if sparse { Sparsity::Sparse } else { Sparsity::Dense };
        compiles(&conv.net(), tiny(depths.map(|d| 1 << d)), sparsity, conv.seed);
    }
}

/// A mean over a whole map behind a layer of the device.
fn mean(channels: usize, [h, w]: [usize; 2]) -> QNet {
    let first = Conv::pointwise(channels, [h, w], 3);
    let mut net = QNet::default();
    let map = [1, channels, h, w];
    let x = net.add_tensor("x", &map, INT8);
    net.inputs.push(x);
    let y = node(&mut net, QOp::Conv(first.qconv("w")), &[x], &map);
    // Weights of two sizes: a mean of very many values has few steps.
    let mut n = Numbers(7);
    let steps = (0..h * w).map(|_| 1 + n.below(2) as i8).collect::<Vec<_>>();
    let all = steps.repeat(channels);
    let weight = Array4::from_shape_vec((channels, 1, h, w), all).expect("as many weights");
    let mean = QConv {
        weight_name: String::new(),
        weight: weight.into(),
        bias: vec![0; channels],
        window: Window::whole([h, w]),
        groups: channels,
        shift: Shift::Layer(9),
        leaky: None,
        residual_shift: 0,
        post_shift: 0,
        clamp: (-128, 127),
    };
    let z = node(&mut net, QOp::Conv(mean), &[y], &[1, channels, 1, 1]);
    net.outputs.push(z);
    net
}

#[test]
fn means_of_maps_of_any_size() {
    for (channels, map) in [
        (16, [9, 40]),
        (40, [45, 45]),
        (16, [1, 300]),
        (20, [200, 1]),
    ] {
        let net = mean(channels, map);
        for config in [tiny([4, 4, 32]), tiny([64, 16, 64]), HwConfig::default()] {
            compiles(&net, config, Sparsity::Dense, 5);
        }
    }
}

/// A constant kernel has two elements, whatever its size: those of a whole block
/// of channels and of the last, here for weights of two sizes.
#[test]
fn a_mean_loads_each_element_once() {
    let program = compile(&mean(24, [30, 30]), &Options::default()).expect("it compiles");
    let layer = program.layers.last().expect("the mean");
    assert_eq!(layer.weights.as_ref().map(|w| w.count), Some(4));
}
