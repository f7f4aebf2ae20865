//! A launch as the checks see it: decoded, and in short words for errors.

use super::error::VerifyError;
use super::names::InsnAt;
use super::tables::Tables;
use vta_program::config::HwConfig;
use vta_program::isa::{Insn, loop_trips};
use vta_program::program::{Launch, Program};
use vta_program::timing::fetch;

/// The instructions of a launch up to FINISH.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub config: &'a HwConfig,
    pub launch: &'a Launch,
    pub insns: Vec<Insn>,
    /// For each instruction, the layer of the network that it is of.
    pub layers: Vec<Option<u32>>,
}

impl<'a> Context<'a> {
    /// Decodes a launch, step `step` of the program.
    ///
    /// # Errors
    /// Words that nothing decodes, no FINISH or something behind it, loops and
    /// transfers that the hardware runs otherwise than they look.
    pub fn new(
        program: &'a Program,
        (step, tables): (usize, &Tables<'_>),
        launch: &'a Launch,
        image: &[u8],
    ) -> Result<Self, Vec<VerifyError>> {
        let name = || launch.name.clone();
        let mut insns = Vec::with_capacity(launch.insn_count as usize);
        let mut errors = Vec::new();
        let mut finished = false;
        for (insn, decoded) in (0..).zip(launch.insns(image)) {
            match decoded {
                Ok(i) if finished => {
                    let at = InsnAt::new(&launch.name, insn, &i);
                    errors.push(VerifyError::AfterFinish { at });
                    break;
                }
                Ok(i) => {
                    finished = matches!(i, Insn::Finish(_));
                    insns.push(i);
                }
                Err(cause) => errors.push(VerifyError::Illegal {
                    launch: name(),
                    insn,
                    cause,
                }),
            }
        }
        if !finished {
            errors.push(VerifyError::NoFinish { launch: name() });
        }
        if launch.insn_addr < program.config.beat_bytes() {
            errors.push(VerifyError::AddressZero {
                launch: name(),
                what: "the fetch of instructions".into(),
            });
        }
        let (addr, count) = (launch.insn_addr, launch.insn_count);
        if let Some(beats) = fetch::counter_wraps(&program.config, addr, count) {
            errors.push(VerifyError::FetchEndsEarly {
                launch: name(),
                addr,
                beats,
            });
        }
        let layers = layers(tables, step, launch);
        let context = Self {
            config: &program.config,
            launch,
            insns,
            layers,
        };
        for i in 0..context.insns.len() {
            errors.extend(context.degenerate(i as u32));
        }
        if errors.is_empty() {
            Ok(context)
        } else {
            Err(errors)
        }
    }

    /// An instruction, for errors.
    pub fn at(&self, insn: u32) -> InsnAt {
        InsnAt::new(&self.launch.name, insn, &self.insns[insn as usize])
    }

    /// A degenerate encoding: a loop of no trips, a transfer of no rows.
    fn degenerate(&self, insn: u32) -> Option<VerifyError> {
        let trips = |iter_out: u16, iter_in: u16, bgn: u16, end: u16| {
            let none = |n: u16| loop_trips(n) != u64::from(n);
            if none(iter_out) {
                Some("iter_out 0")
            } else if none(iter_in) {
                Some("iter_in 0")
            } else if bgn >= end {
                Some("an empty range of micro-ops")
            } else {
                None
            }
        };
        let (what, rows) = match &self.insns[insn as usize] {
            i if i.is_sync() => return None,
            Insn::Load(l) => (None, l.y_size),
            Insn::Store(s) => (None, s.y_size),
            Insn::Gemm(g) => (trips(g.iter_out, g.iter_in, g.uop_bgn, g.uop_end), 1),
            Insn::Alu(a) => (trips(a.iter_out, a.iter_in, a.uop_bgn, a.uop_end), 1),
            Insn::Finish(_) => return None,
        };
        let at = self.at(insn);
        match what {
            Some(what) => Some(VerifyError::NoTrips { at, what }),
            None if rows == 0 => Some(VerifyError::NoRows { at }),
            None => None,
        }
    }
}

/// For each instruction of a launch, the layer that its symbol names.
fn layers(tables: &Tables<'_>, step: usize, launch: &Launch) -> Vec<Option<u32>> {
    let mut of = vec![None; launch.insn_count as usize];
    for symbol in &launch.symbols {
        let Some(index) = tables.layer(step as u32, &symbol.name) else {
            continue;
        };
        let (first, count) = (symbol.first as usize, symbol.count as usize);
        of[first..first + count].fill(Some(index));
    }
    of
}
