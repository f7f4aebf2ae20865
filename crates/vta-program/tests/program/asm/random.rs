//! Random programs and random text.

use super::program;
use proptest::collection::vec;
use proptest::prelude::*;
use vta_program::asm::{AsmOptions, assemble, disassemble, validate};
use vta_program::config::HwConfig;
use vta_program::isa::{FORMATS, Kind};
use vta_program::program::{Launch, Program, Segment, SegmentKind, Step, Symbol};

fn config() -> impl Strategy<Value = HwConfig> {
    let built_in = prop::sample::select(&HwConfig::BUILT_IN[..]).prop_map(HwConfig::built_in);
    let other = (
        name(),
        0..9u32,
        vec(0..13u32, 5),
        3..10u32,
        0..9u32,
        any::<u32>(),
        1..2000u32,
    );
    let other = other.prop_map(|(name, block, depths, bus, len, delay, queue)| {
        Some(HwConfig {
            name,
            block: 1 << block,
            uop_depth: 1 << depths[0],
            inp_depth: 1 << depths[1],
            wgt_depth: 1 << depths[2],
            acc_depth: 1 << depths[3],
            out_depth: 1 << depths[4],
            mem_data_bits: 1 << bus,
            mem_len_bits: len,
            mem_delay: delay,
            insn_queue_entries: queue,
        })
    });
    prop_oneof![built_in, other].prop_map(Option::unwrap_or_default)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z_][a-z0-9_]{0,5}",
        1 => prop::sample::select(vec!["de10", "at", "uop", "i8", "reset", "launch"]).prop_map(String::from),
        1 => any::<String>(),
    ]
}

fn kind() -> impl Strategy<Value = SegmentKind> {
    use SegmentKind::{Acc, Inp, Insn, Out, Raw, Uop, Wgt};
    prop_oneof![4 => Just(Insn), 6 => prop::sample::select(vec![Uop, Inp, Wgt, Acc, Out, Raw])]
}

/// An instruction with random fields, some of them wrong.
fn word() -> impl Strategy<Value = u128> {
    let fields = (0..FORMATS.len(), any::<u128>(), vec(0..8u8, 20));
    let legal = fields.prop_map(|(n, random, how)| {
        let (_, opcode, fields) = FORMATS[n];
        let mut word = u128::from(opcode);
        for (f, how) in fields.iter().zip(how) {
            let v = match (f.kind, how) {
                (Kind::Opcode, _) => continue,
                // Reserved bits and bad names now and then.
                (Kind::Reserved, 1..) => 0,
                (Kind::Enum(v), 1..) => i128::from(v[usize::from(how) % v.len()].0),
                (_, 0..3) => 0,
                (_, 3..5) => 1.min(f.max()),
                _ => f.get(random),
            };
            word = f.set(word, v).unwrap_or(word);
        }
        word
    });
    prop_oneof![9 => legal, 1 => any::<u128>()]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(word(), 0..8).prop_map(|w| w.iter().flat_map(|w| w.to_le_bytes()).collect()),
        2 => vec(any::<u8>(), 0..80),
        1 => (0..900usize).prop_map(|n| vec![0; n]),
        1 => (vec(any::<u8>(), 0..9), 0..600usize, vec(any::<u8>(), 0..9), 0..70usize)
            .prop_map(|(a, n, b, m)| [a, vec![0; n], b, vec![0; m]].concat()),
    ]
}

/// Segments in order, with gaps.
fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let one = (
        name(),
        kind(),
        vec(data(), 0..4),
        0..40u32,
        prop_oneof![Just(0), 0..5000u32],
    );
    vec((one, any::<bool>()), 0..6).prop_map(|list| {
        let mut addr = 0;
        let mut out: Vec<Segment> = Vec::new();
        for ((name, kind, data, gap, rest), even) in list {
            addr += gap;
            if even {
                addr = addr.next_multiple_of(64);
            }
            let data = data.concat();
            let bytes = data.len() as u32 + rest;
            if out.iter().all(|s| s.name != name) {
                out.push(Segment {
                    name,
                    kind,
                    addr,
                    bytes,
                    data,
                });
                addr += bytes;
            }
        }
        out
    })
}

fn program_value() -> impl Strategy<Value = Program> {
    let launch = (
        name(),
        any::<prop::sample::Index>(),
        prop_oneof![3 => Just(0), 1 => 0..40u32],
        0..12u32,
        vec((any::<u32>(), any::<u32>(), any::<bool>()), 0..3),
        vec((name(), 0..6u32, 0..4u32), 0..4),
    );
    (
        config(),
        segments(),
        vec(launch, 0..4),
        0..500u32,
        any::<bool>(),
    )
        .prop_map(|(config, segments, launches, spare, tidy)| {
            let end = segments.last().map_or(0, |s| s.addr + s.bytes);
            let dram_bytes = end + spare;
            let mut steps: Vec<Step> = Vec::new();
            let mut next = 0;
            for (name, segment, offset, count, outputs, symbols) in launches {
                let base = match segments.len() {
                    0 => 0,
                    n => segments[segment.index(n)].addr,
                };
                // Tidy programs run their segments from the first instruction to the last.
                let insn_addr = match tidy {
                    true => (base + offset / 16 * 16).max(next),
                    false => base + offset,
                };
                let insn_count = count.min(dram_bytes.saturating_sub(insn_addr) / 16);
                let taken = |s: &Step| matches!(s, Step::Launch(l) if l.name == name);
                if insn_addr > dram_bytes || steps.iter().any(taken) {
                    continue;
                }
                next = insn_addr + 16 * insn_count;
                let outputs = outputs.iter().map(|&(a, b, whole)| {
                    match segments.get(a as usize % 7).filter(|_| whole) {
                        Some(s) => (s.addr, s.bytes),
                        None => {
                            let a = a % (dram_bytes + 1);
                            (a, b % (dram_bytes - a + 1))
                        }
                    }
                });
                let symbols = symbols.into_iter().filter(|s| s.1 + s.2 <= insn_count);
                steps.push(Step::Launch(Launch {
                    name,
                    insn_addr,
                    insn_count,
                    outputs: outputs.collect(),
                    symbols: symbols
                        .map(|(name, first, count)| Symbol { name, first, count })
                        .collect(),
                }));
            }
            Program {
                config,
                dram_bytes,
                segments,
                steps,
                ..Program::default()
            }
        })
}

/// Text that looks like assembly.
fn text() -> impl Strategy<Value = String> {
    let words = vec![
        ".config",
        ".dram",
        ".region",
        ".data",
        ".launch",
        ".output",
        ".symbol",
        ".for",
        ".end",
        ".word",
        "uop",
        "zero",
        "fill",
        "random",
        "npy",
        "i8",
        "i32",
        "hex",
        "load.inp",
        "alu.add",
        "gemm",
        "store",
        "finish",
        "x",
        "y",
        "i",
        "=",
        "..",
        "0",
        "1",
        "-1",
        "70000",
        "0x10",
        "\n",
        "\n",
        "\n",
        " ",
        " ",
        " ",
        "(",
        ")",
        "[",
        "]",
        "+",
        "-",
        "*",
        "/",
        "<<",
        "at",
        "inp",
        "acc",
        "insn",
        "raw",
        "len=4",
        "bytes=8",
        "seed=1",
        "x.len",
        "x[1]",
        "\"a\"",
        "\"",
        "#",
        ":",
        ",",
        "for",
        "launch",
        "uop=0..1",
        "pop_prev",
        "imm=3",
        "dram_base=x",
        "sram_base=y",
        "ä",
        "\u{0}",
    ];
    vec(prop::sample::select(words), 0..60).prop_map(|w| w.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn programs_survive_text(p in program_value()) {
        prop_assert_eq!(validate(&p), Ok(()));
        let text = disassemble(&p).expect("valid");
        prop_assert_eq!(program(&text), p, "{}", text);
    }

    #[test]
    fn any_text_is_answered(source in prop_oneof![any::<String>(), text()]) {
        match assemble(&source, &AsmOptions::default()) {
            Ok(p) => {
                let again = disassemble(&p).expect("assembled programs are valid");
                prop_assert_eq!(program(&again), p);
            }
            Err(e) => {
                prop_assert!(!e.0.is_empty());
                for e in e.0 {
                    prop_assert!(e.line >= 1 && e.column >= 1 && e.width >= 1);
                    prop_assert!(e.column <= e.line_text.chars().count() + 1, "{:?}", e);
                }
            }
        }
    }
}
