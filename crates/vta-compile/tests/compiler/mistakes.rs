//! Mistakes put into compiled programs: the verifier finds them, or they change nothing.

use crate::cases::{Conv, Kept, Numbers};
use vta_compile::{Options, Sparsity, compile};
use vta_net::graph::Window;
use vta_net::quant::{QNet, QOp};
use vta_program::program::{Launch, Program, Step};
use vta_tensor::host::Tensor;
use vta_test_support::network::{Sim, run};
use vta_test_support::nodes::{INT8, int8, node};
use vta_verify::check;

/// Three convolutions, the last with the result of the first added.
pub fn network() -> QNet {
    let mut net = QNet::default();
    let mut x = net.add_tensor("x", &[1, 64, 14, 14], INT8);
    net.inputs.push(x);
    let mut first = None;
    for k in 0..3 {
        let conv = Conv {
            co: 64,
            ci: 64,
            groups: 1,
            size: [14, 14],
            window: Window {
                kernel: [3; 2],
                stride: [1; 2],
                dilation: [1; 2],
                pads: [1; 4],
            },
            residual: k == 2,
            leaky: None,
            by_channel: k == 1,
            post_shift: 0,
            kept: Kept::Share(0.5),
            seed: k,
        };
        let q = conv.qconv(&format!("w{k}"));
        let mut inputs = vec![x];
        inputs.extend(first.filter(|_| k == 2));
        x = node(&mut net, QOp::Conv(q), &inputs, &[1, 64, 14, 14]);
        first = first.or(Some(x));
    }
    net.outputs.push(x);
    net
}

fn program() -> (Program, Vec<Tensor>) {
    let net = network();
    let options = Options {
        sparsity: Sparsity::Sparse,
        ..Options::default()
    };
    let program = compile(&net, &options).expect("it compiles");
    let x = Numbers(7).int8(64 * 14 * 14);
    (program, vec![int8(&[1, 64, 14, 14], x)])
}

pub fn launch(p: &Program) -> Launch {
    p.launches().next().expect("there is a launch").clone()
}

/// The bytes of an instruction.
pub fn word(p: &mut Program, insn: u32) -> &mut [u8] {
    let at = u64::from(launch(p).insn_addr + 16 * insn);
    let mut segments = p.segments.iter_mut();
    let s = segments
        .find(|s| u64::from(s.addr) <= at && at < s.end())
        .expect("instructions are in a segment");
    let from = (at - u64::from(s.addr)) as usize;
    &mut s.data[from..from + 16]
}

#[test]
fn a_flag_less_or_more_is_found_or_changes_nothing() {
    let (good, x) = program();
    let expected = run(&good, &x, Sim::Tsim).outputs;
    let (mut found, mut harmless) = (0, 0);
    for insn in 0..launch(&good).insn_count {
        for flag in 3..7 {
            let mut p = good.clone();
            word(&mut p, insn)[0] ^= 1 << flag;
            if check(&p).is_err() {
                found += 1;
                continue;
            }
            // A flag that the unit ignores, or a token that is over at the end.
            assert_eq!(run(&p, &x, Sim::Tsim).outputs, expected, "{insn} {flag}");
            harmless += 1;
        }
    }
    assert!(found > harmless, "{found} found, {harmless} harmless");
}

#[test]
fn instructions_that_change_places_are_found_or_change_nothing() {
    let (good, x) = program();
    let count = launch(&good).insn_count;
    let mut found = 0;
    for insn in 0..count - 1 {
        let mut p = good.clone();
        let first = word(&mut p, insn).to_vec();
        let second = word(&mut p, insn + 1).to_vec();
        word(&mut p, insn).copy_from_slice(&second);
        word(&mut p, insn + 1).copy_from_slice(&first);
        if check(&p).is_err() {
            found += 1;
            continue;
        }
        let both = [Sim::Fsim, Sim::Tsim].map(|s| run(&p, &x, s).outputs);
        assert_eq!(both[0], both[1], "{insn}");
    }
    assert!(found > 10, "{found} of {count}");
}

#[test]
fn a_block_that_is_pruned_after_all_is_found() {
    let (good, _) = program();
    let report = check(&good).unwrap_or_else(|e| panic!("{}", e[0]));
    assert!(report.kept_weights > 0);
    for layer in 0..good.layers.len() {
        let mut p = good.clone();
        let Some(w) = &mut p.layers[layer].weights else {
            continue;
        };
        let kept = w.mask.find('1').expect("something is kept");
        w.mask.replace_range(kept..=kept, "0");
        let kinds: Vec<_> = check(&p).unwrap_err().iter().map(|e| e.kind()).collect();
        assert!(
            kinds.contains(&"pruned-load") && kinds.contains(&"pruned-step"),
            "{kinds:?}"
        );
    }
    // A launch's step of the wrong layer.
    let mut p = good.clone();
    let n = p.layers.len();
    let names: Vec<String> = p.layers.iter().map(|l| l.name.clone()).collect();
    for s in p.steps.iter_mut() {
        if let Step::Launch(l) = s {
            for symbol in &mut l.symbols {
                if let Some(k) = names.iter().position(|n| *n == symbol.name) {
                    symbol.name = names[(k + 1) % n].clone();
                }
            }
        }
    }
    let kinds: Vec<_> = check(&p).unwrap_err().iter().map(|e| e.kind()).collect();
    assert!(
        kinds.contains(&"other-weights") && kinds.contains(&"outside"),
        "{kinds:?}"
    );
}
