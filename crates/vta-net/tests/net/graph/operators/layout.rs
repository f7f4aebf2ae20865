//! Operators that move elements.

use super::*;

fn of(opset: i64, op: &str, inputs: &[&str], attrs: &[(&str, Attr)], i: Message) -> Vec<String> {
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
    // The one index that an axis has is the whole axis, whatever the step.
    let m = single(10, "Slice", &["x", "s", "e", "a", "t"], &[])
        .init(ints("s", &[0, 1]))
        .init(ints("e", &[1, 3]))
        .init(ints("a", &[0, 1]))
        .init(ints("t", &[2, 1]));
    assert_eq!(only(&m.graph()).op, slice(1, 1, 1));
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
    assert_eq!(g, ["Gather [1, 4, 9, 11] -> [1, 3, 9, 11]"]);
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
    // What works on single elements comes first.
    assert_eq!(names, ["Relu", "Sigmoid", "Transpose"]);
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

/// Paddings in a row go into the window behind them, all of them.
#[test]
fn paddings_in_a_row() {
    let pads = ints("p", &[0, 0, 1, 0, 0, 0, 0, 1]);
    let m = Model::new(13)
        .input("x", &[1, 4, 9, 11])
        .init(pads)
        .node("Pad", &["x", "p"], &["a"], &[])
        .node("Pad", &["a", "p"], &["b"], &[])
        .init(raw("w", 1, &[4, 4, 1, 1], &[0; 64]))
        .node("Conv", &["b", "w"], &["y"], &[])
        .output("y");
    let g = m.graph();
    assert_eq!(lines(&g), ["Conv [1, 4, 9, 11] -> [1, 4, 11, 13]"]);
}

/// A copy at the end is no step: what it copies gets the output's name.
#[test]
fn what_an_output_copies_takes_its_place() {
    let perm = |perm: &[i64]| [("perm", Ints(perm.to_vec()))];
    let m = Model::new(13)
        .input("x", &[1, 4, 9, 11])
        .node("Relu", &["x"], &["a"], &[])
        .node("Transpose", &["a"], &["b"], &perm(&[0, 2, 3, 1]))
        .node("Transpose", &["b"], &["y"], &perm(&[0, 3, 1, 2]))
        .output("y");
    let g = m.graph();
    assert_eq!(lines(&g), ["Relu [1, 4, 9, 11] -> [1, 4, 9, 11]"]);
    assert_eq!(g.tensor(g.outputs[0]).name, "y");
    // An input keeps its name, so there is a copy.
    let m = Model::new(13)
        .input("x", &[1, 4, 9, 11])
        .node("Transpose", &["x"], &["b"], &perm(&[0, 2, 3, 1]))
        .node("Transpose", &["b"], &["y"], &perm(&[0, 3, 1, 2]))
        .output("y");
    let g = m.graph();
    assert_eq!(lines(&g), ["Reshape [1, 4, 9, 11] -> [1, 4, 9, 11]"]);
    assert_eq!(g.tensor(g.outputs[0]).name, "y");
    // One copy, however often it is an output.
    let m = Model::new(13)
        .input("x", &[1, 4, 9, 11])
        .node("Identity", &["x"], &["y"], &[])
        .output("y")
        .output("y");
    let g = m.graph();
    assert_eq!(lines(&g), ["Reshape [1, 4, 9, 11] -> [1, 4, 9, 11]"]);
    assert_eq!(g.outputs[0], g.outputs[1]);
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
