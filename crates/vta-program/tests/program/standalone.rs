//! Folders of other compilers: what is read, and what is refused.

use std::fs;
use std::path::Path;
use vta_program::asm::{AsmOptions, assemble};
use vta_program::config::HwConfig;
use vta_program::program::{Program, SegmentKind};
use vta_program::standalone::{EXPECTED, TABLE, read};

/// Eight vectors of sums: an immediate is added to four of them, with another source,
/// and four more are loaded and stored as they are.
const TEXT: &str = "
.config de10
.data sums acc len=12
  random seed=1 min=-50 max=49
.data y out len=8
.data u uop
  uop dst=0 src=4
.launch main
  .output y
  load.uop dram_base=u x_size=1
  load.acc dram_base=sums x_size=12
  alu.add imm=5 iter_in=4 dst_factor_in=1 src_factor_in=1 push_next
  store sram_base=0 dram_base=y x_size=8 pop_prev push_prev
  finish pop_next
";

fn program() -> Program {
    let program = assemble(TEXT, &AsmOptions::default());
    program.unwrap_or_else(|e| panic!("{e}"))
}

/// The files that a program is in, by name.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let program = program();
    let c = &program.config;
    let mut all = vec![("vta_config.json", c.to_json().into_bytes())];
    let mut table = String::new();
    for s in &program.segments {
        let (kind, file, element) = match s.kind {
            SegmentKind::Acc => ("ACC", "accumulator.bin", c.acc_bytes()),
            SegmentKind::Out => ("OUT", "out_init.bin", c.out_bytes()),
            SegmentKind::Uop => ("UOP", "uop.bin", c.uop_bytes()),
            SegmentKind::Insn => ("INSN", "instructions.bin", 16),
            kind => panic!("no {kind:?} in it"),
        };
        table += &format!("{kind},{:#x},{:#x}\r\n", s.addr, s.addr / element);
        let mut data = s.data.clone();
        data.resize(s.bytes as usize, 0);
        all.push((file, data));
    }
    all.push((TABLE, table.into_bytes()));
    // As a functional simulator computes it: 5 more in place, all of it stored.
    let sums = program.segments.iter().find(|s| s.kind == SegmentKind::Acc);
    let sums = &sums.expect("they are there").data;
    let of = |lane: usize| {
        let bytes = [0, 1, 2, 3].map(|k| sums[4 * lane + k]);
        let add = if lane < 4 * 16 { 5 } else { 0 };
        (i32::from_le_bytes(bytes) + add) as u8
    };
    all.push((EXPECTED, (0..8 * 16).map(of).collect()));
    all
}

fn write(dir: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        fs::write(dir.join(name), bytes).expect("it can be written");
    }
}

#[test]
fn a_folder_is_the_program_that_it_is_of() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), &files());
    let found = read(dir.path(), None).expect("it is a program");
    let program = program();
    let launch = program.launches().next().expect("a launch");
    let same = found.program.launches().next().expect("a launch");
    assert_eq!(
        (same.insn_addr, same.insn_count, &same.outputs),
        (launch.insn_addr, launch.insn_count, &launch.outputs)
    );
    let mut image = program.dram_image();
    image.resize(found.program.dram_bytes as usize, 0);
    assert_eq!(found.program.dram_image(), image);
    assert_eq!(found.expected.map(|e| e.len()), Some(128));
    let small = HwConfig::built_in("small").expect("built in");
    let found = read(dir.path(), Some(&small)).expect("it is a program");
    assert_eq!(found.program.config, small);
}

/// Objects are where their elements are, all of them equally far below the physical addresses.
#[test]
fn physical_addresses_may_be_higher() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), &files());
    let before = read(dir.path(), None).expect("it is a program").program;
    let table = fs::read_to_string(dir.path().join(TABLE)).expect("it is text");
    let higher = table.lines().map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let at = u32::from_str_radix(&fields[1][2..], 16).expect("a number");
        let kind = fields[0].to_lowercase();
        format!("{kind},{:#x},{}\n", at + 0x10_0000, fields[2])
    });
    let higher: String = higher.collect();
    fs::write(dir.path().join(TABLE), higher).expect("it can be written");
    let after = read(dir.path(), None).expect("it is a program").program;
    assert_eq!(after.segments, before.segments);
    assert_eq!(after.steps, before.steps);
}

/// What is said of a folder after a change.
fn refused(change: impl Fn(&Path, &str)) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), &files());
    let table = fs::read_to_string(dir.path().join(TABLE)).expect("it is text");
    change(dir.path(), &table);
    let e = read(dir.path(), None).expect_err("it is refused");
    e.to_string()
}

#[test]
fn files_that_are_missing_or_cut() {
    let gone =
        |file: &str| refused(|dir, _| fs::remove_file(dir.join(file)).expect("it was there"));
    assert_eq!(gone("vta_config.json"), "there is no vta_config.json in it");
    assert_eq!(
        gone(TABLE),
        "a folder without memory_addresses.csv, so no program"
    );
    assert_eq!(
        gone("instructions.bin"),
        "instructions.bin: entity not found"
    );
    let cut = refused(|dir, _| {
        fs::write(dir.join("accumulator.bin"), [0; 65]).expect("it can be written");
    });
    assert_eq!(cut, "accumulator.bin: 65 bytes, not a multiple of 64");
    let without = refused(|dir, table| {
        let rows = table.lines().filter(|l| !l.starts_with("INSN"));
        let rows: Vec<&str> = rows.collect();
        fs::write(dir.join(TABLE), rows.join("\n")).expect("it can be written");
    });
    assert_eq!(
        without,
        "memory_addresses.csv: no row for INSN, whose bytes are in instructions.bin"
    );
}

#[test]
fn tables_that_are_wrong() {
    let said = |table: &str| {
        refused(|dir, _| fs::write(dir.join(TABLE), table).expect("it can be written"))
    };
    for (table, what) in [
        ("ACC", "line 1: 1 fields, not 3"),
        ("ACC,0x1000,0x40,1", "line 1: 4 fields, not 3"),
        (
            "ACC,0x1000,0x40\nAC,0x1,0x1",
            "line 2: `AC` is no kind; the kinds are INP, WGT, ACC, ACC_BIS, OUT, UOP, INSN",
        ),
        (
            "ACC,0x1000,0x40\nACC,0x2000,0x80",
            "line 2: ACC is in line 1 too",
        ),
        ("ACC,1000x,0x40", "line 1: `1000x` is no address"),
        (
            "ACC,0x1000,0x50",
            "line 1: element 0x50 is at 0x1400, behind the physical address 0x1000",
        ),
        (
            "ACC,0x1000,0x40\nUOP,0x2000,0x700",
            "line 2: 0x2000 is 0x400 above its elements of 4 bytes, line 1 has 0x0",
        ),
    ] {
        assert_eq!(said(table), format!("memory_addresses.csv, {what}"));
    }
    let rows = "ACC,0x1000\nOUT,0x1040\nUOP,0x3000\nINSN,0x4000\n";
    assert_eq!(said(rows), "ACC and OUT overlap at 0x1040");
    let far = rows.replace("0x1040", "0xfffffff0");
    assert!(said(&far).starts_with("OUT ends at 0x100000070, beyond"));
}

/// The folder that the documents show is the one of this test.
#[test]
fn committed_folder_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../programs/standalone");
    if std::env::var_os("VTA_BLESS").is_some() {
        fs::create_dir_all(&root).expect("it can be made");
        return write(&root, &files());
    }
    for (name, bytes) in files() {
        let committed = fs::read(root.join(name)).unwrap_or_default();
        let how = "VTA_BLESS=1 cargo test -p vta-program standalone";
        assert!(
            committed == bytes,
            "programs/standalone/{name} is stale: {how}"
        );
    }
}
