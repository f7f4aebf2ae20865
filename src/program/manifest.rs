//! `manifest.json` of a bundle.

use super::{HostStep, Launch, Layer, Program, Region, SegmentKind, Step, Symbol};
use crate::config::ConfigKeys;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The `format` of every manifest.
pub(super) const FORMAT: &str = "vta-program";

/// The version that this program writes, and the newest that it reads.
pub(super) const VERSION: u64 = 1;

/// What every version's manifest starts with.
#[derive(Deserialize)]
pub(super) struct Head {
    pub format: String,
    pub version: u64,
}

/// The manifest; `C` holds the keys of the configuration.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest<C> {
    pub format: String,
    pub version: u64,
    pub config_name: String,
    pub config: C,
    pub dram_bytes: u32,
    pub segments: Vec<SegmentEntry>,
    pub steps: Vec<StepEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Region>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Region>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
}

/// A segment; its data are a file of their own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentEntry {
    pub name: String,
    pub kind: SegmentKind,
    pub addr: u32,
    pub bytes: u32,
    pub data_file: String,
    pub data_bytes: u32,
    pub data_sha256: String,
}

/// A step.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum StepEntry {
    Launch(LaunchEntry),
    Host(HostStep),
}

/// A launch.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaunchEntry {
    pub name: String,
    pub insn_addr: u32,
    pub insn_count: u32,
    pub outputs: Vec<(u32, u32)>,
    pub symbols: Vec<Symbol>,
}

/// Readable by the reader: the configuration's keys as the file has them.
pub(super) type ReadManifest = Manifest<ConfigKeys>;

/// The SHA-256 of some bytes, in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// The entry that holds a segment's data.
pub(super) fn data_file(segment: &str) -> String {
    format!("data/{segment}.bin")
}

impl Manifest<serde_json::Map<String, serde_json::Value>> {
    pub(super) fn of(program: &Program) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            config_name: program.config.name.clone(),
            config: program.config.to_keys(),
            dram_bytes: program.dram_bytes,
            segments: program
                .segments
                .iter()
                .map(|s| SegmentEntry {
                    name: s.name.clone(),
                    kind: s.kind,
                    addr: s.addr,
                    bytes: s.bytes,
                    data_file: data_file(&s.name),
                    data_bytes: s.data.len() as u32,
                    data_sha256: sha256(&s.data),
                })
                .collect(),
            steps: program
                .steps
                .iter()
                .map(|step| match step {
                    Step::Launch(l) => StepEntry::Launch(LaunchEntry {
                        name: l.name.clone(),
                        insn_addr: l.insn_addr,
                        insn_count: l.insn_count,
                        outputs: l.outputs.clone(),
                        symbols: l.symbols.clone(),
                    }),
                    Step::Host(h) => StepEntry::Host(h.clone()),
                })
                .collect(),
            inputs: program.inputs.clone(),
            outputs: program.outputs.clone(),
            layers: program.layers.clone(),
        }
    }
}

impl From<StepEntry> for Step {
    fn from(entry: StepEntry) -> Self {
        let l = match entry {
            StepEntry::Launch(l) => l,
            StepEntry::Host(h) => return Self::Host(h),
        };
        Self::Launch(Launch {
            name: l.name,
            insn_addr: l.insn_addr,
            insn_count: l.insn_count,
            outputs: l.outputs,
            symbols: l.symbols,
        })
    }
}
