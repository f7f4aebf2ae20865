//! `Store` (core/Store.scala).

use super::event::UnitState;
use super::gen_vme_cmd::Rows;
use super::queue::Queued;
use super::semaphore::Semaphore;
use super::tensor_store::{StoreOut, TensorStore};
use super::unit::{Stage, UnitOut};
use super::vme::WriteChannel;
use crate::fsim::byte_addr;
use vta_program::config::HwConfig;
use vta_program::isa::{Insn, Store as StoreInsn, Unit};
use vta_program::timing::Geometry;

/// The store unit.
#[derive(Debug, Clone)]
pub struct Store {
    /// State of the unit.
    pub stage: Stage,
    /// Tokens from compute.
    pub sem: Semaphore,
    tensor: TensorStore,
    elem_bytes: u32,
}

fn insn(head: Option<&Queued>) -> Option<&StoreInsn> {
    match head.map(|q| &q.insn) {
        Some(Insn::Store(s)) => Some(s),
        _ => None,
    }
}

impl Store {
    /// After reset.
    pub fn new(c: &HwConfig) -> Self {
        let geo = Geometry::new(c, c.out_bytes());
        Self {
            stage: Stage::Idle,
            sem: Semaphore::default(),
            tensor: TensorStore::new(geo),
            elem_bytes: c.out_bytes(),
        }
    }

    fn blocked(&self, s: &StoreInsn) -> Option<UnitState> {
        (s.pop_prev_dep && !self.sem.sready()).then_some(UnitState::Token(Unit::Compute))
    }

    /// One clock edge.
    pub fn tick(&mut self, head: Option<&Queued>, ch: &WriteChannel) -> (UnitOut, StoreOut) {
        let mut out = UnitOut::default();
        let mut start = None;
        let offered = self.tensor.out(ch);
        if let Some(s) = insn(head) {
            match self.stage {
                Stage::Idle if self.blocked(s).is_none() => {
                    out.start = true;
                    out.wait_prev = s.pop_prev_dep;
                    if s.x_size == 0 {
                        self.stage = Stage::Sync;
                    } else {
                        self.stage = Stage::Exe;
                        start = Some(Rows {
                            addr: byte_addr(s.dram_base, self.elem_bytes),
                            x_size: s.x_size,
                            y_size: s.y_size,
                            x_stride: s.x_stride,
                            y_pad_0: 0,
                        });
                    }
                }
                Stage::Idle => {}
                Stage::Sync => out.done = true,
                Stage::Exe => out.done = self.tensor.done(ch),
            }
            if out.done {
                out.post_prev = s.push_prev_dep;
                self.stage = Stage::Idle;
            }
        }
        if start.is_some() || self.tensor.is_busy() {
            self.tensor.tick(start, offered, ch);
        }
        (out, offered)
    }

    /// Cycles for which nothing changes, while the inputs stay as they are.
    pub fn idle_window(&self, head: Option<&Queued>) -> u64 {
        match (self.stage, insn(head)) {
            (Stage::Idle, None) => u64::MAX,
            (Stage::Idle, Some(s)) if self.blocked(s).is_some() => u64::MAX,
            (Stage::Exe, _) if self.tensor.is_stuck() => u64::MAX,
            _ => 0,
        }
    }

    /// What it does or waits for.
    pub fn state(&self, head: Option<&Queued>, ch: &WriteChannel) -> UnitState {
        match (self.stage, insn(head)) {
            (_, None) => UnitState::Insn,
            (Stage::Idle, Some(s)) => self.blocked(s).unwrap_or(UnitState::Work),
            (Stage::Exe, _) if ch.data_ready() => UnitState::Beats,
            (Stage::Exe, _) => UnitState::Latency,
            (Stage::Sync, _) => UnitState::Work,
        }
    }
}
