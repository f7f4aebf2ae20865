//! Branches of one sum, and tensors with factors.

use super::zoo::distance;
use vta_net::graph::{Builder, ConvSpec, Graph, TensorId, zoo};
use vta_net::quant::{
    Calibration, Exponents, QNet, QOp, QuantOptions, float, noise, quantise, quantise_with,
    reference,
};
use vta_net::sparse;

/// Three convolutions of one input, added, before a layer that reads the sum.
fn branched(groups: usize) -> Graph {
    let mut b = Builder::new("branched", 3);
    let x = b.input("x", &[1, 8, 9, 9]);
    let spec = |kernel: usize, groups| {
        let spec = ConvSpec::new(8, kernel).pad(kernel / 2);
        if groups > 1 {
            spec.groups(groups)
        } else {
            spec
        }
    };
    let stem = b.conv("stem", x, spec(3, 1));
    let stem = b.relu("stem.relu", stem);
    let wide = b.conv("wide", stem, spec(3, groups));
    let point = b.conv("point", stem, spec(1, groups));
    let other = b.conv("other", stem, spec(3, groups));
    let sum = b.add("sum", point, wide);
    let sum = b.add("sums", other, sum);
    let y = b.relu("relu", sum);
    let y: TensorId = b.conv("last", y, spec(3, 1));
    b.output(y);
    b.finish()
}

fn observed(graph: &Graph) -> Calibration {
    let noise = Calibration::noise(graph, 3, 4).expect("it can be observed");
    Calibration::observe(graph, noise.samples().to_vec()).expect("it can be observed")
}

fn convs(net: &QNet) -> usize {
    let convs = net.nodes.iter().filter(|n| matches!(n.op, QOp::Conv(_)));
    convs.count()
}

fn error(graph: &Graph, net: &QNet, seen: &Calibration) -> f64 {
    let each = seen.samples().iter().map(|s| {
        let want = float::run(graph, s).expect("float runs");
        let got = reference::run(net, s).expect("int8 runs");
        distance(&want[0], &got[0])
    });
    each.sum()
}

#[test]
fn branches_become_one_convolution_that_is_nearer() {
    for groups in [1, 8] {
        let graph = branched(groups);
        let seen = observed(&graph);
        let apart = QuantOptions {
            merge_branches: false,
            ..QuantOptions::default()
        };
        let one = quantise(&graph, &seen, &QuantOptions::default()).expect("it can be quantised");
        let many = quantise(&graph, &seen, &apart).expect("it can be quantised");
        assert!(convs(&one) < convs(&many), "{groups} groups");
        assert!(
            error(&graph, &one, &seen) < error(&graph, &many, &seen),
            "{groups} groups"
        );
    }
}

#[test]
fn a_branch_with_a_mask_stays_by_itself() {
    let mut graph = branched(1);
    let layers = sparse::layers(&graph);
    let masks = sparse::random(0.9, 1, &layers).expect("a density");
    sparse::apply(&mut graph, &masks).expect("they fit");
    let seen = observed(&graph);
    let net = quantise(&graph, &seen, &QuantOptions::default()).expect("it can be quantised");
    let names: Vec<&str> = net.nodes.iter().map(|n| n.name.as_str()).collect();
    for name in ["wide", "point", "other"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
}

#[test]
fn factors_and_branches_come_back_from_exponents() {
    let graphs = [
        branched(1),
        zoo::build("resnet8", 7).expect("a network of the zoo"),
    ];
    for graph in graphs {
        let seen = observed(&graph);
        let options = QuantOptions {
            correct_bias: false,
            ..QuantOptions::default()
        };
        let net = quantise(&graph, &seen, &options).expect("it can be quantised");
        let exponents = Exponents::of(&net);
        let read = Exponents::from_json(&exponents.to_json()).expect("it is the file's text");
        assert_eq!(read, exponents);
        let again = quantise_with(&graph, &read, None).expect("they fit");
        assert!(again == net, "{}", graph.name);
    }
}

#[test]
fn noise_is_named_by_layer() {
    let graph = branched(1);
    let seen = observed(&graph);
    let net = quantise(&graph, &seen, &QuantOptions::default()).expect("it can be quantised");
    let layers = noise(&graph, &net, seen.samples()).expect("it can be compared");
    let last = layers.iter().find(|l| l.node == "last").expect("a layer");
    assert!(
        (20. ..60.).contains(&last.decibels()),
        "{}",
        last.decibels()
    );
    let (channel, worst) = last.worst().expect("there is noise");
    assert!(channel < 8 && worst <= last.decibels());
}
