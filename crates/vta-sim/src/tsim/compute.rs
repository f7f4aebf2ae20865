//! `Compute` (core/Compute.scala): uop and acc loads, GEMM, ALU, FINISH.

use super::event::UnitState;
use super::pipeline::{Pipeline, Tick};
use super::queue::Queued;
use super::semaphore::Semaphore;
use super::tensor_load::{LoadOut, TensorLoad};
use super::unit::{Stage, UnitOut};
use crate::fsim::{Hazard, byte_addr};
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Deps, Insn, Load as LoadInsn, MemoryType, Unit};

/// The compute unit.
#[derive(Debug, Clone)]
pub struct Compute {
    /// State of the unit.
    pub stage: Stage,
    /// Tokens from load.
    pub sem_prev: Semaphore,
    /// Tokens from store.
    pub sem_next: Semaphore,
    /// uop, acc.
    tensor: [TensorLoad; 2],
    elem_bytes: [u32; 2],
    pipeline: Pipeline,
}

/// What compute does in one cycle beyond [`UnitOut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ComputeOut {
    /// What any unit does.
    pub unit: UnitOut,
    /// FINISH ends.
    pub finish: bool,
    /// The ALU asserts.
    pub assert: Option<Hazard>,
}

fn which(l: &LoadInsn) -> usize {
    usize::from(l.memory_type == MemoryType::Acc)
}

impl Compute {
    /// After reset.
    pub fn new(c: &HwConfig) -> Self {
        Self {
            stage: Stage::Idle,
            sem_prev: Semaphore::default(),
            sem_next: Semaphore::default(),
            tensor: [
                TensorLoad::new(c, Scratchpad::Uop),
                TensorLoad::new(c, Scratchpad::Acc),
            ],
            elem_bytes: [c.uop_bytes(), c.acc_bytes()],
            pipeline: Pipeline::default(),
        }
    }

    fn blocked(&self, d: Deps) -> Option<UnitState> {
        if d.pop_prev && !self.sem_prev.sready() {
            Some(UnitState::Token(Unit::Load))
        } else if d.pop_next && !self.sem_next.sready() {
            Some(UnitState::Token(Unit::Store))
        } else {
            None
        }
    }

    /// One clock edge. `data`, `cmd_ready`: for uop and acc. `hazard` gives
    /// the steps on which an ALU instruction that starts now asserts.
    pub fn tick(
        &mut self,
        head: Option<&Queued>,
        data: [bool; 2],
        cmd_ready: [bool; 2],
        hazard: impl FnOnce(&Insn) -> Option<Hazard>,
    ) -> (ComputeOut, [LoadOut; 2]) {
        let mut out = ComputeOut::default();
        let mut start = None;
        if let Some(q) = head {
            let deps = q.insn.deps();
            match self.stage {
                Stage::Idle if self.blocked(deps).is_none() => {
                    out.unit.start = true;
                    out.unit.wait_prev = deps.pop_prev;
                    out.unit.wait_next = deps.pop_next;
                    self.stage = if q.insn.is_sync() {
                        Stage::Sync
                    } else {
                        Stage::Exe
                    };
                    match &q.insn {
                        Insn::Load(l) if l.x_size != 0 => {
                            let addr = byte_addr(l.dram_base, self.elem_bytes[which(l)]);
                            start = Some((which(l), (l, addr)));
                        }
                        Insn::Gemm(g) => self.pipeline.start_gemm(g),
                        Insn::Alu(a) => self.pipeline.start_alu(a, hazard(&q.insn)),
                        _ => {}
                    }
                }
                Stage::Idle => {}
                Stage::Sync => out.unit.done = true,
                Stage::Exe => match &q.insn {
                    Insn::Load(l) => out.unit.done = self.tensor[which(l)].done(),
                    Insn::Gemm(_) | Insn::Alu(_) => match self.pipeline.tick() {
                        Tick::Run => {}
                        Tick::Done => out.unit.done = true,
                        Tick::Assert(h) => out.assert = Some(h),
                    },
                    _ => {
                        out.unit.done = true;
                        out.finish = true;
                    }
                },
            }
            if out.unit.done {
                out.unit.post_prev = deps.push_prev;
                out.unit.post_next = deps.push_next;
                self.stage = Stage::Idle;
            }
        }
        let mut loads = [LoadOut::default(); 2];
        for (i, t) in self.tensor.iter_mut().enumerate() {
            let start = start.filter(|s| s.0 == i).map(|s| s.1);
            loads[i] = t.tick(start, data[i], cmd_ready[i]);
        }
        (out, loads)
    }

    /// Cycles for which only counters move, while the inputs stay as they are.
    pub fn idle_window(&self, head: Option<&Queued>, data: [bool; 2], cmd_ready: [bool; 2]) -> u64 {
        let unit = match (self.stage, head) {
            (Stage::Idle, None) => u64::MAX,
            (Stage::Idle, Some(q)) if self.blocked(q.insn.deps()).is_some() => u64::MAX,
            (Stage::Exe, Some(q)) => match &q.insn {
                Insn::Gemm(_) | Insn::Alu(_) => self.pipeline.idle_window(),
                Insn::Load(_) => u64::MAX,
                _ => 0,
            },
            _ => 0,
        };
        let tensor = |i: usize| self.tensor[i].idle_window(data[i], cmd_ready[i]);
        unit.min(tensor(0)).min(tensor(1))
    }

    /// Moves the counters by `n` idle cycles.
    pub fn fast_forward(&mut self, n: u64, head: Option<&Queued>, data: [bool; 2]) {
        if let (Stage::Exe, Some(Insn::Gemm(_) | Insn::Alu(_))) =
            (self.stage, head.map(|q| &q.insn))
        {
            self.pipeline.fast_forward(n);
        }
        for (t, data) in self.tensor.iter_mut().zip(data) {
            t.fast_forward(n, data);
        }
    }

    /// What it does or waits for; `memory` as in [`super::load::Load::state`].
    pub fn state(
        &self,
        head: Option<&Queued>,
        memory: impl Fn(MemoryType, bool) -> UnitState,
    ) -> UnitState {
        let Some(q) = head else {
            return UnitState::Insn;
        };
        match (self.stage, &q.insn) {
            (Stage::Idle, i) => self.blocked(i.deps()).unwrap_or(UnitState::Work),
            (Stage::Exe, Insn::Load(l)) => {
                memory(l.memory_type, self.tensor[which(l)].all_commanded())
            }
            _ => UnitState::Work,
        }
    }
}
