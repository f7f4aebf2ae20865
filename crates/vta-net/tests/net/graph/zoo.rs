//! Networks built in code.

use vta_net::graph::{Graph, Op, zoo};

fn build(name: &str) -> Graph {
    zoo::build(name, 1).expect("a network of the zoo")
}

/// Multiply-accumulates of a network.
fn macs(g: &Graph) -> u64 {
    g.nodes().map(|n| g.macs(n)).sum()
}

fn parameters(g: &Graph) -> usize {
    g.nodes()
        .map(|n| match &n.op {
            Op::Conv(c) => c.weight.len() + c.bias.len(),
            Op::Dense(d) => d.weight.len() + d.bias.len(),
            _ => 0,
        })
        .sum()
}

#[test]
fn every_name_builds_and_no_other() {
    for name in zoo::NAMES {
        let g = build(name);
        assert_eq!(g.name, *name);
        assert_eq!(g.inputs.len(), 1);
        assert!(!g.outputs.is_empty());
    }
    assert!(zoo::build("resnet19", 1).is_none());
}

#[test]
fn sizes_are_those_of_the_published_networks() {
    // Published counts, less what folding takes: a BatchNorm's four values become one bias.
    assert_eq!(parameters(&build("resnet18")), 11_684_712);
    assert_eq!(macs(&build("resnet18")), 1_814_073_344);
    assert_eq!(parameters(&build("lenet5")), 61_706);
    assert_eq!(macs(&build("resnet8")), 12_501_632);
    assert_eq!(parameters(&build("vgg11")), 9_225_610);
    assert_eq!(macs(&build("mobilenetv1-0.25")), 7_489_664);
}

#[test]
fn outputs() {
    let dims = |name: &str| -> Vec<Vec<usize>> {
        let g = build(name);
        g.outputs
            .iter()
            .map(|t| g.tensor(*t).dims.clone())
            .collect()
    };
    assert_eq!(dims("lenet5"), [[1, 10]]);
    assert_eq!(dims("resnet18"), [[1, 1000]]);
    assert_eq!(dims("yolo-tiny"), [[1, 3, 15, 10, 10], [1, 3, 15, 20, 20]]);
    assert_eq!(
        dims("yolo-32-64-128"),
        [[1, 3, 11, 6, 6], [1, 3, 11, 12, 12]]
    );
}

#[test]
fn forms_follow_the_data() {
    for name in zoo::NAMES {
        let sides = zoo::sides(name).expect("a network of the zoo");
        let [h, w] = sides.least;
        assert!(sides.suit(h, w) && !sides.suit(h, w - 1), "{name}");
        assert!(sides.suit(h + sides.step, w), "{name}");
        let form = zoo::Form {
            image: Some([1, h + sides.step, w]),
            classes: Some(3),
        };
        let g = zoo::build_as(name, 1, form).expect("it has this form");
        assert_eq!(
            g.tensor(g.inputs[0]).dims,
            [1, 1, h + sides.step, w],
            "{name}"
        );
        for output in &g.outputs {
            let dims = &g.tensor(*output).dims;
            let values = if g.outputs.len() == 1 { 3 } else { 5 + 3 };
            assert!(dims.contains(&values), "{name}: {dims:?}");
        }
    }
    assert_eq!(zoo::sides("yolo-huge"), None);
    let yolo = zoo::sides("yolo-tiny").expect("it is there");
    assert!(yolo.suit(160, 112) && !yolo.suit(160, 120));
}

#[test]
fn the_seed_decides_the_weights() {
    assert!(zoo::build("resnet8", 7) == zoo::build("resnet8", 7));
    assert!(zoo::build("resnet8", 7) != zoo::build("resnet8", 8));
}

#[test]
fn weights_have_the_variance_of_he() {
    let g = build("vgg11");
    for n in g.nodes() {
        let Op::Conv(c) = &n.op else { continue };
        let (_, ci, kh, kw) = c.weight.dim();
        let mean_square = c.weight.iter().map(|w| w * w).sum::<f32>() / c.weight.len() as f32;
        let he = 2.0 / (ci * kh * kw) as f32;
        assert!((mean_square / he - 1.0).abs() < 0.1, "{}", n.name);
        assert_eq!(c.weight_name, format!("{}.weight", n.name));
    }
}
