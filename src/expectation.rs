//! What the maker of a program expects of it, against what the hardware gives.

use crate::simulate::SimError;
use crate::{Error, Program};
use vta_program::mem::Dram;
use vta_program::program::Launch;
use vta_program::standalone::EXPECTED;
use vta_sim::fsim::Limits;
use vta_sim::fsim::upstream::{self, Effect};
use vta_sim::tsim::{self, NoSink, Options, Status};

/// Bytes that two sides have, side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// How many differ.
    pub count: u64,
    /// The first: its place, what is expected, what is there.
    pub first: Option<(u64, u8, u8)>,
}

/// What a program's maker expects, and what there is instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The file that says it.
    pub file: &'static str,
    /// Bytes that it has.
    pub bytes: u64,
    /// How the run on the hardware ended.
    pub status: Status,
    /// Against the hardware.
    pub hardware: Apart,
    /// Against upstream's functional simulator.
    pub upstream: Apart,
    /// Where that simulator and the hardware differ on the way.
    pub effects: Vec<Effect>,
    /// Whether both came to FINISH in program order.
    pub whole: bool,
}

impl Expectation {
    /// Whether the hardware gives what is expected.
    pub fn is_met(&self) -> bool {
        self.status == Status::Ok && self.hardware.count == 0
    }
}

fn apart(dram: &Dram, addr: u32, expected: &[u8]) -> Apart {
    let found = dram.read(addr.into(), expected.len() as u64);
    let pairs = || expected.iter().zip(found.unwrap_or_default());
    let first = (0..).zip(pairs()).find(|(_, (e, f))| e != f);
    Apart {
        count: pairs().filter(|(e, f)| e != f).count() as u64,
        first: first.map(|(at, (e, f))| (at, *e, *f)),
    }
}

impl Program {
    /// What the program's maker expects of it, if it came with that
    /// (`docs/bundle.md`, folders of other compilers): the program runs on the
    /// hardware, and as upstream's functional simulator runs it.
    ///
    /// # Errors
    /// A launch that cannot start or leaves DRAM.
    pub fn expectation(&self, max_cycles: u64) -> Result<Option<Expectation>, Error> {
        let Some((expected, launch)) = self.expected().zip(self.launches().next()) else {
            return Ok(None);
        };
        let Some(&(addr, _)) = launch.outputs.first() else {
            return Ok(None);
        };
        let &Launch {
            insn_addr,
            insn_count,
            ..
        } = launch;
        let at_start = Dram::new(self.dram_image());
        let mut dram = at_start.clone();
        let options = Options {
            max_cycles,
            ..Options::default()
        };
        let run = tsim::run(
            &self.config,
            &mut dram,
            insn_addr,
            insn_count,
            options,
            &mut NoSink,
        );
        let run = run.map_err(SimError::from)?;
        let limits = Limits { steps: max_cycles };
        let insns = (insn_addr, insn_count);
        let both = upstream::compare(&self.config, &at_start, insns, limits);
        let both = both.map_err(SimError::from)?;
        Ok(Some(Expectation {
            file: EXPECTED,
            bytes: expected.len() as u64,
            status: run.status,
            hardware: apart(&dram, addr, expected),
            upstream: apart(&both.upstream, addr, expected),
            effects: both.effects,
            whole: both.stop == vta_sim::fsim::Stop::Finish,
        }))
    }
}
