//! An estimate of when each operation ends: what chooses between schedules.
//!
//! It knows bursts, latencies, the cost of fetching and of micro-ops. The
//! simulator has the last word.

use crate::cost::{Cost, Rows};
use crate::op::OpKind;
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::hash::BuildHasher;
use vta_program::config::HwConfig;
use vta_program::isa::{MemoryType, Unit, Uop};
use vta_program::timing;

/// Cycles that a transfer of compute waits behind commands of load that are out.
const BEHIND_LOADS: u64 = 130;

/// Cycles to fetch a batch on an idle bus, and behind loads.
const FETCH_IDLE: u64 = 45;
const FETCH_BUSY: u64 = 160;

/// Sizes that the estimate needs.
#[derive(Debug, Clone)]
struct Geometry {
    cost: Cost,
    uop_bytes: u32,
    inp_bytes: u32,
    wgt_bytes: u32,
    acc_bytes: u32,
    out_bytes: u32,
    uop_depth: usize,
    /// Cycles of a load of micro-ops beside its beats.
    uop_latency: u64,
    /// Instructions of a fetch batch.
    batch: u32,
}

/// When units and fetch are free.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    /// When each unit is free.
    free: [u64; 3],
    /// Cycles of steps of GEMM and ALU.
    steps: u64,
    /// When fetch hands over the current batch, and how many it still holds.
    fetch: u64,
    batch: u32,
    /// Micro-ops that the current batch of micro-ops holds.
    seen: FxHashSet<u64>,
    uops: usize,
}

/// The estimate of an instruction schedule.
#[derive(Debug, Clone)]
pub(crate) struct Estimate {
    geo: Geometry,
    clock: Clock,
    /// What loads took, by their form.
    loads: Loads,
}

impl Estimate {
    /// An empty schedule on a configuration.
    pub(crate) fn new(c: &HwConfig) -> Self {
        let uops = timing::Geometry::new(c, c.uop_bytes());
        let geo = Geometry {
            cost: Cost::new(c),
            uop_bytes: c.uop_bytes(),
            inp_bytes: c.inp_bytes(),
            wgt_bytes: c.wgt_bytes(),
            acc_bytes: c.acc_bytes(),
            out_bytes: c.out_bytes(),
            uop_depth: c.uop_depth as usize,
            uop_latency: timing::first_beat(c.mem_delay) + timing::written_after(uops) + 1,
            batch: timing::fetch::batch(c),
        };
        let clock = Clock::default();
        let loads = Loads::new(c);
        Self { geo, clock, loads }
    }

    /// Cycle in which a unit is free.
    pub(crate) fn free(&self, unit: Unit) -> u64 {
        self.clock.free[unit as usize]
    }

    /// Cycles of all steps of GEMM and ALU so far, without what an instruction takes beside them.
    pub(crate) fn steps_cycles(&self) -> u64 {
        self.clock.steps
    }

    /// The point that was reached.
    pub(crate) fn mark(&self) -> Clock {
        self.clock.clone()
    }

    /// Goes back to a point.
    pub(crate) fn rollback(&mut self, mark: &Clock) {
        self.clock.clone_from(mark);
    }

    /// The end of the next operation, which starts after its unit is free and
    /// not before `earliest`.
    pub(crate) fn push(&mut self, kind: &OpKind, earliest: u64) -> u64 {
        let unit = kind.unit() as usize;
        let earliest = earliest.max(self.clock.free[unit]).max(self.fetched());
        let start = earliest + self.uop_wait(kind, earliest);
        let behind = match kind {
            OpKind::Load {
                memory_type: MemoryType::Acc,
                ..
            } => self.behind_loads(earliest),
            _ => 0,
        };
        let end = start + self.cycles(kind) + behind;
        self.clock.steps += match kind {
            OpKind::Alu { imm: Some(_), .. } => kind.steps() * timing::ALU_IMM_CYCLES,
            OpKind::Alu { imm: None, .. } => kind.steps() * timing::ALU_REG_CYCLES,
            _ => kind.steps(),
        };
        self.clock.free[unit] = end + 1;
        end
    }

    fn behind_loads(&self, at: u64) -> u64 {
        if self.clock.free[Unit::Load as usize] > at {
            BEHIND_LOADS
        } else {
            0
        }
    }

    /// When fetch has handed over the next instruction.
    fn fetched(&mut self) -> u64 {
        if self.clock.batch == 0 {
            let busy = self.clock.free[Unit::Load as usize] > self.clock.fetch;
            self.clock.fetch += if busy { FETCH_BUSY } else { FETCH_IDLE };
            self.clock.batch = self.geo.batch;
        }
        self.clock.batch -= 1;
        self.clock.fetch
    }

    /// Cycles of an operation by itself.
    fn cycles(&mut self, kind: &OpKind) -> u64 {
        let (cost, geo) = (&self.geo.cost, &self.geo);
        match kind {
            OpKind::Load {
                memory_type, rows, ..
            } => {
                let bytes = match memory_type {
                    MemoryType::Inp => geo.inp_bytes,
                    MemoryType::Wgt => geo.wgt_bytes,
                    MemoryType::Acc => geo.acc_bytes,
                    MemoryType::Uop => geo.uop_bytes,
                };
                self.loads.cycles(cost, rows, bytes)
            }
            OpKind::Store { rows, .. } => cost.store(rows, geo.out_bytes),
            OpKind::Gemm { .. } => Cost::gemm(kind.steps()),
            OpKind::Alu { imm, .. } => Cost::alu(kind.steps(), imm.is_some()),
            OpKind::Sync | OpKind::Finish => timing::EMPTY,
        }
    }

    /// Cycles until the operation's micro-ops are there: those of an operation
    /// before it are, others are loaded, in batches that fill the scratchpad.
    fn uop_wait(&mut self, kind: &OpKind, at: u64) -> u64 {
        let Some(uops) = kind.uops() else { return 0 };
        let name = hash(uops);
        if !self.clock.seen.insert(name) {
            return 0;
        }
        let geo = &self.geo;
        let n = uops.len();
        let mut wait = n as u64 / 2;
        if self.clock.uops == 0 || self.clock.uops + n > geo.uop_depth {
            wait += geo.uop_latency + self.behind_loads(at);
            self.clock.seen.clear();
            self.clock.seen.insert(name);
            self.clock.uops = 0;
        }
        self.clock.uops += n;
        wait
    }
}

/// What loads took: layers have many of the same form.
#[derive(Debug, Clone)]
struct Loads {
    /// Bytes of the longest burst: rows are cut at multiples of it.
    period: u64,
    known: Vec<Option<([u32; 5], u64)>>,
}

impl Loads {
    /// Loads that are remembered: a power of two.
    const KNOWN: usize = 1 << 10;

    fn new(c: &HwConfig) -> Self {
        Self {
            period: u64::from(c.beat_bytes()) << c.mem_len_bits,
            known: vec![None; Self::KNOWN],
        }
    }

    fn cycles(&mut self, cost: &Cost, rows: &Rows, bytes: u32) -> u64 {
        let phase = u64::from(rows.dram) * u64::from(bytes) % self.period;
        let key = [rows.x, rows.y, rows.stride, phase as u32, bytes];
        let hash = FxBuildHasher.hash_one(key) as usize % Self::KNOWN;
        if let Some((_, cycles)) = self.known[hash].filter(|known| known.0 == key) {
            return cycles;
        }
        let cycles = cost.load(rows, bytes);
        self.known[hash] = Some((key, cycles));
        cycles
    }
}

/// A number for a list of micro-ops.
fn hash(uops: &[Uop]) -> u64 {
    uops.iter().fold(0xcbf2_9ce4_8422_2325, |h, u| {
        let word = u64::from(u.dst_idx) | u64::from(u.src_idx) << 16 | u64::from(u.wgt_idx) << 32;
        (h.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Base, Loops, uop};
    use smallvec::smallvec;

    fn gemm(n: u32) -> OpKind {
        OpKind::Gemm {
            uops: smallvec![uop(0, 0, 0).expect("zeros fit")],
            loops: Loops {
                iter: [1, n],
                ..Loops::default()
            },
            reset: false,
        }
    }

    #[test]
    fn a_unit_takes_one_operation_after_the_other_and_units_run_beside_each_other() {
        let mut e = Estimate::new(&HwConfig::default());
        let load = OpKind::Load {
            memory_type: MemoryType::Inp,
            sram: 0,
            base: Base::Zero,
            rows: Rows {
                dram: 0,
                y: 1,
                x: 2_000,
                stride: 2_000,
            },
        };
        let loaded = e.push(&load, 0);
        let first = e.push(&gemm(100), 0);
        assert!(first < loaded, "{first} {loaded}");
        let second = e.push(&gemm(100), 0);
        // The same micro-ops: nothing is loaded between them.
        assert_eq!(second - first, Cost::gemm(100) + 1);
        assert_eq!(e.free(Unit::Compute), second + 1);
        assert_eq!(e.push(&gemm(1), loaded + 1), loaded + 1 + Cost::gemm(1));
    }

    #[test]
    fn a_point_is_reached_again() {
        let mut e = Estimate::new(&HwConfig::default());
        e.push(&gemm(5), 0);
        let mark = e.mark();
        let end = e.push(&gemm(9), 0);
        e.rollback(&mark);
        assert_eq!(e.push(&gemm(9), 0), end);
    }
}
