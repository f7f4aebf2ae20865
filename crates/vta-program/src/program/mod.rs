//! A program: one DRAM, and the steps that run on it.
//!
//! A program is kept in a bundle (`docs/bundle.md`): [`Program::save`] and
//! [`Program::load`]. [`export`] writes raw DRAM images for other simulators.

pub mod atomic;
mod bundle;
mod bundle_error;
pub mod export;
mod fit;
mod host_step;
mod manifest;
mod network;
mod region;
mod runs;
mod validate;
mod validate_network;

pub use bundle::is_bundle;
pub use bundle_error::BundleError;
pub use fit::Misfit;
pub use host_step::HostStepError;
pub use manifest::sha256;
pub use network::{HostStep, Layer, Layout, On, Region, WeightMap};
pub use region::RegionError;
pub use validate::{MAX_DRAM_BYTES, MAX_OUTPUT_BYTES, ProgramError, is_name, safe_name};

use crate::config::HwConfig;
use crate::isa::{Illegal, Insn};
use std::ops::Range;

/// A whole program: what DRAM holds before the first step, and the steps in order.
///
/// All steps share one DRAM, as on a board: a launch finds what the steps
/// before it left.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// The hardware that it was made for.
    pub config: HwConfig,
    /// Bytes of DRAM from physical address 0.
    pub dram_bytes: u32,
    /// What DRAM holds at the start, in order of address, not overlapping;
    /// the rest is zero.
    pub segments: Vec<Segment>,
    /// Device launches and host steps, in order.
    pub steps: Vec<Step>,
    /// Inputs of the network, for programs of networks.
    pub inputs: Vec<Region>,
    /// Outputs of the network.
    pub outputs: Vec<Region>,
    /// Layers of the network, in execution order.
    pub layers: Vec<Layer>,
}

/// A named piece of DRAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Name, unique in the program (`insns`, `weights`, ...).
    pub name: String,
    /// What the bytes are.
    pub kind: SegmentKind,
    /// Byte address.
    pub addr: u32,
    /// Length in bytes; `data` may be shorter, the rest is zero.
    pub bytes: u32,
    /// Initial contents.
    pub data: Vec<u8>,
}

/// What the bytes of a segment are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SegmentKind {
    /// Instructions.
    Insn,
    /// Micro-ops.
    Uop,
    /// Input elements.
    Inp,
    /// Weight elements.
    Wgt,
    /// Accumulator elements.
    Acc,
    /// Output elements.
    Out,
    /// A raw image.
    Raw,
}

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Run instructions on the device until FINISH.
    Launch(Launch),
    /// Compute something on the host.
    Host(HostStep),
}

/// Instructions for the device, and where the results are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Name, unique in the program.
    pub name: String,
    /// Byte address of the first instruction.
    pub insn_addr: u32,
    /// Number of instructions.
    pub insn_count: u32,
    /// What the launch leaves for its reader, in order: `(byte address, bytes)`.
    pub outputs: Vec<(u32, u32)>,
    /// Which instructions belong to which layer, in order of `first`.
    pub symbols: Vec<Symbol>,
}

/// A named range of instructions of a launch.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Symbol {
    /// Name, for example of the layer.
    pub name: String,
    /// First instruction.
    pub first: u32,
    /// Number of instructions.
    pub count: u32,
}

impl Program {
    /// DRAM before the first step.
    ///
    /// Segments past `dram_bytes` are cut off; [`Program`] values made by this
    /// crate have none.
    pub fn dram_image(&self) -> Vec<u8> {
        let mut image = vec![0; self.dram_bytes as usize];
        self.write_segments(&mut image);
        image
    }

    /// Writes the contents of its segments to an image; gives where they are.
    pub fn write_segments(&self, image: &mut [u8]) -> Vec<Range<usize>> {
        let write = |s: &Segment| {
            let from = (s.addr as usize).min(image.len());
            let to = (from + s.data.len()).min(image.len());
            image[from..to].copy_from_slice(&s.data[..to - from]);
            from..to
        };
        self.segments.iter().map(write).collect()
    }

    /// Whether it says more than launches: host steps, tensors or layers.
    pub fn is_network(&self) -> bool {
        let host = |s: &Step| matches!(s, Step::Host(_));
        let tensors = !self.inputs.is_empty() || !self.outputs.is_empty();
        tensors || !self.layers.is_empty() || self.steps.iter().any(host)
    }

    /// The launches, in order.
    pub fn launches(&self) -> impl Iterator<Item = &Launch> {
        self.steps.iter().filter_map(|s| match s {
            Step::Launch(l) => Some(l),
            Step::Host(_) => None,
        })
    }
}

impl Launch {
    /// The launch's instruction words in a DRAM image; fewer than
    /// `insn_count` if the image ends before.
    pub fn words<'a>(&self, image: &'a [u8]) -> impl Iterator<Item = u128> + 'a {
        let from = (self.insn_addr as usize).min(image.len());
        image[from..]
            .chunks_exact(16)
            .take(self.insn_count as usize)
            .map(|w| u128::from_le_bytes(w.try_into().unwrap_or_default()))
    }

    /// The launch's instructions in a DRAM image.
    pub fn insns<'a>(&self, image: &'a [u8]) -> impl Iterator<Item = Result<Insn, Illegal>> + 'a {
        self.words(image).map(Insn::decode)
    }
}
