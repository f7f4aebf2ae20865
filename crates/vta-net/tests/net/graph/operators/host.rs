//! Operators that become others, or that the host alone does: by their values.

use crate::graph::model::{Attr, Model, floats, ints, ramp, scalar};
use Attr::{Float, Int, Ints, Text};
use ndarray::{ArrayD, IxDyn};
use vta_net::graph::{Graph, HostOp, Op, onnx};
use vta_net::quant::float;
use vta_tensor::host::Tensor;

/// The numbers 0, 1, 2 ..., each a little off.
fn counting(dims: &[usize]) -> ArrayD<f32> {
    let mut n = -1.0;
    ArrayD::from_shape_simple_fn(IxDyn(dims), || {
        n += 1.0;
        (n * 7.0) % 11.0 - 5.0 + n / 64.0
    })
}

fn run(g: &Graph, x: &ArrayD<f32>) -> ArrayD<f32> {
    let out = float::run(g, &[Tensor::F32(x.clone())]).expect("it runs");
    out[0].as_f32().expect("float").clone()
}

fn names(g: &Graph) -> Vec<&'static str> {
    g.nodes().map(|n| n.op.name()).collect()
}

/// Of one node on x.
fn one(opset: i64, dims: &[i64], op: &str, inputs: &[&str], attrs: &[(&str, Attr)]) -> Model {
    let m = Model::new(opset).input("x", dims);
    m.node(op, inputs, &["y"], attrs).output("y")
}

fn near(a: &ArrayD<f32>, b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-4, "{a}, not {b}");
    }
}

/// As ONNX defines it: each input adds the kernel to the output around it.
struct Transposed {
    stride: usize,
    dilation: usize,
    pads: [usize; 2],
    added: usize,
    groups: usize,
}

impl Transposed {
    fn naive(&self, x: &ArrayD<f32>, w: &ArrayD<f32>) -> ArrayD<f32> {
        let (ci, h) = (x.shape()[1], x.shape()[2]);
        let (co, k) = (w.shape()[1], w.shape()[2]);
        let full = self.stride * (h - 1) + self.added + (k - 1) * self.dilation + 1;
        let size = full - self.pads[0] - self.pads[1];
        let mut y = ArrayD::zeros(vec![1, co * self.groups, size, size]);
        let each = ci / self.groups;
        for ((i, iy), ix) in (0..ci)
            .flat_map(|i| (0..h).map(move |y| (i, y)))
            .flat_map(|p| (0..h).map(move |x| (p, x)))
        {
            for ((o, ky), kx) in (0..co)
                .flat_map(|o| (0..k).map(move |y| (o, y)))
                .flat_map(|p| (0..k).map(move |x| (p, x)))
            {
                let at = |i: usize, k: usize| {
                    (i * self.stride + k * self.dilation).checked_sub(self.pads[0])
                };
                let (Some(oy), Some(ox)) = (at(iy, ky), at(ix, kx)) else {
                    continue;
                };
                if oy < size && ox < size {
                    let c = i / each * co + o;
                    y[[0, c, oy, ox]] += x[[0, i, iy, ix]] * w[[i, o, ky, kx]];
                }
            }
        }
        y
    }
}

#[test]
fn transposed_convolutions() {
    for (stride, dilation, kernel, pads, added, groups) in [
        (1, 1, 3, [1, 1], 0, 1),
        (2, 1, 2, [0, 0], 0, 1),
        (2, 1, 3, [1, 1], 1, 1),
        (2, 1, 4, [1, 1], 0, 2),
        (3, 1, 2, [0, 1], 0, 1),
        (3, 2, 3, [2, 1], 2, 4),
        (4, 1, 2, [0, 0], 0, 1),
        (2, 3, 3, [6, 5], 0, 1),
        (1, 1, 2, [1, 0], 0, 1),
    ] {
        let t = Transposed {
            stride,
            dilation,
            pads,
            added,
            groups,
        };
        let (ci, co) = (4, 3);
        let k = kernel as i64;
        let pads = pads.map(|p| p as i64);
        let attrs = [
            ("strides", Ints(vec![stride as i64; 2])),
            ("dilations", Ints(vec![dilation as i64; 2])),
            ("pads", Ints(vec![pads[0], pads[0], pads[1], pads[1]])),
            ("output_padding", Ints(vec![added as i64; 2])),
            ("group", Int(groups as i64)),
        ];
        let m = one(13, &[1, ci, 5, 5], "ConvTranspose", &["x", "w"], &attrs);
        let g = m.init(ramp("w", &[ci, co, k, k])).graph();
        let x = counting(&[1, ci as usize, 5, 5]);
        let w = ramp_values(&[ci as usize, co as usize, kernel, kernel]);
        let want = t.naive(&x, &w);
        let got = run(&g, &x);
        assert_eq!(got.shape(), want.shape(), "stride {stride}");
        let size = want.iter().fold(1f32, |m, v| m.max(v.abs()));
        for (a, b) in got.iter().zip(&want) {
            assert!(
                (a - b).abs() <= 1e-5 * size,
                "stride {stride}: {a}, not {b}"
            );
        }
        let layers = names(&g).iter().filter(|n| **n == "Conv").count();
        assert_eq!(layers, 1, "one convolution does all phases");
    }
}

/// What [`ramp`] stores.
fn ramp_values(dims: &[usize]) -> ArrayD<f32> {
    let m = Model::new(13)
        .input("x", &[1])
        .node("Add", &["x", "w"], &["y"], &[])
        .output("y");
    let dims: Vec<i64> = dims.iter().map(|d| *d as i64).collect();
    let g = m.init(ramp("w", &dims)).graph();
    run(&g, &ArrayD::zeros(vec![1]))
}

#[test]
fn depth_to_space_and_back() {
    let x = counting(&[1, 12, 2, 3]);
    for mode in ["DCR", "CRD"] {
        let attrs = [("blocksize", Int(2)), ("mode", Text(mode))];
        let g = one(13, &[1, 12, 2, 3], "DepthToSpace", &["x"], &attrs).graph();
        assert_eq!(names(&g), ["Rearrange"]);
        let y = run(&g, &x);
        assert_eq!(y.shape(), [1, 3, 4, 6]);
        for (at, v) in y.indexed_iter() {
            let (c, y, x_) = (at[1], at[2], at[3]);
            let phase = (y % 2) * 2 + x_ % 2;
            let from = if mode == "DCR" {
                phase * 3 + c
            } else {
                c * 4 + phase
            };
            assert_eq!(*v, x[[0, from, y / 2, x_ / 2]]);
        }
    }
    let m = Model::new(13)
        .input("x", &[1, 12, 2, 3])
        .node("DepthToSpace", &["x"], &["t"], &[("blocksize", Int(2))])
        .node("SpaceToDepth", &["t"], &["y"], &[("blocksize", Int(2))])
        .output("y");
    assert_eq!(run(&m.graph(), &x), x);
}

#[test]
fn paddings_that_repeat() {
    let x = counting(&[1, 1, 1, 4]);
    let row = |i: [usize; 8]| i.map(|i| x[[0, 0, 0, i]]);
    for (mode, want) in [
        ("reflect", row([2, 1, 0, 1, 2, 3, 2, 1])),
        ("edge", row([0, 0, 0, 1, 2, 3, 3, 3])),
        ("wrap", row([2, 3, 0, 1, 2, 3, 0, 1])),
    ] {
        let m = one(
            19,
            &[1, 1, 1, 4],
            "Pad",
            &["x", "p"],
            &[("mode", Text(mode))],
        );
        let g = m.init(ints("p", &[0, 0, 0, 2, 0, 0, 0, 2])).graph();
        near(&run(&g, &x), &want);
    }
    let m = one(13, &[1, 1, 1, 4], "Pad", &["x", "p"], &[]);
    let g = m.init(ints("p", &[0, 0, 0, -1, 0, 0, 0, 1])).graph();
    let x = |i: usize| x[[0, 0, 0, i]];
    near(&run(&g, &counting(&[1, 1, 1, 4])), &[x(1), x(2), x(3), 0.0]);
}

#[test]
fn einsum() {
    let x = counting(&[2, 3, 4]);
    let of = |equation: &'static str| {
        let m = one(
            13,
            &[2, 3, 4],
            "Einsum",
            &["x", "w"],
            &[("equation", Text(equation))],
        );
        run(&m.init(ramp("w", &[2, 4, 5])).graph(), &x)
    };
    let w = ramp_values(&[2, 4, 5]);
    let y = of("bij,bjk->bki");
    assert_eq!(y.shape(), [2, 5, 3]);
    for (at, v) in y.indexed_iter() {
        let (b, k, i) = (at[0], at[1], at[2]);
        let want: f32 = (0..4).map(|j| x[[b, i, j]] * w[[b, j, k]]).sum();
        assert!((v - want).abs() < 1e-3);
    }
    let y = of("bij,ajk->ik");
    for (at, v) in y.indexed_iter() {
        let pairs = (0..2).flat_map(|b| (0..2).map(move |a| (b, a)));
        let terms = pairs.flat_map(|(b, a)| (0..4).map(move |j| (b, a, j)));
        let want: f32 = terms
            .map(|(b, a, j)| x[[b, at[0], j]] * w[[a, j, at[1]]])
            .sum();
        assert!((v - want).abs() < 1e-2);
    }
    let m = one(
        13,
        &[2, 3, 4],
        "Einsum",
        &["x"],
        &[("equation", Text("abc->cb"))],
    );
    let y = run(&m.graph(), &x);
    for (at, v) in y.indexed_iter() {
        let want: f32 = (0..2).map(|a| x[[a, at[1], at[0]]]).sum();
        assert!((v - want).abs() < 1e-4);
    }
}

/// As exporters write it, and by its name.
#[test]
fn normalisations() {
    let x = counting(&[1, 3, 4]);
    let named = one(
        17,
        &[1, 3, 4],
        "LayerNormalization",
        &["x", "g"],
        &[("epsilon", Float(0.01))],
    );
    let named = named.init(floats("g", &[4], &[1.0, 2.0, 3.0, 4.0])).graph();
    assert_eq!(names(&named), ["Normalize", "Mul"]);
    let axes = || [("axes", Ints(vec![-1]))];
    let written = Model::new(13)
        .input("x", &[1, 3, 4])
        .node("ReduceMean", &["x"], &["m"], &axes())
        .node("Sub", &["x", "m"], &["d"], &[])
        .node("Pow", &["d", "two"], &["q"], &[])
        .node("ReduceMean", &["q"], &["v"], &axes())
        .node("Add", &["v", "e"], &["s"], &[])
        .node("Sqrt", &["s"], &["r"], &[])
        .node("Div", &["d", "r"], &["n"], &[])
        .node("Mul", &["n", "g"], &["y"], &[])
        .output("y")
        .init(scalar("two", 2.0))
        .init(scalar("e", 0.01))
        .init(floats("g", &[4], &[1.0, 2.0, 3.0, 4.0]))
        .graph();
    assert_eq!(names(&written), ["Normalize", "Mul"]);
    let y = run(&named, &x);
    near(&run(&written, &x), y.as_slice().expect("rows"));
    let row: Vec<f32> = x.iter().take(4).copied().collect();
    let mean = row.iter().sum::<f32>() / 4.0;
    let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 4.0;
    let want = 2.0 * (row[1] - mean) / (variance + 0.01).sqrt();
    assert!((y[[0, 0, 1]] - want).abs() < 1e-4);
}

/// Values of onnxruntime.
#[test]
fn recurrent_layers() {
    let of = |op: &str, gates: i64, attrs: &[(&str, Attr)]| {
        let values = |n: i64| {
            (0..n)
                .map(|i| ((i % 7) - 3) as f32 / 4.0)
                .collect::<Vec<_>>()
        };
        let rows = gates * 2;
        let swapped: Vec<f32> = values(rows * 2)
            .chunks(2)
            .rev()
            .flatten()
            .copied()
            .collect();
        let mut all = vec![("hidden_size", Int(2))];
        all.extend(attrs.iter().map(|(n, a)| {
            let a = match a {
                Int(v) => Int(*v),
                Text(t) => Text(t),
                _ => panic!("an integer or a text"),
            };
            (*n, a)
        }));
        let m = Model::new(14)
            .input("x", &[3, 1, 2])
            .node(op, &["x", "w", "r", "b"], &["y"], &all)
            .output("y")
            .init(floats("w", &[1, rows, 2], &values(rows * 2)))
            .init(floats("r", &[1, rows, 2], &swapped))
            .init(floats("b", &[1, 2 * rows], &values(2 * rows)));
        let x = ArrayD::from_shape_vec(vec![3, 1, 2], values(6)).expect("six values");
        run(&m.graph(), &x)
    };
    near(
        &of("LSTM", 4, &[]),
        &[
            -0.081_693, -0.076_459, -0.084_262, -0.177_543, -0.023_098, -0.256_086,
        ],
    );
    near(
        &of("LSTM", 4, &[("direction", Text("reverse"))]),
        &[
            -0.079_495, -0.220_090, 0.007_228, -0.224_565, 0.037_132, -0.144_059,
        ],
    );
    near(
        &of("GRU", 3, &[]),
        &[
            0.195_218, 0.412_161, 0.260_013, 0.521_281, 0.097_210, 0.581_785,
        ],
    );
    near(
        &of("GRU", 3, &[("linear_before_reset", Int(1))]),
        &[
            0.195_218, 0.327_505, 0.260_561, 0.417_829, 0.094_952, 0.488_553,
        ],
    );
    near(
        &of("RNN", 1, &[]),
        &[
            -0.185_333, -0.302_710, -0.644_695, -0.146_092, -0.855_503, -0.005_933,
        ],
    );
}

#[test]
fn one_dimension_is_a_map_of_one_row() {
    let pads = || ("pads", Ints(vec![1, 1]));
    let m = Model::new(13)
        .input("x", &[1, 4, 9])
        .node("Conv", &["x", "w"], &["a"], &[pads()])
        .node("Relu", &["a"], &["b"], &[])
        .node("Conv", &["b", "v"], &["c"], &[pads()])
        .node("Add", &["b", "c"], &["d"], &[])
        .node(
            "MaxPool",
            &["d"],
            &["y"],
            &[("kernel_shape", Ints(vec![2]))],
        )
        .output("y")
        .init(ramp("w", &[4, 4, 3]))
        .init(ramp("v", &[4, 4, 3]));
    let g = m.graph();
    assert_eq!(
        names(&g),
        [
            "Reshape", "Conv", "Relu", "Conv", "Add", "MaxPool", "Reshape"
        ]
    );
    assert_eq!(g.tensor(g.outputs[0]).dims, [1, 4, 8]);
}

#[test]
fn a_fixed_batch_is_the_network_of_one_element() {
    let m = Model::new(13)
        .input("x", &[4, 4, 9, 11])
        .node("Conv", &["x", "w"], &["a"], &[])
        .node("Reshape", &["a", "s"], &["y"], &[])
        .output("y")
        .init(ramp("w", &[2, 4, 3, 3]))
        .init(ints("s", &[4, -1]));
    let g = m.graph();
    assert_eq!(
        (g.batch, &g.tensor(g.outputs[0]).dims[..]),
        (4, &[1, 126][..])
    );
    let m = Model::new(13)
        .input("x", &[4, 4, 9, 11])
        .node("Conv", &["x", "w"], &["a"], &[])
        .node("ReduceMean", &["a"], &["y"], &[("axes", Ints(vec![0]))])
        .output("y")
        .init(ramp("w", &[2, 4, 3, 3]));
    assert_eq!(
        m.error(),
        "m.onnx: node Conv_0 (Conv): tensor x: [4, 4, 9, 11] is neither [1, c, h, w] nor [1, c, w]: other ranks and batches are not supported"
    );
}

#[test]
fn slices_that_are_joined_again_are_their_tensor() {
    let parts = ints("p", &[3, 5]);
    let m = Model::new(13)
        .input("x", &[1, 8, 4, 4])
        .node("Split", &["x", "p"], &["a", "b"], &[("axis", Int(1))])
        .node("Sigmoid", &["b"], &["c"], &[])
        .node("Concat", &["a", "b", "c"], &["y"], &[("axis", Int(1))])
        .output("y")
        .init(parts);
    let g = m.graph();
    assert_eq!(names(&g), ["Slice", "Sigmoid", "Concat"]);
    let joined = g.nodes().last().expect("three nodes");
    assert_eq!(joined.inputs[0], g.inputs[0]);
}

#[test]
fn replaced_elements() {
    let x = counting(&[1, 4, 3]);
    let m = one(16, &[1, 4, 3], "ScatterND", &["x", "i", "u"], &[]);
    let m = m.init(crate::graph::model::raw(
        "i",
        7,
        &[2, 2],
        &[0i64, 1, 0, 3]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>(),
    ));
    let g = m
        .init(floats("u", &[2, 3], &[1., 2., 3., 4., 5., 6.]))
        .graph();
    let y = run(&g, &x);
    assert_eq!(y[[0, 1, 2]], 3.0);
    assert_eq!(y[[0, 3, 0]], 4.0);
    assert_eq!(y[[0, 2, 1]], x[[0, 2, 1]]);
}

/// What the host alone does is written and read back with the same values.
#[test]
fn operators_of_the_host_in_files() {
    use vta_tensor::host::{Pairwise, Reduction};
    let reduce = |reduction| HostOp::Reduce {
        reduction,
        axes: vec![1],
    };
    let top = |indices| HostOp::TopK {
        axis: 2,
        k: 2,
        largest: true,
        indices,
    };
    let unary = [
        HostOp::Gather {
            axis: 1,
            indices: vec![2, 0, 0],
        },
        HostOp::Rearrange {
            split: vec![3, 2, 2],
            perm: vec![1, 0, 2],
            dims: vec![2, 6],
        },
        HostOp::Interpolate {
            axis: 1,
            taps: 2,
            indices: vec![0, 1, 1, 2],
            weights: vec![0.25, 0.75, 0.5, 0.5],
        },
        HostOp::Normalize {
            axes: vec![2],
            epsilon: 0.5,
        },
        reduce(Reduction::Max),
        reduce(Reduction::Min),
        reduce(Reduction::Sum),
        reduce(Reduction::Prod),
        HostOp::ArgMax {
            axis: 2,
            select_last_index: false,
        },
        top(false),
        top(true),
        HostOp::Lrn {
            size: 3,
            alpha: 0.1,
            beta: 0.75,
            bias: 1.0,
        },
        HostOp::LogSoftmax { axis: 1 },
    ];
    let binary = [
        Pairwise::DivInteger,
        Pairwise::Max,
        Pairwise::Min,
        Pairwise::Mod { fmod: true },
    ]
    .map(|function| HostOp::Pairwise { function });
    let again = |g: &Graph, x: &ArrayD<f32>| {
        let bytes = onnx::export(g);
        let back = onnx::import(&bytes, "again.onnx").unwrap_or_else(|e| panic!("{e}"));
        let (a, b) = (run(g, x), run(&back, x));
        assert_eq!(a.shape(), b.shape());
        near(&b, a.as_slice().expect("rows"));
    };
    let x = counting(&[1, 3, 4]);
    let build = |op: HostOp, inputs: usize| {
        let mut g = Graph::new("g");
        let t = g.add_tensor("x", &[1, 3, 4]);
        g.inputs.push(t);
        let dims = vec![&[1usize, 3, 4][..]; inputs];
        let dims = op.dims(&dims).expect("it fits");
        let y = g.add_tensor("y", &dims);
        g.add_node(vta_net::graph::Node {
            name: "n".into(),
            op: Op::Host(op),
            inputs: vec![t; inputs],
            output: y,
        });
        g.outputs.push(y);
        g
    };
    for op in unary {
        again(&build(op, 1), &x);
    }
    for op in binary {
        again(&build(op, 2), &x.mapv(|v| v.round().abs() + 1.0));
    }
    again(&build(HostOp::Where, 3), &x);
}

/// A position that is computed from constants only: by functions that are not folded.
#[test]
fn constants_go_through_operators() {
    let m = Model::new(13)
        .input("x", &[1, 4])
        .node("CumSum", &["ones", "axis"], &["n"], &[])
        .node("Sin", &["n"], &["s"], &[])
        .node("Add", &["x", "s"], &["y"], &[])
        .output("y")
        .init(floats("ones", &[1, 4], &[1.0; 4]))
        .init(ints("axis", &[1]));
    let y = run(&m.graph(), &ArrayD::zeros(vec![1, 4]));
    near(&y, &[0.841_471, 0.909_297, 0.141_12, -0.756_802]);
}
