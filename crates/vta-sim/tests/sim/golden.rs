//! Golden cases: what is read, what is compared, and how differences are shown.

use serde_json::json;
use std::path::Path;
use vta_sim::golden::{Case, Observed, Report, Request, Status, find, run};
use vta_test_support::golden::{TRACE, finish_dram, finish_json, pack, write_case};

/// A runner that does what [`vta_test_support::golden::finish_case`] expects.
fn right(r: Request<'_>) -> Result<Observed, String> {
    Ok(Observed {
        status: Status::Ok,
        where_: None,
        cycles: if r.config.name == "de10" { 27 } else { 26 },
        acc_writes: 0,
        dram: r.dram,
        trace: r.trace.then(|| TRACE.to_owned()),
    })
}

fn cases(dir: &Path) -> Vec<Case> {
    let found = find(dir).unwrap();
    assert_eq!(found.unreadable, []);
    found.cases
}

/// The differences of one case against a runner.
fn differences(change: impl Fn(&mut Observed) + Sync) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    write_case(&dir.path().join("fetch/000"), &finish_json());
    messages(&run(&cases(dir.path()), 2, &|r| {
        let mut seen = right(r)?;
        change(&mut seen);
        Ok(seen)
    }))
}

fn messages(report: &Report) -> Vec<String> {
    let each = report.results.iter();
    each.flat_map(|r| {
        r.differences
            .iter()
            .map(move |d| format!("{} {}: {d}", r.name, r.config))
    })
    .collect()
}

#[test]
fn a_simulator_that_is_right_passes() {
    assert_eq!(differences(|_| {}), [""; 0]);
}

#[test]
fn differences_are_told_precisely() {
    assert_eq!(
        differences(|s| s.cycles += 1),
        [
            "fetch/000 de10: cycles: expected 27, found 28",
            "fetch/000 wide512: cycles: expected 26, found 27"
        ]
    );
    assert_eq!(
        differences(|s| s.acc_writes = 5)[0],
        "fetch/000 de10: acc_writes: expected 0, found 5"
    );
    assert_eq!(
        differences(|s| s.status = Status::Hang)[0],
        "fetch/000 de10: status: expected ok, found hang"
    );
    assert_eq!(
        differences(|s| s.dram[130..134].fill(9)),
        [
            "fetch/000 de10: output 1: 4 bytes differ; first at 130 (byte 2): expected 0x00, found 0x09",
            "fetch/000 wide512: output 1: 4 bytes differ; first at 130 (byte 2): expected 0x00, found 0x09"
        ]
    );
    assert_eq!(
        differences(|s| s.dram.truncate(70))[0],
        "fetch/000 de10: dram: expected 8192 bytes, found 70"
    );
    assert_eq!(
        differences(|s| s.trace = s.trace.take().map(|t| t.replace("21,,1", "22,,1"))),
        ["fetch/000 de10: trace row 3: expected r,mem,0,21,,1,, found r,mem,0,22,,1,"]
    );
    assert_eq!(
        differences(|s| s.trace = s.trace.take().map(|t| t + "more\n")),
        ["fetch/000 de10: trace row 5: expected no row, found more"]
    );
}

#[test]
fn a_runner_that_fails_is_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    write_case(&dir.path().join("fetch/000"), &finish_json());
    let report = run(&cases(dir.path()), 1, &|_| Err("no".into()));
    assert_eq!(messages(&report)[0], "fetch/000 de10: not run: no");
}

#[test]
fn a_simulator_that_panics_is_a_difference_in_that_case_only() {
    let dir = tempfile::tempdir().unwrap();
    write_case(&dir.path().join("fetch/000"), &finish_json());
    let report = run(&cases(dir.path()), 1, &|r| {
        assert!(r.config.name == "de10", "cycle 5: {}", "load");
        right(r)
    });
    assert_eq!(
        messages(&report),
        ["fetch/000 wide512: not run: the simulator panics: cycle 5: load"]
    );
}

#[test]
fn bytes_are_not_compared_where_they_are_not_defined() {
    let dir = tempfile::tempdir().unwrap();
    for family in ["racy", "deadlock", "queue", "core-b32/queue"] {
        let mut json = finish_json();
        json["name"] = json!(format!("{}/000", family.rsplit('/').next().unwrap()));
        write_case(&dir.path().join(family).join("000"), &json);
    }
    let mut json = finish_json();
    json["expected"]["wide512"]["out_differs_between_configs"] = json!(true);
    write_case(&dir.path().join("store/000"), &json);
    let report = run(&cases(dir.path()), 3, &|r| {
        let mut seen = right(r)?;
        seen.dram[64] = 0;
        Ok(seen)
    });
    assert_eq!(
        messages(&report),
        [
            "store/000 de10: output 0: 1 bytes differ; first at 64 (byte 0): expected 0x07, found 0x00"
        ]
    );
}

#[test]
fn the_unit_of_an_assertion_is_compared_where_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let mut json = finish_json();
    json["expected"] = json!({
        "de10": { "status": "assert", "where": "core.fetch.fetch" },
        "wide512": { "status": "hang" },
    });
    write_case(&dir.path().join("illegal/000"), &json);
    let report = run(&cases(dir.path()), 1, &|r| {
        let de10 = r.config.name == "de10";
        let mut seen = right(r)?;
        seen.status = if de10 { Status::Assert } else { Status::Hang };
        seen.where_ = Some("core.load".into());
        Ok(seen)
    });
    assert_eq!(
        messages(&report),
        ["illegal/000 de10: where: expected core.fetch.fetch, found core.load"]
    );
}

#[test]
fn families_are_summed_whatever_the_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    for case in ["fetch/000", "fetch/001", "core-small/fetch/000", "alu/000"] {
        write_case(&dir.path().join(case), &finish_json());
    }
    let cases = cases(dir.path());
    let report = run(&cases, 1, &right);
    assert_eq!(report, run(&cases, 7, &right));
    let rows: Vec<String> = report
        .families()
        .iter()
        .map(|f| {
            format!(
                "{} {} {}/{} {}",
                f.family, f.config, f.passed, f.cases, f.cycles
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            "alu de10 1/1 27",
            "alu wide512 1/1 26",
            "core-small/fetch de10 1/1 27",
            "core-small/fetch wide512 1/1 26",
            "fetch de10 2/2 54",
            "fetch wide512 2/2 52"
        ]
    );
}

#[test]
fn a_family_or_a_case_alone_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write_case(&dir.path().join("racy/000"), &finish_json());
    for folder in ["racy", "racy/000"] {
        let found = cases(&dir.path().join(folder));
        assert_eq!((found.len(), found[0].name.as_str()), (1, "fetch/000"));
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let broken = |name: &str, key: &str, value| {
        let mut json = finish_json();
        json[key] = value;
        write_case(&at(name), &json);
    };
    broken("a/000", "insn_addr", json!(-1));
    broken("a/001", "outputs", json!([[8190, 16]]));
    broken("a/002", "expected", json!({ "huge": { "status": "ok" } }));
    broken("a/003", "expected", json!({}));
    broken("a/004", "dram_bytes", json!(4000000000u32));
    write_case(&at("a/005"), &finish_json());
    std::fs::remove_file(at("a/005/case.json")).unwrap();
    let found = find(dir.path()).unwrap();
    let messages: Vec<String> = found.unreadable.iter().map(|e| e.what.clone()).collect();
    assert!(
        messages[0].contains("invalid value: integer `-1`, expected u32"),
        "{}",
        messages[0]
    );
    assert_eq!(
        messages[1..],
        [
            "output of 16 bytes at 8190 is outside DRAM",
            "configuration huge is not built in",
            "nothing is expected in any configuration",
            "dram_bytes is more than 1073741824",
            "there is a DRAM image, but no case.json"
        ]
    );
    assert!(find(&at("nowhere")).is_err());
}

#[test]
fn damaged_files_of_a_case_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let case = dir.path().join("fetch/000");
    let unreadable = |name: &str, bytes: &[u8]| {
        write_case(&case, &finish_json());
        std::fs::write(case.join(name), bytes).unwrap();
        let report = run(&cases(dir.path()), 1, &right);
        assert!(!report.passed());
        report.unreadable().map(ToString::to_string).next().unwrap()
    };
    assert!(unreadable("dram.bin.gz", b"hello").contains("dram.bin.gz"));
    assert!(unreadable("out.bin.gz", b"").contains("out.bin.gz"));
    assert!(unreadable("trace.de10.csv.gz", b"\x1f\x8b").contains("trace.de10.csv.gz"));
    write_case(&case, &finish_json());
    pack(&case.join("dram.bin.gz"), &finish_dram()[1..]);
    let report = run(&cases(dir.path()), 1, &right);
    assert!(
        report
            .unreadable()
            .next()
            .unwrap()
            .what
            .contains("other than the 8192 bytes")
    );
}
