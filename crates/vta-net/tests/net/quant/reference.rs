//! The integer reference against plain loops, and what it refuses.

use super::naive::{self, Map};
use ndarray::{Array4, ArrayD, IxDyn};
use proptest::prelude::*;
use vta_net::graph::Window;
use vta_net::quant::{QConv, QNet, QNode, QOp, QType, Shift, check, reference};
use vta_tensor::host::Tensor;

const INT8: QType = QType::Int8 { exponent: -4 };

fn int8(dims: &[usize], data: Vec<i8>) -> Tensor {
    Tensor::I8(ArrayD::from_shape_vec(IxDyn(dims), data).expect("as many elements"))
}

/// A network of one node; operands `dims[..n - 1]`, result the last.
fn one(op: QOp, dims: &[Vec<usize>]) -> QNet {
    let mut net = QNet::default();
    let ids: Vec<_> = dims
        .iter()
        .enumerate()
        .map(|(i, d)| net.add_tensor(format!("t{i}"), d, INT8))
        .collect();
    let (output, inputs) = ids.split_last().expect("a result");
    net.nodes.push(QNode {
        name: "node".into(),
        source: "Conv".into(),
        op,
        inputs: inputs.to_vec(),
        output: *output,
        why: String::new(),
    });
    net.inputs = inputs.to_vec();
    net.outputs = vec![*output];
    net
}

#[derive(Debug)]
struct Case {
    conv: QConv,
    input: [usize; 3],
    data: Vec<i8>,
    residual: bool,
}

prop_compose! {
    fn windows()(
        kernel in [1..=4_usize, 1..=4],
        stride in [1..=3_usize, 1..=3],
        dilation in [1..=2_usize, 1..=2],
        pads in [0..=3_usize, 0..=3, 0..=3, 0..=3],
    ) -> Window {
        Window { kernel, stride, dilation, pads }
    }
}

prop_compose! {
    fn cases()(
        window in windows(),
        groups in prop_oneof![Just(1_usize), 1..=5_usize],
        per_group in (1..=9_usize, 1..=9_usize),
        extra in (0..=5_usize, 0..=5_usize),
    )(
        weight in prop::collection::vec(
            prop_oneof![Just(0_i8), any::<i8>()],
            groups * per_group.0 * per_group.1 * window.kernel[0] * window.kernel[1],
        ),
        bias in prop::collection::vec(-5_000..5_000_i32, groups * per_group.0),
        shifts in prop::collection::vec(0..14_u8, groups * per_group.0),
        by_channel in any::<bool>(),
        leaky in prop::option::of(prop::sample::subsequence(vec![1_u8, 2, 3, 4, 7], 0..=3)),
        residual in any::<bool>(),
        residual_shift in 0..=6_u8,
        post_shift in 0..=6_u8,
        clamp in prop_oneof![Just((-128_i8, 127_i8)), Just((0, 127)), Just((-7, 96))],
        data in prop::collection::vec(any::<i8>(), 45 * 16 * 16),
        window in Just(window),
        groups in Just(groups),
        per_group in Just(per_group),
        extra in Just(extra),
    ) -> Case {
        let span = |i: usize| {
            let span = (window.kernel[i] - 1) * window.dilation[i] + 1;
            span.saturating_sub(window.pads[i] + window.pads[i + 2]).max(1)
        };
        let (co, ci) = per_group;
        let [kh, kw] = window.kernel;
        Case {
            input: [groups * ci, span(0) + extra.0, span(1) + extra.1],
            conv: QConv {
                weight_name: "w".into(),
                weight: Array4::from_shape_vec((groups * co, ci, kh, kw), weight)
                    .expect("as many weights")
                    .into(),
                bias,
                window,
                groups,
                shift: if by_channel { Shift::Channel(shifts) } else { Shift::Layer(shifts[0]) },
                leaky,
                residual_shift,
                post_shift,
                clamp,
            },
            data,
            residual,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn convolutions_equal_plain_loops(case in cases()) {
        let [c, h, w] = case.input;
        let input = Map { c, h, w, data: case.data[..c * h * w].to_vec() };
        let bare = naive::conv(&case.conv, &input, None);
        let residual = case.residual.then(|| Map {
            data: case.data.iter().rev().copied().take(bare.data.len()).collect(),
            ..bare
        });
        let want = naive::conv(&case.conv, &input, residual.as_ref());
        let out = vec![1, want.c, want.h, want.w];
        let mut dims = vec![vec![1, c, h, w], out.clone()];
        let mut values = vec![int8(&dims[0], input.data)];
        if let Some(r) = residual {
            values.push(int8(&out, r.data));
            dims.push(out.clone());
        }
        let net = one(QOp::Conv(case.conv), &dims);
        let got = reference::run(&net, &values).expect("it runs");
        prop_assert_eq!(&got[0], &int8(&out, want.data));
    }

    #[test]
    fn pools_take_the_largest_real_value(
        window in windows(),
        c in 1..=3_usize,
        extra in (0..=5_usize, 0..=5_usize),
        data in prop::collection::vec(any::<i8>(), 3 * 16 * 16),
    ) {
        let [top, left, bottom, right] = window.pads;
        let span = |i: usize| (window.kernel[i] - 1) * window.dilation[i] + 1;
        let h = span(0).saturating_sub(top + bottom).max(1) + extra.0;
        let w = span(1).saturating_sub(left + right).max(1) + extra.1;
        let ho = (h + top + bottom - span(0)) / window.stride[0] + 1;
        let wo = (w + left + right - span(1)) / window.stride[1] + 1;
        let mut want = vec![i8::MIN; c * ho * wo];
        for (i, most) in want.iter_mut().enumerate() {
            let (p, oy, ox) = (i / (ho * wo), i / wo % ho, i % wo);
            for y in 0..h {
                for x in 0..w {
                    let k = |n: usize, pad: usize, o: usize, i: usize| {
                        let d = (n + pad).checked_sub(o * window.stride[i]);
                        d.is_some_and(|d| {
                            d % window.dilation[i] == 0 && d / window.dilation[i] < window.kernel[i]
                        })
                    };
                    if k(y, top, oy, 0) && k(x, left, ox, 1) {
                        *most = (*most).max(data[(p * h + y) * w + x]);
                    }
                }
            }
        }
        let (from, to) = (vec![1, c, h, w], vec![1, c, ho, wo]);
        let net = one(QOp::MaxPool(window), &[from.clone(), to.clone()]);
        let got = reference::run(&net, &[int8(&from, data[..c * h * w].to_vec())]);
        prop_assert_eq!(&got.expect("it runs")[0], &int8(&to, want));
    }
}

fn plain(weight: Array4<i8>, bias: Vec<i32>) -> QConv {
    let (_, _, kh, kw) = weight.dim();
    QConv {
        weight_name: "w".into(),
        weight: weight.into(),
        bias,
        window: Window {
            kernel: [kh, kw],
            stride: [1, 1],
            dilation: [1, 1],
            pads: [0; 4],
        },
        groups: 1,
        shift: Shift::Layer(0),
        leaky: None,
        residual_shift: 0,
        post_shift: 0,
        clamp: (-128, 127),
    }
}

#[test]
fn dense_layers_are_maps_of_one_pixel() {
    let conv = plain(Array4::from_elem((3, 5, 1, 1), 2), vec![1, 0, -100]);
    let net = one(QOp::Conv(conv), &[vec![1, 5], vec![1, 3]]);
    let got = reference::run(&net, &[int8(&[1, 5], vec![1, 2, 3, -4, 5])]).expect("it runs");
    assert_eq!(got, [int8(&[1, 3], vec![15, 14, -86])]);
}

#[test]
fn sums_that_may_leave_int32_are_refused() {
    let most = i32::MAX - 128 * 127;
    for (bias, fits) in [(most, true), (most + 1, false)] {
        let conv = plain(Array4::from_elem((1, 1, 1, 1), 127), vec![bias]);
        let mut net = one(QOp::Conv(conv), &[vec![1, 1], vec![1, 1]]);
        if let QOp::Conv(conv) = &mut net.nodes[0].op {
            conv.shift = Shift::Layer(30);
            conv.bias[0] -= 1 << 29;
        }
        assert_eq!(check(&net).is_ok(), fits, "bias {bias}");
        // The last sum that is allowed, with checked arithmetic.
        if fits {
            let got = reference::run(&net, &[int8(&[1, 1], vec![127])]).expect("it runs");
            assert_eq!(got, [int8(&[1, 1], vec![1])]);
        }
    }
}

#[test]
fn errors_name_the_node() {
    let conv = plain(Array4::zeros((4, 2, 3, 3)), vec![0; 4]);
    type Change = fn(&mut QConv);
    let broken: [(&str, Change); 6] = [
        ("3 shifts", |q| q.shift = Shift::Channel(vec![0; 3])),
        ("shifted by 32", |q| q.shift = Shift::Layer(32)),
        ("groups", |q| q.groups = 3),
        ("fit", |q| q.bias = vec![0; 3]),
        ("slope", |q| q.leaky = Some(vec![1, 1, 1])),
        ("the window makes", |q| q.window.pads = [1; 4]),
    ];
    let dims = [vec![1, 2, 5, 5], vec![1, 4, 3, 3]];
    for (what, change) in broken {
        let mut conv = conv.clone();
        change(&mut conv);
        let error = check(&one(QOp::Conv(conv), &dims)).expect_err(what);
        assert_eq!(error.node, "node");
        assert!(error.what.contains(what), "{error}");
    }
    let net = one(QOp::Conv(conv), &dims);
    check(&net).expect("the network is right");
    let error = reference::run(&net, &[int8(&[1, 2], vec![0; 2])]).expect_err("dimensions differ");
    assert!(error.to_string().contains("[1, 2, 5, 5]"), "{error}");
}
