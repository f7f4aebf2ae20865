//! Committed listings of what small layers compile to, on `de10`.
//!
//! `VTA_BLESS=1 cargo test -p vta-compile --test compiler listings` rewrites them.

use ndarray::{Array4, Ix4};
use std::{env, fs, path::Path};
use vta_compile::{Options, Sparsity, compile};
use vta_net::graph::Window;
use vta_net::quant::{QConv, QNet, QOp, Shift};
use vta_net::sparse::{BlockMask, Weight};
use vta_program::asm::disassemble;
use vta_program::isa::Insn;
use vta_program::program::{Program, SegmentKind, Step};
use vta_tensor::host::HostOp;
use vta_test_support::nodes::{INT8, node};

/// More lines than anybody reads.
const MAX_LINES: usize = 150;

/// Weights of one kernel position of a block are all that the program shows of
/// them: where they are zero.
fn weight(shape: (usize, usize, usize, usize), mask: BlockMask) -> Weight<i8, Ix4> {
    let mut weight = Weight::from(Array4::from_elem(shape, 1));
    weight.apply(mask).expect("its mask");
    weight
}

/// A convolution with ReLU; `kept` says which 32x32 blocks it has.
fn conv(shape: (usize, usize, usize, usize), kept: impl Fn(usize) -> bool) -> QConv {
    let (co, ci, kh, kw) = shape;
    let dims = BlockMask::dims_for([co, ci, kh, kw]);
    let mask = BlockMask {
        dims,
        kept: (0..dims.iter().product()).map(kept).collect(),
    };
    QConv {
        weight_name: "w".into(),
        weight: weight(shape, mask),
        bias: vec![0; co],
        window: Window {
            kernel: [kh, kw],
            stride: [1, 1],
            dilation: [1, 1],
            pads: [kh / 2, kw / 2, kh / 2, kw / 2],
        },
        groups: 1,
        shift: Shift::Layer(7),
        leaky: None,
        residual_shift: 0,
        post_shift: 0,
        clamp: (0, 127),
    }
}

/// A network of one layer.
fn net(inputs: &[&[usize]], op: QOp, out: &[usize]) -> QNet {
    let mut net = QNet::default();
    for (n, dims) in inputs.iter().enumerate() {
        let t = net.add_tensor(format!("input{n}"), dims, INT8);
        net.inputs.push(t);
    }
    let inputs = net.inputs.clone();
    let output = node(&mut net, op, &inputs, out);
    net.nodes[0].name = "layer".into();
    net.outputs.push(output);
    net
}

/// GEMM and ALU steps of all launches, and their instructions.
fn counts(program: &Program) -> [u64; 3] {
    let mut counts = [0; 3];
    let insns = |s: &&vta_program::program::Segment| s.kind == SegmentKind::Insn;
    for segment in program.segments.iter().filter(insns) {
        for word in segment.data.chunks_exact(16) {
            let word = u128::from_le_bytes(word.try_into().expect("16 bytes"));
            let steps = |bgn: u16, end: u16, out: u16, inner: u16| {
                u64::from(end - bgn) * u64::from(out) * u64::from(inner)
            };
            counts[0] += 1;
            match Insn::decode(word).expect("an instruction") {
                Insn::Gemm(g) if !g.reset_reg => {
                    counts[1] += steps(g.uop_bgn, g.uop_end, g.iter_out, g.iter_in);
                }
                Insn::Alu(a) => counts[2] += steps(a.uop_bgn, a.uop_end, a.iter_out, a.iter_in),
                _ => {}
            }
        }
    }
    counts
}

/// What a listing says before the disassembly.
fn head(what: &str, program: &Program) -> String {
    let mut head = format!("# {what}\n");
    for layer in &program.layers {
        head += &format!(
            "# {}: {} of {} blocks kept",
            layer.name, layer.kept, layer.blocks
        );
        if let Some(map) = layer.weights.as_ref().filter(|m| !m.mask.is_empty()) {
            head += &format!(", mask {}", map.mask);
        }
        head += &format!(
            "; floors: compute {}, memory {} cycles\n",
            layer.compute_floor, layer.memory_floor
        );
    }
    let [insns, gemm, alu] = counts(program);
    head + &format!("# {insns} instructions, {gemm} GEMM steps, {alu} ALU steps\n\n")
}

/// The text of a program of one launch: instructions with the layer's symbol,
/// and micro-ops. Weights and biases are only a size.
fn listing(what: &str, program: &Program) -> String {
    let mut shown = program.clone();
    shown.steps.retain(|s| matches!(s, Step::Launch(_)));
    shown.inputs.clear();
    shown.outputs.clear();
    shown.layers.clear();
    for s in &mut shown.segments {
        match s.kind {
            SegmentKind::Wgt | SegmentKind::Acc => s.data.clear(),
            // Batches are padded to a whole burst.
            SegmentKind::Uop => {
                let used = s.data.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1);
                s.data.truncate(used.next_multiple_of(4));
            }
            _ => {}
        }
    }
    head(what, program) + &disassemble(&shown).expect("a valid program")
}

fn check(name: &str, what: &str, net: &QNet, sparsity: Sparsity) -> Program {
    let options = Options {
        sparsity,
        ..Options::default()
    };
    let program = compile(net, &options).expect("it compiles");
    let fresh = listing(what, &program);
    let lines = fresh.lines().count();
    assert!(lines <= MAX_LINES, "{name}: {lines} lines");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/listings")
        .join(format!("{name}.txt"));
    if env::var_os("VTA_BLESS").is_some() {
        fs::write(&path, &fresh).expect("the listing can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == fresh,
        "{} is stale: VTA_BLESS=1 cargo test -p vta-compile --test compiler listings\n{fresh}",
        path.display()
    );
    program
}

const MAP: &[usize] = &[1, 32, 6, 6];

#[test]
fn convolution_dense_and_sparse() {
    let what = "3x3 convolution of 32 to 32 channels with ReLU, on a 6x6 map";
    let shape = (32, 32, 3, 3);
    // A row of the kernel, and one position of another.
    let sparse = conv(shape, |b| [3, 4, 5, 7].contains(&b));
    let dense = conv(shape, |_| true);
    let dense = net(&[MAP], QOp::Conv(dense), MAP);
    let dense = check("convolution-dense", what, &dense, Sparsity::Dense);
    let sparse = net(&[MAP], QOp::Conv(sparse), MAP);
    let sparse = check("convolution-sparse", what, &sparse, Sparsity::Sparse);
    // Outputs that a row of the kernel meets, for each of 2x2 elements: the
    // corners and edges that fall on padding cost nothing.
    let [up, middle, down] = [5 * 6, 6 * 6, 5 * 6];
    let [left, right] = [5, 5];
    let all = [up, middle, down].map(|rows| rows / 6 * (left + 6 + right));
    assert_eq!(counts(&dense)[1], 4 * all.iter().sum::<u64>());
    assert_eq!(counts(&sparse)[1], 4 * (all[1] + 5 * 6));
}

#[test]
fn depthwise() {
    let mut conv = conv((32, 1, 3, 3), |_| true);
    conv.groups = 32;
    let net = net(&[MAP], QOp::Conv(conv), MAP);
    let what = "3x3 depthwise convolution of 32 channels with ReLU, on a 6x6 map";
    check("depthwise", what, &net, Sparsity::Dense);
}

#[test]
fn residual() {
    let map: &[usize] = &[1, 16, 6, 6];
    let mut conv = conv((16, 16, 1, 1), |_| true);
    (conv.residual_shift, conv.post_shift) = (2, 1);
    let net = net(&[map, map], QOp::Conv(conv), map);
    let what =
        "1x1 convolution of 16 to 16 channels with a second operand added, then ReLU, on a 6x6 map";
    check("residual", what, &net, Sparsity::Dense);
}

#[test]
fn max_pool() {
    let window = Window {
        kernel: [2, 2],
        stride: [2, 2],
        dilation: [1, 1],
        pads: [0; 4],
    };
    let net = net(&[MAP], QOp::MaxPool(window), &[1, 32, 3, 3]);
    let what = "2x2 largest-value pool of 32 channels, on a 6x6 map";
    check("max-pool", what, &net, Sparsity::Dense);
}

#[test]
fn linear_upsampling() {
    let op = HostOp::ResizeLinear {
        factor: [2, 2],
        half_pixel: true,
    };
    // What a layer of the device makes: a pool that moves nothing.
    let mut net = net(
        &[&[1, 16, 3, 4]],
        QOp::MaxPool(Window::POINT),
        &[1, 16, 3, 4],
    );
    let of = net.outputs[0];
    let up = node(&mut net, QOp::Host(op), &[of], &[1, 16, 6, 8]);
    net.outputs = vec![up];
    check(
        "linear-upsampling",
        "linear upsampling of 16 channels by 2 x 2, of a 3x4 map that a pool of 1x1 makes",
        &net,
        Sparsity::Dense,
    );
}

#[test]
fn dense_layer() {
    let conv = conv((10, 64, 1, 1), |_| true);
    let net = net(&[&[1, 64]], QOp::Conv(conv), &[1, 10]);
    let what = "dense layer of 64 to 10 channels with ReLU";
    check("dense-layer", what, &net, Sparsity::Dense);
}
