//! Pools and means.

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
    // Where the file has no padding there is no node for it.
    let mut none = attrs(1);
    none[0].1 = Ints(vec![2, 2]);
    none[1].1 = Ints(vec![2, 2]);
    none[2].1 = Ints(vec![0; 4]);
    let g = single(13, "AveragePool", &["x"], &none).graph();
    let op = Op::AveragePool {
        window: Window {
            pads: [0, 0, 1, 1],
            ..Window::square(2, 2, 0)
        },
        count_include_pad: false,
    };
    assert_eq!(only(&g).op, op);
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
