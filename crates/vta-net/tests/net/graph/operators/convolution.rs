//! Convolution and what is folded into it.

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
