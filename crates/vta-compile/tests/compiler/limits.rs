//! What does not fit the hardware is an error that says what; it never wraps.

use crate::cases::{Conv, Kept, convs};
use crate::layers::right;
use proptest::prelude::*;
use vta_compile::{CompileError, Options, Sparsity, compile};
use vta_net::graph::Window;
use vta_net::quant::{QNet, QOp};
use vta_program::config::HwConfig;
use vta_program::program::Step;
use vta_tensor::host::HostOp;
use vta_test_support::nodes::{INT8, node};

fn plain(size: [usize; 2], stride: usize) -> Conv {
    Conv {
        co: 16,
        ci: 16,
        groups: 1,
        size,
        window: Window {
            kernel: [1, 1],
            stride: [stride; 2],
            dilation: [1, 1],
            pads: [0; 4],
        },
        residual: false,
        leaky: None,
        by_channel: false,
        post_shift: 0,
        kept: Kept::Share(1.0),
        seed: 1,
    }
}

fn refused(net: &QNet, config: HwConfig) -> String {
    let options = Options {
        config,
        sparsity: Sparsity::Dense,
    };
    compile(net, &options)
        .expect_err("it does not fit")
        .to_string()
}

fn no_tile(e: &CompileError) -> bool {
    matches!(e, CompileError::DoesNotFit { what, .. } if what.contains("no tile of it fits"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    /// Scratchpads of any depth, each for itself: the program is right, or there is none.
    #[test]
    fn any_depths(
        conv in convs(),
        depths in [7..=11_u32, 5..=11, 2..=10, 4..=11, 2..=11],
    ) {
        let [uop, inp, wgt, acc, out] = depths.map(|d| 1 << d);
        let config = HwConfig {
            uop_depth: uop,
            inp_depth: inp,
            wgt_depth: wgt,
            acc_depth: acc,
            out_depth: out,
            ..HwConfig::default()
        };
        config.check().expect("a configuration");
        let net = conv.net();
        match compile(&net, &Options { config, sparsity: Sparsity::Dense }) {
            Ok(program) => right(&net, &program, conv.seed),
            Err(e) => prop_assert!(no_tile(&e), "{e}"),
        }
    }
}

/// A load of all 64 inputs, 128 beats, may be in flight as a whole, and the
/// hardware's counter of 7 bits would say that none is.
#[test]
fn no_load_comes_round_the_counter_of_beats() {
    let config = HwConfig {
        inp_depth: 64,
        wgt_depth: 4,
        ..HwConfig::default()
    };
    let shapes = [
        Conv {
            ci: 32,
            ..plain([4, 8], 1)
        },
        plain([8, 8], 1),
    ];
    for conv in shapes {
        let net = conv.net();
        let options = Options {
            config: config.clone(),
            sparsity: Sparsity::Dense,
        };
        let program = compile(&net, &options).expect("a part of it fits");
        right(&net, &program, 7);
    }
}

/// 64 outputs for 2048 accumulators: biases lie behind the 64.
#[test]
fn few_outputs() {
    let config = HwConfig {
        out_depth: 64,
        ..HwConfig::default()
    };
    for residual in [false, true] {
        let conv = Conv {
            co: 64,
            residual,
            ..plain([12, 12], 1)
        };
        let net = conv.net();
        let options = Options {
            config: config.clone(),
            sparsity: Sparsity::Dense,
        };
        let program = compile(&net, &options).expect("a row of it fits");
        right(&net, &program, 3);
    }
}

/// The error names the layer, the configuration, and what would have to be larger.
#[test]
fn what_would_have_to_be_larger_is_said() {
    let small = HwConfig {
        acc_depth: 16,
        out_depth: 2,
        ..HwConfig::built_in("small").expect("built in")
    };
    // A value, its slope and a term of it.
    let mut slope = plain([4, 4], 1);
    slope.leaky = Some(vec![1, 2]);
    let (slope, plain) = (slope.net(), plain([4, 4], 1).net());
    assert_eq!(
        refused(&slope, small.clone()),
        "n0 does not fit configuration small: no tile of it fits the scratchpads; it would take OUT_DEPTH 4, not 2"
    );
    let torn = HwConfig {
        block: 64,
        mem_len_bits: 1,
        ..small
    };
    assert_eq!(
        refused(&plain, torn),
        "n0 does not fit configuration small: an element is wider than the longest burst; it would take MEM_LEN_BITS 3, not 1"
    );
}

#[test]
fn a_shift_that_is_no_shift_of_the_device() {
    let mut net = plain([4, 4], 1).net();
    if let QOp::Conv(c) = &mut net.nodes[0].op {
        c.residual_shift = 7;
    }
    assert_eq!(
        refused(&net, HwConfig::default()),
        "n0: residual_shift is 7, outside 0 to 6"
    );
    let options = Options::default();
    let e = compile(&net, &options).expect_err("it does not fit");
    assert!(matches!(e, CompileError::Field { layer, range } if layer == "n0" && range.value == 7));
}

#[test]
fn sizes_that_would_wrap() {
    let net = |dims: [usize; 4], stride: usize, out: [usize; 4]| {
        let mut net = plain([1, 1], stride).net();
        for (t, dims) in net.tensors.iter_mut().zip([dims, out]) {
            t.dims = dims.to_vec();
        }
        net
    };
    let huge = 1 << 33;
    let map = [1, 16, huge, huge];
    let said = refused(&net(map, 1, map), HwConfig::default());
    assert_eq!(
        said,
        format!("x: the program needs {} bytes of DRAM", u64::MAX)
    );
    let net = net([1, 16, 4, 4], huge, [1, 16, 1, 1]);
    let said = refused(&net, HwConfig::default());
    assert_eq!(said, "n0: stride: more than can be counted");
}

/// Sizes at which products of a layer's numbers would wrap: a map of many rows in a
/// deep but narrow network, a depthwise layer of many channels, a kernel of many positions.
#[test]
fn products_do_not_wrap() {
    let tiny = HwConfig {
        block: 4,
        inp_depth: 16,
        wgt_depth: 4,
        acc_depth: 16,
        out_depth: 16,
        ..HwConfig::default()
    };
    // 2^24 pairs of blocks, of which 4096 have weights.
    let mut wide = plain([1, 1], 1);
    (wide.co, wide.ci, wide.groups) = (1 << 14, 1 << 14, 1 << 14);
    let net = wide.net();
    let options = Options {
        config: tiny.clone(),
        sparsity: Sparsity::Dense,
    };
    let program = compile(&net, &options).expect("several blocks at once fit");
    right(&net, &program, 3);
    let mut far = plain([3, 3], 1 << 20);
    far.window.kernel = [1, 1];
    let net = far.net();
    let options = Options {
        config: tiny,
        sparsity: Sparsity::Dense,
    };
    let program = compile(&net, &options).expect("one element of it is read");
    right(&net, &program, 3);
}

/// A program that will not fit DRAM is refused before its weights are packed.
#[test]
fn weights_that_do_not_fit_dram() {
    // 2^18 positions of one element of 4 KiB.
    let mut conv = plain([512, 512], 1);
    // Groups are not packed by the host.
    (conv.co, conv.ci, conv.groups) = (2, 2, 2);
    (conv.window.kernel, conv.window.pads) = ([512, 512], [0; 4]);
    let wide = HwConfig {
        block: 64,
        wgt_depth: 256,
        inp_depth: 1024,
        acc_depth: 1024,
        ..HwConfig::default()
    };
    let said = refused(&conv.net(), wide);
    assert_eq!(said, "weights: the program needs 1090527232 bytes of DRAM");
}

/// The rows of an upsampled map are further apart than a loop can step: the
/// host does it.
#[test]
fn a_step_that_no_loop_can_say_is_not_taken() {
    let mut net = QNet::default();
    let x = net.add_tensor("x", &[1, 16, 2, 600], INT8);
    net.inputs.push(x);
    let conv = plain([2, 600], 1).qconv("w");
    let y = node(&mut net, QOp::Conv(conv), &[x], &[1, 16, 2, 600]);
    let op = QOp::Host(HostOp::Resize { factor: [4, 2] });
    let z = node(&mut net, op, &[y], &[1, 16, 8, 1200]);
    net.outputs.push(z);
    let options = Options::default();
    let program = compile(&net, &options).expect("it compiles");
    let on_host = |s: &Step| matches!(s, Step::Host(h) if h.op.name() == "Resize");
    assert!(program.steps.iter().any(on_host), "{:?}", program.layers);
    right(&net, &program, 5);
}
