//! The assembler: round trips, places of mistakes, text tests, programs.

mod filetests;
mod machine;
mod programs;
mod random;

use vta_program::asm::{AsmErrorKind, AsmOptions, assemble, disassemble, insn_text, validate};
use vta_program::config::HwConfig;
use vta_program::isa::{FORMATS, Kind};
use vta_program::program::{Launch, Layout, Program, Region, Segment, SegmentKind, Step, Symbol};
use vta_tensor::host::DType;

/// Assembles text that must be right.
pub fn program(source: &str) -> Program {
    match assemble(source, &AsmOptions::default()) {
        Ok(p) => p,
        Err(e) => panic!("{e}\n{source}"),
    }
}

/// The mistakes of text that must be wrong.
pub fn mistakes(source: &str) -> Vec<String> {
    match assemble(source, &AsmOptions::default()) {
        Ok(p) => panic!("assembles to {p:?}"),
        Err(e) => e.0.iter().map(ToString::to_string).collect(),
    }
}

/// The word of one instruction.
fn word(insn: &str) -> u128 {
    let p = program(&format!(".launch m\n{insn}\n"));
    let data = &p.segments[0].data;
    assert_eq!(data.len(), 16, "one instruction");
    u128::from_le_bytes(data[..16].try_into().expect("16 bytes"))
}

#[test]
fn every_field_reaches_its_limits() {
    for &(name, opcode, fields) in FORMATS {
        let sub = match name {
            "load" => ".inp",
            "alu" => ".add",
            _ => "",
        };
        for f in fields {
            if matches!(f.kind, Kind::Opcode | Kind::Reserved | Kind::Enum(_)) {
                continue;
            }
            for v in [f.min(), f.max()] {
                let text = format!("{name}{sub} {}={v}", f.name);
                let w = word(&text);
                assert_eq!(f.get(w), v, "{text}");
                assert_eq!(w & 7, u128::from(opcode), "{text}");
                assert_eq!(word(&insn_text(w)), w, "{text}");
            }
            for v in [f.min() - 1, f.max() + 1] {
                let before = format!("  {name}{sub} {}=", f.name);
                let text = format!(".launch m\n{before}{v}  # far too much\n");
                let e = assemble(&text, &AsmOptions::default()).expect_err("out of range");
                let [e] = &e.0[..] else {
                    panic!("one mistake, not {e}")
                };
                let shown = format!(
                    "line 2, column {}: {} is {v}, outside {} to {}",
                    before.len() + 1,
                    f.name,
                    f.min(),
                    f.max()
                );
                assert_eq!(e.to_string(), shown);
                assert_eq!(e.width, v.to_string().len());
                assert_eq!(e.line_text, format!("{before}{v}  # far too much"));
            }
        }
    }
}

#[test]
fn columns_count_characters() {
    let e = assemble(".data \"äöü\" wrong", &AsmOptions::default()).expect_err("no such kind");
    assert_eq!((e.0[0].line, e.0[0].column, e.0[0].width), (1, 13, 5));
}

#[test]
fn an_override_replaces_the_configuration() {
    let opts = AsmOptions {
        config: HwConfig::built_in("b32"),
        read: None,
    };
    let p = assemble(".config pynq\n.data x wgt\nzero 1\n", &opts).expect("assembles");
    assert_eq!(p.config.name, "b32");
    assert_eq!(p.segments[0].bytes, 1024);
}

#[test]
fn an_override_is_checked() {
    let config = Some(HwConfig {
        block: 0,
        ..HwConfig::default()
    });
    let opts = AsmOptions { config, read: None };
    let e = assemble(".data x inp len=1\n", &opts).expect_err("no block");
    let shown = "line 1, column 1: configuration de10: block is 0, not a power of two up to 256";
    assert_eq!(e.to_string(), shown);
}

#[test]
fn the_document_shows_a_program() {
    let text = include_str!("../../../../../docs/asm.md");
    let example = text.split("```").nth(1).expect("an example comes first");
    let p = program(example);
    assert_eq!(p.launches().map(|l| l.insn_count).sum::<u32>(), 7);
}

#[test]
fn arrays_come_from_files() {
    use ndarray_npy::WriteNpyExt;
    let mut file = Vec::new();
    ndarray::arr2(&[[1i32, -2], [3, i32::MIN]])
        .write_npy(&mut file)
        .expect("a vector takes bytes");
    let read = |path: &str| match path {
        "a.npy" => Ok(file.clone()),
        "b.npy" => Ok(vec![1, 2, 3]),
        _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
    };
    let opts = AsmOptions {
        config: None,
        read: Some(&read),
    };
    let p = assemble(".data x acc\nnpy \"a.npy\"\n", &opts).expect("assembles");
    let bytes: Vec<u8> = [1i32, -2, 3, i32::MIN]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    assert_eq!(p.segments[0].data, bytes);
    for bad in ["b.npy", "c.npy"] {
        let text = format!(".data x acc\nnpy \"{bad}\"\n");
        let e = assemble(&text, &opts).expect_err("no such array");
        assert!(matches!(e.0[0].what, AsmErrorKind::File { .. }), "{e}");
        assert_eq!((e.0[0].line, e.0[0].column), (2, 5));
    }
}

#[test]
fn nothing_is_placed_at_address_0() {
    let p = program(".data x inp len=4\n.data y out len=4\n.launch m\nfinish\n");
    let at: Vec<_> = p.segments.iter().map(|s| s.addr).collect();
    assert_eq!(at, [4096, 8192, 12288]);
    assert_eq!(p.dram_bytes, 16384);
}

#[test]
fn automatic_places_go_around_fixed_ones() {
    let p = program(".data a raw len=5000\n.data b raw at 8192 len=1\n.data c raw len=1 align=2\n");
    let mut at: Vec<_> = p
        .segments
        .iter()
        .map(|s| (s.name.as_str(), s.addr))
        .collect();
    at.sort_unstable();
    assert_eq!(at, [("a", 12288), ("b", 8192), ("c", 17288)]);
}

#[test]
fn launches_share_instructions() {
    let p = program(
        ".launch a\n.output 64 bytes=1\nfinish\nhere:\nfinish\n.end launch\n\
         .launch b at here count=1\n.symbol s first=0 count=1\n",
    );
    let l: Vec<_> = p.launches().collect();
    assert_eq!((l[0].insn_addr, l[0].insn_count), (4096, 2));
    assert_eq!((l[1].insn_addr, l[1].insn_count), (4112, 1));
    let again = program(&disassemble(&p).expect("valid"));
    assert_eq!(again, p);
}

fn first_launch(p: &mut Program) -> &mut Launch {
    match &mut p.steps[0] {
        Step::Launch(l) => l,
        Step::Host(h) => unreachable!("{} is not a launch", h.name),
    }
}

#[test]
fn invalid_programs_are_not_printed() {
    let good = program(".data x raw at 64 bytes=8\n.data y raw at 72 bytes=8\n.launch m\nfinish\n");
    assert_eq!(validate(&good), Ok(()));
    type Change = fn(&mut Program);
    let changes: [(&str, Change); 10] = [
        ("the text has launches only", |p| {
            p.outputs.push(Region {
                tensor: "y".into(),
                addr: 64,
                dims: vec![8],
                dtype: DType::I8,
                layout: Layout::Plain,
                exponent: None,
            });
        }),
        ("configuration de10: block is 12", |p| p.config.block = 12),
        ("configuration de10: mem_data_bits is 0", |p| {
            p.config.mem_data_bits = 4;
        }),
        ("two segments are named \"x\"", |p| {
            p.segments[1].name = "x".into();
        }),
        ("segment \"y\" at 0x47 begins before", |p| {
            p.segments[1].addr -= 1;
        }),
        ("segment \"x\" ends at 0x48, past the DRAM", |p| {
            p.dram_bytes = 71;
        }),
        ("segment \"x\" has 9 bytes of data in 8", |p| {
            p.segments[0].data = vec![0; 9];
        }),
        ("two launches are named", |p| {
            p.steps.push(p.steps[0].clone())
        }),
        ("launch \"m\" ends at", |p| {
            first_launch(p).insn_count = u32::MAX;
        }),
        ("symbol \"s\" ends at instruction 2", |p| {
            let name = "s".into();
            first_launch(p).symbols.push(Symbol {
                name,
                first: 1,
                count: 1,
            });
        }),
    ];
    for (message, change) in changes {
        let mut p = good.clone();
        change(&mut p);
        let e = disassemble(&p).expect_err(message).to_string();
        assert!(e.starts_with(message), "{e}");
    }
}

#[test]
fn data_is_limited() {
    let e = mistakes(".data x raw\nzero 1000000000\nzero 1000000000\n");
    assert_eq!(
        e,
        ["line 3, column 1: 2000000000 bytes of data, more than 1073741824"]
    );
    let e = mistakes(".launch m\n.for i = 0..99999999999\n.for j = 0..1\n.end for\n.end for\n");
    assert!(
        e[0].ends_with("the program has too many statements"),
        "{e:?}"
    );
}

#[test]
fn hostile_expressions_end() {
    let deep = format!("x = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000));
    assert!(mistakes(&deep)[0].contains("fewer parentheses"));
    let wide = format!("x = 1{}\n.dram x\n", "+1".repeat(100_000));
    assert_eq!(program(&wide).dram_bytes, 100_001);
    let cycle = "a = b + 1\nb = a\n.dram a\n";
    assert!(mistakes(cycle)[0].contains("needs itself"));
    let mut powers = String::from("x0 = 1\n");
    for n in 1..60 {
        powers += &format!("x{n} = x{0} + x{0}\n", n - 1);
    }
    powers += ".dram x30\n";
    assert_eq!(program(&powers).dram_bytes, 1 << 30);
}

/// A launch without symbols.
pub fn launch(name: &str, insn_addr: u32, insn_count: u32) -> Launch {
    Launch {
        name: name.into(),
        insn_addr,
        insn_count,
        outputs: Vec::new(),
        symbols: Vec::new(),
    }
}

#[test]
fn a_raw_image_round_trips() {
    let mut data = vec![0; 300];
    data[40..56].copy_from_slice(&word("finish pop_next").to_le_bytes());
    data[60] = 7;
    let p = Program {
        config: HwConfig::default(),
        dram_bytes: 4096,
        segments: vec![Segment {
            name: "an image".into(),
            kind: SegmentKind::Raw,
            addr: 0,
            bytes: 1000,
            data,
        }],
        steps: vec![
            Step::Launch(launch("a", 40, 1)),
            Step::Launch(launch("b", 32, 2)),
            Step::Launch(launch("past the data", 2000, 3)),
        ],
        ..Program::default()
    };
    let text = disassemble(&p).expect("valid");
    assert_eq!(program(&text), p, "{text}");
}
