//! Forms of files: values beside the model, open dimensions, functions,
//! branches, loops, and nodes that nobody reads.

use super::model::{Attr, Dim, FLOAT, INT64, Message, Model, floats, raw};
use std::fs;
use vta_net::graph::onnx::ImportOptions;
use vta_net::graph::{Graph, Op};

fn small() -> Model {
    Model::new(17).input("x", &[1, 4]).output("y")
}

fn ops(g: &Graph) -> Vec<&'static str> {
    g.nodes().map(|n| n.op.name()).collect()
}

/// A tensor whose values are in a file: location, offset, length.
fn outside(name: &str, dims: &[i64], entries: &[(&str, &str)]) -> Message {
    let mut m = Message::default();
    for d in dims {
        m = m.int(1, *d);
    }
    m = m.int(2, FLOAT).text(8, name).int(14, 1);
    for (key, value) in entries {
        m = m.message(13, Message::default().text(1, key).text(2, value));
    }
    m
}

fn with_weights(tensors: &[Message]) -> Model {
    let mut m = Model::new(17).input("x", &[1, 4]).output("y");
    let mut last = "x".to_owned();
    for (i, t) in tensors.iter().enumerate() {
        let to = if i + 1 == tensors.len() {
            "y".into()
        } else {
            format!("t{i}")
        };
        m = m
            .node("MatMul", &[&last, &format!("w{i}")], &[&to], &[])
            .init(t.clone());
        last = to;
    }
    m
}

#[test]
fn values_beside_the_model() {
    let dir = tempfile::tempdir().expect("a folder");
    let values: Vec<f32> = (0..40).map(|i| i as f32).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    fs::write(dir.path().join("m.data"), &bytes).expect("it can be written");
    fs::create_dir(dir.path().join("folder")).expect("it can be made");
    let options = ImportOptions {
        folder: Some(dir.path().to_owned()),
        ..ImportOptions::default()
    };
    let one = |entries: &[(&str, &str)]| {
        let m = with_weights(&[outside("w0", &[4, 4], entries)]);
        m.import_with(&options).map_err(|e| e.to_string())
    };
    let weight = |g: &Graph| {
        let dense = g.nodes().find_map(|n| match &n.op {
            Op::Dense(d) => Some(d.weight.values()[[1, 0]]),
            _ => None,
        });
        dense.expect("a dense layer")
    };
    let g = one(&[("location", "m.data"), ("offset", "32"), ("length", "64")]).expect("it is read");
    assert_eq!(weight(&g), 9.0);
    let g = one(&[("location", "./m.data"), ("offset", "96")]).expect("it is read");
    assert_eq!(weight(&g), 25.0);
    for (entries, said) in [
        (&[("location", "other.data")][..], "No such file"),
        (
            &[("location", "m.data"), ("offset", "128"), ("length", "64")],
            "it has 160 bytes, the values end at 192",
        ),
        (
            &[("location", "m.data"), ("offset", "161")],
            "the values start at 161",
        ),
        (
            &[("location", "m.data"), ("length", "60")],
            "60 bytes are given for [4, 4], which needs 64",
        ),
        (
            &[("location", "m.data"), ("offset", "x")],
            "the offset of its values is \"x\"",
        ),
        (
            &[("location", "../m.data")],
            "it is not inside of the folder of the model",
        ),
        (
            &[("location", "/etc/passwd")],
            "it is not inside of the folder of the model",
        ),
        (&[("location", "folder")], "it is no file"),
    ] {
        let e = one(entries).expect_err("it is refused");
        assert!(e.contains("tensor w0") && e.contains(said), "{e}");
    }
    #[cfg(unix)]
    {
        let away = tempfile::tempdir().expect("a folder");
        fs::write(away.path().join("w"), &bytes).expect("it can be written");
        std::os::unix::fs::symlink(away.path().join("w"), dir.path().join("link")).expect("a link");
        let e = one(&[("location", "link"), ("length", "64")]).expect_err("it leads out");
        assert!(e.contains("it is not inside of the folder"), "{e}");
    }
    // Two weights in each other's bytes, and one weight that is used twice.
    let at = |name: &str, offset: &'static str| {
        outside(
            name,
            &[4, 4],
            &[("location", "m.data"), ("offset", offset), ("length", "64")],
        )
    };
    let m = with_weights(&[at("w0", "0"), at("w1", "32")]);
    let e = m
        .import_with(&options)
        .expect_err("they overlap")
        .to_string();
    assert!(e.contains("the bytes are partly those of w0"), "{e}");
    let m = with_weights(&[at("w0", "0"), at("w1", "0")]);
    assert!(m.import_with(&options).is_ok());
}

#[test]
fn open_dimensions_are_given() {
    let open = Model::new(17)
        .open_input(
            "x",
            FLOAT,
            &[Dim::Name("n"), Dim::Size(4), Dim::Name("h"), Dim::Name("w")],
        )
        .output("y")
        .node("Relu", &["x"], &["y"], &[]);
    let e = open.error();
    assert!(
        e.contains("tensor x: dimension 2 is not known (h): it must be given"),
        "{e}"
    );
    let mut options = ImportOptions::default();
    options.dims.insert("h".into(), 5);
    options.dims.insert("w".into(), 6);
    let g = open.import_with(&options).expect("all is given");
    assert_eq!(g.tensor(g.inputs[0]).dims, [1, 4, 5, 6]);
    let shape = |dims: &[usize]| {
        let mut options = ImportOptions::default();
        options.input_shapes.insert("x".into(), dims.to_vec());
        open.import_with(&options).map_err(|e| e.to_string())
    };
    let g = shape(&[1, 4, 7, 8]).expect("all is given");
    assert_eq!(g.tensor(g.inputs[0]).dims, [1, 4, 7, 8]);
    let e = shape(&[1, 3, 7, 8]).expect_err("it is 4");
    assert!(
        e.contains("3 for dimension 1 of input x is given, but the model has 4 there"),
        "{e}"
    );
    assert!(
        shape(&[4, 7, 8])
            .expect_err("four")
            .contains("the model has 4 dimensions")
    );
    options.dims.insert("depth".into(), 1);
    let e = open
        .import_with(&options)
        .expect_err("no such dimension")
        .to_string();
    assert!(
        e.contains("depth is given, but the model has the open dimensions n, h, w"),
        "{e}"
    );
}

#[test]
fn nodes_that_nobody_reads_are_dropped() {
    let g = small()
        .node("Unheard", &["x"], &["a"], &[])
        .node("Relu", &["a"], &["b"], &[])
        .node("Relu", &["x"], &["y"], &[])
        .graph();
    assert_eq!(ops(&g), ["Relu"]);
    // What is read must be there.
    let e = small()
        .node("Unheard", &["x"], &["a"], &[])
        .node("Relu", &["a"], &["y"], &[])
        .error();
    assert!(e.contains("operator Unheard is not supported"), "{e}");
}

fn truth(name: &str, value: u8) -> Message {
    raw(name, 9, &[], &[value])
}

fn branches() -> (Model, Model) {
    let yes = Model::new(17)
        .output("out")
        .node("Relu", &["x"], &["out"], &[]);
    let no = Model::new(17)
        .init(floats("two", &[], &[2.0]))
        .output("out")
        .node("Mul", &["x", "two"], &["scaled"], &[])
        .node("Sigmoid", &["scaled"], &["out"], &[]);
    (yes, no)
}

#[test]
fn branches_with_constant_conditions_are_taken() {
    let (yes, no) = branches();
    let m = |condition: u8| {
        small()
            .init(truth("c", condition))
            .named(
                "if",
                "If",
                &["c"],
                &["z"],
                &[
                    ("then_branch", Attr::Graph(yes.graph_message())),
                    ("else_branch", Attr::Graph(no.graph_message())),
                ],
            )
            .node("Abs", &["z"], &["y"], &[])
    };
    assert_eq!(ops(&m(1).graph()), ["Relu", "Abs"]);
    assert_eq!(ops(&m(0).graph()), ["Mul", "Elementwise"]);
    let e = small()
        .open_input("c", 9, &[Dim::Size(1)])
        .named(
            "if",
            "If",
            &["c"],
            &["y"],
            &[
                ("then_branch", Attr::Graph(yes.graph_message())),
                ("else_branch", Attr::Graph(no.graph_message())),
            ],
        )
        .error();
    assert!(e.contains("node if (If): the condition is computed"), "{e}");
}

#[test]
fn loops_with_constant_trips_are_unrolled() {
    let info = |name: &str| Message::default().text(1, name);
    let body = Model::new(17)
        .output("go")
        .output("next")
        .node("Identity", &["condition"], &["go"], &[])
        .node("Relu", &["carried"], &["r"], &[])
        .node("Sigmoid", &["r"], &["next"], &[])
        .graph_message()
        .message(11, info("trip"))
        .message(11, info("condition"))
        .message(11, info("carried"));
    let m = |trips: i64| {
        small()
            .init(raw("m", INT64, &[], &trips.to_le_bytes()))
            .init(truth("c", 1))
            .named(
                "loop",
                "Loop",
                &["m", "c", "x"],
                &["z"],
                &[("body", Attr::Graph(body.clone()))],
            )
            .node("Relu", &["z"], &["y"], &[])
    };
    assert_eq!(ops(&m(2).graph()), ["Relu", "Elementwise"]);
    assert_eq!(ops(&m(0).graph()), ["Relu"]);
    assert!(m(1 << 40).error().contains("more than 4096 trips"));
}

#[test]
fn functions_are_put_where_they_are_called() {
    let body = Model::new(17)
        .node("Softmax", &["a"], &["s"], &[("axis", Attr::Of("along"))])
        .node("Add", &["s", "b"], &["out"], &[]);
    let inner = Model::new(17).call("pair", &["v", "v"], &["w"], &[("along", Attr::Of("along"))]);
    let m = small()
        .function("pair", &["a", "b"], &["out"], &body)
        .function("twice", &["v"], &["w"], &inner)
        .call("twice", &["x"], &["z"], &[("along", Attr::Int(1))])
        .call("pair", &["z", "x"], &["y"], &[("along", Attr::Int(-1))]);
    let g = m.graph();
    assert_eq!(ops(&g), ["Softmax", "Add", "Softmax", "Add"]);
    assert!(g.nodes().all(|n| n.name.starts_with("call/")));
    // One that calls itself.
    let endless = Model::new(17).call("f", &["v"], &["w"], &[]);
    let e = small()
        .function("f", &["v"], &["w"], &endless)
        .call("f", &["x"], &["y"], &[])
        .error();
    assert!(
        e.contains("functions that call each other without an end"),
        "{e}"
    );
    let e = small().call("f", &["x"], &["y"], &[]).error();
    assert!(e.contains("operator local.f is not supported"), "{e}");
}
