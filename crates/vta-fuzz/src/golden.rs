//! Golden cases: `case.json`, and the packed parts.

use crate::data::parts;
use flate2::{Compression, write::GzEncoder};
use std::cell::OnceCell;
use std::fs;
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;
use vta_sim::golden::{Observed, compare, find};
use vta_test_support::golden::{TRACE, finish_dram, pack};

thread_local! {
    /// A folder for the cases of this thread, with the parts that a case needs.
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    fs::create_dir(dir.path().join("case")).expect("folders can be made");
    let part = |name: &str| dir.path().join("case").join(name);
    pack(&part("dram.bin.gz"), &finish_dram());
    dir
}

pub(crate) fn run(data: &[u8]) {
    FOLDER.with(|folder_of| {
        let dir = folder_of.get_or_init(folder).path();
        case(dir, data);
    });
}

fn packed(part: &[u8], otherwise: &[u8]) -> Vec<u8> {
    match part {
        [] => {
            let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
            gz.write_all(otherwise).expect("memory can be written");
            gz.finish().expect("memory can be written")
        }
        some => some.to_vec(),
    }
}

fn case(dir: &Path, data: &[u8]) {
    let [json, out, trace] = parts::<3>(data);
    let write = |name: &str, bytes: &[u8]| {
        fs::write(dir.join("case").join(name), bytes).expect("files can be written");
    };
    write("case.json", json);
    let mut outputs = vec![7; 16];
    outputs.extend([0; 8]);
    write("out.bin.gz", &packed(out, &outputs));
    write("trace.de10.csv.gz", &packed(trace, TRACE.as_bytes()));
    let found = find(dir).expect("the folder can be read");
    assert_eq!(found.cases.len() + found.unreadable.len(), 1);
    for e in &found.unreadable {
        assert!(e.path.starts_with(dir), "{e}");
    }
    for case in &found.cases {
        assert!(!case.expected.is_empty());
        for (config, expected) in &case.expected {
            let inputs = match case.inputs(config, expected) {
                Ok(inputs) => inputs,
                Err(e) => {
                    assert!(e.path.starts_with(dir), "{e}");
                    continue;
                }
            };
            assert_eq!(inputs.dram.len(), case.dram_bytes as usize);
            // A run that shows just what is expected has no difference.
            let mut dram = inputs.dram.clone();
            let mut rest = inputs.out.as_deref().unwrap_or_default();
            let mut apart = true;
            let mut ranges: Vec<(u32, u32)> = case.outputs.clone();
            ranges.sort_unstable();
            for w in ranges.windows(2) {
                apart &= u64::from(w[0].0) + u64::from(w[0].1) <= w[1].0.into();
            }
            for &(addr, bytes) in &case.outputs {
                let n = (bytes as usize).min(rest.len());
                dram[addr as usize..addr as usize + n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
            }
            let mut seen = Observed {
                status: expected.status,
                where_: expected.where_.clone(),
                cycles: expected.cycles.unwrap_or(5),
                acc_writes: expected.acc_writes.unwrap_or(5),
                dram,
                trace: inputs.trace.clone(),
            };
            let none = compare(case, expected, &inputs, &seen);
            assert!(none.is_empty() || !apart, "{none:?}");
            seen.cycles = seen.cycles.wrapping_add(1);
            let some = compare(case, expected, &inputs, &seen);
            assert_eq!(
                some.len(),
                none.len() + usize::from(expected.cycles.is_some())
            );
            assert!(some.iter().all(|d| !d.to_string().is_empty()));
        }
    }
}
