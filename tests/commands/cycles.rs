//! What masks cost: the answer is that of the compiled program, whatever was asked before.

use crate::support::command::{folder, ok};
use vta::compiler::{Options, Sparsity, compile};
use vta::config::HwConfig;
use vta::quant::{QNet, QOp, reshaped_by_masks};
use vta::sparse::Masks;
use vta::{Calibration, Model, NetworkCycles, Program};

/// An integer network with masks applied to its weights.
fn with_masks(net: &QNet, masks: &Masks) -> QNet {
    let mut net = net.clone();
    for node in &mut net.nodes {
        if let QOp::Conv(conv) = &mut node.op
            && let Some(mask) = masks.get(&conv.weight_name)
            && mask.count_kept() < mask.blocks()
        {
            conv.weight
                .apply(mask.clone())
                .expect("a mask of this layer");
        }
    }
    net
}

/// Cycles of the program that is compiled from nothing. Weights whose masks change more
/// than blocks have them before the network is quantised.
fn compiled(model: &Model, masks: &Masks, config: &HwConfig) -> NetworkCycles {
    let reshaped = reshaped_by_masks(model.graph()).expect("a plan");
    let first = masks
        .iter()
        .filter(|(weight, _)| reshaped.contains(*weight));
    let first: Masks = first.map(|(w, m)| (w.clone(), m.clone())).collect();
    let masked = model.clone().mask(first).expect("masks of this network");
    let net = masked.quantise(&Calibration::default());
    let net = net.expect("it quantises");
    let net = net.net();
    let options = Options {
        config: config.clone(),
        sparsity: Sparsity::Sparse,
    };
    let program = compile(&with_masks(net, masks), &options).expect("it compiles");
    NetworkCycles::of(&Program::from(program)).expect("it runs")
}

#[test]
fn answers_are_those_of_programs_in_any_order() {
    for (name, config) in [
        ("lenet5", "de10"),
        ("resnet8", "de10"),
        ("resnet8", "small"),
        ("resnet-tiny", "b32"),
        ("mobilenetv1-0.25", "pynq"),
    ] {
        let config = HwConfig::built_in(config).expect("a built-in one");
        let model = Model::zoo(name, 1).expect("a network of the zoo");
        let calibration = Calibration::default();
        let mut counter = model
            .cycle_counter(&calibration, &config)
            .expect("it counts");
        let half = model.random_masks(0.5, 1).expect("a density");
        let quarter = model.random_masks(0.25, 2).expect("a density");
        // One layer at a time from one to the other, and back at once.
        let mut step = half.clone();
        let mut asked = vec![half.clone()];
        for (weight, mask) in quarter.iter().take(4) {
            step.insert(weight.clone(), mask.clone());
            asked.push(step.clone());
        }
        asked.extend([quarter, Masks::new(), half]);
        for (i, masks) in asked.iter().enumerate() {
            let answer = counter.count(masks).expect("it fits");
            let whole = compiled(&model, masks, &config);
            assert_eq!(answer, whole, "{name} on {}: question {i}", config.name);
        }
    }
}

/// A network that was quantised without its blocks: the same answer as its program's.
#[test]
fn a_masked_network_has_its_own_form() {
    let config = HwConfig::default();
    let model = Model::zoo("resnet8", 3).expect("a network of the zoo");
    let masks = model.random_masks(0.3, 5).expect("a density");
    let masked = model.mask(masks.clone()).expect("masks of this network");
    let calibration = Calibration::default();
    let mut counter = masked
        .cycle_counter(&calibration, &config)
        .expect("it counts");
    let net = masked.quantise(&calibration).expect("it quantises");
    let program = net.compile(&config).expect("it compiles");
    let cycles = program.cycles().expect("it runs");
    assert_eq!(counter.count(&masks).expect("it fits").total, cycles);
    assert_eq!(counter.count(&Masks::new()).expect("it fits").total, cycles);
}

/// In the form of a network that lost blocks these can come back in a question.
#[test]
fn a_form_can_have_its_blocks_back() {
    let config = HwConfig::default();
    for name in ["lenet5", "resnet8", "mobilenetv1-0.25"] {
        let model = Model::zoo(name, 2).expect("a network of the zoo");
        let half = model.random_masks(0.5, 3).expect("a density");
        let calibration = Calibration::default();
        let counter = model.cycle_counter_with(half.clone(), &calibration, &config);
        let mut counter = counter.expect("it counts");
        let mut count = |masks: &Masks| counter.count(masks).expect("it fits").total;
        let lost = count(&half);
        let masked = model.clone().mask(half.clone()).expect("its masks");
        let net = masked.quantise(&calibration).expect("it quantises");
        let program = net.compile(&config).expect("it compiles");
        assert_eq!(lost, program.cycles().expect("it runs"), "{name}");
        // All at once, and all of one layer.
        let all = count(&Masks::new());
        let mut less = half.clone();
        let most = less.iter().max_by_key(|(_, m)| m.blocks() - m.count_kept());
        let weight = most.expect("a layer").0.clone();
        less.remove(&weight);
        let some = count(&less);
        assert!(
            lost < some && some < all,
            "{name} {weight}: {lost} {some} {all}"
        );
        assert_eq!(count(&half), lost, "{name}");
    }
}

#[test]
fn the_command_says_what_compare_says_of_a_dense_network() {
    let dir = folder();
    let json = |args: &[&str]| ok(dir.path(), args).json();
    let asked = json(&["cycles", "resnet8", "--density", "1,0.25", "--json"]);
    let compared = json(&["compare", "resnet8", "--density", "1", "--json"]);
    assert_eq!(asked["answers"][0]["cycles"], compared["dense"]["cycles"]);
    let answers = asked["answers"].as_array().expect("a list");
    for answer in answers {
        let layers = answer["layers"].as_array().expect("a list").iter();
        let sum: u64 = layers
            .map(|l| l["cycles"].as_u64().expect("a number"))
            .sum();
        assert_eq!(answer["cycles"].as_u64(), Some(sum));
    }
}
