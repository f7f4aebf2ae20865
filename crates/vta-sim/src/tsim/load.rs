//! `Load` (core/Load.scala): inp and wgt loads.

use super::event::UnitState;
use super::queue::Queued;
use super::semaphore::Semaphore;
use super::tensor_load::{LoadOut, TensorLoad};
use super::unit::{Stage, UnitOut};
use crate::fsim::byte_addr;
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Insn, Load as LoadInsn, MemoryType, Unit};

/// The load unit.
#[derive(Debug, Clone)]
pub struct Load {
    /// State of the unit.
    pub stage: Stage,
    /// Tokens from compute.
    pub sem: Semaphore,
    /// inp, wgt.
    tensor: [TensorLoad; 2],
    elem_bytes: [u32; 2],
}

/// Which of the two a load goes to.
fn which(l: &LoadInsn) -> usize {
    usize::from(l.memory_type == MemoryType::Wgt)
}

fn insn(head: Option<&Queued>) -> Option<&LoadInsn> {
    match head.map(|q| &q.insn) {
        Some(Insn::Load(l)) => Some(l),
        _ => None,
    }
}

impl Load {
    /// After reset.
    pub fn new(c: &HwConfig) -> Self {
        Self {
            stage: Stage::Idle,
            sem: Semaphore::default(),
            tensor: [
                TensorLoad::new(c, Scratchpad::Inp),
                TensorLoad::new(c, Scratchpad::Wgt),
            ],
            elem_bytes: [c.inp_bytes(), c.wgt_bytes()],
        }
    }

    /// What the head waits for, if it waits.
    fn blocked(&self, l: &LoadInsn) -> Option<UnitState> {
        (l.pop_next_dep && !self.sem.sready()).then_some(UnitState::Token(Unit::Compute))
    }

    /// One clock edge. `data`, `cmd_ready`: for inp and wgt.
    pub fn tick(
        &mut self,
        head: Option<&Queued>,
        data: [bool; 2],
        cmd_ready: [bool; 2],
    ) -> (UnitOut, [LoadOut; 2]) {
        let mut out = UnitOut::default();
        let mut start = None;
        if let Some(l) = insn(head) {
            match self.stage {
                Stage::Idle if self.blocked(l).is_none() => {
                    out.start = true;
                    out.wait_next = l.pop_next_dep;
                    if l.x_size == 0 {
                        self.stage = Stage::Sync;
                    } else {
                        self.stage = Stage::Exe;
                        let addr = byte_addr(l.dram_base, self.elem_bytes[which(l)]);
                        start = Some((which(l), (l, addr)));
                    }
                }
                Stage::Idle => {}
                Stage::Sync => out.done = true,
                Stage::Exe => out.done = self.tensor[which(l)].done(),
            }
            if out.done {
                out.post_next = l.push_next_dep;
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
        let unit = match (self.stage, insn(head)) {
            (Stage::Idle, None) => u64::MAX,
            (Stage::Idle, Some(l)) if self.blocked(l).is_some() => u64::MAX,
            (Stage::Exe, _) => u64::MAX,
            _ => 0,
        };
        let tensor = |i: usize| self.tensor[i].idle_window(data[i], cmd_ready[i]);
        unit.min(tensor(0)).min(tensor(1))
    }

    /// Moves the counters by `n` idle cycles.
    pub fn fast_forward(&mut self, n: u64, data: [bool; 2]) {
        for (t, data) in self.tensor.iter_mut().zip(data) {
            t.fast_forward(n, data);
        }
    }

    /// What it does or waits for; `memory` says what a client waits for, of
    /// which all commands may be with the engine.
    pub fn state(
        &self,
        head: Option<&Queued>,
        memory: impl Fn(MemoryType, bool) -> UnitState,
    ) -> UnitState {
        match (self.stage, insn(head)) {
            (_, None) => UnitState::Insn,
            (Stage::Idle, Some(l)) => self.blocked(l).unwrap_or(UnitState::Work),
            (Stage::Sync, _) => UnitState::Work,
            (Stage::Exe, Some(l)) => memory(l.memory_type, self.tensor[which(l)].all_commanded()),
        }
    }
}
