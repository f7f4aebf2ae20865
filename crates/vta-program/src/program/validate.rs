//! What holds of every program, wherever it came from.

use super::{HostStepError, Launch, Program, RegionError, Segment, SegmentKind, Step};
use crate::config::{ConfigProblem, HwConfig};
use std::collections::BTreeSet;

/// Largest DRAM of a program: 1 GiB.
pub const MAX_DRAM_BYTES: u32 = 1 << 30;

/// Most bytes of the outputs of all launches together: a run keeps them all. Each byte of DRAM
/// is the output of one launch at most in what a compiler makes.
pub const MAX_OUTPUT_BYTES: u64 = MAX_DRAM_BYTES as u64;

const INSN_BYTES: u64 = 16;
const NAME_CHARS: usize = 100;

/// A program that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The configuration is out of range.
    #[error("configuration {name}: {problem}")]
    Config {
        /// Name of the configuration.
        name: String,
        /// What is wrong with it.
        problem: ConfigProblem,
    },
    /// DRAM is larger than any that is simulated.
    #[error("DRAM has {dram_bytes} bytes, more than {MAX_DRAM_BYTES}")]
    DramBytes {
        /// Bytes of DRAM.
        dram_bytes: u64,
    },
    /// A name that could not be the name of a file.
    #[error(
        "{what} {index} is named {name:?}; a name has 1 to 100 characters of A-Z a-z 0-9 . _ - and does not start with a dot"
    )]
    Name {
        /// `segment` or `launch`.
        what: &'static str,
        /// Its place in the list, from 0.
        index: usize,
        /// The name.
        name: String,
    },
    /// Something without a name.
    #[error("{what} {index} has no name")]
    NoName {
        /// `host step`, `input`, `output` or `layer`.
        what: &'static str,
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A tensor of the network.
    #[error("{of}: {source}")]
    Region {
        /// What it is of.
        of: String,
        /// What is wrong with it.
        source: RegionError,
    },
    /// A host step that cannot be run.
    #[error(transparent)]
    HostStep(#[from] HostStepError),
    /// A layer that is not in the program.
    #[error("layer {layer}: {what}")]
    Layer {
        /// Name of the layer.
        layer: String,
        /// What is wrong with it.
        what: String,
    },
    /// A name that is there twice.
    #[error("{what} name {name} is there twice")]
    DuplicateName {
        /// What is named so.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Outputs that are more than a run can keep.
    #[error("outputs of launches have {bytes} bytes together, more than {MAX_OUTPUT_BYTES}")]
    OutputBytes {
        /// Bytes of all of them.
        bytes: u64,
    },
    /// A segment past the end of DRAM.
    #[error(
        "segment {segment}: {bytes} bytes at {addr} are outside the {dram_bytes} bytes of DRAM"
    )]
    SegmentRange {
        /// Name of the segment.
        segment: String,
        /// Its byte address.
        addr: u32,
        /// Its length.
        bytes: u32,
        /// Bytes of DRAM.
        dram_bytes: u32,
    },
    /// A segment with more data than bytes.
    #[error("segment {segment}: {data_bytes} bytes of data do not fit its {bytes} bytes")]
    SegmentData {
        /// Name of the segment.
        segment: String,
        /// Length of its data.
        data_bytes: u64,
        /// Its length.
        bytes: u32,
    },
    /// A segment that overlaps the one before, or lies below it.
    #[error("segment {segment} at {addr} starts before segment {before} ends at {before_end}")]
    SegmentOrder {
        /// Name of the segment.
        segment: String,
        /// Its byte address.
        addr: u32,
        /// Name of the segment before.
        before: String,
        /// The first byte after that.
        before_end: u64,
    },
    /// A launch without instructions.
    #[error("launch {launch} has no instructions")]
    NoInsns {
        /// Name of the launch.
        launch: String,
    },
    /// Instructions at an address that the hardware cannot fetch from.
    #[error("launch {launch}: instruction address {insn_addr} is not a multiple of 8")]
    InsnAlign {
        /// Name of the launch.
        launch: String,
        /// Byte address of its first instruction.
        insn_addr: u32,
    },
    /// Instructions past the end of DRAM.
    #[error(
        "launch {launch}: {insn_count} instructions at {insn_addr} end at {end}, past the {dram_bytes} bytes of DRAM"
    )]
    InsnRange {
        /// Name of the launch.
        launch: String,
        /// Byte address of its first instruction.
        insn_addr: u32,
        /// Its number of instructions.
        insn_count: u32,
        /// The first byte after the last.
        end: u64,
        /// Bytes of DRAM.
        dram_bytes: u32,
    },
    /// Instructions that no segment holds.
    #[error(
        "launch {launch}: no segment holds its {insn_count} instructions at {insn_addr} (to {end})"
    )]
    InsnSegment {
        /// Name of the launch.
        launch: String,
        /// Byte address of its first instruction.
        insn_addr: u32,
        /// Its number of instructions.
        insn_count: u32,
        /// The first byte after the last.
        end: u64,
    },
    /// An output past the end of DRAM.
    #[error(
        "launch {launch}: output {index}, {bytes} bytes at {addr}, is outside the {dram_bytes} bytes of DRAM"
    )]
    OutputRange {
        /// Name of the launch.
        launch: String,
        /// Its place in the list, from 0.
        index: usize,
        /// Its byte address.
        addr: u32,
        /// Its length.
        bytes: u32,
        /// Bytes of DRAM.
        dram_bytes: u32,
    },
    /// A symbol past the last instruction, or below the symbol before.
    #[error(
        "launch {launch}: symbol {symbol:?}, {count} instructions from {first}, is out of order or past the {insn_count} instructions"
    )]
    SymbolRange {
        /// Name of the launch.
        launch: String,
        /// Name of the symbol.
        symbol: String,
        /// Its first instruction.
        first: u32,
        /// Its number of instructions.
        count: u32,
        /// Instructions of the launch.
        insn_count: u32,
    },
}

/// Whether segments and launches may have this name: it can be a file's name anywhere.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(is_name_byte)
}

/// A legal name that looks like `text`: other characters become `_`.
pub fn safe_name(text: &str) -> String {
    let mut name: String = text
        .chars()
        .map(|c| {
            if c.is_ascii() && is_name_byte(c as u8) {
                c
            } else {
                '_'
            }
        })
        .take(NAME_CHARS)
        .collect();
    if name.is_empty() || name.starts_with('.') {
        name.insert(0, '_');
        name.truncate(NAME_CHARS);
    }
    name
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"._-".contains(&b)
}

fn check_names<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), ProgramError> {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !is_name(name) {
            return Err(ProgramError::Name {
                what,
                index,
                name: name.chars().take(NAME_CHARS).collect(),
            });
        }
        // Names that differ only in case are one file on some systems.
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(ProgramError::DuplicateName {
                what,
                name: name.clone(),
            });
        }
    }
    Ok(())
}

impl Program {
    /// A program with one launch, `main`, in a DRAM image of which nothing
    /// else is known.
    ///
    /// # Errors
    /// The instructions or outputs are not in the image, or the image is too large.
    pub fn from_image(
        dram: Vec<u8>,
        insn_addr: u32,
        insn_count: u32,
        outputs: Vec<(u32, u32)>,
        config: HwConfig,
    ) -> Result<Self, ProgramError> {
        let dram_bytes = u32::try_from(dram.len()).unwrap_or(u32::MAX);
        let program = Self {
            config,
            dram_bytes,
            segments: vec![Segment {
                name: "image".into(),
                kind: SegmentKind::Raw,
                addr: 0,
                bytes: dram_bytes,
                data: dram,
            }],
            steps: vec![Step::Launch(Launch {
                name: "main".into(),
                insn_addr,
                insn_count,
                outputs,
                symbols: Vec::new(),
            })],
            ..Self::default()
        };
        program.validate()?;
        Ok(program)
    }

    /// Checks that the program makes sense: everything is inside DRAM, segments do
    /// not overlap, names are unique, host steps take and give what they say.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ProgramError> {
        self.config
            .check()
            .map_err(|problem| ProgramError::Config {
                name: self.config.name.clone(),
                problem,
            })?;
        if self.dram_bytes > MAX_DRAM_BYTES {
            return Err(ProgramError::DramBytes {
                dram_bytes: self.dram_bytes.into(),
            });
        }
        let outputs = self.launches().flat_map(|l| &l.outputs);
        let bytes: u64 = outputs.map(|o| u64::from(o.1)).sum();
        if bytes > MAX_OUTPUT_BYTES {
            return Err(ProgramError::OutputBytes { bytes });
        }
        check_names("segment", self.segments.iter().map(|s| &s.name))?;
        check_names("launch", self.launches().map(|l| &l.name))?;
        let mut before: Option<&Segment> = None;
        for s in &self.segments {
            self.validate_segment(s, before)?;
            before = Some(s);
        }
        self.launches().try_for_each(|l| self.validate_launch(l))?;
        self.validate_network()
    }

    fn validate_segment(&self, s: &Segment, before: Option<&Segment>) -> Result<(), ProgramError> {
        if s.end() > self.dram_bytes.into() {
            return Err(ProgramError::SegmentRange {
                segment: s.name.clone(),
                addr: s.addr,
                bytes: s.bytes,
                dram_bytes: self.dram_bytes,
            });
        }
        if s.data.len() as u64 > s.bytes.into() {
            return Err(ProgramError::SegmentData {
                segment: s.name.clone(),
                data_bytes: s.data.len() as u64,
                bytes: s.bytes,
            });
        }
        match before {
            Some(b) if b.end() > s.addr.into() => Err(ProgramError::SegmentOrder {
                segment: s.name.clone(),
                addr: s.addr,
                before: b.name.clone(),
                before_end: b.end(),
            }),
            _ => Ok(()),
        }
    }

    fn validate_launch(&self, l: &Launch) -> Result<(), ProgramError> {
        let launch = l.name.clone();
        let (insn_addr, insn_count) = (l.insn_addr, l.insn_count);
        let end = u64::from(insn_addr) + u64::from(insn_count) * INSN_BYTES;
        if insn_count == 0 {
            return Err(ProgramError::NoInsns { launch });
        }
        if insn_addr % 8 != 0 {
            return Err(ProgramError::InsnAlign { launch, insn_addr });
        }
        if end > self.dram_bytes.into() {
            return Err(ProgramError::InsnRange {
                launch,
                insn_addr,
                insn_count,
                end,
                dram_bytes: self.dram_bytes,
            });
        }
        // Segments are in order, so the last that starts before is the only one.
        let before = self.segments.partition_point(|s| s.addr <= insn_addr);
        let segment = before.checked_sub(1).map(|at| &self.segments[at]);
        if segment.is_none_or(|s| end > s.end()) {
            return Err(ProgramError::InsnSegment {
                launch,
                insn_addr,
                insn_count,
                end,
            });
        }
        for (index, &(addr, bytes)) in l.outputs.iter().enumerate() {
            if u64::from(addr) + u64::from(bytes) > self.dram_bytes.into() {
                return Err(ProgramError::OutputRange {
                    launch,
                    index,
                    addr,
                    bytes,
                    dram_bytes: self.dram_bytes,
                });
            }
        }
        let mut from = 0;
        for s in &l.symbols {
            let past = u64::from(s.first) + u64::from(s.count) > insn_count.into();
            if past || s.first < from {
                return Err(ProgramError::SymbolRange {
                    launch,
                    symbol: s.name.clone(),
                    first: s.first,
                    count: s.count,
                    insn_count,
                });
            }
            from = s.first;
        }
        Ok(())
    }
}

impl Segment {
    /// The first byte after the segment.
    pub fn end(&self) -> u64 {
        u64::from(self.addr) + u64::from(self.bytes)
    }
}
