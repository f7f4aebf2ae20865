//! The committed programs: they assemble, survive the disassembler, and give
//! what their first lines say, as far as a machine without cycles can tell.

use super::machine::Machine;
use super::program;
use std::fs;
use vta_program::asm::disassemble;
use vta_program::isa::Unit;
use vta_program::program::{Program, SegmentKind};
use vta_test_support::root;

const ORDERS: [[Unit; 3]; 4] = [
    [Unit::Load, Unit::Compute, Unit::Store],
    [Unit::Store, Unit::Compute, Unit::Load],
    [Unit::Compute, Unit::Load, Unit::Store],
    [Unit::Load, Unit::Store, Unit::Compute],
];

fn source(path: &str) -> String {
    let root = root().join("programs");
    fs::read_to_string(root.join(path)).expect("the program is there")
}

/// Paths of the programs of a folder.
fn paths(folder: &str) -> Vec<String> {
    let root = root().join("programs");
    let mut out: Vec<String> = fs::read_dir(root.join(folder))
        .expect("the folder is there")
        .map(|e| e.expect("the folder can be read").file_name())
        .map(|n| format!("{folder}/{}", n.to_string_lossy()))
        .collect();
    out.sort();
    out
}

/// The header's `# expect: `.
fn expected(source: &str) -> &str {
    source
        .lines()
        .take_while(|l| l.starts_with('#'))
        .find_map(|l| l.strip_prefix("# expect: "))
        .expect("a program says what it expects")
}

/// The output of the only launch, the same in all orders.
fn output(path: &str) -> Vec<i8> {
    let p = program(&source(path));
    let l = p.launches().next().expect("one launch");
    let mut results = ORDERS.map(|order| {
        let mut m = Machine::new(&p);
        assert!(m.run(l, order), "{path} ends");
        assert_eq!(m.tokens, [0; 4], "{path} leaves no token");
        assert_eq!(m.hazards, 0, "{path} has no ALU hazard");
        let &[(addr, bytes)] = &l.outputs[..] else {
            panic!("{path} has one output")
        };
        let out = &m.dram[addr as usize..(addr + bytes) as usize];
        out.iter().map(|&b| b as i8).collect::<Vec<_>>()
    });
    let last = results[3].clone();
    assert!(results.iter().all(|r| *r == last), "{path} has a race");
    std::mem::take(&mut results[0])
}

/// The data of a segment.
fn bytes(p: &Program, name: &str) -> Vec<i32> {
    let s = p.segments.iter().find(|s| s.name == name);
    let s = s.expect("the segment is there");
    match s.kind {
        SegmentKind::Acc => s
            .data
            .chunks_exact(4)
            .map(|w| i32::from_le_bytes(w.try_into().expect("4 bytes")))
            .collect(),
        _ => s.data.iter().map(|&b| i32::from(b as i8)).collect(),
    }
}

fn clip(v: i32, low: i32) -> i8 {
    v.clamp(low, 127) as i8
}

/// A convolution of 64 to 64 channels with weights in 32 x 32 blocks.
fn conv(dense: &str, size: i32, kernel: i32, shift: u32, low: i32) -> Vec<i8> {
    let p = program(&source(dense));
    let (x, w) = (bytes(&p, "x"), bytes(&p, "w"));
    let pixels = size * size;
    let mut out = vec![0; (64 * pixels) as usize];
    for co in 0..64 {
        for row in 0..size {
            for col in 0..size {
                let mut sum = 0;
                for ci in 0..64 {
                    for k in 0..kernel * kernel {
                        let (r, c) = (row + k / kernel - kernel / 2, col + k % kernel - kernel / 2);
                        if r < 0 || r >= size || c < 0 || c >= size {
                            continue;
                        }
                        let block = (co / 32 * 2 + ci / 32) * kernel * kernel + k;
                        let matrix = block * 4 + co / 16 % 2 * 2 + ci / 16 % 2;
                        let at = matrix * 256 + co % 16 * 16 + ci % 16;
                        let from = (ci / 16 * pixels + r * size + c) * 16 + ci % 16;
                        sum += w[at as usize] * x[from as usize];
                    }
                }
                let to = (co / 16 * pixels + row * size + col) * 16 + co % 16;
                out[to as usize] = clip(sum >> shift, low);
            }
        }
    }
    out
}

#[test]
fn all_assemble_and_survive_the_disassembler() {
    for path in ["kernels", "hazards", "sparse"].map(paths).concat() {
        let text = source(&path);
        let p = program(&text);
        assert_eq!(program(&disassemble(&p).expect("valid")), p, "{path}");
        assert!(p.launches().count() > 0, "{path} runs");
        let e = expected(&text);
        assert!(
            e == "ok" || e == "hang" || e.starts_with("assert core."),
            "{path}: {e}"
        );
    }
}

#[test]
fn tokens_tell_deadlocks() {
    let stuck = ["missing_push_load", "missing_push_store", "crossed_pops"];
    for path in paths("hazards") {
        let text = source(&path);
        if path.contains("unknown") {
            continue;
        }
        let name = path
            .trim_start_matches("hazards/")
            .trim_end_matches(".vtasm");
        let p = program(&text);
        let l = p.launches().next().expect("one launch");
        for order in ORDERS {
            let ends = Machine::new(&p).run(l, order);
            assert_eq!(ends, !stuck.contains(&name), "{path}");
        }
        if stuck.contains(&name) {
            assert_eq!(expected(&text), "hang", "{path}");
        }
    }
}

#[test]
fn races_depend_on_the_order() {
    for path in paths("hazards").iter().filter(|p| p.contains("race_")) {
        let p = program(&source(path));
        let l = p.launches().next().expect("one launch");
        let &(addr, bytes) = l.outputs.first().expect("an output");
        let results = ORDERS.map(|order| {
            let mut m = Machine::new(&p);
            m.run(l, order);
            m.dram[addr as usize..(addr + bytes) as usize].to_vec()
        });
        assert!(results.iter().any(|r| *r != results[0]), "{path} is a race");
    }
}

#[test]
fn gemm() {
    let p = program(&source("kernels/gemm.vtasm"));
    let (x, w) = (bytes(&p, "x"), bytes(&p, "w"));
    let mut want = Vec::new();
    for m in 0..32_usize {
        for n in 0..48_usize {
            let product =
                |k: usize| w[((n / 16 * 4 + k / 16) * 16 + n % 16) * 16 + k % 16] * x[m * 64 + k];
            want.push(clip((0..64_usize).map(product).sum::<i32>() >> 5, -128));
        }
    }
    assert_eq!(output("kernels/gemm.vtasm"), want);
}

#[test]
fn convolutions_dense_and_sparse() {
    let pairs = [
        ("kernels/conv1x1", 8, 1, 2, -128),
        ("kernels/conv3x3", 8, 3, 3, 0),
        ("sparse/conv", 14, 3, 2, 0),
    ];
    for (name, size, kernel, shift, low) in pairs {
        let dense = format!("{name}_dense.vtasm");
        let want = conv(&dense, size, kernel, shift, low);
        assert!(want.contains(&127) || kernel == 1, "{name} clips");
        assert_eq!(output(&dense), want, "{dense}");
        let sparse = format!("{name}_sparse.vtasm");
        assert_eq!(output(&sparse), want, "{sparse}");
    }
}

#[test]
fn pooling() {
    for (path, average) in [
        ("kernels/maxpool.vtasm", false),
        ("kernels/avgpool.vtasm", true),
    ] {
        let x = bytes(&program(&source(path)), "x");
        let mut want = Vec::new();
        for n in 0..16 * 16 {
            let (row, col, c) = (n / 64 * 2, n / 16 % 4 * 2, n % 16);
            let window = [0, 1, 8, 9].map(|p| x[(row * 8 + col + p) * 16 + c]);
            want.push(match average {
                true => (window.iter().sum::<i32>() + 2) >> 2,
                false => window[0].max(window[1]).max(window[2]).max(window[3]),
            } as i8);
        }
        assert_eq!(output(path), want, "{path}");
    }
}

#[test]
fn padding() {
    let x = bytes(&program(&source("kernels/padding.vtasm")), "x");
    let mut want = vec![0; 7 * 9 * 16];
    for (n, &v) in x.iter().enumerate() {
        let (row, col, c) = (n / 80, n / 16 % 5, n % 16);
        want[((row + 1) * 9 + col + 3) * 16 + c] = v as i8;
    }
    assert_eq!(output("kernels/padding.vtasm"), want);
}

#[test]
fn residuals_and_requantisation() {
    for path in ["kernels/residual_add.vtasm", "kernels/residual_gemm.vtasm"] {
        let p = program(&source(path));
        let sums = bytes(&p, "a").into_iter().zip(bytes(&p, "b"));
        let want: Vec<i8> = sums.map(|(a, b)| clip(a + b, -128)).collect();
        assert_eq!(output(path), want, "{path}");
    }
    let a = bytes(&program(&source("kernels/requantise.vtasm")), "a");
    let want: Vec<i8> = a.iter().map(|&a| clip((a + 32) >> 6, -128)).collect();
    assert_eq!(output("kernels/requantise.vtasm"), want);
}
