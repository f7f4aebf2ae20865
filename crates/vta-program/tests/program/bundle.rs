//! Bundles: what is written is read back, and what is damaged is refused.

use proptest::prelude::*;
use std::io::{Cursor, Read, Write};
use std::sync::LazyLock;
use vta_program::config::HwConfig;
use vta_program::program::{
    BundleError, MAX_DRAM_BYTES, Program, ProgramError, is_name, safe_name,
};
use vta_test_support::programs::two_launches;

fn bytes() -> Vec<u8> {
    two_launches().to_bytes().unwrap()
}

/// The entries of a bundle, changed, as an archive with fresh checksums in
/// `SHA256SUMS` (those in the manifest stay).
fn rebuilt(change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut old = zip::ZipArchive::new(Cursor::new(bytes())).unwrap();
    let mut new = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let mut sums = String::new();
    for i in 0..old.len() {
        let mut file = old.by_index(i).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut data = Vec::new();
        file.read_to_end(&mut data).unwrap();
        if name == "SHA256SUMS" {
            data = sums.clone().into_bytes();
        }
        let Some(data) = change(&name, data) else {
            continue;
        };
        for b in Sha256::digest(&data).iter() {
            sums += &format!("{b:02x}");
        }
        sums += &format!("  {name}\n");
        new.start_file(name, options).unwrap();
        new.write_all(&data).unwrap();
    }
    new.finish().unwrap().into_inner()
}

/// A bundle whose manifest has `from` replaced by `to`.
fn with_manifest(from: &str, to: &str) -> Vec<u8> {
    rebuilt(|name, data| {
        if name != "manifest.json" {
            return Some(data);
        }
        let text = String::from_utf8(data).unwrap();
        assert!(text.contains(from), "{text}");
        Some(text.replacen(from, to, 1).into_bytes())
    })
}

fn message(bytes: &[u8]) -> String {
    Program::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back() {
    let program = two_launches();
    assert_eq!(Program::from_bytes(&bytes()).unwrap(), program);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.vta");
    program.save(&path).unwrap();
    assert_eq!(Program::load(&path).unwrap(), program);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_configuration_that_is_not_built_in_travels_along() {
    let mut program = two_launches();
    program.config.name = "mine.json".into();
    program.config.mem_delay = 99;
    let read = Program::from_bytes(&program.to_bytes().unwrap()).unwrap();
    assert_eq!(read.config, program.config);
    program.config.name = "de10".into();
    assert!(matches!(
        program.to_bytes(),
        Err(BundleError::ConfigName { .. })
    ));
}

#[test]
fn checksums_are_those_that_ordinary_tools_check() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes())).unwrap();
    archive.extract(dir.path()).unwrap();
    let check = std::process::Command::new("sha256sum")
        .args(["-c", "--strict", "SHA256SUMS"])
        .current_dir(dir.path())
        .output();
    // A system without sha256sum has nothing to check with.
    if let Ok(check) = check {
        assert!(
            check.status.success(),
            "{}",
            String::from_utf8_lossy(&check.stdout)
        );
        let lines = String::from_utf8_lossy(&check.stdout).lines().count();
        assert_eq!(lines, 1 + two_launches().segments.len());
    }
}

#[test]
fn every_cut_is_refused() {
    let whole = bytes();
    for end in 0..whole.len() {
        assert!(Program::from_bytes(&whole[..end]).is_err(), "cut at {end}");
    }
}

/// The central directory has an entry's place at byte 42 of its record, the end
/// of the archive the number of entries at byte 10 and the directory's place at 16.
#[test]
fn an_archive_that_contradicts_itself_is_refused() {
    let whole = bytes();
    let end = whole.len() - 22;
    let word = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let directory = word(end + 16);
    let records: Vec<usize> = (directory..end)
        .filter(|i| whole[*i..].starts_with(b"PK\x01\x02"))
        .collect();
    assert!(records.len() > 2);
    let mut shared = whole.clone();
    shared.copy_within(records[0] + 42..records[0] + 46, records[1] + 42);
    assert!(message(&shared).contains("overlap"), "{}", message(&shared));
    let mut more = whole.clone();
    more[end + 10] += 1;
    assert!(message(&more).contains("end says"), "{}", message(&more));
}

#[test]
fn errors_name_the_entry_and_what_is_wrong_there() {
    let cases = [
        (b"MZ".to_vec(), "not a bundle"),
        (b"PK\x03\x04".to_vec(), "the archive is cut off or damaged"),
        (
            rebuilt(|n, d| (n != "manifest.json").then_some(d)),
            "manifest.json: not in the archive",
        ),
        (
            rebuilt(|n, d| (n != "SHA256SUMS").then_some(d)),
            "SHA256SUMS: not in the archive",
        ),
        (
            rebuilt(|n, d| (n != "data/insns.bin").then_some(d)),
            "data/insns.bin: not in the archive",
        ),
        (
            rebuilt(|n, d| {
                Some(if n == "data/insns.bin" {
                    d.iter().map(|b| !b).collect()
                } else {
                    d
                })
            }),
            "data/insns.bin: checksum is",
        ),
        (
            rebuilt(|n, d| {
                Some(if n == "data/insns.bin" {
                    vec![0; d.len() * 2]
                } else {
                    d
                })
            }),
            "data/insns.bin: more than",
        ),
        (
            rebuilt(|n, d| Some(if n == "data/insns.bin" { vec![0; 3] } else { d })),
            "data/insns.bin: 3 bytes, the manifest says",
        ),
        (
            rebuilt(|n, d| {
                Some(if n == "SHA256SUMS" {
                    b"hello\n".to_vec()
                } else {
                    d
                })
            }),
            "SHA256SUMS: line 1 is not a checksum",
        ),
        (
            rebuilt(|n, d| Some(if n == "SHA256SUMS" { vec![] } else { d })),
            "manifest.json: checksum is",
        ),
        (
            with_manifest("vta-program", "other"),
            "manifest.json: format is \"other\"",
        ),
        (
            with_manifest("\"version\": 1", "\"version\": 7"),
            "manifest.json: version is 7; this program reads versions 1 to 2",
        ),
        (
            with_manifest("\"steps\"", "\"stops\""),
            "manifest.json: line 46, column 9: unknown field `stops`",
        ),
        (
            with_manifest("\"config_name\": \"de10\"", "\"config_name\": \"pynq\""),
            "manifest.json: the configuration is named pynq",
        ),
        (
            with_manifest("\"MEM_DELAY\": 16", "\"MEM_DELAY\": 5000"),
            "manifest.json: configuration de10: MEM_DELAY is 5000; allowed",
        ),
        (
            with_manifest("\"dram_bytes\": 12288", "\"dram_bytes\": 4000000000"),
            "DRAM has 4000000000 bytes, more than 1073741824",
        ),
        (
            with_manifest("\"dram_bytes\": 12288", "\"dram_bytes\": 4"),
            "segment insns: ",
        ),
        (
            with_manifest("\"name\": \"insns\"", "\"name\": \"../insns\""),
            "segment 0 is named \"../insns\"",
        ),
        (
            with_manifest("data/insns.bin", "data/scratch.bin"),
            "manifest.json: segment insns: data_file",
        ),
    ];
    for (i, (bytes, want)) in cases.iter().enumerate() {
        let got = message(bytes);
        assert!(got.starts_with(want), "case {i}: {got}\nis not\n{want}");
    }
}

#[test]
fn a_small_archive_cannot_take_much_memory() {
    // A gigabyte of zeros would deflate to a megabyte; the manifest says 96 bytes.
    let bomb = rebuilt(|n, d| {
        Some(if n == "data/insns.bin" {
            vec![0; 64 << 20]
        } else {
            d
        })
    });
    assert!(bomb.len() < 1 << 20);
    assert!(matches!(
        Program::from_bytes(&bomb),
        Err(BundleError::TooLarge { .. })
    ));
}

#[test]
fn programs_that_make_no_sense_are_refused() {
    let check = |change: &dyn Fn(&mut Program), want: &str| {
        let mut p = two_launches();
        change(&mut p);
        let got = p.validate().unwrap_err().to_string();
        assert!(got.contains(want), "{got}\nis not\n{want}");
    };
    fn launch(p: &mut Program) -> &mut vta_program::program::Launch {
        let vta_program::program::Step::Launch(l) = &mut p.steps[0] else {
            unreachable!("the first step is a launch");
        };
        l
    }
    check(
        &|p| p.segments[1].addr = 4100,
        "segment scratch at 4100 starts before segment insns ends",
    );
    check(
        &|p| p.segments.swap(0, 1),
        "starts before segment scratch ends",
    );
    check(
        &|p| p.segments[1].bytes = u32::MAX,
        "outside the 12288 bytes of DRAM",
    );
    check(
        &|p| p.segments[1].data = vec![0; 5000],
        "5000 bytes of data do not fit its 4096 bytes",
    );
    check(
        &|p| p.segments[1].name = "INSNS".into(),
        "segment name INSNS is there twice",
    );
    check(
        &|p| launch(p).name = "second".into(),
        "launch name second is there twice",
    );
    check(
        &|p| launch(p).name = "a/b".into(),
        "launch 0 is named \"a/b\"",
    );
    check(
        &|p| launch(p).insn_addr = 4100,
        "4100 is not a multiple of 8",
    );
    check(
        &|p| launch(p).insn_count = 0,
        "launch first has no instructions",
    );
    check(
        &|p| launch(p).insn_count = u32::MAX,
        "past the 12288 bytes of DRAM",
    );
    check(
        &|p| launch(p).insn_addr = 0,
        "no segment holds its 2 instructions at 0",
    );
    check(
        &|p| launch(p).outputs = vec![(8192, 16), (12280, 16)],
        "output 1, 16 bytes at 12280",
    );
    check(
        &|p| launch(p).symbols[0].count = 3,
        "symbol \"load\", 3 instructions from 0",
    );
    check(
        &|p| launch(p).symbols.reverse(),
        "symbol \"load\", 1 instructions from 0, is out of order",
    );
    check(&|p| p.config.block = 15, "configuration de10: block");
    check(
        &|p| p.dram_bytes = MAX_DRAM_BYTES + 1,
        "more than 1073741824",
    );
}

#[test]
fn an_image_is_a_program() {
    let config = HwConfig::default();
    let p = Program::from_image(vec![7; 64], 16, 3, vec![(0, 16)], config.clone()).unwrap();
    assert_eq!(p.dram_image(), vec![7; 64]);
    let short = Program::from_image(vec![7; 64], 16, 4, vec![], config);
    assert!(matches!(
        short,
        Err(ProgramError::InsnRange { end: 80, .. })
    ));
}

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(bytes);

proptest! {
    #[test]
    fn names_are_made_safe(text in ".{0,120}") {
        prop_assert!(is_name(&safe_name(&text)));
    }

    #[test]
    fn no_corruption_makes_the_reader_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = WHOLE.clone();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        // What is still read is the program: a flip may hit what has no meaning.
        if let Ok(read) = Program::from_bytes(&bytes) {
            prop_assert_eq!(read, two_launches());
        }
    }

    #[test]
    fn no_manifest_makes_the_reader_panic(
        at in any::<prop::sample::Index>(),
        insert in "[0-9a-z\"\\[\\]{}:,.\\-]{0,6}",
        cut in 0usize..12,
    ) {
        let bytes = rebuilt(|name, data| {
            if name != "manifest.json" {
                return Some(data);
            }
            let at = at.index(data.len());
            let end = (at + cut).min(data.len());
            Some([&data[..at], insert.as_bytes(), &data[end..]].concat())
        });
        if let Ok(read) = Program::from_bytes(&bytes) {
            prop_assert!(read.validate().is_ok());
        }
    }
}
