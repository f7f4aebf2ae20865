//! `manifest.json` of a bundle.

use super::runs::{self, BadRuns};
use super::{HostStep, Launch, Layer, On, Program, Region, SegmentKind, Step, Symbol, WeightMap};
use crate::config::ConfigKeys;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The `format` of every manifest.
pub(super) const FORMAT: &str = "vta-program";

/// The version of programs of launches alone.
pub(super) const VERSION_LAUNCHES: u64 = 1;

/// The version of programs of networks, and the newest that is read.
pub(super) const VERSION: u64 = 2;

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
    pub layers: Vec<LayerEntry>,
}

/// A layer; what it says is in [`Layer`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerEntry {
    pub name: String,
    pub op: String,
    pub on: On,
    pub step: u32,
    pub why: String,
    pub blocks: u64,
    pub kept: u64,
    pub macs: u64,
    pub compute_floor: u64,
    pub memory_floor: u64,
    pub output: Region,
    pub weights: Option<WeightEntry>,
}

/// Where a layer's weights lie; the long list is short text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WeightEntry {
    pub addr: u32,
    pub count: u32,
    pub mask_dims: Vec<usize>,
    pub mask: String,
    pub block_of: String,
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
pub fn sha256(bytes: &[u8]) -> String {
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
            version: if program.is_network() {
                VERSION
            } else {
                VERSION_LAUNCHES
            },
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
            layers: program.layers.iter().map(LayerEntry::of).collect(),
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

impl<C> Manifest<C> {
    /// Whether there is something that only networks have.
    pub(super) fn is_network(&self) -> bool {
        let host = |s: &StepEntry| matches!(s, StepEntry::Host(_));
        let tensors = !self.inputs.is_empty() || !self.outputs.is_empty();
        tensors || !self.layers.is_empty() || self.steps.iter().any(host)
    }
}

impl LayerEntry {
    fn of(l: &Layer) -> Self {
        Self {
            name: l.name.clone(),
            op: l.op.clone(),
            on: l.on,
            step: l.step,
            why: l.why.clone(),
            blocks: l.blocks,
            kept: l.kept,
            macs: l.macs,
            compute_floor: l.compute_floor,
            memory_floor: l.memory_floor,
            output: l.output.clone(),
            weights: l.weights.as_ref().map(|w| WeightEntry {
                addr: w.addr,
                count: w.count,
                mask_dims: w.mask_dims.clone(),
                mask: w.mask.clone(),
                block_of: runs::encode(&w.block_of),
            }),
        }
    }

    /// The layer, with its list unpacked; the caller knows that memory suffices.
    pub(super) fn layer(self) -> Result<Layer, BadRuns> {
        let unpack = |w: WeightEntry| {
            // A layer without a mask says nothing of blocks.
            let count = if w.mask_dims.is_empty() { 0 } else { w.count };
            Ok(WeightMap {
                addr: w.addr,
                count: w.count,
                mask_dims: w.mask_dims,
                mask: w.mask,
                block_of: runs::decode(&w.block_of, count as usize)?,
            })
        };
        Ok(Layer {
            name: self.name,
            op: self.op,
            on: self.on,
            step: self.step,
            why: self.why,
            blocks: self.blocks,
            kept: self.kept,
            macs: self.macs,
            compute_floor: self.compute_floor,
            memory_floor: self.memory_floor,
            output: self.output,
            weights: self.weights.map(unpack).transpose()?,
        })
    }
}
