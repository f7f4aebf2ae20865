//! Models that are wrong: messages name file, node and tensor.

use crate::graph::model::{Attr, Dim, FLOAT, Message, Model, floats, ints, ramp, raw, scalar};
use Attr::{Float, Int, Ints, Tensor, Text};
use vta_net::graph::onnx;

fn relu(name: &str, from: &str, to: &str, m: Model) -> Model {
    m.named(name, "Relu", &[from], &[to], &[])
}

fn small() -> Model {
    Model::new(13).input("x", &[1, 4, 8, 8]).output("y")
}

fn of_bytes(bytes: &[u8]) -> String {
    match onnx::import(bytes, "m.onnx") {
        Ok(_) => panic!("the bytes should not be imported"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn no_model() {
    assert!(
        of_bytes(b"PK\x03\x04 not a model")
            .starts_with("m.onnx: no ONNX model, or a truncated one")
    );
    assert_eq!(of_bytes(b""), "m.onnx: no opset is declared: no ONNX model");
    let opset = Message::default().int(2, 13);
    let no_graph = Message::default().int(1, 8).message(8, opset);
    assert_eq!(of_bytes(&no_graph.0), "m.onnx: the model has no graph");
    let m = Model::new(13).input("x", &[1]);
    assert_eq!(m.error(), "m.onnx: the model has no outputs");
}

/// Tensors that are not too large one by one.
#[test]
fn tensors_that_are_too_large_together() {
    let mut m = Model::new(13)
        .input("x", &[1, 1, 1 << 14, 1 << 14])
        .output("y");
    for (from, to) in [("x", "a"), ("a", "b"), ("b", "c"), ("c", "y")] {
        m = m.node("Relu", &[from], &[to], &[]);
    }
    assert_eq!(
        m.error(),
        "m.onnx: node Relu_3 (Relu): its tensors have more than 1073741824 elements together"
    );
}

#[test]
fn opsets() {
    for opset in [6, 29, -1] {
        let mut m = relu("r", "x", "y", small());
        m.opset = opset;
        let want = format!("m.onnx: opset {opset} is not among 7 to 28");
        assert_eq!(m.error(), want);
    }
    for opset in 7..=28 {
        let mut m = relu("r", "x", "y", small());
        m.opset = opset;
        assert_eq!(m.graph().nodes().count(), 1);
    }
}

#[test]
fn operators() {
    let m = small().named("n", "NonZero", &["x"], &["y"], &[]);
    assert_eq!(
        m.error(),
        "m.onnx: node n (NonZero): operator NonZero is not supported"
    );
    let m = small()
        .node("Relu", &["x"], &["t"], &[])
        .node("Det", &["t"], &["y"], &[]);
    assert_eq!(
        m.error(),
        "m.onnx: node Det_1 (Det): operator Det is not supported"
    );
}

#[test]
fn dimensions() {
    let open = |dims: &[Dim]| {
        let m = Model::new(13).open_input("x", FLOAT, dims).output("y");
        relu("r", "x", "y", m).error()
    };
    assert_eq!(
        open(&[Dim::Name("N"), Dim::Size(3), Dim::Name("height")]),
        "m.onnx: tensor x: dimension 2 is not known (height): it must be given"
    );
    assert_eq!(
        open(&[Dim::Name("N"), Dim::Size(0)]),
        "m.onnx: tensor x: dimension 1 is not known (0): it must be given"
    );
    assert!(open(&[Dim::Size(1 << 40), Dim::Size(1 << 40)]).contains("tensor x: a tensor of"));
    assert!(open(&[Dim::Size(1), Dim::Size(1 << 29)]).contains("tensor x: a tensor of"));
}

#[test]
fn tensors_that_are_not_there() {
    let m = relu("r", "nothing", "y", small());
    assert_eq!(
        m.error(),
        "m.onnx: node r (Relu): tensor nothing: nothing computes it"
    );
    let m = relu("r", "x", "z", small());
    assert_eq!(m.error(), "m.onnx: tensor y: nothing computes it");
    let m = small().named("c", "Conv", &["x"], &["y"], &[]);
    assert_eq!(m.error(), "m.onnx: node c (Conv): operand 1 is missing");
}

#[test]
fn circles() {
    // r1 follows the circle of r2 and r3.
    let m = relu("r1", "b", "y", small());
    let m = relu("r3", "a", "b", relu("r2", "b", "a", m));
    let text = m.error();
    let at = |n: &str, t: &str| format!("m.onnx: node {n} (Relu): tensor {t}: is part of a circle");
    assert!([at("r2", "b"), at("r3", "a")].contains(&text), "{text}");
    let m = relu("self", "y", "y", small());
    assert_eq!(m.error(), at("self", "y"));
}

#[test]
fn names_that_are_there_twice() {
    let twice = "m.onnx: node s (Relu): tensor y: the name is there twice";
    let m = relu("s", "x", "y", relu("r", "x", "y", small()));
    assert_eq!(m.error(), twice);
    let m = relu("r", "x", "x", small());
    assert_eq!(
        m.error(),
        "m.onnx: node r (Relu): tensor x: the name is there twice"
    );
    let m = relu(
        "r",
        "x",
        "y",
        small().init(ints("w", &[1])).init(ints("w", &[1])),
    );
    assert_eq!(m.error(), "m.onnx: tensor w: the name is there twice");
    let m = relu("r", "x", "y", small().input("x", &[1]));
    assert_eq!(m.error(), "m.onnx: tensor x: the name is there twice");
    // Names of nodes only serve people: a number makes them different.
    let m = relu("r", "x", "a", small()).named("r", "Sigmoid", &["a"], &["y"], &[]);
    let names: Vec<String> = m.graph().nodes().map(|n| n.name.clone()).collect();
    assert_eq!(names, ["r", "r:1"]);
}

fn conv(weight: Message) -> String {
    small()
        .named("c", "Conv", &["x", "w"], &["y"], &[])
        .init(weight)
        .error()
}

#[test]
fn weights() {
    let place = "m.onnx: node c (Conv): tensor w: ";
    let said = |weight: Message| {
        let text = conv(weight);
        text.strip_prefix(place)
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    };
    let huge = raw("w", FLOAT, &[1 << 20, 4, 3, 3], &[0; 8]);
    assert_eq!(
        said(huge),
        "[1048576, 4, 3, 3] needs 150994944 bytes, but 8 are stored"
    );
    let gigabytes = raw("w", FLOAT, &[1 << 20, 1 << 10, 3, 3], &[0; 8]);
    assert_eq!(said(gigabytes), "its dimensions is [1048576, 1024, 3, 3]");
    let overflow = raw("w", FLOAT, &[1 << 40, 1 << 40, 3, 3], &[]);
    assert_eq!(
        said(overflow),
        "its dimensions is [1099511627776, 1099511627776, 3, 3]"
    );
    let hidden = raw("w", FLOAT, &[0, 1 << 40, 1 << 40], &[]);
    assert_eq!(
        said(hidden),
        "its dimensions is [0, 1099511627776, 1099511627776]"
    );
    let negative = raw("w", FLOAT, &[-1, 4, 3, 3], &[]);
    assert_eq!(said(negative), "its dimensions is [-1, 4, 3, 3]");
    let none = raw("w", FLOAT, &[2, 4, 3, 3], &[]);
    assert_eq!(said(none), "[2, 4, 3, 3] needs 72 values, but 0 are stored");
    assert_eq!(
        said(raw("w", 8, &[1], b"a")),
        "element type 8 is not supported"
    );
    let outside = raw("w", FLOAT, &[2, 4, 3, 3], &[]).int(14, 1);
    assert_eq!(
        said(outside),
        "its values are in the file : the model was not read from a folder"
    );
    let nan = floats("w", &[1, 4, 1, 1], &[0.0, f32::NAN, 1.0, 2.0]);
    assert_eq!(said(nan), "value 1 is NaN");
    let infinite = floats("w", &[1, 4, 1, 1], &[0.0, 1.0, 2.0, f32::NEG_INFINITY]);
    assert_eq!(said(infinite), "value 3 is -inf");
    let line = said(ramp("w", &[2, 4, 3]));
    assert_eq!(
        line,
        "a weight of [2, 4, 3]: convolutions over one or two dimensions are supported"
    );
}

#[test]
fn weights_that_overflow_when_a_factor_is_folded() {
    let m = small()
        .named("c", "Conv", &["x", "w"], &["t"], &[])
        .named("f", "Mul", &["t", "k"], &["y"], &[])
        .init(floats("w", &[1, 4, 1, 1], &[1e30; 4]))
        .init(scalar("k", 1e30));
    assert_eq!(m.error(), "m.onnx: node c (Conv): tensor w: value 0 is inf");
}

#[test]
fn shapes() {
    let channels = conv(ramp("w", &[2, 3, 3, 3]));
    assert_eq!(
        channels,
        "m.onnx: node c (Conv): tensor x: the input's number of channels in a group should be 3, but is 4"
    );
    let large = conv(ramp("w", &[1, 4, 9, 9]));
    assert!(
        large.starts_with("m.onnx: node c (Conv): tensor x: a window of [9, 9]"),
        "{large}"
    );
    let m = small()
        .input("z", &[1, 4, 8, 7])
        .named("a", "Add", &["x", "z"], &["y"], &[]);
    assert_eq!(
        m.error(),
        "m.onnx: node a (Add): tensor x: [1, 4, 8, 8] and [1, 4, 8, 7] cannot be broadcast"
    );
    let m = small()
        .named("r", "Reshape", &["x", "s"], &["y"], &[])
        .init(ints("s", &[1, 100]));
    assert_eq!(
        m.error(),
        "m.onnx: node r (Reshape): the shape to which [1, 4, 8, 8] is reshaped is [1, 100]"
    );
    let m = small()
        .input("s", &[2])
        .named("r", "Reshape", &["x", "s"], &["y"], &[]);
    assert_eq!(
        m.error(),
        "m.onnx: node r (Reshape): tensor s: must be a constant, but is computed"
    );
}

#[test]
fn constants_that_unfold() {
    let gigabyte = Message::default().int(1, 1).int(2, 1).float(4, 1.0);
    let m = small()
        .named(
            "fill",
            "ConstantOfShape",
            &["s"],
            &["c"],
            &[("value", Tensor(gigabyte))],
        )
        .named("a", "Add", &["x", "c"], &["y"], &[])
        .init(ints("s", &[1 << 14, 1 << 14]));
    let text = m.error();
    let place = "m.onnx: node fill (ConstantOfShape): its constants unfold to more than";
    assert!(text.starts_with(place), "{text}");
    let m = small()
        .named("e", "Expand", &["c", "s"], &["t"], &[])
        .node("Add", &["x", "t"], &["y"], &[])
        .init(scalar("c", 1.0))
        .init(ints("s", &[i64::MAX, i64::MAX]));
    assert!(
        m.error().starts_with("m.onnx: node e (Expand):"),
        "{}",
        m.error()
    );
    let m = small()
        .named("r", "Range", &["z", "n", "o"], &["t"], &[])
        .node("Add", &["x", "t"], &["y"], &[])
        .init(raw("z", 7, &[], &i64::MIN.to_le_bytes()))
        .init(raw("n", 7, &[], &i64::MAX.to_le_bytes()))
        .init(raw("o", 7, &[], &1i64.to_le_bytes()));
    assert!(
        m.error().starts_with("m.onnx: node r (Range):"),
        "{}",
        m.error()
    );
}

#[test]
fn a_weight_read_by_many_nodes_is_counted_each_time() {
    // 4 MiB in the file, 400 MiB if every node had its copy.
    let mut m = Model::new(13).input("x", &[1, 1024]).output("y");
    m = m.init(raw("w", FLOAT, &[1024, 1024], &vec![0; 1 << 22]));
    let mut from = "x".to_owned();
    for i in 0..200 {
        let to = if i == 199 {
            "y".to_owned()
        } else {
            format!("t{i}")
        };
        m = m.node("MatMul", &[&from, "w"], &[&to], &[]);
        from = to;
    }
    assert!(
        m.error().contains("its constants unfold to more than"),
        "{}",
        m.error()
    );
}

#[test]
fn attributes() {
    let conv = |attrs: &[(&str, Attr)]| {
        let m = small().named("c", "Conv", &["x", "w"], &["y"], attrs);
        m.init(ramp("w", &[2, 4, 3, 3])).error()
    };
    let place = |text: &str| format!("m.onnx: node c (Conv): {text}");
    let strides = [("strides", Ints(vec![0, 1]))];
    assert_eq!(conv(&strides), place("attribute strides is [0, 1]"));
    let pads = [("pads", Ints(vec![0, -1, 0, 0]))];
    assert_eq!(conv(&pads), place("attribute pads is [0, -1, 0, 0]"));
    let pads = [("pads", Ints(vec![0, i64::MAX, 0, 0]))];
    assert_eq!(
        conv(&pads),
        place("attribute pads is [0, 9223372036854775807, 0, 0]")
    );
    let kernel = [("kernel_shape", Ints(vec![5, 5]))];
    assert_eq!(conv(&kernel), place("attribute kernel_shape is [5, 5]"));
    let mode = [("auto_pad", Text("SAME"))];
    assert_eq!(conv(&mode), place("auto_pad \"SAME\" is not supported"));
    let kind = [("group", Float(1.0))];
    assert_eq!(conv(&kind), place("the type of attribute group is 1"));
    let groups = [("group", Int(-2))];
    assert_eq!(conv(&groups), place("attribute group is -2"));
    let groups = [("group", Int(3))];
    assert_eq!(
        conv(&groups),
        place("tensor x: 3 groups do not divide 2 channels")
    );
}

#[test]
fn other_forms() {
    let m = small()
        .named("p", "Pad", &["x", "n"], &["y"], &[("mode", Text("mirror"))])
        .init(ints("n", &[0, 0, 1, 0, 0, 0, 0, 0]));
    assert_eq!(
        m.error(),
        "m.onnx: node p (Pad): mode \"mirror\" is not supported"
    );
    let m = small()
        .named("d", "Div", &["x", "z"], &["y"], &[])
        .init(scalar("z", 0.0));
    assert_eq!(m.error(), "m.onnx: node d (Div): tensor z: value 0 is inf");
    let axis = [("axis", Int(4))];
    let m = small().named("s", "Softmax", &["x"], &["y"], &axis);
    assert_eq!(
        m.error(),
        "m.onnx: node s (Softmax): an axis of 4 dimensions is 4"
    );
    let pool = [
        ("kernel_shape", Ints(vec![2, 2])),
        ("pads", Ints(vec![2, 0, 0, 0])),
    ];
    let m = small().named("p", "MaxPool", &["x"], &["y"], &pool);
    assert_eq!(
        m.error(),
        "m.onnx: node p (MaxPool): padding [2, 0, 0, 0] is not smaller than the window (MaxPool)"
    );
    let m = small().named("r", "Reshape", &["x", "x"], &["y"], &[]);
    assert_eq!(
        m.error(),
        "m.onnx: node r (Reshape): tensor x: must be a constant, but is computed"
    );
}
