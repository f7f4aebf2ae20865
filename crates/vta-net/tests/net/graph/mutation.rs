//! Damaged models end in an error or in a graph, never in a panic.

use crate::graph::model::{Attr, Model, floats, ints, ramp, scalar};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use vta_net::graph::{Builder, ConvSpec, Window, onnx};

/// One node of many kinds, with as few weights as possible: bytes that matter are hit often.
fn exported() -> Vec<u8> {
    let mut b = Builder::new("g", 1);
    let x = b.input("x", &[1, 2, 6, 6]);
    let y = b.conv("c", x, ConvSpec::new(3, 2).stride(2).pad(1));
    let y = b.leaky_relu("l", y, 0.1);
    let p = b.max_pool("m", y, Window::square(2, 1, 0));
    let a = b.average_pool("a", y, Window::square(2, 1, 0));
    let y = b.add("s", p, a);
    let y = b.resize("u", y, 2);
    let y = b.slice("cut", y, 2, 1, 3, 2);
    let y = b.concat("j", &[y, y], 1);
    let y = b.pad("p", y, &[(0, 0), (0, 0), (1, 0), (0, 1)], 0.5);
    let y = b.transpose("t", y, &[0, 2, 3, 1]);
    let y = b.reduce_mean("r", y, &[1], false);
    let y = b.dense("d", y, 4, 1.0);
    let y = b.flatten("f", y);
    let y = b.softmax("o", y, 1);
    b.output(y);
    onnx::export(&b.finish())
}

/// Constant folding of all sorts.
fn folded() -> Vec<u8> {
    use Attr::{Int, Ints};
    Model::new(13)
        .input("x", &[1, 4, 3, 5])
        .node("Shape", &["x"], &["s"], &[])
        .node("Slice", &["s", "two", "four"], &["hw"], &[])
        .node("Cast", &["hw"], &["f"], &[("to", Int(1))])
        .node("Mul", &["f", "k"], &["g"], &[])
        .node("Floor", &["g"], &["gf"], &[])
        .node("Cast", &["gf"], &["gi"], &[("to", Int(7))])
        .node("Gather", &["s", "zero"], &["n"], &[("axis", Int(0))])
        .node("Range", &["zero", "two", "one"], &["q"], &[])
        .node("Tile", &["q", "one"], &["q2"], &[])
        .node("Concat", &["n", "c4", "gi"], &["sz"], &[("axis", Int(0))])
        .node("Resize", &["x", "", "", "sz"], &["y0"], &[])
        .node("ConstantOfShape", &["sz"], &["z"], &[])
        .node("Add", &["y0", "z"], &["y1"], &[])
        .node("Transpose", &["w"], &["wt"], &[("perm", Ints(vec![1, 0]))])
        .node("Split", &["wt"], &["wa", "wb"], &[("axis", Int(1))])
        .node("MatMul", &["y1", "wa"], &["y2"], &[])
        .node("Expand", &["one_f", "sz"], &["e"], &[])
        .node("ReduceMean", &["e"], &["em"], &[("axes", Ints(vec![2, 3]))])
        .node("Mul", &["y2", "em"], &["y3"], &[])
        .node("Gather", &["y3", "q2"], &["y"], &[("axis", Int(1))])
        .output("y")
        .init(ints("zero", &[0]))
        .init(ints("one", &[1]))
        .init(ints("two", &[2]))
        .init(ints("four", &[4]))
        .init(ints("c4", &[4]))
        .init(floats("one_f", &[1], &[1.0]))
        .init(scalar("k", 2.0))
        .init(ramp("w", &[6, 10]))
        .bytes()
}

fn import(bytes: &[u8]) -> bool {
    match onnx::import(bytes, "m.onnx") {
        Ok(g) => {
            // What is imported can be written and looked at.
            assert!(g.nodes().all(|n| !g.tensor(n.output).dims.contains(&0)));
            true
        }
        Err(e) => {
            assert!(e.to_string().starts_with("m.onnx: "), "{e}");
            false
        }
    }
}

#[test]
fn the_models_are_right_before_they_are_damaged() {
    onnx::import(&exported(), "m.onnx").unwrap_or_else(|e| panic!("{e}"));
    onnx::import(&folded(), "m.onnx").unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn truncated() {
    for model in [exported(), folded()] {
        let whole = (0..model.len()).filter(|n| import(&model[..*n])).count();
        // A cut between fields of the model may leave out only the opset: never a graph.
        assert_eq!(whole, 0);
    }
}

#[test]
fn changed_bytes() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let interesting = [0u8, 1, 2, 3, 7, 8, 0x10, 0x7f, 0x80, 0xfe, 0xff];
    let (mut good, mut bad) = (0, 0);
    for model in [exported(), folded()] {
        for _ in 0..6000 {
            let mut bytes = model.clone();
            for _ in 0..1 + rng.next_u32() % 3 {
                let at = rng.next_u32() as usize % bytes.len();
                match rng.next_u32() % 4 {
                    0 => bytes[at] ^= 1 << (rng.next_u32() % 8),
                    1 => bytes[at] = interesting[rng.next_u32() as usize % interesting.len()],
                    2 => bytes[at] = rng.next_u32() as u8,
                    _ => {
                        bytes.remove(at);
                    }
                }
            }
            if import(&bytes) {
                good += 1;
            } else {
                bad += 1;
            }
        }
    }
    // Both ways are taken often, or the test shows nothing.
    assert!(good > 500 && bad > 500, "{good} {bad}");
}
