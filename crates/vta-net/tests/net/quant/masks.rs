//! Masks go with weights into the integer network.

use ndarray::s;
use vta_net::graph::{Builder, ConvSpec, Graph, Op, Window, onnx};
use vta_net::quant::{Calibration, PerChannel, QConv, QNet, QOp, QuantOptions, quantise};
use vta_net::sparse::{self, BLOCK, BlockMask, Masks, nonzero_blocks};

fn graph(hwc: bool) -> Graph {
    let mut b = Builder::new("masked", 2);
    let x = b.input("x", &[1, 3, 8, 8]);
    let y = b.conv("first", x, ConvSpec::new(40, 3).pad(1));
    let y = b.conv("second", y, ConvSpec::new(70, 3).pad(1).groups(2));
    let y = b.max_pool("pool", y, Window::square(2, 4, 0));
    let y = if hwc {
        b.transpose("hwc", y, &[0, 2, 3, 1])
    } else {
        y
    };
    let y = b.flatten("flat", y);
    let y = b.dense("dense", y, 50, 1.);
    let y = b.dense("last", y, 10, 1.);
    b.output(y);
    b.finish()
}

fn conv<'a>(net: &'a QNet, name: &str) -> &'a QConv {
    let node = net.nodes.iter().find(|n| n.name == name);
    match &node.expect("a node").op {
        QOp::Conv(c) => c,
        op => panic!("{op:?}"),
    }
}

fn masked(hwc: bool, masks: &Masks) -> QNet {
    let mut graph = graph(hwc);
    sparse::apply(&mut graph, masks).expect("the masks fit");
    int8(&graph)
}

fn int8(graph: &Graph) -> QNet {
    let calibration = Calibration::noise(graph, 1, 1).expect("it can be observed");
    // Channels with shifts of their own would leave tiny weights their values.
    let options = QuantOptions {
        per_channel: PerChannel::Never,
        ..QuantOptions::default()
    };
    quantise(graph, &calibration, &options).expect("quantised")
}

#[test]
fn masks_go_with_their_weights() {
    let layers = sparse::layers(&graph(false));
    let masks = sparse::random(0.4, 3, &layers).expect("masks");
    assert!(masks.contains_key("dense.weight"));
    for hwc in [false, true] {
        let net = masked(hwc, &masks);
        for name in ["second", "dense"] {
            let weight = &conv(&net, name).weight;
            let mask = weight.mask().expect("a mask");
            assert_eq!(mask, &masks[&format!("{name}.weight")]);
            // Nothing outside kept blocks, and every kept block has something.
            assert_eq!(mask, &nonzero_blocks(weight.view()), "{name} {hwc}");
        }
        // Those that stay dense were not asked for, and are not looked at.
        for name in ["first", "last"] {
            assert_eq!(conv(&net, name).weight.mask(), None, "{name}");
        }
    }
}

/// A file has zeros where blocks were dropped, so who reads it without the masks
/// finds them again, layer by layer.
#[test]
fn a_file_keeps_the_zeros_of_dropped_blocks() {
    let mut pruned = graph(false);
    let masks = sparse::random(0.4, 3, &sparse::layers(&pruned)).expect("masks");
    sparse::apply(&mut pruned, &masks).expect("the masks fit");
    let read = onnx::import(&onnx::export(&pruned), "pruned").expect("what was written");
    assert_eq!(sparse::masks(&read), Masks::new());
    let nets = [int8(&pruned), int8(&read)];
    for name in ["second", "dense"] {
        let [given, found] = [0, 1].map(|i| conv(&nets[i], name).weight.mask());
        assert!(given.is_some_and(|m| m.count_kept() < m.blocks()), "{name}");
        assert_eq!(given, found, "{name}");
    }
}

/// A dense layer that is dense reads the map as it lies. With dropped blocks it
/// keeps its form: 32 inputs of the flattened map are not 32 channels.
#[test]
fn a_matrix_with_dropped_blocks_stays_a_matrix() {
    for hwc in [false, true] {
        let dense = masked(hwc, &Masks::new());
        assert_eq!(conv(&dense, "dense").weight.dim(), (50, 70, 2, 2));
        // Only rows 32..50 and columns 64..96 are kept.
        let mut mask = BlockMask::full([2, (70 * 4_usize).div_ceil(BLOCK), 1, 1]);
        mask.kept.fill(false);
        mask.set([1, 2, 0, 0], true);
        let masks = Masks::from([("dense.weight".to_owned(), mask.clone())]);
        let net = masked(hwc, &masks);
        let conv = conv(&net, "dense");
        assert_eq!(conv.weight.dim(), (50, 280, 1, 1));
        assert_eq!(conv.weight.mask(), Some(&mask));
        let kept = |o: usize, i: usize| o >= 32 && (64..96).contains(&i);
        let mut all = conv.weight.indexed_iter();
        assert!(all.all(|((o, i, ..), w)| *w == 0 || kept(o, i)));
    }
}

/// Where no mask was applied, blocks of zeros are found after quantisation, but
/// in depthwise convolutions, the first convolution and the last dense layer:
/// neither in others with groups, nor in a last convolution.
#[test]
fn zeros_make_a_mask_where_none_was_applied() {
    let mut b = Builder::new("zeros", 2);
    let x = b.input("x", &[1, 40, 6, 6]);
    let y = b.conv("first", x, ConvSpec::new(64, 1));
    let y = b.conv("depthwise", y, ConvSpec::new(64, 3).pad(1).groups(64));
    let y = b.conv("grouped", y, ConvSpec::new(64, 1).groups(2));
    let y = b.conv("tiny", y, ConvSpec::new(64, 1));
    let y = b.conv("last", y, ConvSpec::new(64, 1));
    b.output(y);
    let mut graph = b.finish();
    for node in graph.nodes_mut() {
        let Op::Conv(c) = &mut node.op else { continue };
        let factor = if node.name == "tiny" { 1e-6 } else { 0.0 };
        c.weight.update(|mut w| {
            w.slice_mut(s![..32, .., .., ..])
                .mapv_inplace(|w| w * factor);
        });
    }
    let net = int8(&graph);
    let kept = |name: &str| {
        let mask = conv(&net, name).weight.mask()?;
        Some((mask.count_kept(), mask.blocks()))
    };
    let names = ["first", "depthwise", "grouped", "tiny", "last"];
    let found = [None, None, Some((1, 2)), Some((2, 4)), Some((2, 4))];
    assert_eq!(names.map(kept), found);
    let node = net.nodes.iter().find(|n| n.name == "last").expect("a node");
    assert_eq!(
        (net.macs(node), net.kept_macs(node)),
        (64 * 64 * 36, 64 * 32 * 36)
    );
}
