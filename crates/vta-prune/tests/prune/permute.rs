//! Other orders of channels: the same function, more energy in few blocks.

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use vta_net::graph::{Builder, Constant, ConvSpec, Graph, Op, Window, onnx, zoo};
use vta_net::quant::{Calibration, QuantOptions, float, quantise, reference};
use vta_net::sparse::Masks;
use vta_prune::permute::{Effort, Pools, permute};
use vta_prune::{
    Allocation, AllocationRule, Budget, Costs, Dense, Path, Profile, PruneLayer, Ranking, layers,
    summary, weight,
};
use vta_tensor::host::Tensor;

fn random_orders(pools: &Pools, seed: u64) -> Vec<Vec<usize>> {
    let mut s = seed | 1;
    let mut below = |n: usize| {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        (s % n as u64) as usize
    };
    let shuffled = |p: &vta_prune::permute::Pool| {
        let mut order: Vec<usize> = (0..p.channels()).collect();
        (1..order.len())
            .rev()
            .for_each(|i| order.swap(i, below(i + 1)));
        order
    };
    pools.pools().iter().map(shuffled).collect()
}

fn inputs(graph: &Graph, seed: u64) -> Vec<Tensor> {
    let one = |t: &vta_net::graph::TensorId| {
        let dims = &graph.tensor(*t).dims;
        let n = dims.iter().product();
        let v = crate::blocks::values(n, seed);
        Tensor::F32(ArrayD::from_shape_vec(IxDyn(dims), v).unwrap())
    };
    graph.inputs.iter().map(one).collect()
}

/// Both networks on the same inputs: as near as sums in another order allow.
fn same_function(a: &Graph, b: &Graph, seed: u64) {
    let x = inputs(a, seed);
    let (ya, yb) = (float::run(a, &x).unwrap(), float::run(b, &x).unwrap());
    assert_eq!(ya.len(), yb.len());
    for (ya, yb) in ya.iter().zip(&yb) {
        let (ya, yb) = (ya.as_f32().unwrap(), yb.as_f32().unwrap());
        let scale = ya.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
        for (a, b) in ya.iter().zip(yb) {
            assert!((a - b).abs() <= 2e-4 * scale, "{a} {b} of {scale}");
        }
    }
}

/// Integer networks compute the same to the bit: sums in int32 have no order.
fn same_integers(a: &Graph, b: &Graph) {
    let integers = |g: &Graph| {
        let c = Calibration::noise(g, 1, 1).unwrap();
        let net = quantise(g, &c, &QuantOptions::default()).unwrap();
        reference::run(&net, &inputs(g, 77)).unwrap()
    };
    assert_eq!(integers(a), integers(b));
}

/// All that a pool must follow: residuals, concatenations, slices, scales,
/// constants by channel, depthwise and grouped convolutions, global pooling,
/// flattening in both layouts, branches, a squeeze-and-excite product.
fn everything(seed: u64, hwc: bool) -> Graph {
    let mut b = Builder::new("everything", seed);
    let x = b.input("x", &[1, 3, 8, 8]);
    let stem = b.conv("stem", x, ConvSpec::new(40, 3).pad(1));
    let stem = b.leaky_relu("stem.act", stem, 0.1);
    // A residual stream of 40 channels.
    let y = b.conv("res.conv1", stem, ConvSpec::new(36, 3).pad(1));
    let scale = (0..36).map(|i| 0.5 + i as f32 / 36.0).collect();
    let shift = (0..36).map(|i| i as f32 / 50.0 - 0.3).collect();
    let y = b.op("res.bn", Op::Scale { scale, shift }, &[y]);
    let y = b.relu("res.act", y);
    let y = b.conv("res.conv2", y, ConvSpec::new(40, 3).pad(1).gain(0.4));
    let sum = b.add("res.add", y, stem);
    // Depthwise and pointwise.
    let d = b.conv("dw", sum, ConvSpec::new(40, 3).pad(1).groups(40));
    let p = b.conv("pw", d, ConvSpec::new(64, 1));
    // A product with a value for each channel.
    let g = b.global_average_pool("se.pool", p);
    let g = b.conv("se.conv1", g, ConvSpec::new(16, 1));
    let g = b.relu("se.act", g);
    let g = b.conv("se.conv2", g, ConvSpec::new(64, 1));
    let g = b.sigmoid("se.sigmoid", g);
    let p = b.op("se.mul", Op::Mul, &[p, g]);
    // Groups, and a constant for each channel.
    let q = b.conv("grouped", p, ConvSpec::new(48, 3).pad(1).groups(2));
    let values = ArrayD::from_shape_fn(IxDyn(&[1, 48, 1, 1]), |i| i[1] as f32 / 40.0);
    let q = b.op(
        "bias",
        Op::AddConst(Constant {
            name: "bias.c".into(),
            values,
        }),
        &[q],
    );
    let joined = b.concat("joined", &[q, sum], 1);
    let part = b.slice("part", joined, 1, 8, 60, 1);
    let z = b.conv("mix", part, ConvSpec::new(33, 1));
    let z = b.max_pool("pool", z, Window::square(2, 2, 0));
    let z = if hwc {
        b.transpose("nhwc", z, &[0, 2, 3, 1])
    } else {
        z
    };
    let z = b.flatten("flat", z);
    let z = b.dense("fc1", z, 50, 1.0);
    let z = b.relu("fc1.act", z);
    let z = b.dense("fc2", z, 5, 1.0);
    b.output(z);
    b.finish()
}

fn channels_of(graph: &Graph, pools: &Pools, tensor: &str) -> usize {
    let at = graph
        .tensors()
        .iter()
        .position(|t| t.name == tensor)
        .unwrap();
    let of = pools
        .pools()
        .iter()
        .filter(|p| p.tensors().iter().any(|t| t.0 == at));
    of.map(|p| p.channels()).sum()
}

#[test]
fn channels_move_where_they_may() {
    let g = everything(1, false);
    let pools = Pools::of(&g);
    for (tensor, channels) in [
        ("x", 0), // an input of the network
        ("stem", 40),
        ("res.add", 40),
        ("dw", 40),
        ("res.conv1", 36),
        ("pw", 64),
        ("se.conv1", 16),
        ("se.conv2", 64),
        ("grouped", 48),
        ("mix", 33),
        ("flat", 33),
        ("fc1", 50),
        ("fc2", 0), // its output
    ] {
        assert_eq!(channels_of(&g, &pools, tensor), channels, "{tensor}");
    }
    // The stream is one pool, but the slice cuts it: channels from both sides do not mix.
    let stem = g.tensors().iter().position(|t| t.name == "stem").unwrap();
    let of: Vec<usize> = pools
        .pools()
        .iter()
        .filter(|p| p.tensors().iter().any(|t| t.0 == stem))
        .map(|p| p.channels())
        .collect();
    assert_eq!(of.iter().sum::<usize>(), 40);
    assert_eq!(
        of.len(),
        2,
        "20 of the stream's channels are in the slice: {of:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any order leaves the function as it is.
    #[test]
    fn any_order_computes_the_same(seed: u64, hwc: bool) {
        let g = everything(seed % 5, hwc);
        let pools = Pools::of(&g);
        let mut h = g.clone();
        let orders = random_orders(&pools, seed);
        pools.apply(&mut h, &orders);
        prop_assert!(g != h);
        prop_assert_eq!(&Pools::of(&h), &pools, "pools do not depend on weights");
        same_function(&g, &h, seed);
        // And back again.
        let back: Vec<Vec<usize>> = orders.iter().map(|o| {
            let mut inverse = vec![0; o.len()];
            o.iter().enumerate().for_each(|(to, from)| inverse[*from] = to);
            inverse
        }).collect();
        pools.apply(&mut h, &back);
        prop_assert!(g == h);
    }
}

#[test]
fn zoo_networks_compute_the_same_to_the_bit_after_quantisation() {
    for name in ["lenet5", "resnet8", "mobilenetv1-0.25"] {
        let g = zoo::build(name, 2).unwrap();
        let mut h = g.clone();
        let pools = Pools::of(&g);
        assert!(!pools.pools().is_empty(), "{name}");
        pools.apply(&mut h, &random_orders(&pools, 9));
        assert!(g != h);
        same_function(&g, &h, 3);
        same_integers(&g, &h);
    }
    same_integers(&everything(1, true), &{
        let mut h = everything(1, true);
        let pools = Pools::of(&h);
        pools.apply(&mut h, &random_orders(&pools, 4));
        h
    });
}

/// Detection heads end in outputs after reshapes: their channels stay.
#[test]
fn heads_of_a_detector_stay() {
    let g = zoo::build("yolo-tiny", 1).unwrap();
    let pools = Pools::of(&g);
    assert_eq!(channels_of(&g, &pools, "coarse.head"), 0);
    assert_eq!(channels_of(&g, &pools, "conv5"), 256);
    let mut h = g.clone();
    pools.apply(&mut h, &random_orders(&pools, 5));
    same_function(&g, &h, 8);
}

/// A weight that two layers share keeps its order, and so does all around it.
#[test]
fn shared_weights_stay() {
    let mut b = Builder::new("shared", 1);
    let x = b.input("x", &[1, 8, 4, 4]);
    let x = b.conv("a", x, ConvSpec::new(8, 1));
    let x = b.conv("b", x, ConvSpec::new(8, 1));
    let x = b.conv("c", x, ConvSpec::new(8, 1));
    let x = b.conv("d", x, ConvSpec::new(8, 1));
    b.output(x);
    let mut g = b.finish();
    assert_eq!(Pools::of(&g).pools().len(), 3);
    let same = |g: &mut Graph, node: &str| {
        for n in g.nodes_mut().filter(|n| n.name == node) {
            if let Op::Conv(c) = &mut n.op {
                c.weight_name = "both".into();
            }
        }
    };
    same(&mut g, "b");
    same(&mut g, "c");
    assert_eq!(Pools::of(&g).pools().len(), 0);
}

pub fn kept_at(graph: &Graph, part: f64) -> (Vec<PruneLayer>, Allocation) {
    let layers = layers(graph, &Dense::Ends, false, Ranking::MeanSquare).unwrap();
    let weights: Vec<Vec<f32>> = layers
        .iter()
        .map(|l| weight(graph, &l.weight_name).unwrap())
        .collect();
    let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let profiles = Profile::all(&layers, &views).unwrap();
    let path = Path::new(
        &layers,
        &profiles,
        &Costs::Blocks,
        &AllocationRule::Uniform,
        0.1,
    )
    .unwrap();
    (layers, path.allocate(&Budget::Fraction(part), 1.0).unwrap())
}

/// Mean part of energy that layers keep, computed apart from the search.
pub fn kept_energy(graph: &Graph, layers: &[PruneLayer], kept: &[usize]) -> f64 {
    let mut parts = Vec::new();
    for (l, k) in layers.iter().zip(kept) {
        let w = weight(graph, &l.weight_name).unwrap();
        let masks = Masks::from([(l.weight_name.clone(), l.blocks.mask(&l.blocks.top(&w, *k)))]);
        let s = summary(std::slice::from_ref(l), &[&w], &masks);
        if l.prunable() && *k < l.blocks.groups() {
            parts.push(s.layers[0].kept_energy);
        }
    }
    parts.iter().sum::<f64>() / parts.len() as f64
}

/// What was hidden by a random order is found again: blocks of strong and weak
/// channels, and the same on each run.
#[test]
fn hidden_blocks_are_found() {
    let mut b = Builder::new("hidden", 4);
    let x = b.input("x", &[1, 3, 4, 4]);
    let x = b.conv("first", x, ConvSpec::new(96, 1));
    let x = b.conv("a", x, ConvSpec::new(128, 3).pad(1));
    let x = b.conv("b", x, ConvSpec::new(64, 1));
    let x = b.conv("last", x, ConvSpec::new(8, 1));
    b.output(x);
    let mut g = b.finish();
    for n in g.nodes_mut() {
        if let Op::Conv(c) = &mut n.op {
            c.weight.update(|mut weight| {
                for ((o, i, y, x), w) in weight.indexed_iter_mut() {
                    if (o / 32 + i / 32 + y + x) % 2 == 1 {
                        *w *= 0.01;
                    }
                }
            });
        }
    }
    let (layers, a) = kept_at(&g, 0.5);
    let ideal = kept_energy(&g, &layers, &a.kept);
    let pools = Pools::of(&g);
    pools.apply(&mut g, &random_orders(&pools, 11));
    let mixed = kept_energy(&g, &layers, &a.kept);
    let mut again = g.clone();
    let outcome = permute(&mut g, &layers, &a.kept, &Effort::default()).unwrap();
    assert!((outcome.before - mixed).abs() < 1e-9);
    assert!((outcome.after - kept_energy(&g, &layers, &a.kept)).abs() < 1e-9);
    assert!(ideal > 0.99 && mixed < 0.65, "{ideal} {mixed}");
    assert!(outcome.after > 0.97, "{}", outcome.after);
    assert_eq!(
        permute(&mut again, &layers, &a.kept, &Effort::default()).unwrap(),
        outcome
    );
    assert!(again == g);
}

#[test]
fn a_search_is_never_worse_and_ends() {
    for (g, part) in [
        (zoo::build("resnet8", 7).unwrap(), 0.4),
        (everything(3, false), 0.5),
        (everything(3, true), 0.3),
    ] {
        let (layers, a) = kept_at(&g, part);
        let mut h = g.clone();
        let outcome = permute(&mut h, &layers, &a.kept, &Effort::default()).unwrap();
        assert!(outcome.after >= outcome.before, "{outcome:?}");
        assert!((outcome.after - kept_energy(&h, &layers, &a.kept)).abs() < 1e-9);
        same_function(&g, &h, 5);
        // A file of it is a network that computes the same.
        let read = onnx::import(&onnx::export(&h), "h").unwrap();
        same_function(&g, &read, 6);
        let none = Effort {
            groups: 0,
            ..Effort::default()
        };
        let mut h = g.clone();
        let outcome = permute(&mut h, &layers, &a.kept, &none).unwrap();
        assert!(outcome.after >= outcome.before);
    }
}
