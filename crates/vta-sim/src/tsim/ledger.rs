//! What an instruction does at its end, for both engines: counters, bytes and
//! the event.

use super::event::Event;
use super::outcome::{Halt, Outcome, Stats, Status};
use super::sink::{Emit, Sink, Stop, Stopped};
use crate::fsim::{Core, Hazard, LeavesDram, Pace};
use std::cell::OnceCell;
use vta_program::config::HwConfig;
use vta_program::isa::{Alu, Insn, MemoryType, Unit};
use vta_program::mem::Dram;

/// An instruction that leaves its queue.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'i> {
    /// Its unit.
    pub unit: Unit,
    /// Its position in the program.
    pub index: u32,
    /// What it is.
    pub insn: &'i Insn,
    /// The word's bits 9:7.
    pub memory_type: u8,
    /// The cycle in which it left idle.
    pub started: u64,
}

/// Counters of a run, and the data that it moves.
#[derive(Debug)]
pub struct Ledger<'a> {
    cfg: &'a HwConfig,
    /// DRAM.
    pub dram: &'a mut Dram,
    /// Move data; without, only micro-ops.
    data: bool,
    /// The run was made before and its data are moved: nothing is executed,
    /// and no assertion of the ALU fires.
    replay: bool,
    /// Scratchpads: made when the first instruction needs them.
    core: OnceCell<Core>,
    acc_writes: u64,
    /// Counters.
    pub stats: Stats,
}

impl<'a> Ledger<'a> {
    /// Before the first cycle.
    pub fn new(cfg: &'a HwConfig, dram: &'a mut Dram, data: bool) -> Self {
        Self {
            cfg,
            dram,
            data,
            replay: false,
            core: OnceCell::new(),
            acc_writes: 0,
            stats: Stats {
                beat_bytes: cfg.beat_bytes().into(),
                ..Stats::default()
            },
        }
    }

    /// The same, of a run whose data are moved already.
    pub const fn replay(&mut self) {
        self.replay = true;
    }

    /// The core; without data it only needs micro-ops and their widths.
    fn core(&self) -> &Core {
        self.core.get_or_init(|| match self.data {
            true => Core::new(self.cfg),
            false => Core::new(&HwConfig {
                block: 4,
                wgt_depth: 2,
                out_depth: 2,
                ..self.cfg.clone()
            }),
        })
    }

    /// The steps on which an ALU instruction that starts now asserts.
    pub fn hazard(&self, a: &Alu) -> Option<Hazard> {
        if self.replay {
            return None;
        }
        self.core().alu_hazard(a)
    }

    /// The head of a unit has waited so long for its tokens.
    #[inline]
    pub const fn waited(&mut self, unit: Unit, cycles: u64) {
        self.stats.units[unit as usize].token_cycles += cycles;
    }

    /// An instruction ends in a cycle: its data change.
    ///
    /// # Errors
    /// The sink ends the run, or the instruction leaves DRAM.
    #[inline]
    pub fn end<S: Sink>(
        &mut self,
        e: Ending<'_>,
        cycle: u64,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let unit = &mut self.stats.units[e.unit as usize];
        let before = unit.insns as u32;
        unit.insns += 1;
        unit.busy_cycles += cycle - e.started + 1;
        if S::ENABLED {
            let event = Event::InsnEnd {
                unit: e.unit,
                index: before,
                insn: e.index,
                start: e.started,
                opcode: e.insn.opcode(),
                memory_type: e.memory_type,
            };
            sink.emit(cycle, event)?;
        }
        let steps = e.insn.steps();
        self.acc_writes += steps;
        match e.insn {
            Insn::Gemm(g) if g.reset_reg => self.stats.reset_steps += steps,
            Insn::Gemm(_) => self.stats.gemm_steps += steps,
            Insn::Alu(_) => self.stats.alu_steps += steps,
            _ => {}
        }
        if !self.exec(e.unit, e.index, e.insn, &|| sink.wants_stop())? {
            let stop = Stop::Enough;
            return Err(Stopped { cycle, stop }.into());
        }
        Ok(())
    }

    /// Executes an instruction, as far as its data are wanted, and says whether
    /// that was done to its end: `stop` may break it off.
    ///
    /// # Errors
    /// It leaves DRAM.
    #[inline]
    pub fn exec(
        &mut self,
        unit: Unit,
        index: u32,
        insn: &Insn,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, LeavesDram> {
        let is_uop = matches!(insn, Insn::Load(l) if l.memory_type == MemoryType::Uop);
        let nothing = insn.is_sync() || matches!(insn, Insn::Finish(_));
        if nothing || self.replay || !(self.data || is_uop) {
            return Ok(true);
        }
        self.core();
        let Some(core) = self.core.get_mut() else {
            unreachable!("it was made")
        };
        let mut pace = Pace::new(stop);
        let done = core.exec_paced(insn, self.dram, &mut pace);
        done.map_err(|cause| LeavesDram::by(unit, index, cause))?;
        Ok(!pace.is_stopped())
    }

    /// What a store has had on the bus.
    #[inline]
    pub const fn wrote(&mut self, beats: u64, bursts: u64) {
        self.stats.write_beats += beats;
        self.stats.write_bursts += bursts;
    }

    /// The run ended.
    pub fn close(self, status: Status, cycles: u64) -> Outcome {
        Outcome {
            status,
            cycles,
            acc_writes: self.acc_writes,
            stats: self.stats,
        }
    }
}
