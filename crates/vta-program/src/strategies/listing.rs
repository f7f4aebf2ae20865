//! A program as a list of words over data from a seed.

use crate::config::HwConfig;
use crate::isa::{Insn, MemoryType, Uop};
use crate::mem::Dram;
use crate::program::{Launch, Program, Segment, SegmentKind, Step};
use std::fmt;

/// Bytes of DRAM of every [`Listing`].
pub const DRAM_BYTES: u32 = 1 << 20;
/// Byte address of the instructions, if nothing else is said.
pub const INSNS: u32 = 0x1000;
/// Byte address of the region of micro-ops.
pub const UOP: u32 = 0x1_0000;
/// Byte address of the region of inputs.
pub const INP: u32 = 0x2_0000;
/// Byte address of the region of accumulators.
pub const ACC: u32 = 0x4_0000;
/// Byte address of the region that is stored to.
pub const OUT: u32 = 0x6_0000;
/// Byte address of the region of weights.
pub const WGT: u32 = 0x8_0000;

/// The region that loads of a type read, and the bytes of an element.
pub fn region(c: &HwConfig, m: MemoryType) -> (u32, u32) {
    match m {
        MemoryType::Uop => (UOP, c.uop_bytes()),
        MemoryType::Inp => (INP, c.inp_bytes()),
        MemoryType::Wgt => (WGT, c.wgt_bytes()),
        MemoryType::Acc => (ACC, c.acc_bytes()),
    }
}

/// Fills bytes from a seed (xorshift, 64 bits).
pub fn fill(image: &mut [u8], seed: u64) {
    let mut x = seed | 1;
    for b in image {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        *b = x as u8;
    }
}

/// A program of one launch: words at an address, and data that a seed stands for.
///
/// DRAM has a region for each kind of data ([`UOP`], [`INP`], [`ACC`], [`OUT`],
/// [`WGT`]), so that the accesses of the instructions of this module are inside it
/// and no store overwrites what is loaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Listing {
    /// The hardware.
    pub config: HwConfig,
    /// Byte address of the first instruction, a multiple of 8 below [`UOP`].
    pub insn_addr: u32,
    /// The instructions; some may be bits that nothing decodes.
    pub words: Vec<u128>,
    /// The first micro-ops of their region.
    pub uops: Vec<Uop>,
    /// All other bytes of the regions, see [`fill`].
    pub seed: u64,
}

impl Listing {
    /// A program of these words, with random data and micro-ops.
    pub fn new(config: HwConfig, words: Vec<u128>, seed: u64) -> Self {
        Self {
            config,
            insn_addr: INSNS,
            words,
            uops: Vec::new(),
            seed,
        }
    }

    /// The instructions; an error stands for bits that nothing decodes.
    pub fn insns(&self) -> impl Iterator<Item = Result<Insn, crate::isa::Illegal>> {
        self.words.iter().map(|w| Insn::decode(*w))
    }

    /// How many instructions there are.
    ///
    /// # Panics
    ///
    /// If there are more than an address has room for.
    pub fn insn_count(&self) -> u32 {
        u32::try_from(self.words.len()).expect("a short program")
    }

    /// The regions, from [`UOP`] to the end of DRAM.
    ///
    /// # Panics
    ///
    /// If a field of a micro-op is out of range.
    pub fn data(&self) -> Vec<u8> {
        let mut data = vec![0; (DRAM_BYTES - UOP) as usize];
        fill(&mut data, self.seed);
        for (at, u) in data.chunks_exact_mut(4).zip(&self.uops) {
            let bits = u.to_bits().expect("every index is in range");
            at.copy_from_slice(&bits.to_le_bytes());
        }
        data
    }

    /// The program, with a launch `main` whose output is the region [`OUT`].
    ///
    /// # Panics
    ///
    /// As [`Self::data`].
    pub fn program(&self) -> Program {
        let insns: Vec<u8> = self.words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let segment = |name: &str, kind, addr, bytes, data| Segment {
            name: name.into(),
            kind,
            addr,
            bytes,
            data,
        };
        let regions = DRAM_BYTES - UOP;
        Program {
            config: self.config.clone(),
            dram_bytes: DRAM_BYTES,
            segments: vec![
                segment(
                    "insns",
                    SegmentKind::Insn,
                    self.insn_addr,
                    16 * self.insn_count(),
                    insns,
                ),
                segment("data", SegmentKind::Raw, UOP, regions, self.data()),
            ],
            steps: vec![Step::Launch(Launch {
                name: "main".into(),
                insn_addr: self.insn_addr,
                insn_count: self.insn_count(),
                outputs: vec![(OUT, WGT - OUT)],
                symbols: Vec::new(),
            })],
            ..Program::default()
        }
    }

    /// DRAM before the launch.
    ///
    /// # Panics
    ///
    /// As [`Self::data`].
    pub fn dram(&self) -> Dram {
        Dram::new(self.program().dram_image())
    }
}

impl fmt::Debug for Listing {
    /// Instructions instead of numbers, one a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.config)?;
        writeln!(f, "{:#x}, data of seed {}", self.insn_addr, self.seed)?;
        for u in &self.uops {
            writeln!(f, "{u:?}")?;
        }
        for (word, insn) in self.words.iter().zip(self.insns()) {
            match insn {
                Ok(insn) => writeln!(f, "{insn:?}")?,
                Err(_) => writeln!(f, "{word:#034x}")?,
            }
        }
        Ok(())
    }
}
