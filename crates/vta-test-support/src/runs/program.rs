//! A program under construction: instructions and data in a DRAM image.

use super::seen::{Log, Seen};
use vta_program::config::HwConfig;
use vta_program::isa::{Alu, Finish, Gemm, Insn, Load, Store, Uop};
use vta_program::mem::Dram;
use vta_program::strategies::{Listing, UOP};
use vta_sim::fsim;
use vta_sim::tsim::{self, NoSink, Options, Outcome};

/// What may stand in an instruction stream.
pub trait Word {
    /// Its bits.
    fn word(self) -> u128;
}

impl Word for u128 {
    fn word(self) -> u128 {
        self
    }
}

impl Word for Insn {
    fn word(self) -> u128 {
        self.encode().expect("every field is in range")
    }
}

macro_rules! word {
    ($($name:ident),*) => {$(
        impl Word for $name {
            fn word(self) -> u128 {
                Insn::$name(self).word()
            }
        }
    )*};
}
word!(Load, Store, Gemm, Alu, Finish);

/// Instructions and data.
#[derive(Debug, Clone)]
pub struct Program {
    /// The hardware.
    pub cfg: HwConfig,
    /// Where the instructions start.
    pub insn_addr: u32,
    /// Their words.
    pub words: Vec<u128>,
    /// DRAM without the instructions.
    pub image: Vec<u8>,
    /// How to run.
    pub options: Options,
}

impl From<&Listing> for Program {
    /// The same program, to be run for at most 20,000 cycles.
    fn from(listing: &Listing) -> Self {
        let mut p = Self {
            cfg: listing.config.clone(),
            ..Self::of("de10", listing.words.iter().copied())
        };
        p.insn_addr = listing.insn_addr;
        p.data(UOP as usize, &listing.data());
        p.options.max_cycles = 20_000;
        p
    }
}

impl Program {
    /// An empty program for a built-in configuration: instructions at 0x1000,
    /// 1 MiB of zeros.
    pub fn new(config: &str) -> Self {
        Self {
            cfg: HwConfig::built_in(config).expect("a built-in configuration"),
            insn_addr: 0x1000,
            words: Vec::new(),
            image: vec![0; 1 << 20],
            options: Options::default(),
        }
    }

    /// A program of these instructions.
    pub fn of(config: &str, words: impl IntoIterator<Item = u128>) -> Self {
        let mut p = Self::new(config);
        p.words.extend(words);
        p
    }

    /// Appends an instruction.
    pub fn push(&mut self, insn: impl Word) -> &mut Self {
        self.words.push(insn.word());
        self
    }

    /// Appends an instruction several times.
    pub fn repeat(&mut self, n: usize, insn: impl Word) -> &mut Self {
        let word = insn.word();
        self.words.extend(std::iter::repeat_n(word, n));
        self
    }

    /// Puts bytes into DRAM.
    pub fn data(&mut self, addr: usize, bytes: &[u8]) -> &mut Self {
        self.image[addr..addr + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Puts micro-ops into DRAM.
    pub fn uops(&mut self, addr: usize, uops: &[Uop]) -> &mut Self {
        for (i, u) in uops.iter().enumerate() {
            let bits = u.to_bits().expect("every index is in range");
            self.data(addr + 4 * i, &bits.to_le_bytes());
        }
        self
    }

    /// Puts vectors of equal 32-bit lanes into DRAM.
    pub fn accs(&mut self, addr: usize, lanes: &[i32]) -> &mut Self {
        let block = self.cfg.block as usize;
        for (i, lane) in lanes.iter().enumerate() {
            let bytes = lane.to_le_bytes().repeat(block);
            self.data(addr + i * 4 * block, &bytes);
        }
        self
    }

    /// The whole DRAM before the run.
    pub fn dram(&self) -> Dram {
        let mut image = self.image.clone();
        for (i, w) in self.words.iter().enumerate() {
            let at = self.insn_addr as usize + 16 * i;
            image[at..at + 16].copy_from_slice(&w.to_le_bytes());
        }
        Dram::new(image)
    }

    fn insn_count(&self) -> u32 {
        u32::try_from(self.words.len()).expect("a short program")
    }

    /// Runs in cycles; every event goes to the sink.
    pub fn tsim<S: tsim::Sink>(
        &self,
        options: Options,
        sink: &mut S,
    ) -> Result<(Outcome, Dram), tsim::RunError<S::Error>> {
        let mut dram = self.dram();
        let (at, n) = (self.insn_addr, self.insn_count());
        tsim::run(&self.cfg, &mut dram, at, n, options, sink).map(|o| (o, dram))
    }

    /// Runs in cycles, without events.
    pub fn outcome(&self) -> (Outcome, Dram) {
        self.tsim(self.options, &mut NoSink)
            .expect("the program stays inside its DRAM")
    }

    /// Runs in cycles, with everything that happens.
    pub fn run(&self) -> Seen {
        let mut log = Log::default();
        let (outcome, dram) = self
            .tsim(self.options, &mut log)
            .expect("the program stays inside its DRAM");
        Seen::new(outcome, dram, log)
    }

    /// Runs in program order, without time.
    pub fn fsim(&self) -> Result<(fsim::Outcome, Dram), fsim::LeavesDram> {
        let mut dram = self.dram();
        let (at, n) = (self.insn_addr, self.insn_count());
        fsim::run(&self.cfg, &mut dram, at, n, fsim::Limits::default()).map(|o| (o, dram))
    }
}
