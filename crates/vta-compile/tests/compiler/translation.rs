//! The verifier as a translation validator: programs that are not their network
//! are found, with layer and element, and what it lets pass is right.

use crate::cases::Numbers;
use crate::layers::{inputs, right};
use crate::mistakes::{launch, network, word};
use crate::networks;
use proptest::prelude::*;
use std::collections::BTreeMap;
use vta_compile::{Options, Sparsity, compile};
use vta_net::quant::{QNet, reference};
use vta_program::isa::{Insn, MemoryType};
use vta_program::program::{Program, Segment, SegmentKind, Step};
use vta_test_support::network::{Sim, run};
use vta_verify::{Flaw, VerifyError, against, check};

fn sparse(net: &QNet) -> Program {
    let options = Options {
        sparsity: Sparsity::Sparse,
        ..Options::default()
    };
    compile(net, &options).expect("it compiles")
}

fn segment(p: &mut Program, kind: SegmentKind) -> Option<&mut Segment> {
    p.segments.iter_mut().find(|s| s.kind == kind)
}

/// The flaws that `against` finds in a program that `check` proves.
fn flaws(p: &Program, net: &QNet) -> Vec<(String, Flaw)> {
    if let Err(e) = check(p) {
        panic!("{}", e[0]);
    }
    let found = against(p, net).expect_err("it is not the network");
    let all = found.into_iter().map(|e| {
        let text = e.to_string();
        match e {
            VerifyError::Differs(m) => {
                assert!(
                    text.starts_with(&format!("layer {}, output", m.layer)),
                    "{text}"
                );
                (text, m.flaw)
            }
            e => panic!("{e}"),
        }
    });
    all.collect()
}

/// The loads of a type, with their numbers.
fn loads(p: &Program, memory_type: MemoryType) -> Vec<(u32, vta_program::isa::Load)> {
    let image = p.dram_image();
    let insns = launch(p);
    let insns = (0..).zip(insns.insns(&image));
    insns
        .filter_map(|(n, i)| match i {
            Ok(Insn::Load(l)) if l.memory_type == memory_type && l.x_size > 0 => Some((n, l)),
            _ => None,
        })
        .collect()
}

/// The program with another load in the place of one.
fn with_load(p: &Program, insn: u32, load: vta_program::isa::Load) -> Program {
    let mut p = p.clone();
    let bits = Insn::Load(load).encode().expect("it fits");
    word(&mut p, insn).copy_from_slice(&bits.to_le_bytes());
    p
}

#[test]
fn what_the_compiler_makes_is_the_network() {
    let net = network();
    let p = sparse(&net);
    let report = against(&p, &net).unwrap_or_else(|e| panic!("{}", e[0]));
    // 3 layers of 64 channels and 14 x 14 pixels.
    assert_eq!(report.vectors, 3 * 4 * 14 * 14);
    assert_eq!(report.products, report.gemm_steps);
    right(&net, &p, 1);
}

#[test]
fn a_weight_that_is_another_is_found() {
    let net = network();
    let good = sparse(&net);
    // One value.
    let mut p = good.clone();
    let weights = segment(&mut p, SegmentKind::Wgt).expect("there are weights");
    weights.data[5 * 256 + 17] ^= 1;
    let found = flaws(&p, &net);
    assert!(matches!(found[0].1, Flaw::Weight { .. }), "{}", found[0].0);
    // Two elements of a layer in each other's place.
    let mut p = good.clone();
    let weights = segment(&mut p, SegmentKind::Wgt).expect("there are weights");
    let (first, second) = weights.data.split_at_mut(256);
    first[..256].swap_with_slice(&mut second[..256]);
    let found = flaws(&p, &net);
    assert!(matches!(found[0].1, Flaw::Weight { .. }), "{}", found[0].0);
    // A load of the elements behind those that are meant.
    let mut seen = 0;
    for (insn, load) in loads(&good, MemoryType::Wgt) {
        let mut other = load;
        other.dram_base += 1;
        let p = with_load(&good, insn, other);
        if check(&p).is_ok() {
            seen += 1;
            flaws(&p, &net);
        }
    }
    assert!(seen > 0);
}

#[test]
fn an_input_row_that_is_another_is_found() {
    let net = network();
    let good = sparse(&net);
    let mut seen = 0;
    for (insn, load) in loads(&good, MemoryType::Inp) {
        for by in [14, 1] {
            let mut other = load;
            other.dram_base += by;
            let p = with_load(&good, insn, other);
            if check(&p).is_ok() {
                seen += 1;
                let found = flaws(&p, &net);
                let strays = |f: &(String, Flaw)| {
                    matches!(
                        f.1,
                        Flaw::Stray(_)
                            | Flaw::Twice { .. }
                            | Flaw::Weight { .. }
                            | Flaw::Residual(_)
                    )
                };
                assert!(strays(&found[0]), "{}", found[0].0);
            }
        }
    }
    assert!(seen > 3, "{seen}");
}

/// A load that is left out leaves what was there before: in order, and stale.
#[test]
fn a_stale_value_is_found() {
    let net = network();
    let good = sparse(&net);
    let mut seen = 0;
    for memory_type in [MemoryType::Inp, MemoryType::Wgt, MemoryType::Acc] {
        for (insn, load) in loads(&good, memory_type) {
            let mut none = load;
            none.x_size = 0;
            let p = with_load(&good, insn, none);
            if check(&p).is_ok() {
                seen += 1;
                flaws(&p, &net);
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn a_bias_of_another_channel_is_found() {
    let net = network();
    let good = sparse(&net);
    let mut p = good.clone();
    let biases = segment(&mut p, SegmentKind::Acc).expect("there are biases");
    let (a, b) = (20, 21);
    assert_ne!(biases.data[4 * a..4 * a + 4], biases.data[4 * b..4 * b + 4]);
    for k in 0..4 {
        biases.data.swap(4 * a + k, 4 * b + k);
    }
    let found = flaws(&p, &net);
    let Flaw::Bias { channel, .. } = found[0].1 else {
        panic!("{}", found[0].0)
    };
    assert_eq!(channel, a);
    assert!(
        found[0].0.contains(&format!("output [{a}, 0, 0]")),
        "{}",
        found[0].0
    );
}

#[test]
fn another_network_is_found() {
    let net = network();
    let p = sparse(&net);
    let changed = |change: &dyn Fn(&mut vta_net::quant::QConv)| {
        let mut other = net.clone();
        for node in &mut other.nodes {
            if let vta_net::quant::QOp::Conv(c) = &mut node.op {
                change(c);
            }
        }
        flaws(&p, &other).remove(0)
    };
    let (text, flaw) = changed(&|c| c.clamp.1 = 100);
    assert!(matches!(flaw, Flaw::Limits { .. }), "{text}");
    let (text, flaw) = changed(&|c| c.leaky = Some(vec![3, 5]));
    assert!(matches!(flaw, Flaw::Slope { .. }), "{text}");
    // A mask that drops other blocks.
    let mut other = net.clone();
    if let vta_net::quant::QOp::Conv(c) = &mut other.nodes[0].op {
        let mut mask = c.weight.mask().expect("a mask").clone();
        let kept = mask.kept.first_one().expect("a kept block");
        mask.kept.set(kept, false);
        c.weight.apply(mask).expect("the same dimensions");
    }
    let found = against(&p, &other).expect_err("another mask");
    assert!(
        found[0].to_string().contains("the mask of layer"),
        "{}",
        found[0]
    );
    // Fewer layers, other outputs.
    let mut other = net.clone();
    other.nodes.pop();
    other.outputs = vec![other.nodes[1].output];
    assert!(against(&p, &other).is_err());
}

/// Changes something small in a program; says what.
fn mutate(p: &mut Program, n: &mut Numbers) -> &'static str {
    let at = |n: &mut Numbers, len: usize, size: usize| {
        n.below((len / size).max(1) as u64) as usize * size
    };
    match n.below(8) {
        0 | 1 => {
            let Some(s) = segment(p, SegmentKind::Insn) else {
                return "nothing";
            };
            let from = at(n, s.data.len(), 16);
            // Not the opcode and the flags: those are about order.
            let bit = 7 + n.below(121) as usize;
            s.data[from + bit / 8] ^= 1 << (bit % 8);
            "a bit of an instruction"
        }
        2 => {
            let Some(s) = segment(p, SegmentKind::Uop) else {
                return "nothing";
            };
            let from = at(n, s.data.len(), 4);
            let bit = n.below(32) as usize;
            s.data[from + bit / 8] ^= 1 << (bit % 8);
            "a bit of a micro-op"
        }
        3 => {
            let Some(s) = segment(p, SegmentKind::Wgt) else {
                return "nothing";
            };
            let from = n.below(s.data.len() as u64) as usize;
            s.data[from] ^= 1 << n.below(8);
            "a bit of a weight"
        }
        4 => {
            let Some(s) = segment(p, SegmentKind::Acc) else {
                return "nothing";
            };
            let from = at(n, s.data.len(), 4);
            s.data[from + n.below(2) as usize] ^= 1 << n.below(8);
            "a bit of a bias or a shift"
        }
        5 => {
            let Some(s) = segment(p, SegmentKind::Insn) else {
                return "nothing";
            };
            let (a, b) = (at(n, s.data.len(), 16), at(n, s.data.len(), 16));
            for k in 0..16 {
                s.data.swap(a + k, b + k);
            }
            "two instructions in each other's place"
        }
        6 => {
            let steps = p.steps.iter_mut().filter_map(|s| match s {
                Step::Host(h) if h.inputs.len() > 1 => Some(h),
                _ => None,
            });
            for h in steps {
                h.inputs.swap(0, 1);
            }
            "operands of the host in each other's place"
        }
        _ => {
            let regions = p
                .outputs
                .iter_mut()
                .chain(p.layers.iter_mut().map(|l| &mut l.output));
            let mut regions: Vec<_> = regions.collect();
            let r = n.below(regions.len() as u64) as usize;
            let by = [16, 4096][n.below(2) as usize];
            regions[r].addr = regions[r].addr.wrapping_add(by);
            "a place of a tensor"
        }
    }
}

/// What is let pass gives what the network gives; and the mistakes are found
/// that only a look at the network can find.
#[test]
fn mistakes_in_random_networks_are_found_or_change_nothing() {
    let (mut passed, mut found) = (0, BTreeMap::<&str, u32>::new());
    let cases: u64 = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(150);
    for seed in 0..cases {
        let n = &mut Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        let net = networks::network(n.next(), 1 + n.below(8) as usize);
        let good = sparse(&net);
        if let Err(e) = against(&good, &net) {
            panic!("seed {seed}: {}", e[0]);
        }
        let samples: Vec<_> = (0..2).map(|k| inputs(&net, seed + k)).collect();
        let expected: Vec<_> = samples
            .iter()
            .map(|s| reference::run(&net, s).expect("the reference runs"))
            .collect();
        for _ in 0..12 {
            let mut p = good.clone();
            let what = mutate(&mut p, n);
            if p == good || check(&p).is_err() {
                continue;
            }
            if against(&p, &net).is_err() {
                *found.entry(what).or_default() += 1;
                continue;
            }
            passed += 1;
            for (s, e) in samples.iter().zip(&expected) {
                assert_eq!(&run(&p, s, Sim::Fsim).outputs, e, "seed {seed}: {what}");
            }
        }
    }
    println!("{passed} changed nothing; found {found:?}");
    for what in [
        "a bit of an instruction",
        "a bit of a micro-op",
        "a bit of a weight",
        "a bit of a bias or a shift",
        "a place of a tensor",
    ] {
        assert!(found.get(what).is_some_and(|n| *n > 5), "{what}: {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A program of one network is not that of another with other numbers.
    #[test]
    fn other_weights_are_found(seed in any::<u64>()) {
        let (a, b) = (networks::network(seed, 4), networks::network(seed, 4));
        let p = sparse(&a);
        prop_assert!(against(&p, &b).is_ok());
        let mut other = b;
        let mut changed = false;
        for node in &mut other.nodes {
            let vta_net::quant::QOp::Conv(c) = &mut node.op else { continue };
            if !changed {
                c.bias[0] += 1 << 16;
                changed = true;
            }
        }
        if changed && vta_net::quant::check(&other).is_ok() {
            prop_assert!(against(&p, &other).is_err());
        }
    }
}
