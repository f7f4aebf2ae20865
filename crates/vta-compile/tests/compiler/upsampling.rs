//! Upsampling: whose it is, that it is right at all edges, and that mistakes are found.

use crate::cases::{Conv, Kept};
use crate::layers::right;
use vta_compile::{Options, compile};
use vta_net::graph::Window;
use vta_net::quant::{QNet, QOp};
use vta_program::config::HwConfig;
use vta_program::program::{Program, SegmentKind, Step};
use vta_tensor::host::HostOp;
use vta_test_support::nodes::{INT8, node};
use vta_verify::{Flaw, VerifyError, against, check};

/// A convolution and an upsampling of its result.
fn network(c: usize, [h, w]: [usize; 2], op: HostOp) -> QNet {
    let mut net = QNet::default();
    let x = net.add_tensor("x", &[1, c, h, w], INT8);
    net.inputs.push(x);
    let conv = Conv {
        co: c,
        ci: c,
        groups: c,
        size: [h, w],
        window: Window::POINT,
        residual: false,
        leaky: None,
        by_channel: false,
        post_shift: 0,
        kept: Kept::Share(1.0),
        seed: 5,
    };
    let y = node(&mut net, QOp::Conv(conv.qconv("")), &[x], &[1, c, h, w]);
    let dims = op.dims(&[&[1, c, h, w]]).expect("it can be enlarged");
    let z = node(&mut net, QOp::Host(op), &[y], &dims);
    net.outputs.push(z);
    net
}

fn linear(factor: [usize; 2], half_pixel: bool) -> HostOp {
    HostOp::ResizeLinear { factor, half_pixel }
}

fn on_device(program: &Program) -> bool {
    !program.steps.iter().any(|s| matches!(s, Step::Host(_)))
}

fn program(net: &QNet, config: &str) -> Program {
    let options = Options {
        config: HwConfig::built_in(config).expect("built in"),
        ..Options::default()
    };
    compile(net, &options).expect("it compiles")
}

#[test]
fn linear_upsampling_is_right_at_all_edges() {
    let factors = [[1, 2], [2, 1], [2, 2], [4, 2], [4, 4], [8, 8]];
    for factor in factors {
        for half_pixel in [true, false] {
            for size in [[1, 1], [1, 5], [2, 2], [3, 1], [5, 7]] {
                let net = network(20, size, linear(factor, half_pixel));
                let program = program(&net, "de10");
                assert!(on_device(&program), "{factor:?} of {size:?}");
                right(&net, &program, 3);
            }
        }
    }
}

/// Several tiles, whose rows need those of their neighbours.
#[test]
fn linear_upsampling_in_tiles_is_right() {
    for config in ["de10", "small", "b32"] {
        for half_pixel in [true, false] {
            let net = network(40, [24, 30], linear([2, 2], half_pixel));
            let program = program(&net, config);
            assert!(on_device(&program), "{config}");
            right(&net, &program, 4);
        }
    }
}

/// Thirds are no multiples of a power of two, and sixteenths by sixteenths have too many bits.
#[test]
fn other_factors_are_the_hosts() {
    for factor in [[3, 1], [2, 6], [1, 16]] {
        let net = network(16, [4, 3], linear(factor, true));
        let program = program(&net, "de10");
        assert!(!on_device(&program), "{factor:?}");
        right(&net, &program, 5);
    }
}

#[test]
fn mistakes_in_an_upsampling_are_found() {
    let net = network(16, [4, 6], linear([2, 2], true));
    let good = program(&net, "de10");
    let flaw = |p: &Program, net: &QNet| {
        check(p).unwrap_or_else(|e| panic!("{}", e[0]));
        match against(p, net).expect_err("it is another").remove(0) {
            VerifyError::Differs(m) => m.flaw,
            e => panic!("{e}"),
        }
    };
    // A weight: the last elements are those of the upsampling.
    let mut p = good.clone();
    let weights = |s: &&mut vta_program::program::Segment| s.kind == SegmentKind::Wgt;
    let weights = p.segments.iter_mut().find(weights).expect("weights");
    let last = weights.data.len() - 256;
    weights.data[last] ^= 1;
    assert!(matches!(flaw(&p, &net), Flaw::Stray(_)));
    let weights = p.segments.iter_mut().find(|s| s.kind == SegmentKind::Wgt);
    let weights = weights.expect("weights");
    for lane in 0..16 {
        weights.data[last + 17 * lane] = 3;
    }
    assert!(matches!(flaw(&p, &net), Flaw::Share { .. }));
    // Another upsampling of the same size, by the network.
    let other = network(16, [4, 6], linear([2, 2], false));
    assert!(matches!(
        flaw(&good, &other),
        Flaw::Share { .. } | Flaw::Stray(_) | Flaw::Bias { .. }
    ));
    let nearest = network(16, [4, 6], HostOp::Resize { factor: [2, 2] });
    assert!(matches!(
        flaw(&good, &nearest),
        Flaw::Arithmetic(_) | Flaw::Moved(_)
    ));
    let p = program(&nearest, "de10");
    flaw(&p, &net);
}
