//! Block masks: files, densities, zeros.

use ndarray::{Array1, Array2, Array4};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use vta_net::graph::{Conv, Dense, Graph, Node, Op, Window};
use vta_net::sparse::{self, BLOCK, BlockMask, MaskDims, MaskError, Masks, Weight};

/// Adds a convolution to the end of a chain of nodes.
fn conv(graph: &mut Graph, name: &str, weight: [usize; 4], groups: usize) {
    let op = Op::Conv(Conv {
        weight_name: format!("{name}.weight"),
        weight: Array4::zeros(weight).into(),
        bias: Array1::zeros(weight[0]),
        window: Window {
            kernel: [weight[2], weight[3]],
            stride: [1, 1],
            dilation: [1, 1],
            pads: [0; 4],
        },
        groups,
    });
    push(graph, name, op, &[1, weight[0], 8, 8]);
}

fn dense(graph: &mut Graph, name: &str, out: usize, inputs: usize) {
    let op = Op::Dense(Dense {
        weight_name: format!("{name}.weight"),
        weight: Array2::zeros((out, inputs)).into(),
        transposed: true,
        bias: Array1::zeros(out),
    });
    push(graph, name, op, &[1, out]);
}

fn push(graph: &mut Graph, name: &str, op: Op, dims: &[usize]) {
    if graph.inputs.is_empty() {
        let input = graph.add_tensor("in", &[1, 3, 8, 8]);
        graph.inputs.push(input);
        graph.outputs.push(input);
    }
    let output = graph.add_tensor(name, dims);
    let inputs = std::mem::replace(&mut graph.outputs, vec![output]);
    graph.add_node(Node {
        name: name.into(),
        op,
        inputs,
        output,
    });
}

/// First convolution, plain, depthwise, grouped, two dense layers.
fn network() -> Graph {
    let mut g = Graph::new("net");
    conv(&mut g, "first", [64, 3, 3, 3], 1);
    conv(&mut g, "plain", [100, 64, 3, 3], 1);
    conv(&mut g, "depthwise", [100, 1, 3, 3], 100);
    conv(&mut g, "grouped", [128, 50, 1, 1], 2);
    dense(&mut g, "hidden", 300, 128);
    dense(&mut g, "last", 10, 300);
    g
}

fn layers() -> Vec<sparse::MaskLayer> {
    sparse::layers(&network())
}

/// A file of one mask, written by another implementation of the format.
fn file(entries: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
    let views = entries.iter().map(|(name, dtype, shape, data)| {
        (
            *name,
            TensorView::new(*dtype, shape.to_vec(), data).unwrap(),
        )
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn layers_are_listed_with_what_stays_dense() {
    let seen: Vec<(String, [usize; 4], &str)> = layers()
        .iter()
        .map(|l| (l.node.clone(), l.mask_dims(), l.keep_dense))
        .collect();
    let expected = [
        ("first", [2, 1, 3, 3], "first convolution"),
        ("plain", [4, 2, 3, 3], ""),
        ("depthwise", [4, 1, 3, 3], "depthwise"),
        ("grouped", [4, 2, 1, 1], ""),
        ("hidden", [10, 4, 1, 1], ""),
        ("last", [1, 10, 1, 1], "last dense layer"),
    ];
    assert_eq!(seen, expected.map(|(n, d, k)| (n.to_owned(), d, k)));
}

#[test]
fn a_density_keeps_the_rounded_number_of_blocks() {
    let layers = layers();
    let masks = sparse::random(0.25, 1, &layers).unwrap();
    let kept: Vec<(&str, usize, usize)> = masks
        .iter()
        .map(|(k, m)| (k.as_str(), m.count_kept(), m.blocks()))
        .collect();
    let expected = [
        ("grouped.weight", 2, 8),
        ("hidden.weight", 10, 40),
        ("plain.weight", 18, 72),
    ];
    assert_eq!(kept, expected);
    for (density, want) in [(0.0, 0), (1.0, 72), (0.5, 36), (0.0069, 0), (0.00695, 1)] {
        let masks = sparse::random(density, 1, &layers).unwrap();
        assert_eq!(masks["plain.weight"].count_kept(), want, "{density}");
    }
    for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = sparse::random(wrong, 1, &layers).unwrap_err();
        assert!(matches!(error, MaskError::Density(_)), "{error}");
    }
}

/// The same seed gives the same masks, whatever other layers there are; these
/// numbers hold on every machine.
#[test]
fn a_seed_decides_each_layer_by_itself() {
    let all = sparse::random(0.5, 7, &layers()).unwrap();
    assert_eq!(all, sparse::random(0.5, 7, &layers()).unwrap());
    let alone: Vec<_> = layers().into_iter().filter(|l| l.node == "plain").collect();
    let one = sparse::random(0.5, 7, &alone).unwrap();
    assert_eq!(one["plain.weight"], all["plain.weight"]);
    let other = sparse::random(0.5, 8, &layers()).unwrap();
    assert_ne!(other["plain.weight"], all["plain.weight"]);
    let kept: Vec<usize> = all["grouped.weight"].kept.iter_ones().collect();
    assert_eq!(kept, GROUPED_AT_SEED_7);
}

/// Blocks of `grouped.weight` that density 0.5 and seed 7 keep.
const GROUPED_AT_SEED_7: [usize; 4] = [0, 3, 4, 6];

/// Every block is as likely as the others: 2000 seeds, each block kept in half of them.
#[test]
fn no_block_is_favoured() {
    let only: Vec<_> = layers()
        .into_iter()
        .filter(|l| l.node == "grouped")
        .collect();
    let mut count = [0; 8];
    for seed in 0..2000 {
        let masks = sparse::random(0.5, seed, &only).unwrap();
        for at in masks["grouped.weight"].kept.iter_ones() {
            count[at] += 1;
        }
    }
    // Five standard deviations of 2000 tosses of a coin are 112.
    assert!(count.iter().all(|c| (888..=1112).contains(c)), "{count:?}");
}

#[test]
fn files_of_other_writers_are_read() {
    let plain: Vec<u8> = (0..72).map(|i| u8::from(i % 3 == 0)).collect();
    let hidden: Vec<u8> = (0..40).map(|i| u8::from(i % 4 == 0)).collect();
    let bytes = file(&[
        ("plain.weight", Dtype::U8, &[4, 2, 3, 3], &plain),
        ("hidden.weight", Dtype::BOOL, &[10, 4], &hidden),
        ("first.weight", Dtype::U8, &[2, 1, 3, 3], &[1; 18]),
    ]);
    let masks = sparse::read(&bytes, &layers()).unwrap();
    assert_eq!(masks.len(), 3);
    let mask = &masks["plain.weight"];
    assert_eq!(mask.dims, [4, 2, 3, 3]);
    // Block [1, 1, 0, 2] is number ((1 * 2 + 1) * 3 + 0) * 3 + 2.
    assert_eq!(mask.get([1, 1, 0, 2]), plain[29] == 1);
    assert!(mask.kept.iter().map(|k| u8::from(*k)).eq(plain));
    assert_eq!(masks["hidden.weight"].dims, [10, 4, 1, 1]);
    assert_eq!(masks["hidden.weight"].count_kept(), 10);
}

#[test]
fn files_are_read_by_others() {
    let masks = sparse::random(0.3, 5, &layers()).unwrap();
    let bytes = sparse::write(&masks);
    let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = read.names();
    names.sort_unstable();
    assert_eq!(names, masks.keys().collect::<Vec<_>>());
    for (key, mask) in &masks {
        let view = read.tensor(key).unwrap();
        assert_eq!((view.dtype(), view.shape()), (Dtype::U8, &mask.dims[..]));
        assert!(
            mask.kept
                .iter()
                .map(|k| u8::from(*k))
                .eq(view.data().iter().copied())
        );
    }
    assert_eq!(sparse::write(&masks), bytes);
}

fn refused(bytes: &[u8], words: &str) -> MaskError {
    let error = sparse::read(bytes, &layers()).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    error
}

/// A file from its header's text and its data.
fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn wrong_masks_are_refused_with_their_place() {
    let u8s = |key, shape: &[usize]| {
        let data = vec![1; shape.iter().product()];
        file(&[(key, Dtype::U8, shape, &data)])
    };
    let error = refused(
        &u8s("plain.wieght", &[1]),
        "mask plain.wieght: the model has no such weight",
    );
    assert_eq!(error.help().unwrap(), "did you mean plain.weight?");
    let error = refused(&u8s("else", &[1]), "mask else");
    assert!(error.help().unwrap().contains("first.weight, plain.weight"));
    let words =
        "mask plain.weight is [2, 4, 3, 3], but its weight [100, 64, 3, 3] needs [4, 2, 3, 3]";
    refused(&u8s("plain.weight", &[2, 4, 3, 3]), words);
    refused(&u8s("plain.weight", &[4, 2]), "needs [4, 2, 3, 3]");
    // Masks are output first, also where the file's matrix is not.
    refused(
        &u8s("hidden.weight", &[4, 10]),
        "is [4, 10], but its weight [300, 128] needs [10, 4]",
    );
    let mut data = [1; 72];
    data[29] = 2;
    let two = file(&[("plain.weight", Dtype::U8, &[4, 2, 3, 3], &data)]);
    refused(
        &two,
        "mask plain.weight: block [1, 1, 0, 2] is 2, not 0 or 1",
    );
    let mut data = [0; 40];
    data[39] = 255;
    let last = file(&[("hidden.weight", Dtype::U8, &[10, 4], &data)]);
    refused(&last, "block [9, 3] is 255");
    let floats = file(&[("grouped.weight", Dtype::F32, &[4, 2, 1, 1], &[0; 32])]);
    refused(&floats, "mask grouped.weight: its type is F32, not U8");
}

#[test]
fn files_that_are_none_are_refused() {
    refused(b"", "0 bytes are too few");
    refused(b"PK\x03\x04", "4 bytes are too few");
    refused(
        &u64::MAX.to_le_bytes(),
        "its header would have 18446744073709551615 bytes",
    );
    refused(&[9, 0, 0, 0, 0, 0, 0, 0, b'{'], "too few");
    refused(&raw("[1]", &[]), "its header is not as expected");
    refused(&raw("{\"a\":", &[]), "its header is not as expected");
    let one = |offsets: &str| {
        format!(
            "\"grouped.weight\":{{\"dtype\":\"U8\",\"shape\":[4,2,1,1],\"data_offsets\":{offsets}}}"
        )
    };
    let good = format!("{{\"__metadata__\":{{\"from\":\"me\"}},{}}}", one("[0,8]"));
    assert_eq!(
        sparse::read(&raw(&good, &[1; 8]), &layers()).unwrap().len(),
        1
    );
    refused(&raw(&good, &[1; 9]), "1 bytes after the last tensor");
    refused(
        &raw(&good, &[1; 7]),
        "mask grouped.weight: its data are 0..8",
    );
    for offsets in [
        "[1,9]",
        "[8,0]",
        "[0,18446744073709551615]",
        "[18446744073709551608,18446744073709551615]",
    ] {
        refused(
            &raw(&format!("{{{}}}", one(offsets)), &[1; 8]),
            "its data are",
        );
    }
    refused(
        &raw(&format!("{{{},{}}}", one("[0,8]"), one("[8,16]")), &[1; 16]),
        "it is there twice",
    );
    refused(
        &raw(&format!("{{{}}}", one("[0,4]")), &[1; 4]),
        "it has 4 values for 8 blocks",
    );
    let huge = "{\"grouped.weight\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,8]}}";
    refused(&raw(huge, &[1; 8]), "needs [4, 2, 1, 1]");
}

#[test]
fn masks_of_other_networks_are_refused() {
    let mut masks = sparse::random(0.5, 1, &layers()).unwrap();
    sparse::check(&masks, &layers()).unwrap();
    masks.insert("plain.weight".into(), BlockMask::full([4, 2, 3, 1]));
    let error = sparse::check(&masks, &layers()).unwrap_err();
    assert!(
        error.to_string().contains("is [4, 2, 3, 1], but"),
        "{error}"
    );
    masks.insert("nothing".into(), BlockMask::full([1, 1, 1, 1]));
    assert!(sparse::check(&masks, &layers()).is_err());
}

#[test]
fn masks_zero_the_weights_of_a_network() {
    let mut graph = network();
    for node in graph.nodes_mut() {
        match &mut node.op {
            Op::Conv(c) => c.weight.update(|mut w| w.fill(1.0)),
            Op::Dense(d) => d.weight.update(|mut w| w.fill(1.0)),
            _ => {}
        }
    }
    let masks = sparse::random(0.5, 1, &sparse::layers(&graph)).unwrap();
    sparse::apply(&mut graph, &masks).unwrap();
    for node in graph.nodes() {
        match &node.op {
            Op::Conv(c) => {
                for ((o, i, y, x), w) in c.weight.indexed_iter() {
                    let block = [o / BLOCK, i / BLOCK, y, x];
                    let kept = masks.get(&c.weight_name).is_none_or(|m| m.get(block));
                    assert_eq!(*w == 1.0, kept, "{} {block:?}", node.name);
                }
            }
            Op::Dense(d) => {
                for ((o, i), w) in d.weight.indexed_iter() {
                    let block = [o / BLOCK, i / BLOCK, 0, 0];
                    let kept = masks.get(&d.weight_name).is_none_or(|m| m.get(block));
                    assert_eq!(*w == 1.0, kept, "{} {block:?}", node.name);
                }
            }
            _ => {}
        }
    }
    assert_eq!(sparse::masks(&graph), masks);
    let wrong = Masks::from([("hidden.weight".into(), BlockMask::full([1; 4]))]);
    let before = graph.clone();
    assert!(sparse::apply(&mut graph, &wrong).is_err());
    assert_eq!(graph, before);
}

#[test]
fn a_mask_that_keeps_all_says_nothing() {
    let mut graph = network();
    let all = sparse::layers(&graph).into_iter();
    let all = all.map(|l| (l.weight_name.clone(), BlockMask::full(l.mask_dims())));
    sparse::apply(&mut graph, &all.collect()).unwrap();
    assert_eq!(graph, network());
    assert_eq!(sparse::masks(&graph), Masks::new());
}

#[test]
fn a_mask_of_other_dimensions_changes_nothing() {
    let mut weight = Weight::from(Array2::<f32>::ones((40, 70)));
    assert_eq!(weight.mask_dims(), [2, 3, 1, 1]);
    let error = weight.apply(BlockMask::full([3, 2, 1, 1])).unwrap_err();
    let (found, expected) = ([3, 2, 1, 1], [2, 3, 1, 1]);
    assert_eq!(error, MaskDims { found, expected });
    // Bits that are not those of the dimensions.
    let mut short = BlockMask::full([2, 3, 1, 1]);
    short.kept.pop();
    assert!(weight.apply(short).is_err());
    assert_eq!(weight, Array2::<f32>::ones((40, 70)).into());
}

/// Dimensions of weights, odd channel counts among them.
fn weights() -> impl Strategy<Value = ([usize; 4], Vec<usize>)> {
    let channels = prop_oneof![
        Just(1usize),
        Just(3),
        Just(17),
        Just(33),
        Just(64),
        1usize..100
    ];
    (channels.clone(), channels, 1usize..4, 1usize..4).prop_flat_map(|(co, ci, kh, kw)| {
        let n = co * ci * kh * kw;
        (
            Just([co, ci, kh, kw]),
            proptest::collection::vec(0..n, 0..6),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A block is kept exactly if one of its weights is not zero.
    #[test]
    fn zero_blocks_are_found((dims, set) in weights()) {
        let [co, ci, kh, kw] = dims;
        let mut weight = Array4::<i8>::zeros((co, ci, kh, kw));
        for &at in &set {
            weight.as_slice_mut().unwrap()[at] = if at % 2 == 0 { -128 } else { 1 };
        }
        let mask = sparse::nonzero_blocks(weight.view());
        prop_assert_eq!(mask.dims, [co.div_ceil(BLOCK), ci.div_ceil(BLOCK), kh, kw]);
        let mut blocks: Vec<[usize; 4]> = set
            .iter()
            .map(|at| [at / (ci * kh * kw) / BLOCK, at / (kh * kw) % ci / BLOCK, at / kw % kh, at % kw])
            .collect();
        blocks.sort_unstable();
        blocks.dedup();
        prop_assert_eq!(mask.count_kept(), blocks.len());
        prop_assert!(blocks.iter().all(|b| mask.get(*b)));
    }

    /// Dropping blocks leaves zeros there and touches nothing else.
    #[test]
    fn dropped_blocks_become_zero((dims, drop) in weights()) {
        let [co, ci, kh, kw] = dims;
        let mut mask = BlockMask::full(BlockMask::dims_for(dims));
        for at in drop {
            let n = mask.blocks();
            mask.kept.set(at % n, false);
        }
        let mut weight = Weight::from(Array4::<i8>::ones((co, ci, kh, kw)));
        weight.apply(mask.clone()).unwrap();
        for ((o, i, y, x), w) in weight.indexed_iter() {
            prop_assert_eq!(*w == 1, mask.get([o / BLOCK, i / BLOCK, y, x]));
        }
        prop_assert_eq!(sparse::nonzero_blocks(weight.view()), mask.clone());
        let kept = weight.iter().filter(|w| **w != 0).count();
        prop_assert_eq!(weight.kept_len(), kept);
        // Nothing brings them back.
        let before = weight.clone();
        weight.update(|mut w| w.fill(1));
        prop_assert_eq!(&weight, &before);
        weight.apply(BlockMask::full(mask.dims)).unwrap();
        prop_assert_eq!(&weight, &before);
        prop_assert_eq!(weight.mask(), Some(&mask));
    }

    /// What is written is read back.
    #[test]
    fn files_round_trip(density in 0.0..=1.0f64, seed in any::<u64>()) {
        let masks = sparse::random(density, seed, &layers()).unwrap();
        prop_assert_eq!(sparse::read(&sparse::write(&masks), &layers()).unwrap(), masks);
    }

    /// A damaged file is an error or other masks of the right shapes, never a panic.
    #[test]
    fn damage_is_survived(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = sparse::write(&sparse::random(0.5, 3, &layers()).unwrap());
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
            prop_assert!(sparse::read(&bytes, &layers()).is_err());
        } else {
            bytes[at] = byte;
            let masks: Masks = sparse::read(&bytes, &layers()).unwrap_or_default();
            prop_assert!(sparse::check(&masks, &layers()).is_ok());
        }
    }
}

/// An autoencoder whose decoder has the encoder's weight, transposed.
#[test]
fn a_tied_weight_has_one_mask_for_both_uses() {
    use vta_net::graph::{Dense, Graph, Node, Op};
    let weight = Array2::from_shape_fn((40, 70), |(o, i)| (o * 70 + i) as f32 / 2800.0 + 0.1);
    let mut graph = Graph::new("tied");
    let dims = [70usize, 40, 70];
    let tensors: Vec<_> = (0..3)
        .map(|i| graph.add_tensor(format!("t{i}"), &[1, dims[i]]))
        .collect();
    for (k, transposed) in [(0, true), (1, false)] {
        let w = if k == 0 {
            weight.clone()
        } else {
            weight.t().as_standard_layout().into_owned()
        };
        let bias = ndarray::Array1::zeros(w.nrows());
        graph.add_node(Node {
            name: format!("d{k}"),
            op: Op::Dense(Dense {
                weight_name: "w".into(),
                weight: w.into(),
                transposed,
                bias,
            }),
            inputs: vec![tensors[k]],
            output: tensors[k + 1],
        });
    }
    graph.inputs.push(tensors[0]);
    graph.outputs.push(tensors[2]);
    let mut mask = BlockMask::full([2, 3, 1, 1]);
    mask.set([1, 2, 0, 0], false);
    let masks = Masks::from([("w".to_owned(), mask)]);
    sparse::apply(&mut graph, &masks).expect("it fits both");
    let dense: Vec<&Dense> = graph
        .nodes()
        .filter_map(|n| match &n.op {
            Op::Dense(d) => Some(d),
            _ => None,
        })
        .collect();
    assert_eq!(
        (dense[0].weight[[39, 69]], dense[1].weight[[69, 39]]),
        (0.0, 0.0)
    );
    assert_eq!(*dense[0].weight, dense[1].weight.t());
    assert_eq!(sparse::masks(&graph), masks);
}
