//! What would help a part: from where its cycles went.
//!
//! What compute waits for is followed to the unit
//! that it waits for. Each advice says how many cycles it could save at most.

use super::split::{Bottleneck, split};
use super::view::Row;
use crate::trace::{Cause, Kind, Part};
use vta_program::config::HwConfig;
use vta_program::isa::{MemoryType, Unit};
use vta_program::timing::{ALU_REG_CYCLES, PIPELINE, first_beat};
use vta_tensor::numbers::thousands;

/// Advice that saves less than this share is not given.
const WORTH: f64 = 0.02;

/// What would help, and what it could save at most.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Advice {
    /// What to do and why.
    pub text: String,
    /// Cycles that it could save at most.
    pub saves: u64,
}

/// A number of things.
fn count(n: u64, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {what}{s}", thousands(n))
}

struct Adviser<'a> {
    row: &'a Row<'a>,
    /// Where the loads are that it waits for: itself, or all of the program.
    loads: &'a Row<'a>,
    total: &'a Row<'a>,
    cfg: &'a HwConfig,
    cycles: u64,
    all: Vec<Advice>,
}

impl Adviser<'_> {
    fn say(&mut self, saves: u64, text: String) {
        if saves as f64 >= WORTH * self.cycles as f64 && saves > 0 {
            self.all.push(Advice { text, saves });
        }
    }

    fn part(&self) -> &Part {
        &self.row.part
    }

    /// Operands that are loaded more than once.
    fn reuse(&mut self, waits: u64) {
        let needs = self.loads.needs;
        let beat = u64::from(self.cfg.beat_bytes());
        for (t, what, other) in [
            (MemoryType::Wgt, "weights", "inputs"),
            (MemoryType::Inp, "inputs", "weights"),
        ] {
            let (once, loaded) = (needs.once[t as usize], needs.loaded[t as usize]);
            if once == 0 || loaded * 5 < once * 6 {
                continue;
            }
            let again = (loaded - once) / beat;
            let times = loaded as f64 / once as f64;
            self.say(
                again.min(waits),
                format!(
                    "{what} are loaded {times:.1} times: keep them in the scratchpad while {other} change, or take a bigger tile of {other}; {} of {} beats would go",
                    thousands(again),
                    thousands(loaded / beat),
                ),
            );
        }
    }

    /// What load does while compute waits for it.
    fn load(&mut self, waits: u64) {
        let source = self.loads;
        let of = |c: Cause| source.part.of(Unit::Load, c);
        // What comes after the last instruction is of no part.
        let idle = self.total.part.of(Unit::Load, Cause::Idle);
        let (beats, latency) = (of(Cause::Beats), of(Cause::Latency));
        let (turns, tokens) = (of(Cause::Arbitration), of(Cause::TokenCompute));
        let fetch = of(Cause::Insn);
        let loads = source.needs.loads;
        self.reuse(waits);
        self.say(
            (beats / 2).min(waits),
            format!(
                "a bus twice as wide: load moves beats in {} cycles",
                thousands(beats)
            ),
        );
        if loads > 0 {
            self.say(
                latency.min(waits),
                format!(
                    "fewer and longer loads: {} waited {} cycles for a first beat",
                    count(loads, "load"),
                    thousands(latency)
                ),
            );
        }
        self.say(
            idle.min(waits),
            format!(
                "loads in pieces, so that compute begins with the first: it waits {} cycles, and load is idle for {} after its last one",
                thousands(waits),
                thousands(idle)
            ),
        );
        self.say(
            tokens.min(waits),
            format!(
                "two buffers: load waits {} cycles for compute to free its scratchpad, and compute {} for load: they take turns",
                thousands(tokens),
                thousands(waits)
            ),
        );
        self.say(
            turns.min(waits),
            format!(
                "fewer other transfers at the same time: load waits {} cycles for its turn on the bus",
                thousands(turns)
            ),
        );
        self.say(
            fetch.min(waits),
            format!(
                "loads earlier in the program: load waits {} cycles for instructions",
                thousands(fetch)
            ),
        );
    }

    fn store(&mut self, waits: u64) {
        let s = self.part().kinds[Kind::Store as usize];
        let bursts = self.part().writes.bursts;
        let shake = self.part().of(Unit::Store, Cause::Latency);
        self.say(
            shake.min(waits),
            format!(
                "longer rows in stores: {} took {} cycles of handshake beside their beats",
                count(bursts, "burst"),
                thousands(shake)
            ),
        );
        self.say(
            waits,
            format!(
                "stores in pieces, each as soon as its outputs are there, while compute fills other accumulators: compute waits {} cycles for {}",
                thousands(waits),
                count(s.insns, "store")
            ),
        );
    }

    fn fetch(&mut self, waits: u64) {
        let causes = self.part().causes[0];
        let of = |c: Cause| causes[c as usize];
        let queues = [
            (Cause::QueueLoad, "load"),
            (Cause::QueueCompute, "compute"),
            (Cause::QueueStore, "store"),
        ];
        for (cause, unit) in queues {
            self.say(
                of(cause).min(waits),
                format!(
                    "fewer instructions of {unit} ahead of those of compute: its queue is full for {} cycles and holds fetch up",
                    thousands(of(cause))
                ),
            );
        }
        let insns: u64 = self.part().kinds.iter().map(|k| k.insns).sum();
        let (turns, rest) = (
            of(Cause::Arbitration),
            of(Cause::Latency) + of(Cause::Beats),
        );
        self.say(
            waits.min(turns + rest),
            format!(
                "fewer and longer instructions: {} are fetched, which takes {} cycles and {} of waiting behind loads",
                thousands(insns),
                thousands(rest),
                thousands(turns)
            ),
        );
    }
}

/// What most of the cycles of a part went to, how many, and what would help,
/// the most first. `total` is the whole program.
pub fn advise<'a>(
    row: &'a Row<'a>,
    total: &'a Row<'a>,
    cfg: &'a HwConfig,
) -> (Bottleneck, u64, Vec<Advice>) {
    let split = split(&row.part);
    let (first, most) = split.first().copied().unwrap_or((Bottleneck::Fetch, 0));
    let mut a = Adviser {
        row,
        total,
        // The loads of a part may stand before its symbol.
        loads: if row.needs.loads > 0 { row } else { total },
        cfg,
        cycles: row.part.cycles(),
        all: Vec::new(),
    };
    for (what, cycles) in &split {
        let cycles = *cycles;
        match what {
            Bottleneck::Load => a.load(cycles),
            Bottleneck::Store => a.store(cycles),
            Bottleneck::Fetch => a.fetch(cycles),
            Bottleneck::Rest => {}
            Bottleneck::Gemm => steps(&mut a, cycles),
            Bottleneck::Alu => {
                let k = row.part.kinds[Kind::AluReg as usize];
                let steps = k.cycles.saturating_sub(k.insns * PIPELINE) / ALU_REG_CYCLES;
                a.say(
                    steps,
                    format!(
                        "ALU steps with an immediate, or the addition by a GEMM with the identity: {} steps with two registers take two cycles each",
                        thousands(steps)
                    ),
                );
            }
            Bottleneck::Overhead => {
                let kinds = [Kind::Gemm, Kind::Reset, Kind::AluImm, Kind::AluReg];
                let n: u64 = kinds
                    .iter()
                    .map(|k| row.part.kinds[*k as usize].insns)
                    .sum();
                a.say(
                    cycles,
                    format!(
                        "longer instructions (a bigger tile, loops inside): {} of GEMM and ALU, each {PIPELINE} cycles beside its steps",
                        thousands(n)
                    ),
                );
            }
            Bottleneck::Uops => {
                let k = row.part.kinds[Kind::LoadUop as usize];
                let once = row.needs.once[MemoryType::Uop as usize];
                let loaded = row.needs.loaded[MemoryType::Uop as usize];
                a.say(
                    cycles,
                    format!(
                        "micro-ops that stay: {} of them stopped compute, about {} cycles each before their beats; {} of {} bytes are loaded again",
                        count(k.insns, "load"),
                        first_beat(cfg.mem_delay),
                        thousands(loaded.saturating_sub(once)),
                        thousands(loaded)
                    ),
                );
            }
            Bottleneck::Accumulators => {
                let k = row.part.kinds[Kind::LoadAcc as usize];
                a.say(
                    cycles,
                    format!(
                        "operands of 8 bits added by a GEMM with the identity: {} of accumulators stopped compute",
                        count(k.insns, "load")
                    ),
                );
            }
        }
    }
    let mut all = a.all;
    all.sort_by_key(|x| std::cmp::Reverse(x.saves));
    (first, most, all)
}

/// Steps beside the floor.
fn steps(a: &mut Adviser<'_>, gemm: u64) {
    let Some((floor, _)) = a.row.floors() else {
        return;
    };
    let part = a.part();
    let steps = part.steps();
    let over = steps.saturating_sub(floor).min(gemm);
    a.say(
        over,
        format!(
            "fewer steps: {} of GEMM and ALU where the floor is {} (padding, resets, channels that fill no block)",
            thousands(steps),
            thousands(floor)
        ),
    );
}
