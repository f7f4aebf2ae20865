//! The file around the nodes.

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
