//! The stream of operations: tokens derived from what must have ended, and an
//! estimate of the time.
//!
//! Each unit works in order. An operation says which operations of other units
//! must have ended before it starts; what the order of the units and earlier
//! tokens already imply costs nothing, the rest becomes a token. Between load
//! and store a token goes through compute.

use super::cost::{Cost, Rows};
use super::pads::Deps;
use std::collections::HashSet;
use vta_program::isa::{AluOpcode, MemoryType, Unit, Uop};

/// Two loops around the micro-ops: trips, and what is added to the indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Loops {
    /// Trips, outer and inner.
    pub iter: [u32; 2],
    /// Added to dst.
    pub dst: [u32; 2],
    /// Added to src.
    pub src: [u32; 2],
    /// Added to wgt.
    pub wgt: [u32; 2],
}

/// Where a transfer's DRAM elements are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Address 0.
    Zero,
    /// The segment of weights.
    Weights,
    /// The segment of biases.
    Biases,
}

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// LOAD.
    Load {
        memory_type: MemoryType,
        sram: u32,
        base: Base,
        rows: Rows,
    },
    /// STORE.
    Store { sram: u32, rows: Rows },
    /// GEMM.
    Gemm {
        uops: Vec<Uop>,
        loops: Loops,
        reset: bool,
    },
    /// ALU; `imm` none: registers.
    Alu {
        uops: Vec<Uop>,
        loops: Loops,
        opcode: AluOpcode,
        imm: Option<i16>,
    },
    /// An empty instruction of compute, only for tokens.
    Sync,
    /// FINISH.
    Finish,
}

impl Kind {
    /// The unit that executes it.
    pub(super) fn unit(&self) -> Unit {
        match self {
            Self::Load { memory_type, .. } => match memory_type {
                MemoryType::Inp | MemoryType::Wgt => Unit::Load,
                MemoryType::Uop | MemoryType::Acc => Unit::Compute,
            },
            Self::Store { .. } => Unit::Store,
            _ => Unit::Compute,
        }
    }

    /// Its micro-ops.
    pub(super) fn uops(&self) -> Option<&[Uop]> {
        match self {
            Self::Gemm { uops, .. } | Self::Alu { uops, .. } => Some(uops),
            _ => None,
        }
    }

    /// Steps of GEMM or ALU.
    pub(super) fn steps(&self) -> u64 {
        match self {
            Self::Gemm { uops, loops, .. } | Self::Alu { uops, loops, .. } => {
                uops.len() as u64 * u64::from(loops.iter[0]) * u64::from(loops.iter[1])
            }
            _ => 0,
        }
    }
}

/// An operation in the stream.
#[derive(Debug, Clone)]
pub(super) struct Op {
    /// What it does.
    pub kind: Kind,
    /// The layer that it belongs to.
    pub layer: u32,
    /// Position among the operations of its unit.
    at: u32,
    /// For each unit, how many of its operations have ended when this one starts.
    known: [u32; 3],
    /// Estimated end.
    end: u64,
}

/// The estimate's state.
#[derive(Debug, Clone, Default)]
struct Clock {
    /// When each unit is free.
    free: [u64; 3],
    /// When fetch hands over the current batch, and how many it still holds.
    fetch: u64,
    batch: u32,
    /// Micro-ops that the current batch of micro-ops holds.
    seen: HashSet<u64>,
    uops: u32,
}

/// Sizes that the estimate needs.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    pub cost: Cost,
    pub inp_bytes: u32,
    pub wgt_bytes: u32,
    pub acc_bytes: u32,
    pub out_bytes: u32,
    pub uop_depth: u32,
    /// Instructions of a fetch batch.
    pub batch: u32,
}

/// Operations, and the tokens between them.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    geo: Geometry,
    ops: Vec<Op>,
    /// Positions in `ops` of each unit's operations.
    queues: [Vec<u32>; 3],
    /// From the end of one operation to the start of another, of units that are neighbours.
    tokens: Vec<(u32, u32)>,
    clock: Clock,
}

/// A point to go back to.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    ops: usize,
    queues: [usize; 3],
    tokens: usize,
    clock: Clock,
}

const LOAD: usize = Unit::Load as usize;
const COMPUTE: usize = Unit::Compute as usize;
const STORE: usize = Unit::Store as usize;

/// Cycles that a transfer of compute waits behind commands of load that are out.
const BEHIND_LOADS: u64 = 130;

/// Cycles to fetch a batch on an idle bus, and behind loads.
const FETCH_IDLE: u64 = 45;
const FETCH_BUSY: u64 = 160;

impl Stream {
    /// An empty stream.
    pub(super) fn new(geo: Geometry) -> Self {
        Self {
            geo,
            ops: Vec::new(),
            queues: Default::default(),
            tokens: Vec::new(),
            clock: Clock::default(),
        }
    }

    /// The operations.
    pub(super) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The tokens, in no particular order.
    pub(super) fn tokens(&self) -> &[(u32, u32)] {
        &self.tokens
    }

    /// Estimated cycle in which a unit is free.
    pub(super) fn free(&self, unit: Unit) -> u64 {
        self.clock.free[unit as usize]
    }

    /// The point that was reached.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            ops: self.ops.len(),
            queues: [0, 1, 2].map(|u| self.queues[u].len()),
            tokens: self.tokens.len(),
            clock: self.clock.clone(),
        }
    }

    /// Goes back to a point.
    pub(super) fn rollback(&mut self, m: &Mark) {
        self.ops.truncate(m.ops);
        for (q, n) in self.queues.iter_mut().zip(m.queues) {
            q.truncate(n);
        }
        self.tokens.truncate(m.tokens);
        self.clock = m.clock.clone();
    }

    fn known(&self, op: u32) -> [u32; 3] {
        self.ops[op as usize].known
    }

    /// Adds an operation that starts after the operations `deps` have ended,
    /// and gives its position.
    pub(super) fn push(&mut self, kind: Kind, layer: u32, deps: &Deps) -> u32 {
        let unit = kind.unit() as usize;
        let mut deps = *deps;
        deps[unit] = None;
        let far = match unit {
            LOAD => Some(STORE),
            STORE => Some(LOAD),
            _ => None,
        };
        if let Some(far) = far
            && let Some(d) = deps[far].take()
            && self.unknown(unit, far, d)
        {
            let through = self.through(far, d, layer);
            deps[COMPUTE] = deps[COMPUTE].max(Some(through));
        }
        let mut known = match self.queues[unit].last() {
            Some(&p) => self.known(p),
            None => [0; 3],
        };
        known[unit] = self.queues[unit].len() as u32;
        let this = self.ops.len() as u32;
        let mut start = self.clock.free[unit];
        for (other, dep) in deps.into_iter().enumerate() {
            let Some(d) = dep else { continue };
            let (at, end) = (self.ops[d as usize].at, self.ops[d as usize].end);
            if known[other] > at {
                continue;
            }
            self.tokens.push((d, this));
            for (k, n) in known.iter_mut().zip(self.known(d)) {
                *k = (*k).max(n);
            }
            known[other] = known[other].max(at + 1);
            start = start.max(end + 1);
        }
        let end = self.time(&kind, unit, start);
        self.ops.push(Op {
            kind,
            layer,
            at: self.queues[unit].len() as u32,
            known,
            end,
        });
        self.queues[unit].push(this);
        this
    }

    /// Whether the next operation of `unit` does not know yet that `d` of `other` has ended.
    fn unknown(&self, unit: usize, other: usize, d: u32) -> bool {
        let known = self.queues[unit]
            .last()
            .map_or(0, |&p| self.known(p)[other]);
        known <= self.ops[d as usize].at
    }

    /// An operation of compute that starts after `d` of `other` has ended: the
    /// first that does anyway, or an empty one.
    fn through(&mut self, other: usize, d: u32, layer: u32) -> u32 {
        let at = self.ops[d as usize].at;
        let queue = &self.queues[COMPUTE];
        let n = queue.partition_point(|&op| self.known(op)[other] <= at);
        match queue.get(n) {
            Some(&op) => op,
            None => {
                let mut deps = Deps::default();
                deps[other] = Some(d);
                self.push(Kind::Sync, layer, &deps)
            }
        }
    }

    /// Estimated end of an operation that could start at `start`.
    fn time(&mut self, kind: &Kind, unit: usize, start: u64) -> u64 {
        let busy = |c: &Clock, at: u64| c.free[LOAD] > at;
        if self.clock.batch == 0 {
            let wait = if busy(&self.clock, self.clock.fetch) {
                FETCH_BUSY
            } else {
                FETCH_IDLE
            };
            self.clock.fetch += wait;
            self.clock.batch = self.geo.batch;
        }
        self.clock.batch -= 1;
        let mut start = start.max(self.clock.fetch);
        let cost = &self.geo.cost;
        let cycles = match kind {
            Kind::Load {
                memory_type, rows, ..
            } => match memory_type {
                MemoryType::Inp => cost.load(rows, self.geo.inp_bytes),
                MemoryType::Wgt => cost.load(rows, self.geo.wgt_bytes),
                MemoryType::Acc => {
                    let behind = if busy(&self.clock, start) {
                        BEHIND_LOADS
                    } else {
                        0
                    };
                    cost.load(rows, self.geo.acc_bytes) + behind
                }
                MemoryType::Uop => cost.load(rows, 4),
            },
            Kind::Store { rows, .. } => cost.store(rows, self.geo.out_bytes),
            Kind::Gemm { .. } => Cost::gemm(kind.steps()),
            Kind::Alu { imm, .. } => Cost::alu(kind.steps(), imm.is_some()),
            Kind::Sync | Kind::Finish => 2,
        };
        if let Some(uops) = kind.uops()
            && self.clock.seen.insert(hash(uops))
        {
            let n = uops.len() as u32;
            let mut wait = u64::from(n) / 2;
            if self.clock.uops == 0 || self.clock.uops + n > self.geo.uop_depth {
                wait += 23
                    + if busy(&self.clock, start) {
                        BEHIND_LOADS
                    } else {
                        0
                    };
                self.clock.seen.clear();
                self.clock.seen.insert(hash(uops));
                self.clock.uops = 0;
            }
            self.clock.uops += n;
            start += wait;
        }
        let end = start + cycles;
        self.clock.free[unit] = end + 1;
        end
    }
}

/// A number for a list of micro-ops.
fn hash(uops: &[Uop]) -> u64 {
    uops.iter().fold(0xcbf2_9ce4_8422_2325, |h, u| {
        let word = u64::from(u.dst_idx) | u64::from(u.src_idx) << 16 | u64::from(u.wgt_idx) << 32;
        (h.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}
