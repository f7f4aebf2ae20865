//! The verifier: what it proves, what it finds, and that it finds every mistake
//! that is put into programs that are right.

use std::fs;
use vta_program::asm::{AsmOptions, assemble};
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Deps, Insn, Unit};
use vta_program::mem::Dram;
use vta_program::program::{HostStep, Layer, Layout, On, Program, Region, Step, WeightMap};
use vta_sim::{fsim, golden, tsim};
use vta_tensor::host::{DType, HostOp};
use vta_test_support::root;
use vta_verify::{AluRule, Conflict, Place, VerifyError, check};

fn program(text: &str, config: Option<&str>) -> Program {
    let options = AsmOptions {
        config: config.and_then(HwConfig::built_in),
        read: None,
    };
    assemble(text, &options).unwrap_or_else(|e| panic!("{e}"))
}

fn source(path: &str) -> String {
    fs::read_to_string(root().join("programs").join(path)).expect("the program is there")
}

fn kinds(p: &Program) -> Vec<&'static str> {
    let mut kinds: Vec<_> = match check(p) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(VerifyError::kind).collect(),
    };
    kinds.dedup();
    kinds
}

#[test]
fn all_kernels_are_proven_on_all_configurations() {
    let mut proven = 0;
    for folder in ["kernels", "sparse"] {
        for entry in fs::read_dir(root().join("programs").join(folder)).expect("it is there") {
            let path = entry.expect("it can be read").path();
            let text = fs::read_to_string(&path).expect("it is text");
            for config in ["de10", "pynq", "wide128", "wide512"] {
                let report = check(&program(&text, Some(config)));
                let report =
                    report.unwrap_or_else(|e| panic!("{} on {config}: {e:#?}", path.display()));
                assert!(
                    report.launches == 1 && report.result_bytes > 0 && report.ordered_pairs > 0
                );
                proven += 1;
            }
        }
    }
    assert!(proven >= 52, "{proven}");
}

#[test]
fn counts_are_those_of_the_program() {
    let report = check(&program(&source("sparse/conv_sparse.vtasm"), None)).unwrap();
    assert_eq!(
        (report.insns, report.gemm_steps, report.alu_steps),
        (76, 7840, 2352)
    );
    assert_eq!((report.stores, report.stored_bytes), (7, 4 * 196 * 16));
    assert_eq!((report.token_pairs, report.unused_tokens), (27, 0));
}

#[test]
fn hazards_are_found() {
    let expected: [(&str, &[&str]); 18] = [
        ("alu_same_dst", &["alu-hazard"]),
        ("alu_stale_imm", &["alu-hazard"]),
        ("alu_stale_reg", &["alu-hazard"]),
        ("crossed_pops", &["cycle"]),
        ("empty_uop_range", &["no-trips"]),
        ("missing_push_load", &["missing-push"]),
        ("missing_push_store", &["missing-push"]),
        ("race_buffer_reuse", &["race"]),
        ("race_compute_store", &["race"]),
        ("race_load_compute", &["race"]),
        ("race_out_reuse", &["race"]),
        ("read_address_0", &["address-zero"]),
        ("semaphore_saturation", &["saturation"]),
        ("store_lags", &["unwritten", "store-lags"]),
        ("unknown_alu_opcode", &["illegal"]),
        ("unknown_opcode", &["illegal"]),
        ("zero_rows", &["no-rows"]),
        ("zero_trip_loop", &["no-trips"]),
    ];
    let files = fs::read_dir(root().join("programs/hazards")).expect("it is there");
    assert_eq!(files.count(), expected.len());
    for (name, found) in expected {
        let p = program(&source(&format!("hazards/{name}.vtasm")), None);
        assert_eq!(kinds(&p), found, "{name}");
    }
}

#[test]
fn findings_name_both_instructions_and_the_place() {
    let p = program(&source("hazards/race_out_reuse.vtasm"), None);
    let [
        VerifyError::Race {
            first,
            second,
            conflict,
            place,
        },
    ] = &check(&p).unwrap_err()[..]
    else {
        panic!("one race");
    };
    assert_eq!(
        (first.insn, first.unit, second.insn, second.unit),
        (5, Unit::Store, 6, Unit::Compute)
    );
    assert_eq!(
        (*conflict, *place),
        (Conflict::WriteAfterRead, Place::Element(Scratchpad::Out, 0))
    );
    let p = program(&source("hazards/alu_stale_imm.vtasm"), None);
    let [
        VerifyError::AluHazard {
            rule,
            step,
            element,
            ..
        },
    ] = &check(&p).unwrap_err()[..]
    else {
        panic!("one hazard");
    };
    assert_eq!((*rule, *step, *element), (AluRule::ImmediateStaleSrc, 1, 1));
    let p = program(&source("hazards/crossed_pops.vtasm"), None);
    let [VerifyError::Cycle { insns, queue }] = &check(&p).unwrap_err()[..] else {
        panic!("one cycle");
    };
    let mut numbers: Vec<u32> = insns.iter().map(|i| i.insn).collect();
    numbers.sort_unstable();
    assert_eq!((numbers, *queue), (vec![0, 1], false));
}

/// What the hardware hangs or asserts on is never proven, and convolutions and
/// pipelines that it runs are.
#[test]
fn golden_cases_that_do_not_end_well_are_refused() {
    let found = golden::find(&root().join("tests/golden")).expect("the cases are there");
    let (mut refused, mut proven) = (0, 0);
    for case in &found.cases {
        for (config, expected) in &case.expected {
            let inputs = case.inputs(config, expected).expect("they can be read");
            let (dram, config) = (inputs.dram, config.clone());
            let on = format!("{} on {}", case.name, config.name);
            let p = Program::from_image(dram, case.insn_addr, case.insn_count, vec![], config);
            let Ok(p) = p else { continue };
            let result = check(&p);
            if expected.status != golden::Status::Ok {
                assert!(result.is_err(), "{on} ends with {}", expected.status);
                refused += 1;
            } else if ["conv", "overlap"].contains(&case.kind.as_str()) {
                assert!(result.is_ok(), "{on}: {:#?}", result.unwrap_err());
                proven += 1;
            }
        }
    }
    assert!(
        refused > 50 && proven > 50,
        "{refused} refused, {proven} proven"
    );
}

/// The words of the only launch, to change.
fn change_insns(p: &mut Program, change: impl FnOnce(&mut Vec<u128>)) {
    let Step::Launch(l) = &mut p.steps[0] else {
        panic!("a launch")
    };
    let (from, n) = (l.insn_addr, l.insn_count as usize);
    let s = p
        .segments
        .iter_mut()
        .find(|s| s.addr <= from && u64::from(from) < s.end());
    let s = s.expect("instructions are in a segment");
    let at = (from - s.addr) as usize;
    let bytes = &mut s.data[at..at + 16 * n];
    let words = bytes
        .chunks_exact(16)
        .map(|w| u128::from_le_bytes(w.try_into().unwrap()));
    let mut words: Vec<u128> = words.collect();
    change(&mut words);
    for (to, w) in bytes.chunks_exact_mut(16).zip(words) {
        to.copy_from_slice(&w.to_le_bytes());
    }
}

/// Bits of the flags in every format.
const POP_PREV: u128 = 1 << 3;
const POP_NEXT: u128 = 1 << 4;
const PUSH_PREV: u128 = 1 << 5;
const PUSH_NEXT: u128 = 1 << 6;

fn insns(p: &Program) -> Vec<Insn> {
    let image = p.dram_image();
    let launch = p.launches().next().expect("one launch");
    launch
        .insns(&image)
        .map(|i| i.expect("it decodes"))
        .collect()
}

/// Instruction and flag of each push with those of its pop.
fn pairs(p: &Program) -> Vec<[(usize, u128); 2]> {
    let all = insns(p);
    let with = |unit: Unit, bit: u128| -> Vec<(usize, u128)> {
        let has = |d: Deps| match bit {
            POP_PREV => d.pop_prev,
            POP_NEXT => d.pop_next,
            PUSH_PREV => d.push_prev,
            _ => d.push_next,
        };
        let some = all
            .iter()
            .enumerate()
            .filter(|(_, i)| i.unit() == unit && has(i.deps()));
        some.map(|(n, _)| (n, bit)).collect()
    };
    let directions = [
        (Unit::Load, PUSH_NEXT, Unit::Compute, POP_PREV),
        (Unit::Compute, PUSH_PREV, Unit::Load, POP_NEXT),
        (Unit::Compute, PUSH_NEXT, Unit::Store, POP_PREV),
        (Unit::Store, PUSH_PREV, Unit::Compute, POP_NEXT),
    ];
    let pairs = directions.iter().flat_map(|&(from, push, to, pop)| {
        with(from, push)
            .into_iter()
            .zip(with(to, pop))
            .map(|(a, b)| [a, b])
    });
    pairs.collect()
}

/// Every push and every pop of these programs is needed, and every pair but
/// those that another one implies.
#[test]
fn a_token_less_is_found() {
    // The last store ends behind the one before it, so FINISH need not wait for both.
    for (path, implied) in [
        ("sparse/conv_sparse.vtasm", 1),
        ("sparse/conv_dense.vtasm", 1),
        ("kernels/conv3x3_dense.vtasm", 0),
    ] {
        let good = program(&source(path), None);
        let pairs = pairs(&good);
        assert!(pairs.len() >= 3);
        let mut passed = 0;
        for [(a, push), (b, pop)] in pairs {
            for (drop_push, drop_pop) in [(true, false), (false, true), (true, true)] {
                let mut p = good.clone();
                change_insns(&mut p, |words| {
                    words[a] &= !(push * u128::from(drop_push));
                    words[b] &= !(pop * u128::from(drop_pop));
                });
                if kinds(&p).is_empty() {
                    assert!(drop_push && drop_pop, "{path}: {a} {push:#x}, {b} {pop:#x}");
                    assert_eq!(bytes_of_both(&p), bytes_of_both(&good));
                    passed += 1;
                }
            }
        }
        assert_eq!(passed, implied, "{path}");
    }
}

/// DRAM after a program of one launch, which is the same in both simulators.
fn bytes_of_both(p: &Program) -> Vec<u8> {
    let l = p.launches().next().expect("one launch");
    let (at, n) = (l.insn_addr, l.insn_count);
    let (mut timed, mut functional) = (Dram::new(p.dram_image()), Dram::new(p.dram_image()));
    let options = tsim::Options::default();
    let done = tsim::run(&p.config, &mut timed, at, n, options, &mut tsim::NoSink);
    assert_eq!(done.expect("it stays inside DRAM").status, tsim::Status::Ok);
    let done = fsim::run(&p.config, &mut functional, at, n, fsim::Limits::default());
    assert_eq!(done.expect("it stays inside DRAM").stop, fsim::Stop::Finish);
    assert!(timed == functional);
    // The instructions themselves are not the same.
    timed
        .into_bytes()
        .split_off(l.insn_addr as usize + 16 * n as usize)
}

/// Transfers to other places of the scratchpads.
#[test]
fn a_shifted_place_is_found() {
    let good = program(&source("sparse/conv_sparse.vtasm"), None);
    let mut shifted = 0;
    for (n, insn) in insns(&good).iter().enumerate() {
        // Where something was loaded before, the verifier cannot know that it is too old.
        let first = n <= 10;
        let moves = matches!(insn, Insn::Load(_)) && first || matches!(insn, Insn::Store(_));
        if !moves || insn.is_sync() {
            continue;
        }
        let mut p = good.clone();
        change_insns(&mut p, |words| words[n] += 900 << 10);
        assert!(!kinds(&p).is_empty(), "instruction {n}: {insn:?}");
        shifted += 1;
    }
    assert_eq!(shifted, 11 + 7);
}

/// Two layers; the second reads what the first stores.
const NETWORK: &str = "
.config de10
.data x inp len=16
  random seed=1
.data wa wgt len=4
  random seed=2
.data wb wgt len=2
  random seed=3
.data y1 out len=16
.data y2 out len=16
.data u uop
  uop dst=0 src=0 wgt=0
  uop dst=0 src=0 wgt=1
  uop dst=0 src=0 wgt=2
  uop dst=0 src=0 wgt=3
  uop dst=0 src=0 wgt=4
  uop dst=0 src=0 wgt=5
.launch main
  .output y2
  load.uop dram_base=u x_size=6
  .symbol a
  load.inp dram_base=x x_size=16
  load.wgt dram_base=wa x_size=4 push_next
  gemm reset uop=0..1 iter_in=16 dst_factor_in=1
  gemm uop=0..4 iter_in=16 dst_factor_in=1 src_factor_in=1 pop_prev push_next
  store dram_base=y1 x_size=16 pop_prev push_prev
  .symbol b
  load.uop pop_next push_prev
  load.wgt sram_base=4 dram_base=wb x_size=2
  load.inp dram_base=y1 x_size=16 pop_next push_next
  gemm reset uop=4..5 iter_in=16 dst_factor_in=1
  gemm uop=4..6 iter_in=16 dst_factor_in=1 src_factor_in=1 pop_prev push_next
  store dram_base=y2 x_size=16 pop_prev push_prev
  .end symbol
  finish pop_next
";

fn segment(p: &Program, name: &str) -> u32 {
    p.segments
        .iter()
        .find(|s| s.name == name)
        .expect("it is there")
        .addr
}

fn region(tensor: &str, addr: u32) -> Region {
    Region {
        tensor: tensor.into(),
        addr,
        dims: vec![1, 16, 4, 4],
        dtype: DType::I8,
        layout: Layout::Blocked,
        exponent: Some(0),
    }
}

/// The network of a text like [`NETWORK`], with layers and masks.
fn network(text: &str) -> Program {
    let mut p = program(text, None);
    let layer =
        |name: &str, output: &str, weights: &str, count, mask: &str, block_of: &[u32]| Layer {
            name: name.into(),
            op: "Conv".into(),
            on: On::Device,
            step: 0,
            why: String::new(),
            blocks: mask.len() as u64,
            kept: 1,
            macs: 1,
            compute_floor: 1,
            memory_floor: 1,
            output: region(output, segment(&p, output)),
            weights: Some(WeightMap {
                addr: segment(&p, weights),
                count,
                mask_dims: vec![mask.len(), 1, 1, 1],
                mask: mask.into(),
                block_of: block_of.to_vec(),
            }),
        };
    p.layers = vec![
        layer("a", "y1", "wa", 4, "101", &[0, 0, 2, 2]),
        layer("b", "y2", "wb", 2, "1", &[0, 0]),
    ];
    p.inputs = vec![region("x", segment(&p, "x"))];
    p.outputs = vec![region("y2", segment(&p, "y2"))];
    p
}

#[test]
fn a_network_is_proven() {
    let report = check(&network(NETWORK)).unwrap_or_else(|e| panic!("{e:#?}"));
    assert_eq!(report.kept_weights, 6);
    // y1 of the layer; y2 of layer, launch and network.
    assert_eq!(report.result_bytes, 4 * 256);
}

/// What is found in the network when a part of its text is another.
fn found(from: &str, to: &str) -> Vec<&'static str> {
    assert!(NETWORK.contains(from), "{from}");
    kinds(&network(&NETWORK.replacen(from, to, 1)))
}

#[test]
fn mistakes_in_a_network_are_found() {
    let cases: &[(&str, &str, &[&str])] = &[
        // The second layer does not wait for the store of the first.
        (
            "load.uop pop_next push_prev",
            "load.uop push_prev",
            &["race", "store-lags"],
        ),
        (
            "x_size=16 pop_next push_next",
            "x_size=16 push_next",
            &["race"],
        ),
        // Weights of the other layer, and of nobody.
        ("gemm uop=4..6", "gemm uop=3..6", &["other-weights"]),
        ("gemm uop=0..4", "gemm uop=0..5", &["race", "unwritten"]),
        (
            "sram_base=4 dram_base=wb x_size=2",
            "sram_base=4 dram_base=wb x_size=1",
            &["unwritten"],
        ),
        // Half of a result, and one too many.
        (
            "store dram_base=y2 x_size=16",
            "store dram_base=y2 x_size=15",
            &["not-written"],
        ),
        (
            "store dram_base=y1 x_size=16",
            "store dram_base=y1 x_size=17",
            &["outside", "unwritten"],
        ),
        (
            "store dram_base=y1 x_size=16",
            "store dram_base=y2 x_size=16",
            &["outside", "undefined-dram"],
        ),
        // Reset in between: the outputs are of sums that are gone.
        (
            "  store dram_base=y1",
            "  gemm reset uop=0..1 iter_in=9 dst_factor_in=1\n  store dram_base=y1",
            &["stale-out"],
        ),
        (
            "  store dram_base=y1",
            "  load.acc dram_base=64 x_size=4 pop_next push_next\n  store dram_base=y1",
            &["missing-push"],
        ),
        (
            "  store dram_base=y1",
            "  load.acc dram_base=64 x_size=4\n  store dram_base=y1",
            &["stale-out"],
        ),
        // Steps past the end, micro-ops that are not there.
        (
            "gemm uop=4..6 iter_in=16 dst_factor_in=1",
            "gemm uop=4..6 iter_in=16 dst_factor_in=200",
            &["index", "stale-out"],
        ),
        (
            "src_factor_in=1 pop_prev push_next\n  store dram_base=y1",
            "src_factor_in=200 pop_prev push_next\n  store dram_base=y1",
            &["index", "unwritten"],
        ),
        (
            "gemm uop=4..6",
            "gemm uop=4..7",
            &["stale-out", "unwritten"],
        ),
        ("gemm uop=4..6", "gemm uop=4..3000", &["index", "stale-out"]),
        // Over the instructions.
        (
            "store dram_base=y2",
            "store dram_base=0x700",
            &["changed-insns", "outside"],
        ),
        ("finish pop_next", "finish", &["store-lags"]),
        // Results before they are there.
        (
            "load.inp dram_base=x",
            "load.inp dram_base=y1",
            &["undefined-dram"],
        ),
        (
            "load.inp dram_base=y1",
            "load.inp dram_base=0x410",
            &["undefined-dram"],
        ),
        ("finish pop_next", "load.uop pop_next", &["no-finish"]),
        (
            "finish pop_next",
            "finish pop_next\n  finish",
            &["after-finish"],
        ),
        (
            "dram_base=x x_size=16",
            "dram_base=0x10000000 x_size=16",
            &["outside-dram"],
        ),
        (
            "load.inp dram_base=x x_size=16",
            "load.inp sram_base=2040 dram_base=x x_size=16",
            &["misfit"],
        ),
    ];
    let mut wrong = Vec::new();
    for (from, to, kinds) in cases {
        let mut got = found(from, to);
        got.sort_unstable();
        got.dedup();
        if got != *kinds {
            wrong.push(format!("{from} -> {to}: {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pruned_blocks_are_found() {
    let mut p = network(NETWORK);
    let map = p.layers[0].weights.as_mut().expect("it has weights");
    map.mask = "100".into();
    let errors = check(&p).unwrap_err();
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(kinds(&p), ["pruned-load", "pruned-step"], "{text:?}");
    assert!(
        text[0].contains("loads weight element 2 of layer a, which is of pruned block 2"),
        "{text:?}"
    );
    assert!(
        text[1].contains("wgt[2]") && text[1].contains("load.wgt"),
        "{text:?}"
    );
    // The same without symbols: the address tells.
    let Step::Launch(l) = &mut p.steps[0] else {
        panic!("a launch")
    };
    l.symbols.clear();
    assert_eq!(kinds(&p), ["pruned-load", "pruned-step"]);
}

#[test]
fn host_steps_write_results_and_may_not_change_programs() {
    let mut p = network(NETWORK);
    let x = segment(&p, "x");
    let copy = |to: u32| {
        Step::Host(HostStep {
            name: "copy".into(),
            op: HostOp::Copy,
            inputs: vec![region("x", x)],
            output: region("copy", to),
        })
    };
    p.dram_bytes = p.dram_bytes.max(0x10000);
    p.outputs = vec![region("copy", 0x9000)];
    assert_eq!(kinds(&p), ["not-written"]);
    p.steps.push(copy(0x9000));
    assert_eq!(check(&p).map(|r| r.host_steps).unwrap(), 1);
    // Micro-ops of a launch that comes later.
    let uops = segment(&p, "u") & !15;
    p.steps.insert(0, copy(uops));
    p.layers.iter_mut().for_each(|l| l.step = 1);
    let Step::Host(h) = &mut p.steps[2] else {
        panic!("a host step")
    };
    h.name = "again".into();
    let errors = check(&p).unwrap_err();
    assert_eq!(errors[0].kind(), "changed-uops");
    assert!(
        errors[0]
            .to_string()
            .contains("which host step copy changes"),
        "{}",
        errors[0]
    );
    p.steps[0] = copy(0xa000);
    let Step::Host(h) = &mut p.steps[2] else {
        panic!("a host step")
    };
    h.inputs[0].addr = 0xb000;
    assert_eq!(kinds(&p), ["undefined-dram"]);
    let at = p.launches().next().expect("a launch").insn_addr;
    p.steps[0] = copy(at);
    assert_eq!(check(&p).unwrap_err()[0].kind(), "changed-insns");
}

/// A queue that is full keeps back what others wait for.
#[test]
fn a_full_queue_can_be_a_deadlock() {
    let text = |n: u32| {
        format!(
            ".config de10\n.launch m\n.for i = 0..{n}\n  load.inp pop_next\n.end for\n.for i = 0..{n}\n  load.uop push_prev\n.end for\n  finish\n"
        )
    };
    assert!(check(&program(&text(200), None)).is_ok());
    // The queue of load takes 512 of 600, and fetch stands still.
    let p = program(
        ".config de10\n.launch m\n.for i = 0..600\n  load.inp pop_next\n.end for\n  load.uop push_prev\n  finish\n",
        None,
    );
    assert_eq!(kinds(&p), ["missing-push"]);
    // The first of load waits for a token that stands behind 600 others.
    let blocked = ".config de10\n.launch m\n  load.inp pop_next\n.for i = 0..600\n  load.inp\n.end for\n  load.uop push_prev\n  finish\n";
    let errors = check(&program(blocked, None)).unwrap_err();
    assert!(
        matches!(&errors[..], [VerifyError::Cycle { queue: true, .. }]),
        "{errors:?}"
    );
    assert!(errors[0].to_string().ends_with("because a queue is full"));
}

/// `load_narrow::in_flight_counter_wraps`: on `pynq` 16 bursts are as many beats
/// as there are inputs.
#[test]
fn a_counter_that_comes_round_is_found() {
    let text = |n: u32| {
        format!(
            ".config pynq\n.data x inp len=2048\n.launch m\n  load.inp dram_base=x x_size={n} push_next\n  load.uop pop_prev\n  finish\n"
        )
    };
    assert_eq!(kinds(&program(&text(2048), None)), ["ends-early"]);
    assert!(check(&program(&text(2047), None)).is_ok());
    assert!(check(&program(&text(2048), Some("de10"))).is_ok());
    assert!(check(&program(&text(2048), Some("wide128"))).is_ok());
}

/// Large programs take little time.
#[test]
fn thousands_of_instructions_are_quick() {
    let mut text = String::from(
        ".config de10\n.data x inp len=1024\n.data w wgt len=512\n.data y out len=1024\n.data u uop\n.for k = 0..72\n  uop dst=0 src=k*8 wgt=k*7\n.end for\n.launch m\n  load.uop dram_base=u x_size=72\n  load.inp dram_base=x x_size=1024\n  load.wgt dram_base=w x_size=512 push_next\n  load.uop pop_prev\n",
    );
    text += ".for i = 0..2000\n  gemm reset uop=0..1 iter_in=256 dst_factor_in=1\n  gemm uop=0..72 iter_out=16 iter_in=16 dst_factor_out=16 dst_factor_in=1 src_factor_out=18 src_factor_in=1\n  gemm uop=0..72 iter_out=8 iter_in=32 dst_factor_out=32 dst_factor_in=1 src_factor_out=34 src_factor_in=1 push_next\n  store dram_base=y x_size=256 pop_prev push_prev\n  load.uop pop_next\n.end for\n  finish\n";
    let p = program(&text, None);
    let start = std::time::Instant::now();
    let report = check(&p).unwrap_or_else(|e| panic!("{:?}", &e[0]));
    assert_eq!(report.gemm_steps, 2000 * (2 * 72 * 256 + 256));
    // Debug builds of a busy machine are slow; this is far below that.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    println!("{:?}", start.elapsed());
}

/// `fsim` agrees that the network of these tests does something.
#[test]
fn the_network_runs() {
    let p = network(NETWORK);
    let mut dram = Dram::new(p.dram_image());
    let l = p.launches().next().expect("one launch");
    let done = fsim::run(
        &p.config,
        &mut dram,
        l.insn_addr,
        l.insn_count,
        fsim::Limits::default(),
    );
    assert_eq!(done.expect("it stays inside DRAM").stop, fsim::Stop::Finish);
    let y = dram
        .read(segment(&p, "y2").into(), 256)
        .expect("it is in DRAM");
    assert!(y.iter().any(|b| *b != 0));
}
