//! Masks: what they drop is zero, also where a dense layer became a convolution.

use ndarray::indices;
use vta_net::graph::{Builder, ConvSpec, Graph, Window};
use vta_net::quant::{Calibration, QConv, QOp, QuantOptions, conv_masks, quantise};
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

fn conv<'a>(net: &'a vta_net::quant::QNet, name: &str) -> &'a QConv {
    let node = net.nodes.iter().find(|n| n.name == name);
    match &node.expect("a node").op {
        QOp::Conv(c) => c,
        op => panic!("{op:?}"),
    }
}

fn masked(hwc: bool, masks: &Masks) -> (vta_net::quant::QNet, Masks) {
    let mut graph = graph(hwc);
    sparse::apply(&mut graph, masks).expect("the masks fit");
    let calibration = Calibration::noise(&graph, 1, 1).expect("it can be observed");
    let net = quantise(&graph, &calibration, &QuantOptions::default()).expect("quantised");
    (
        net,
        conv_masks(&graph, masks).expect("the graph can be planned"),
    )
}

#[test]
fn dropped_blocks_are_zero_in_the_integer_network() {
    let layers = sparse::layers(&graph(false));
    let masks = sparse::random(0.4, 3, &layers).expect("masks");
    assert!(masks.contains_key("dense.weight"));
    for hwc in [false, true] {
        let (net, of_convs) = masked(hwc, &masks);
        for name in ["second", "dense"] {
            let conv = conv(&net, name);
            let mask = of_convs.get(&conv.weight_name).expect("a mask");
            let nonzero = nonzero_blocks(conv.weight.view());
            assert_eq!(mask.dims, nonzero.dims);
            // Nothing outside kept blocks, and every kept block has something.
            assert_eq!(mask.kept, nonzero.kept, "{name} {hwc}");
        }
    }
}

/// A dense layer that is dense reads the map as it lies: there a block of the
/// matrix has its elements at several kernel positions.
#[test]
fn a_block_of_the_matrix_finds_its_places() {
    for hwc in [false, true] {
        let graph = graph(hwc);
        // Only rows 32..50 and columns 64..96 are kept.
        let mut mask = BlockMask::full([2, (70 * 4_usize).div_ceil(BLOCK), 1, 1]);
        mask.kept.fill(false);
        mask.set([1, 2, 0, 0], true);
        let masks = Masks::from([("dense.weight".to_owned(), mask)]);
        let of_convs = conv_masks(&graph, &masks).expect("the graph can be planned");
        let got = &of_convs["dense.weight"];
        let mut want = BlockMask::full([2, 3, 2, 2]);
        want.kept.fill(false);
        for (c, y, x) in indices((70, 2, 2)) {
            let column = if hwc {
                (y * 2 + x) * 70 + c
            } else {
                c * 4 + y * 2 + x
            };
            if (64..96).contains(&column) {
                want.set([1, c / BLOCK, y, x], true);
            }
        }
        assert_eq!(got, &want, "{hwc}");
        // Blocks that are dropped shall be blocks of the device: the map is flattened then.
        let (net, of_convs) = masked(hwc, &masks);
        let conv = conv(&net, "dense");
        assert_eq!(conv.weight.dim(), (50, 280, 1, 1));
        assert_eq!(of_convs, masks);
        let kept = |o: usize, i: usize| o >= 32 && (64..96).contains(&i);
        let mut all = conv.weight.indexed_iter();
        assert!(all.all(|((o, i, ..), w)| *w == 0 || kept(o, i)));
    }
}
