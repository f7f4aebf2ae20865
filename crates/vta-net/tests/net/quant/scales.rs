//! Exponents that are given.

use vta_net::graph::{Graph, zoo};
use vta_net::quant::{
    Calibration, Exponents, ExponentsError, PerChannel, QNet, QOp, QuantError, QuantOptions,
    quantise, quantise_with,
};

fn chosen(graph: &Graph, per_channel: PerChannel) -> QNet {
    let calibration = Calibration::noise(graph, 1, 2).expect("it can be observed");
    let options = QuantOptions {
        per_channel,
        correct_bias: false,
        ..QuantOptions::default()
    };
    quantise(graph, &calibration, &options).expect("it can be quantised")
}

#[test]
fn a_network_comes_back_from_its_exponents() {
    for name in zoo::NAMES.iter().filter(|n| **n != "resnet18") {
        let graph = zoo::build(name, 7).expect("a network of the zoo");
        for per_channel in [PerChannel::Never, PerChannel::Always] {
            let net = chosen(&graph, per_channel);
            let exponents = Exponents::of(&net);
            let read = Exponents::from_json(&exponents.to_json()).expect("it is the file's text");
            assert_eq!(read, exponents);
            let again = quantise_with(&graph, &read, None).expect("they fit");
            assert!(again == net, "{name}, {per_channel:?}");
        }
    }
}

#[test]
fn biases_are_corrected_where_it_is_asked_for() {
    let graph = zoo::build("resnet8", 7).expect("a network of the zoo");
    let calibration = Calibration::noise(&graph, 1, 2).expect("it can be observed");
    let exponents = Exponents::of(&chosen(&graph, PerChannel::Auto));
    let plain = quantise_with(&graph, &exponents, None).expect("they fit");
    let corrected = quantise_with(&graph, &exponents, Some(&calibration)).expect("they fit");
    let biases = |net: &QNet| -> Vec<i32> {
        let convs = net.nodes.iter().filter_map(|n| match &n.op {
            QOp::Conv(c) => Some(c.bias.clone()),
            _ => None,
        });
        convs.flatten().collect()
    };
    assert_ne!(biases(&plain), biases(&corrected));
    assert_eq!(Exponents::of(&corrected), exponents);
}

#[test]
fn exponents_that_do_not_fit_are_refused() {
    let graph = zoo::build("resnet8", 7).expect("a network of the zoo");
    let exponents = Exponents::of(&chosen(&graph, PerChannel::Never));
    let refused = |change: &dyn Fn(&mut Exponents)| -> ExponentsError {
        let mut e = exponents.clone();
        change(&mut e);
        match quantise_with(&graph, &e, None) {
            Err(QuantError::Exponents(e)) => e,
            other => panic!("{other:?}"),
        }
    };
    let weight = exponents.weights.keys().next().expect("a weight").clone();
    let tensor = "input".to_owned();
    let none = |what, name: &str| ExponentsError::Missing {
        what,
        name: name.into(),
    };
    assert_eq!(
        refused(&|e| e.tensors.retain(|n, _| *n != tensor)),
        none("tensor", &tensor)
    );
    assert_eq!(
        refused(&|e| drop(e.weights.remove(&weight))),
        none("weight", &weight)
    );
    let unknown = refused(&|e| e.tensors.extend([("nobody".into(), -4)]));
    assert_eq!(unknown.to_string(), "the network has no tensor `nobody`");
    let unknown = refused(&|e| drop(e.weights.insert("nobody".into(), vec![-4])));
    assert_eq!(unknown.to_string(), "the network has no weight `nobody`");
    let channels = refused(&|e| drop(e.weights.insert(weight.clone(), vec![-4; 3])));
    assert!(matches!(channels, ExponentsError::Channels { got: 3, .. }));
    for (tensor_is, weight_is) in [(40, None), (-60, None), (-4, Some(90)), (-4, Some(-200))] {
        let apart = refused(&|e| {
            e.tensors.insert(tensor.clone(), tensor_is);
            e.weights
                .extend(weight_is.map(|w| (weight.clone(), vec![w])));
        });
        assert!(matches!(apart, ExponentsError::Shift { .. }), "{apart:?}");
    }
}

#[test]
fn damaged_files_are_refused() {
    let graph = zoo::build("lenet5", 7).expect("a network of the zoo");
    let text = Exponents::of(&chosen(&graph, PerChannel::Never)).to_json();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Exponents::from_json(&text.replacen(from, to, 1)).expect_err(to)
    };
    for (from, to) in [
        ("{", ""),
        ("tensors", "tenors"),
        ("\"version\": 1", "\"version\": 1, \"more\": 2"),
        ("\"input\": -", "\"input\": x"),
    ] {
        assert!(matches!(refused(from, to), ExponentsError::Json { .. }));
    }
    for (from, to) in [
        ("vta-quantisation", "vta-cost"),
        ("\"version\": 1", "\"version\": 2"),
    ] {
        assert!(matches!(refused(from, to), ExponentsError::Format { .. }));
    }
    let range = refused("\"input\": -", "\"input\": -99");
    assert!(matches!(range, ExponentsError::Range { .. }), "{range:?}");
    for end in 0..text.len() - 2 {
        assert!(Exponents::from_json(&text[..end]).is_err(), "{end}");
    }
}
