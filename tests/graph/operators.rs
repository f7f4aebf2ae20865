//! Each operator of the list: what it becomes in the graph.

use crate::model::{
    Attr, Dim, INT8, INT32, Message, Model, UINT8, floats, ints, ramp, raw, scalar,
};
use Attr::{Float, Floats, Int, Ints, Tensor, Text};
use vta::graph::{Conv, Dense, Graph, Node, Op, Window};

/// One line for each node: name, operands' dimensions, result's dimensions.
fn lines(g: &Graph) -> Vec<String> {
    let dims = |t| format!("{:?}", g.tensor(t).dims);
    g.nodes()
        .map(|n| {
            let inputs: Vec<String> = n.inputs.iter().map(|t| dims(*t)).collect();
            format!("{} {} -> {}", n.op.name(), inputs.join(" "), dims(n.output))
        })
        .collect()
}

fn only(g: &Graph) -> &Node {
    let nodes: Vec<&Node> = g.nodes().collect();
    assert_eq!(nodes.len(), 1, "{:?}", lines(g));
    nodes[0]
}

fn conv(g: &Graph) -> &Conv {
    match &only(g).op {
        Op::Conv(c) => c,
        other => panic!("{}", other.name()),
    }
}

fn dense(g: &Graph) -> &Dense {
    match &only(g).op {
        Op::Dense(d) => d,
        other => panic!("{}", other.name()),
    }
}

/// A model of one operator on x `[1, 4, 9, 11]`, result y.
fn single(opset: i64, op: &str, inputs: &[&str], attrs: &[(&str, Attr)]) -> Model {
    Model::new(opset)
        .input("x", &[1, 4, 9, 11])
        .node(op, inputs, &["y"], attrs)
        .output("y")
}

fn output(g: &Graph) -> &[usize] {
    &g.tensor(g.outputs[0]).dims
}

mod convolution {
    use super::*;

    fn model(attrs: &[(&str, Attr)]) -> Model {
        single(13, "Conv", &["x", "w"], attrs).init(ramp("w", &[6, 4, 3, 3]))
    }

    #[test]
    fn attributes() {
        let attrs = [
            ("kernel_shape", Ints(vec![3, 3])),
            ("strides", Ints(vec![1, 2])),
            ("dilations", Ints(vec![2, 1])),
            ("pads", Ints(vec![1, 2, 3, 4])),
        ];
        let g = model(&attrs).graph();
        let c = conv(&g);
        let window = Window {
            kernel: [3, 3],
            stride: [1, 2],
            dilation: [2, 1],
            pads: [1, 2, 3, 4],
        };
        assert_eq!((c.window, c.groups), (window, 1));
        assert_eq!(c.weight_name, "w");
        assert_eq!(c.weight[[5, 3, 2, 1]], 214.0 - 1.5);
        assert!(c.bias.iter().all(|b| *b == 0.0));
        assert_eq!(output(&g), [1, 6, 9, 8]);
    }

    #[test]
    fn automatic_padding() {
        let pads = |mode: &'static str, stride: i64| {
            let stride = ("strides", Ints(vec![stride; 2]));
            let g = model(&[("auto_pad", Text(mode)), stride]).graph();
            conv(&g).window.pads
        };
        assert_eq!(pads("SAME_UPPER", 1), [1, 1, 1, 1]);
        assert_eq!(pads("SAME_UPPER", 2), [1, 1, 1, 1]);
        // Every fifth: of 9 rows two windows take 5 + 3, of 11 columns three take 10 + 3.
        assert_eq!(pads("SAME_UPPER", 5), [0, 1, 0, 1]);
        assert_eq!(pads("VALID", 1), [0; 4]);
    }

    #[test]
    fn odd_automatic_padding_goes_to_one_end() {
        let pads = |mode: &'static str| {
            let m = single(13, "Conv", &["x", "w"], &[("auto_pad", Text(mode))]);
            let g = m.init(ramp("w", &[6, 4, 2, 4])).graph();
            conv(&g).window.pads
        };
        assert_eq!(pads("SAME_UPPER"), [0, 1, 1, 2]);
        assert_eq!(pads("SAME_LOWER"), [1, 2, 0, 1]);
    }

    #[test]
    fn groups_and_bias() {
        let m = single(13, "Conv", &["x", "w", "b"], &[("group", Int(2))])
            .init(ramp("w", &[6, 2, 3, 3]))
            .init(ramp("b", &[6]));
        let g = m.graph();
        assert_eq!(conv(&g).groups, 2);
        assert_eq!(conv(&g).bias[5], 3.5);
    }

    #[test]
    fn batch_normalisation_is_folded() {
        let m = Model::new(9)
            .input("x", &[1, 1, 4, 4])
            .named("c", "Conv", &["x", "w", "b"], &["t"], &[])
            .node(
                "BatchNormalization",
                &["t", "gamma", "beta", "mean", "var"],
                &["y"],
                &[("epsilon", Float(0.0))],
            )
            .output("y")
            .init(floats("w", &[2, 1, 1, 1], &[3.0, 5.0]))
            .init(floats("b", &[2], &[1.0, 2.0]))
            .init(floats("gamma", &[2], &[2.0, -1.0]))
            .init(floats("beta", &[2], &[10.0, 20.0]))
            .init(floats("mean", &[2], &[0.5, 1.0]))
            .init(floats("var", &[2], &[4.0, 0.25]));
        let g = m.graph();
        let c = conv(&g);
        // Factors 2 / 2 and -1 / 0.5.
        assert_eq!(c.weight.as_slice(), Some(&[3.0, -10.0][..]));
        assert_eq!(c.bias.as_slice(), Some(&[1.0 + 9.5, -4.0 + 22.0][..]));
        assert_eq!((c.weight_name.as_str(), only(&g).name.as_str()), ("w", "c"));
        assert_eq!(g.tensor(g.outputs[0]).name, "y");
    }

    #[test]
    fn batch_normalisation_stays_where_the_convolution_is_read_elsewhere() {
        let m = Model::new(13)
            .input("x", &[1, 1, 4, 4])
            .node("Conv", &["x", "w"], &["t"], &[])
            .node(
                "BatchNormalization",
                &["t", "s", "s", "s", "s"],
                &["u"],
                &[],
            )
            .node("Add", &["t", "u"], &["y"], &[])
            .output("y")
            .init(floats("w", &[2, 1, 1, 1], &[3.0, 5.0]))
            .init(floats("s", &[2], &[1.0, 2.0]));
        let g = m.graph();
        let names: Vec<&str> = g.nodes().map(|n| n.op.name()).collect();
        assert_eq!(names, ["Conv", "BatchNormalization", "Add"]);
    }

    #[test]
    fn factors_and_sums_for_each_channel_are_folded() {
        let m = Model::new(13)
            .input("x", &[1, 1, 4, 4])
            .node("Conv", &["x", "w"], &["t"], &[])
            .node("Mul", &["t", "f"], &["u"], &[])
            .node("Add", &["a", "u"], &["v"], &[])
            .node("Sub", &["v", "one"], &["y"], &[])
            .output("y")
            .init(floats("w", &[2, 1, 1, 1], &[3.0, 5.0]))
            .init(floats("f", &[2, 1, 1], &[2.0, 4.0]))
            .init(floats("a", &[1, 2, 1, 1], &[7.0, 8.0]))
            .init(scalar("one", 1.0));
        let g = m.graph();
        assert_eq!(conv(&g).weight.as_slice(), Some(&[6.0, 20.0][..]));
        assert_eq!(conv(&g).bias.as_slice(), Some(&[6.0, 7.0][..]));
    }

    #[test]
    fn a_sum_for_each_pixel_is_not_folded() {
        let m = Model::new(13)
            .input("x", &[1, 1, 2, 2])
            .node("Conv", &["x", "w"], &["t"], &[])
            .node("Add", &["t", "a"], &["y"], &[])
            .output("y")
            .init(floats("w", &[2, 1, 1, 1], &[3.0, 5.0]))
            .init(ramp("a", &[2, 2]));
        assert_eq!(m.graph().nodes().count(), 2);
    }

    #[test]
    fn padding_before_it_is_folded() {
        let m = Model::new(13)
            .input("x", &[1, 4, 9, 9])
            .node("Pad", &["x", "p"], &["t"], &[])
            .node(
                "Conv",
                &["t", "w"],
                &["y"],
                &[("pads", Ints(vec![1, 0, 0, 0]))],
            )
            .output("y")
            .init(ints("p", &[0, 0, 0, 1, 0, 0, 2, 3]))
            .init(ramp("w", &[6, 4, 3, 3]));
        let g = m.graph();
        assert_eq!(conv(&g).window.pads, [1, 1, 2, 3]);
    }
}

mod matrices {
    use super::*;

    fn gemm(trans_b: i64, w: &[i64]) -> Model {
        Model::new(13)
            .input("x", &[1, 2])
            .node(
                "Gemm",
                &["x", "w", "c"],
                &["y"],
                &[
                    ("transB", Int(trans_b)),
                    ("alpha", Float(2.0)),
                    ("beta", Float(0.5)),
                ],
            )
            .output("y")
            .init(floats("w", w, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
            .init(floats("c", &[3], &[2.0, 4.0, 6.0]))
    }

    #[test]
    fn gemm_of_both_orientations() {
        let g = gemm(1, &[3, 2]).graph();
        let d = dense(&g);
        assert_eq!(
            d.weight.as_slice(),
            Some(&[2.0, 4.0, 6.0, 8.0, 10.0, 12.0][..])
        );
        assert!(!d.transposed);
        assert_eq!(d.bias.as_slice(), Some(&[1.0, 2.0, 3.0][..]));
        let g = gemm(0, &[2, 3]).graph();
        let d = dense(&g);
        assert_eq!(
            d.weight.as_slice(),
            Some(&[2.0, 8.0, 4.0, 10.0, 6.0, 12.0][..])
        );
        assert!(d.transposed);
        assert_eq!(d.weight_name, "w");
    }

    #[test]
    fn matmul_and_its_bias() {
        let m = Model::new(13)
            .input("x", &[1, 5, 2])
            .node("MatMul", &["x", "w"], &["t"], &[])
            .node("Add", &["b", "t"], &["y"], &[])
            .output("y")
            .init(ramp("w", &[2, 3]))
            .init(ramp("b", &[3]));
        let g = m.graph();
        assert_eq!(output(&g), [1, 5, 3]);
        assert!(dense(&g).transposed);
        assert_eq!(dense(&g).bias[2], 0.5);
        assert_eq!(dense(&g).weight[[2, 1]], 3.5);
    }

    #[test]
    fn a_weight_that_the_file_transposes_keeps_name_and_orientation() {
        let m = Model::new(13)
            .input("x", &[1, 5, 2])
            .node("Transpose", &["w"], &["wt"], &[("perm", Ints(vec![1, 0]))])
            .node("MatMul", &["x", "wt"], &["y"], &[])
            .output("y")
            .init(ramp("w", &[3, 2]));
        let g = m.graph();
        assert_eq!(dense(&g).weight_name, "w");
        assert!(!dense(&g).transposed);
        assert_eq!(dense(&g).weight[[2, 1]], 3.5);
    }

    #[test]
    fn other_products() {
        let two = Model::new(13)
            .input("a", &[1, 2, 3])
            .input("b", &[1, 3, 4])
            .node("MatMul", &["a", "b"], &["y"], &[])
            .output("y");
        assert_eq!(
            lines(&two.graph()),
            ["MatMul [1, 2, 3] [1, 3, 4] -> [1, 2, 4]"]
        );
        let left = Model::new(13)
            .input("x", &[1, 3, 4])
            .node("MatMul", &["w", "x"], &["y"], &[])
            .output("y")
            .init(ramp("w", &[5, 3]));
        assert_eq!(
            lines(&left.graph()),
            [
                "Transpose [1, 3, 4] -> [1, 4, 3]",
                "Gemm [1, 4, 3] -> [1, 4, 5]",
                "Transpose [1, 4, 5] -> [1, 5, 4]"
            ]
        );
    }
}

mod elementwise {
    use super::*;

    fn op(op: &str, inputs: &[&str]) -> Vec<Op> {
        let m = single(13, op, inputs, &[]).init(floats("c", &[1], &[4.0]));
        m.graph().nodes().map(|n| n.op.clone()).collect()
    }

    fn value(op: &Op) -> (&str, f32) {
        match op {
            Op::AddConst(c) => ("add", c.values[[0]]),
            Op::MulConst(c) if c.values.ndim() == 0 => ("mul", c.values[[]]),
            Op::MulConst(c) => ("mul", c.values[[0]]),
            other => panic!("{}", other.name()),
        }
    }

    #[test]
    fn arithmetic_with_constants() {
        let values = |name: &str, inputs: &[&str]| -> Vec<(String, f32)> {
            let ops = op(name, inputs);
            ops.iter()
                .map(|o| (value(o).0.to_owned(), value(o).1))
                .collect()
        };
        let pair = |n: &str, v: f32| (n.to_owned(), v);
        assert_eq!(values("Add", &["x", "c"]), [pair("add", 4.0)]);
        assert_eq!(values("Add", &["c", "x"]), [pair("add", 4.0)]);
        assert_eq!(values("Mul", &["c", "x"]), [pair("mul", 4.0)]);
        assert_eq!(values("Sub", &["x", "c"]), [pair("add", -4.0)]);
        assert_eq!(
            values("Sub", &["c", "x"]),
            [pair("mul", -1.0), pair("add", 4.0)]
        );
        assert_eq!(values("Div", &["x", "c"]), [pair("mul", 0.25)]);
    }

    #[test]
    fn arithmetic_of_two_tensors() {
        assert!(op("Add", &["x", "x"]) == [Op::Add]);
        assert!(op("Mul", &["x", "x"]) == [Op::Mul]);
        let ops = op("Sub", &["x", "x"]);
        assert_eq!((value(&ops[0]), &ops[1]), (("mul", -1.0), &Op::Add));
    }

    #[test]
    fn activations() {
        let one = |opset: i64, op: &str, attrs: &[(&str, Attr)]| {
            let g = single(opset, op, &["x"], attrs).graph();
            only(&g).op.clone()
        };
        assert_eq!(one(13, "Relu", &[]), Op::Relu);
        assert_eq!(one(13, "Sigmoid", &[]), Op::Sigmoid);
        assert_eq!(one(13, "LeakyRelu", &[]), Op::LeakyRelu { alpha: 0.01 });
        let alpha = [("alpha", Float(0.25))];
        assert_eq!(one(13, "LeakyRelu", &alpha), Op::LeakyRelu { alpha: 0.25 });
        let range = [("min", Float(0.0)), ("max", Float(6.0))];
        let relu6 = Op::Clip { min: 0.0, max: 6.0 };
        assert_eq!(one(10, "Clip", &range), relu6);
        assert_eq!(one(10, "Clip", &[("min", Float(0.0))]), Op::Relu);
    }

    #[test]
    fn clip_with_operands() {
        let clip = |inputs: &[&str]| {
            let m = single(11, "Clip", inputs, &[]);
            let g = m.init(scalar("lo", 0.0)).init(scalar("hi", 6.0)).graph();
            only(&g).op.clone()
        };
        assert_eq!(clip(&["x", "lo", "hi"]), Op::Clip { min: 0.0, max: 6.0 });
        assert_eq!(clip(&["x", "lo"]), Op::Relu);
        let min = f32::MIN;
        assert_eq!(clip(&["x", "", "hi"]), Op::Clip { min, max: 6.0 });
    }

    #[test]
    fn softmax_before_and_after_opset_13() {
        let of = |opset: i64, attrs: &[(&str, Attr)]| {
            lines(&single(opset, "Softmax", &["x"], attrs).graph())
        };
        let plain = ["Softmax [1, 4, 9, 11] -> [1, 4, 9, 11]"];
        assert_eq!(of(13, &[]), plain);
        assert_eq!(of(11, &[("axis", Int(3))]), plain);
        assert_eq!(
            of(11, &[]),
            [
                "Reshape [1, 4, 9, 11] -> [1, 396]",
                "Softmax [1, 396] -> [1, 396]",
                "Reshape [1, 396] -> [1, 4, 9, 11]"
            ]
        );
    }

    #[test]
    fn what_does_nothing_at_inference_is_left_out() {
        let m = Model::new(12)
            .input("x", &[1, 4])
            .node("Identity", &["x"], &["a"], &[])
            .node("Dropout", &["a"], &["b", "mask"], &[])
            .node("Cast", &["b"], &["c"], &[("to", Int(1))])
            .node("Relu", &["c"], &["d"], &[])
            .node("Identity", &["d"], &["y"], &[])
            .output("y");
        let g = m.graph();
        assert_eq!(lines(&g), ["Relu [1, 4] -> [1, 4]"]);
        assert_eq!(g.tensor(g.outputs[0]).name, "y");
    }

    #[test]
    fn batch_normalisation_alone() {
        let epsilon = [("epsilon", Float(1.0))];
        let m = single(
            13,
            "BatchNormalization",
            &["x", "g", "b", "m", "v"],
            &epsilon,
        )
        .init(floats("g", &[4], &[1.0, 2.0, 3.0, 4.0]))
        .init(floats("b", &[4], &[0.5; 4]))
        .init(floats("m", &[4], &[1.0; 4]))
        .init(floats("v", &[4], &[3.0; 4]));
        let g = m.graph();
        let Op::Scale { scale, shift } = &only(&g).op else {
            panic!("{}", only(&g).op.name())
        };
        assert_eq!(scale.to_vec(), [0.5, 1.0, 1.5, 2.0]);
        assert_eq!(shift.to_vec(), [0.0, -0.5, -1.0, -1.5]);
    }
}

mod pooling {
    use super::*;

    fn window(op: &Op) -> Window {
        match op {
            Op::MaxPool(w) | Op::AveragePool { window: w, .. } => *w,
            other => panic!("{}", other.name()),
        }
    }

    fn pads(attrs: Vec<(&str, Attr)>) -> [usize; 4] {
        let g = single(13, "MaxPool", &["x"], &attrs).graph();
        window(&only(&g).op).pads
    }

    #[test]
    fn ceil_mode_adds_padding() {
        let attrs = |k: i64, s: i64, ceil: i64, pads: Vec<i64>| {
            vec![
                ("kernel_shape", Ints(vec![k; 2])),
                ("strides", Ints(vec![s; 2])),
                ("ceil_mode", Int(ceil)),
                ("pads", Ints(pads)),
            ]
        };
        // 9 rows by 2: a fifth window reaches one row further; 11 columns: one column.
        assert_eq!(pads(attrs(2, 2, 1, vec![0; 4])), [0, 0, 1, 1]);
        assert_eq!(pads(attrs(2, 2, 0, vec![0; 4])), [0; 4]);
        // A sixth window would start in the padding: it does not count.
        assert_eq!(pads(attrs(2, 2, 1, vec![1; 4])), [1; 4]);
        assert_eq!(pads(attrs(3, 2, 1, vec![0; 4])), [0; 4]);
    }

    #[test]
    fn average_pool_counts_padding_if_asked() {
        let attrs = |ceil: i64| {
            [
                ("kernel_shape", Ints(vec![3, 3])),
                ("strides", Ints(vec![3, 3])),
                ("pads", Ints(vec![1, 1, 1, 1])),
                ("count_include_pad", Int(1)),
                ("ceil_mode", Int(ceil)),
            ]
        };
        let g = single(13, "AveragePool", &["x"], &attrs(0)).graph();
        let op = Op::AveragePool {
            window: Window::square(3, 3, 1),
            count_include_pad: true,
        };
        assert_eq!(only(&g).op, op);
        // What ceil_mode adds does not count, so the padding becomes a node of its own.
        let g = single(13, "AveragePool", &["x"], &attrs(1)).graph();
        let ops: Vec<&Op> = g.nodes().map(|n| &n.op).collect();
        let [
            Op::Pad { pads, .. },
            Op::AveragePool {
                window,
                count_include_pad: false,
            },
        ] = ops[..]
        else {
            panic!("{:?}", lines(&g))
        };
        assert_eq!(pads[2..], [(1, 1), (1, 1)]);
        assert_eq!(window.pads, [0, 0, 1, 0]);
    }

    #[test]
    fn global_pools_and_means_of_maps() {
        let mean = Op::AveragePool {
            window: Window {
                kernel: [9, 11],
                ..Window::square(1, 1, 0)
            },
            count_include_pad: false,
        };
        let g = single(13, "GlobalAveragePool", &["x"], &[]).graph();
        assert_eq!(only(&g).op, mean);
        let axes = [("axes", Ints(vec![-1, 2]))];
        let g = single(13, "ReduceMean", &["x"], &axes).graph();
        assert_eq!(only(&g).op, mean);
        let m = single(18, "ReduceMean", &["x", "a"], &[("keepdims", Int(0))]);
        let g = m.init(ints("a", &[2, 3])).graph();
        assert_eq!(
            lines(&g),
            [
                "AveragePool [1, 4, 9, 11] -> [1, 4, 1, 1]",
                "Reshape [1, 4, 1, 1] -> [1, 4]"
            ]
        );
        let g = single(13, "GlobalMaxPool", &["x"], &[]).graph();
        assert_eq!(window(&only(&g).op).kernel, [9, 11]);
    }

    #[test]
    fn other_means() {
        let of = |axes: Vec<i64>, keep: i64| {
            let attrs = [("axes", Ints(axes)), ("keepdims", Int(keep))];
            lines(&single(13, "ReduceMean", &["x"], &attrs).graph())
        };
        assert_eq!(of(vec![1], 0), ["ReduceMean [1, 4, 9, 11] -> [1, 9, 11]"]);
        assert_eq!(
            of(vec![1, -1], 1),
            ["ReduceMean [1, 4, 9, 11] -> [1, 1, 9, 1]"]
        );
    }

    #[test]
    fn zeros_before_a_max_pool_are_its_padding_only_where_no_value_is_negative() {
        let model = |first: &str| {
            Model::new(13)
                .input("x", &[1, 4, 9, 9])
                .node(first, &["x"], &["r"], &[])
                .node("Pad", &["r", "p"], &["t"], &[])
                .node(
                    "MaxPool",
                    &["t"],
                    &["y"],
                    &[("kernel_shape", Ints(vec![3, 3]))],
                )
                .output("y")
                .init(ints("p", &[0, 0, 1, 1, 0, 0, 1, 1]))
                .graph()
        };
        let names = |g: &Graph| g.nodes().map(|n| n.op.name()).collect::<Vec<_>>();
        assert_eq!(names(&model("Relu")), ["Relu", "MaxPool"]);
        assert_eq!(names(&model("LeakyRelu")), ["LeakyRelu", "Pad", "MaxPool"]);
    }
}

mod layout {
    use super::*;

    fn of(
        opset: i64,
        op: &str,
        inputs: &[&str],
        attrs: &[(&str, Attr)],
        i: Message,
    ) -> Vec<String> {
        lines(&single(opset, op, inputs, attrs).init(i).graph())
    }

    fn none() -> Message {
        ints("unused", &[])
    }

    #[test]
    fn names_of_dimensions() {
        let f = |axis: i64| of(13, "Flatten", &["x"], &[("axis", Int(axis))], none());
        assert_eq!(f(1), ["Reshape [1, 4, 9, 11] -> [1, 396]"]);
        assert_eq!(f(-1), ["Reshape [1, 4, 9, 11] -> [36, 11]"]);
        let r = of(13, "Reshape", &["x", "s"], &[], ints("s", &[0, -1, 11]));
        assert_eq!(r, ["Reshape [1, 4, 9, 11] -> [1, 36, 11]"]);
        let s = of(13, "Squeeze", &["x", "a"], &[], ints("a", &[0]));
        assert_eq!(s, ["Reshape [1, 4, 9, 11] -> [4, 9, 11]"]);
        let u = of(
            11,
            "Unsqueeze",
            &["x"],
            &[("axes", Ints(vec![5, 0]))],
            none(),
        );
        assert_eq!(u, ["Reshape [1, 4, 9, 11] -> [1, 1, 4, 9, 11, 1]"]);
    }

    #[test]
    fn parts() {
        let split = |opset: i64, inputs: &[&str], attrs: &[(&str, Attr)], i: Message| {
            let m = Model::new(opset)
                .input("x", &[1, 6])
                .node("Split", inputs, &["a", "b"], attrs)
                .output("a")
                .output("b")
                .init(i);
            let g = m.graph();
            let parts = g.nodes().map(|n| match n.op {
                Op::Slice { axis, start, step } => (axis, start, step, g.tensor(n.output).dims[1]),
                ref other => panic!("{}", other.name()),
            });
            parts.collect::<Vec<_>>()
        };
        let axis = || ("axis", Int(-1));
        assert_eq!(
            split(11, &["x"], &[axis()], none()),
            [(1, 0, 1, 3), (1, 3, 1, 3)]
        );
        let sizes = ("split", Ints(vec![2, 4]));
        assert_eq!(
            split(11, &["x"], &[axis(), sizes], none()),
            [(1, 0, 1, 2), (1, 2, 1, 4)]
        );
        let sizes = ints("s", &[5, 1]);
        assert_eq!(
            split(13, &["x", "s"], &[axis()], sizes),
            [(1, 0, 1, 5), (1, 5, 1, 1)]
        );
    }

    #[test]
    fn slices() {
        let attrs = [
            ("starts", Ints(vec![1, -5])),
            ("ends", Ints(vec![3, i64::MAX])),
            ("axes", Ints(vec![1, 3])),
        ];
        let g = single(9, "Slice", &["x"], &attrs).graph();
        let ops: Vec<Op> = g.nodes().map(|n| n.op.clone()).collect();
        let slice = |axis, start, step| Op::Slice { axis, start, step };
        assert!(ops == [slice(1, 1, 1), slice(3, 6, 1)]);
        assert_eq!(output(&g), [1, 2, 9, 5]);
        let m = single(10, "Slice", &["x", "s", "e", "a", "t"], &[])
            .init(ints("s", &[1]))
            .init(ints("e", &[-1]))
            .init(ints("a", &[-2]))
            .init(ints("t", &[3]));
        let g = m.graph();
        assert_eq!(only(&g).op, slice(2, 1, 3));
        assert_eq!(output(&g), [1, 4, 3, 11]);
    }

    #[test]
    fn gather_of_constant_indices() {
        let axis = [("axis", Int(1))];
        let g = of(
            13,
            "Gather",
            &["x", "i"],
            &axis,
            raw("i", 7, &[], &2i64.to_le_bytes()),
        );
        assert_eq!(
            g,
            [
                "Slice [1, 4, 9, 11] -> [1, 1, 9, 11]",
                "Reshape [1, 1, 9, 11] -> [1, 9, 11]"
            ]
        );
        let g = of(13, "Gather", &["x", "i"], &axis, ints("i", &[2, 1, 0]));
        assert_eq!(g.len(), 4);
        assert_eq!(
            g[3],
            "Concat [1, 1, 9, 11] [1, 1, 9, 11] [1, 1, 9, 11] -> [1, 3, 9, 11]"
        );
    }

    #[test]
    fn transposes_that_cancel_go() {
        let m = Model::new(13)
            .input("x", &[1, 4, 9, 11])
            .node(
                "Transpose",
                &["x"],
                &["a"],
                &[("perm", Ints(vec![0, 2, 3, 1]))],
            )
            .node("Relu", &["a"], &["b"], &[])
            .node(
                "Transpose",
                &["b"],
                &["c"],
                &[("perm", Ints(vec![0, 3, 1, 2]))],
            )
            .node(
                "Transpose",
                &["c"],
                &["d"],
                &[("perm", Ints(vec![0, 2, 3, 1]))],
            )
            .node("Sigmoid", &["d"], &["y"], &[])
            .output("y");
        let names: Vec<&str> = m.graph().nodes().map(|n| n.op.name()).collect();
        assert_eq!(names, ["Transpose", "Relu", "Sigmoid"]);
        let m = Model::new(13)
            .input("x", &[1, 9, 11, 1])
            .node(
                "Transpose",
                &["x"],
                &["y"],
                &[("perm", Ints(vec![0, 3, 1, 2]))],
            )
            .output("y");
        assert_eq!(
            lines(&m.graph()),
            ["Reshape [1, 9, 11, 1] -> [1, 1, 9, 11]"]
        );
    }

    #[test]
    fn padding() {
        let value = ("value", Float(1.5));
        let g = single(
            9,
            "Pad",
            &["x"],
            &[("pads", Ints(vec![0, 1, 0, 2, 0, 0, 3, 0])), value],
        );
        let g = g.graph();
        let pads = vec![(0, 0), (1, 0), (0, 3), (2, 0)];
        assert_eq!(only(&g).op, Op::Pad { pads, value: 1.5 });
    }

    #[test]
    fn concatenation() {
        let m = Model::new(13)
            .input("a", &[1, 2])
            .input("b", &[1, 3])
            .node("Concat", &["a", "b", "a"], &["y"], &[("axis", Int(-1))])
            .output("y");
        assert_eq!(lines(&m.graph()), ["Concat [1, 2] [1, 3] [1, 2] -> [1, 7]"]);
    }
}

mod resizing {
    use super::*;

    fn factor(m: &Model) -> [usize; 2] {
        let g = m.graph();
        match only(&g).op {
            Op::Resize { factor } => factor,
            ref other => panic!("{}", other.name()),
        }
    }

    #[test]
    fn all_spellings() {
        let scales = || floats("s", &[4], &[1.0, 1.0, 2.0, 3.0]);
        let old = [("scales", Floats(vec![1.0, 1.0, 2.0, 3.0]))];
        assert_eq!(factor(&single(7, "Upsample", &["x"], &old)), [2, 3]);
        assert_eq!(
            factor(&single(9, "Upsample", &["x", "s"], &[]).init(scales())),
            [2, 3]
        );
        assert_eq!(
            factor(&single(10, "Resize", &["x", "s"], &[]).init(scales())),
            [2, 3]
        );
        assert_eq!(
            factor(&single(13, "Resize", &["x", "", "s"], &[]).init(scales())),
            [2, 3]
        );
        let sizes = ints("n", &[1, 4, 18, 33]);
        let inputs = ["x", "", "", "n"];
        assert_eq!(
            factor(&single(13, "Resize", &inputs, &[]).init(sizes)),
            [2, 3]
        );
        let m = single(18, "Resize", &["x", "", "s"], &[("axes", Ints(vec![3, 2]))]);
        assert_eq!(factor(&m.init(floats("s", &[2], &[3.0, 2.0]))), [2, 3]);
    }

    #[test]
    fn modes_that_do_not_simply_repeat_are_refused() {
        let m = |mode: &'static str, nearest: &'static str| {
            let attrs = [
                ("coordinate_transformation_mode", Text(mode)),
                ("nearest_mode", Text(nearest)),
            ];
            let m = single(13, "Resize", &["x", "", "s"], &attrs);
            m.init(floats("s", &[4], &[1.0, 1.0, 3.0, 3.0]))
                .import()
                .is_ok()
        };
        assert!(m("asymmetric", "floor"));
        assert!(m("half_pixel", "round_prefer_ceil"));
        assert!(!m("asymmetric", "round_prefer_floor"));
        assert!(!m("align_corners", "floor"));
    }
}

mod folding {
    use super::*;

    #[test]
    fn shape_arithmetic() {
        let zero = || Tensor(raw("", 7, &[], &0i64.to_le_bytes()));
        let m = Model::new(11)
            .input("x", &[1, 4, 3, 5])
            .node("Shape", &["x"], &["s"], &[])
            .node("Constant", &[], &["zero"], &[("value", zero())])
            .node("Gather", &["s", "zero"], &["n"], &[("axis", Int(0))])
            .node("Unsqueeze", &["n"], &["n1"], &[("axes", Ints(vec![0]))])
            .node(
                "Constant",
                &[],
                &["rest"],
                &[("value", Tensor(ints("", &[-1])))],
            )
            .node("Concat", &["n1", "rest"], &["to"], &[("axis", Int(0))])
            .node("Reshape", &["x", "to"], &["y"], &[])
            .output("y");
        assert_eq!(lines(&m.graph()), ["Reshape [1, 4, 3, 5] -> [1, 60]"]);
    }

    #[test]
    fn sizes_for_resize() {
        let m = Model::new(13)
            .input("x", &[1, 4, 3, 5])
            .node("Shape", &["x"], &["s"], &[])
            .node("Slice", &["s", "two", "four"], &["hw"], &[])
            .node("Cast", &["hw"], &["f"], &[("to", Int(1))])
            .node("Mul", &["f", "k"], &["g"], &[])
            .node("Floor", &["g"], &["gf"], &[])
            .node("Cast", &["gf"], &["gi"], &[("to", Int(7))])
            .node("Slice", &["s", "zero", "two"], &["nc"], &[])
            .node("Concat", &["nc", "gi"], &["sz"], &[("axis", Int(0))])
            .node("Resize", &["x", "", "", "sz"], &["y"], &[])
            .output("y")
            .init(ints("zero", &[0]))
            .init(ints("two", &[2]))
            .init(ints("four", &[4]))
            .init(scalar("k", 2.0));
        assert_eq!(lines(&m.graph()), ["Resize [1, 4, 3, 5] -> [1, 4, 6, 10]"]);
    }

    #[test]
    fn integer_division_and_filled_tensors() {
        let m = Model::new(13)
            .input("x", &[1, 12])
            .node("Shape", &["x"], &["s"], &[])
            .node("Div", &["s", "d"], &["q"], &[])
            .node(
                "ConstantOfShape",
                &["q"],
                &["c"],
                &[("value", Tensor(floats("", &[1], &[3.0])))],
            )
            .node("Concat", &["x", "c"], &["y"], &[("axis", Int(1))])
            .output("y")
            .init(ints("d", &[1, 5]));
        // [1, 12] / [1, 5] = [1, 2] threes behind x.
        let g = m.graph();
        assert_eq!(output(&g), [1, 14]);
        let sum = g.nodes().find_map(|n| match &n.op {
            Op::AddConst(c) => Some(c.values.iter().copied().collect::<Vec<_>>()),
            _ => None,
        });
        let want = [vec![0.0; 12], vec![3.0; 2]].concat();
        assert_eq!(sum, Some(want));
    }

    #[test]
    fn dequantised_weights() {
        let m = Model::new(13)
            .input("x", &[1, 1, 2, 2])
            .node(
                "DequantizeLinear",
                &["q", "s", "z"],
                &["w"],
                &[("axis", Int(0))],
            )
            .node("DequantizeLinear", &["qb", "sb"], &["b"], &[])
            .node("Conv", &["x", "w", "b"], &["y"], &[])
            .output("y")
            .init(raw("q", INT8, &[2, 1, 1, 1], &[10, 0xf6]))
            .init(floats("s", &[2], &[0.5, 0.25]))
            .init(raw("z", INT8, &[2], &[2, 0]))
            .init(raw(
                "qb",
                INT32,
                &[2],
                &[100, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            ))
            .init(scalar("sb", 0.5));
        let g = m.graph();
        assert_eq!(conv(&g).weight.as_slice(), Some(&[4.0, -2.5][..]));
        assert_eq!(conv(&g).bias.as_slice(), Some(&[50.0, -0.5][..]));
        assert_eq!(conv(&g).weight_name, "q");
    }
}

mod quantised {
    use super::*;

    fn pair(zero: i8) -> Vec<String> {
        let m = Model::new(13)
            .input("x", &[1, 1, 2, 2])
            .node("Conv", &["x", "w"], &["c"], &[])
            .node("QuantizeLinear", &["c", "s", "z"], &["q"], &[])
            .node("DequantizeLinear", &["q", "s", "z"], &["d"], &[])
            .node("Sigmoid", &["d"], &["y"], &[])
            .output("y")
            .init(ramp("w", &[1, 1, 1, 1]))
            .init(scalar("s", 0.25))
            .init(raw("z", INT8, &[], &[zero as u8]));
        m.graph().nodes().map(|n| format!("{:?}", n.op)).collect()
    }

    #[test]
    fn pairs_are_dropped_but_not_the_clip_in_them() {
        assert_eq!(pair(3).len(), 2);
        let with = pair(-128);
        assert_eq!(with.len(), 3);
        // The range of int8 from its lowest value on: 255 steps of 0.25.
        assert_eq!(with[1], "Clip { min: 0.0, max: 63.75 }");
    }

    #[test]
    fn integers_that_are_an_input_are_scaled() {
        let m = Model::new(13)
            .open_input("x", UINT8, &[Dim::Name("N"), Dim::Size(3)])
            .node("DequantizeLinear", &["x", "s", "z"], &["y"], &[])
            .output("y")
            .init(scalar("s", 0.5))
            .init(raw("z", UINT8, &[], &[128]));
        assert_eq!(
            lines(&m.graph()),
            ["Add [1, 3] -> [1, 3]", "Mul [1, 3] -> [1, 3]"]
        );
    }
}

mod file {
    use super::*;

    #[test]
    fn an_open_batch_is_one() {
        for dim in [Dim::Name("batch"), Dim::Size(0), Dim::Size(-1)] {
            let m = Model::new(13)
                .open_input("x", 1, &[dim, Dim::Size(3)])
                .node("Relu", &["x"], &["y"], &[])
                .output("y");
            assert_eq!(output(&m.graph()), [1, 3]);
        }
    }

    #[test]
    fn nodes_may_come_in_any_order() {
        let m = Model::new(13)
            .input("x", &[1, 3])
            .named("last", "Sigmoid", &["b"], &["y"], &[])
            .named("second", "Relu", &["a"], &["b"], &[])
            .named("first", "LeakyRelu", &["x"], &["a"], &[])
            .output("y");
        let g = m.graph();
        let names: Vec<&str> = g.nodes().map(|n| n.name.as_str()).collect();
        assert_eq!(names, ["first", "second", "last"]);
    }

    #[test]
    fn initializers_may_be_listed_as_inputs() {
        let m = Model::new(7)
            .input("x", &[1, 2])
            .input("w", &[2, 3])
            .node("MatMul", &["x", "w"], &["y"], &[])
            .output("y")
            .init(ramp("w", &[2, 3]));
        let g = m.graph();
        assert_eq!(g.inputs.len(), 1);
        assert_eq!(dense(&g).weight_name, "w");
    }

    #[test]
    fn nodes_that_nobody_reads_are_dropped() {
        let m = Model::new(13)
            .input("x", &[1, 3])
            .node("Relu", &["x"], &["y"], &[])
            .node("Sigmoid", &["x"], &["z"], &[])
            .output("y");
        assert_eq!(lines(&m.graph()), ["Relu [1, 3] -> [1, 3]"]);
    }

    #[test]
    fn outputs_keep_their_names_and_order() {
        let m = Model::new(13)
            .input("x", &[1, 3])
            .node("Relu", &["x"], &["a"], &[])
            .node("Identity", &["a"], &["b"], &[])
            .node("Identity", &["x"], &["c"], &[])
            .output("b")
            .output("c")
            .output("a");
        let g = m.graph();
        let names: Vec<&str> = g
            .outputs
            .iter()
            .map(|t| g.tensor(*t).name.as_str())
            .collect();
        assert_eq!(names, ["b", "c", "a"]);
    }

    #[test]
    fn values_in_typed_fields() {
        // dims 1, data_type 2, float_data 4, name 8.
        let w = Message::default()
            .int(1, 2)
            .int(1, 1)
            .int(2, 1)
            .float(4, 3.0)
            .float(4, 4.0);
        let m = Model::new(13)
            .input("x", &[1, 2])
            .node("MatMul", &["x", "w"], &["y"], &[])
            .output("y")
            .init(w.text(8, "w"));
        assert_eq!(dense(&m.graph()).weight.as_slice(), Some(&[3.0, 4.0][..]));
    }

    #[test]
    fn half_and_double_precision() {
        let half: Vec<u8> = [0x3c00u16, 0xc000]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let double: Vec<u8> = [1.0f64, -2.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let bfloat: Vec<u8> = [0x3f80u16, 0xc000]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        for (ty, bytes) in [(10, half), (11, double), (16, bfloat)] {
            let m = Model::new(13)
                .input("x", &[1, 2])
                .node("MatMul", &["x", "w"], &["y"], &[])
                .output("y")
                .init(raw("w", ty, &[2, 1], &bytes));
            assert_eq!(dense(&m.graph()).weight.as_slice(), Some(&[1.0, -2.0][..]));
        }
    }
}
