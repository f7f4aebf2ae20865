//! Small golden cases.

use super::programs::{encode, finish};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// The rows that the hardware has for [`finish_case`].
pub const TRACE: &str = "event,module,index,start,end,a,b\n\
ar,mem,0,2,,4096,1\n\
r,mem,0,20,,0,\n\
r,mem,0,21,,1,\n\
dispatch,fetch,,23,,co,\n";

/// Writes a gzip file.
///
/// # Panics
///
/// If it cannot be written.
pub fn pack(path: &Path, bytes: &[u8]) {
    let file = std::fs::File::create(path).expect("files can be written");
    let mut gz = GzEncoder::new(file, Compression::fast());
    gz.write_all(bytes).expect("files can be written");
    gz.finish().expect("files can be written");
}

/// DRAM with a FINISH at 4096, and 16 bytes of something at 64.
pub fn finish_dram() -> Vec<u8> {
    let mut dram = vec![0; 8192];
    dram[4096..4112].copy_from_slice(&encode(&[finish()]));
    dram[64..80].fill(7);
    dram
}

/// The `case.json` of a single FINISH.
pub fn finish_json() -> Value {
    json!({
        "name": "fetch/000", "insn_addr": 4096, "insn_count": 1, "dram_bytes": 8192,
        "max_cycles": 60000, "outputs": [[64, 16], [128, 8]],
        "expected": {
            "de10": { "status": "ok", "cycles": 27, "acc_writes": 0 },
            "wide512": { "status": "ok", "cycles": 26, "acc_writes": 0 },
        },
    })
}

/// Writes the case of a single FINISH.
///
/// # Panics
///
/// If it cannot be written.
pub fn finish_case(dir: &Path) {
    write_case(dir, &finish_json());
}

/// Writes a case with the DRAM, outputs and trace of [`finish_case`].
///
/// # Panics
///
/// If it cannot be written.
pub fn write_case(dir: &Path, json: &Value) {
    std::fs::create_dir_all(dir).expect("folders can be made");
    std::fs::write(dir.join("case.json"), json.to_string()).expect("files can be written");
    pack(&dir.join("dram.bin.gz"), &finish_dram());
    let mut out = vec![7; 16];
    out.extend([0; 8]);
    pack(&dir.join("out.bin.gz"), &out);
    pack(&dir.join("trace.de10.csv.gz"), TRACE.as_bytes());
}
