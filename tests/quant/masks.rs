//! Masks: what they drop is zero, also where a dense layer became a convolution.

use ndarray::Array4;
use vta::graph::{Builder, ConvSpec, Graph, Op, Window};
use vta::quant::{Calibration, QConv, QOp, QuantOptions, conv_masks, quantise};
use vta::sparse::{self, BLOCK, Masks, nonzero_blocks};

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

fn conv<'a>(net: &'a vta::quant::QNet, name: &str) -> &'a QConv {
    let node = net.nodes.iter().find(|n| n.name == name);
    match &node.expect("a node").op {
        QOp::Conv(c) => c,
        op => panic!("{op:?}"),
    }
}

fn masked(hwc: bool, masks: &Masks) -> (vta::quant::QNet, Masks) {
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
            let nonzero = nonzero_blocks(&conv.weight);
            assert_eq!(mask.dims, nonzero.dims);
            // Nothing outside kept blocks, and every kept block has something.
            assert_eq!(mask.kept, nonzero.kept, "{name} {hwc}");
        }
    }
}

#[test]
fn a_block_of_the_matrix_finds_its_places() {
    for hwc in [false, true] {
        let graph = graph(hwc);
        let all = graph.nodes().find_map(|n| match &n.op {
            Op::Dense(d) if n.name == "dense" => Some(d.weight.dim()),
            _ => None,
        });
        let (out, inputs) = all.expect("the dense layer");
        assert_eq!((out, inputs), (50, 70 * 4));
        // Only rows 32..50 and columns 64..96 are kept.
        let dims = [2, inputs.div_ceil(BLOCK), 1, 1];
        let mut mask = sparse::BlockMask::full(dims);
        mask.kept.fill(false);
        mask.set([1, 2, 0, 0], true);
        let masks = Masks::from([("dense.weight".to_owned(), mask)]);
        let (net, _) = masked(hwc, &masks);
        let conv = conv(&net, "dense");
        assert_eq!(conv.weight.dim(), (50, 70, 2, 2));
        let column = |c: usize, y: usize, x: usize| {
            if hwc {
                (y * 2 + x) * 70 + c
            } else {
                c * 4 + y * 2 + x
            }
        };
        let allowed = Array4::from_shape_fn(conv.weight.dim(), |(o, c, y, x)| {
            o >= 32 && (64..96).contains(&column(c, y, x))
        });
        let filled = conv.weight.iter().zip(&allowed);
        assert!(filled.clone().all(|(w, a)| *w == 0 || *a));
        assert!(filled.filter(|(w, _)| **w != 0).count() > 500);
    }
}
