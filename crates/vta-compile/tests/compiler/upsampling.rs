//! Upsampling and depth to space: whose it is, that it is right at all edges, and that mistakes are found.

use crate::cases::Conv;
use crate::layers::right;
use vta_compile::{Options, compile};
use vta_net::quant::{QNet, QOp};
use vta_program::config::HwConfig;
use vta_program::program::{Program, SegmentKind, Step};
use vta_tensor::host::HostOp;
use vta_test_support::nodes::{INT8, node};
use vta_verify::{Flaw, VerifyError, against, check};

/// A convolution and what enlarges its result.
fn network(c: usize, [h, w]: [usize; 2], op: HostOp) -> QNet {
    let mut net = QNet::default();
    let x = net.add_tensor("x", &[1, c, h, w], INT8);
    net.inputs.push(x);
    let conv = Conv {
        groups: c,
        ..Conv::pointwise(c, [h, w], 5)
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

/// Depth to space by blocks of `s`: of channels that are phases of phases first, or last.
fn depth_to_space(c: usize, [h, w]: [usize; 2], s: usize, phase_first: bool) -> HostOp {
    let (split, perm) = match phase_first {
        true => (vec![s, s, c, h, w], vec![2, 3, 0, 4, 1]),
        false => (vec![c, s, s, h, w], vec![0, 3, 1, 4, 2]),
    };
    let dims = vec![1, c, h * s, w * s];
    HostOp::Rearrange { split, perm, dims }
}

#[test]
fn depth_to_space_is_the_devices() {
    for config in ["de10", "small", "b32"] {
        for (c, s) in [(16, 2), (32, 2), (20, 2), (3, 4), (5, 3), (40, 1)] {
            for phase_first in [true, false] {
                for size in [[1, 1], [1, 6], [9, 5]] {
                    let op = depth_to_space(c, size, s, phase_first);
                    let net = network(c * s * s, size, op);
                    let program = program(&net, config);
                    assert!(on_device(&program), "{config}: {c} by {s}, {size:?}");
                    right(&net, &program, 6);
                }
            }
        }
    }
    // The shuffle of channels in groups, and phases of rows alone in three groups.
    let shuffle = HostOp::Rearrange {
        split: vec![1, 2, 29, 4, 5],
        perm: vec![0, 2, 1, 3, 4],
        dims: vec![1, 58, 4, 5],
    };
    let rows = HostOp::Rearrange {
        split: vec![3, 2, 7, 4, 5],
        perm: vec![0, 2, 3, 1, 4],
        dims: vec![1, 21, 8, 5],
    };
    for (c, op) in [(58, shuffle), (42, rows)] {
        let net = network(c, [4, 5], op);
        let program = program(&net, "de10");
        assert!(on_device(&program), "{c}");
        right(&net, &program, 7);
    }
}

/// Rows become channels, or rows and columns change places: the host's.
#[test]
fn other_rearrangements_are_the_hosts() {
    for (split, perm, dims) in [
        (vec![16, 4, 6], vec![0, 2, 1], vec![1, 16, 6, 4]),
        (vec![16, 2, 2, 6], vec![1, 0, 2, 3], vec![1, 32, 2, 6]),
        (vec![4, 4, 4, 6], vec![0, 2, 3, 1], vec![1, 4, 4, 24]),
        (vec![2, 8, 24], vec![1, 0, 2], vec![1, 16, 4, 6]),
    ] {
        let device = perm == [0, 2, 3, 1];
        let op = HostOp::Rearrange { split, perm, dims };
        let net = network(16, [4, 6], op);
        let program = program(&net, "de10");
        assert_eq!(on_device(&program), device, "{:?}", net.nodes[1].op);
        right(&net, &program, 8);
    }
}

#[test]
fn mistakes_in_depth_to_space_are_found() {
    let first = network(64, [3, 5], depth_to_space(16, [3, 5], 2, true));
    let last = network(64, [3, 5], depth_to_space(16, [3, 5], 2, false));
    let (p, q) = (program(&first, "de10"), program(&last, "de10"));
    for (p, net) in [(&p, &last), (&q, &first)] {
        let found = against(p, net).expect_err("it is another").remove(0);
        let VerifyError::Differs(m) = found else {
            panic!("{found}");
        };
        assert!(matches!(m.flaw, Flaw::Moved(_)), "{}", m.flaw);
    }
    // A lane that is another, one more, and one less.
    for (from, to) in [(0, 1), (1, 1), (0, 0)] {
        let mut bad = q.clone();
        let weights = bad.segments.iter_mut().find(|s| s.kind == SegmentKind::Wgt);
        let weights = &mut weights.expect("weights").data;
        let element = weights.len() - 256;
        let lane = (0..256).find(|i| weights[element + i] == 1);
        let at = element + lane.expect("a lane is picked");
        weights[at] = from;
        weights[at ^ 1] = to;
        assert!(against(&bad, &last).is_err(), "{from}, {to}");
    }
}
