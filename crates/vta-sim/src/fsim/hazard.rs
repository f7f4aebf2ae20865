//! ALU steps that follow each other too closely.

use super::Core;
use super::steps::{Step, Steps};
use vta_program::isa::Alu;

/// Two steps that follow each other too closely; the RTL asserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hazard {
    /// The later of the two steps, from 0.
    pub step: u64,
    /// Which rule.
    pub kind: HazardKind,
    /// The index on which they meet.
    pub index: u32,
}

/// The assertions at the end of `TensorAluPipelined` (core/TensorAlu.scala).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HazardKind {
    /// Immediate: the same destination in consecutive steps (`bypass_dst`).
    Dst,
    /// Registers: the source is the destination of the step before (`bypass_src`).
    Src,
}

impl Core {
    /// The first pair of steps on which the RTL asserts, if any.
    pub fn alu_hazard(&self, a: &Alu) -> Option<Hazard> {
        let steps = Steps::new(a, &self.pads.uop, &self.cfg);
        let apart = if a.use_imm {
            steps.are_apart(|s| s.dst, [a.dst_factor_out, a.dst_factor_in])
        } else {
            steps.are_apart(|s| s.src, [a.src_factor_out, a.src_factor_in])
        };
        if apart { None } else { scan(&steps) }
    }
}

/// Looks at all steps.
fn scan(steps: &Steps<'_>) -> Option<Hazard> {
    let mut before: Option<u32> = None;
    let (mut n, mut found) = (0, None);
    steps.each(|s| {
        let (index, kind) = match steps.a.use_imm {
            true => (s.dst, HazardKind::Dst),
            false => (s.src, HazardKind::Src),
        };
        if before == Some(index) {
            found = Some(Hazard {
                step: n,
                kind,
                index,
            });
            return false;
        }
        before = Some(s.dst);
        n += 1;
        true
    });
    found
}

impl Steps<'_> {
    /// Whether surely no step reads the destination of the step before it.
    pub(super) fn reads_are_fresh(&self) -> bool {
        self.are_apart(|s| s.src, [self.a.src_factor_out, self.a.src_factor_in])
    }

    /// Whether surely no step has at `index`, which moves by `factors` (outer,
    /// inner), the destination of the step before it. Indices that wrap, which
    /// no compiler makes, are never sure. Costs a few operations for each
    /// micro-op where `index` moves with the destination.
    fn are_apart(&self, index: impl Fn(Step) -> u32, factors: [u16; 2]) -> bool {
        let a = self.a;
        let [outer, inner, uops] = self.trips;
        let (outer, inner) = (outer as i64, inner as i64);
        let dst_factors = [a.dst_factor_out, a.dst_factor_in].map(i64::from);
        let factors = factors.map(i64::from);
        let reach = |f: [i64; 2]| (outer - 1) * f[0] + (inner - 1) * f[1];
        let moves = [factors[0] - dst_factors[0], factors[1] - dst_factors[1]];
        let at = |n: u64| {
            let s = self.offsets(n);
            (i64::from(s.dst), i64::from(index(s)))
        };
        let first = at(0);
        let (mut last, mut most) = (first, first);
        // From one micro-op to the next.
        for n in 1..uops {
            let now = at(n);
            if may_be_zero(now.1 - last.0, moves, [outer, inner]) {
                return false;
            }
            most = (most.0.max(now.0), most.1.max(now.1));
            last = now;
        }
        let depth = i64::from(self.loop_mask) + 1;
        if most.0 + reach(dst_factors) >= depth || most.1 + reach(factors) >= depth {
            return false;
        }
        // From the last micro-op to the first, in the next trip of a loop.
        let around = first.1 - last.0;
        let next_inner = around + factors[1];
        let next_outer = around + factors[0] - (inner - 1) * dst_factors[1];
        !may_be_zero(next_inner, moves, [outer, inner - 1])
            && !may_be_zero(next_outer, [moves[0], 0], [outer - 1, 1])
    }
}

/// Whether `start + o * by[0] + i * by[1]` may be 0 for an `o` below `trips[0]`
/// and an `i` below `trips[1]`; a yes may be wrong.
const fn may_be_zero(start: i64, by: [i64; 2], trips: [i64; 2]) -> bool {
    if trips[0] <= 0 || trips[1] <= 0 {
        return false;
    }
    let (mut least, mut most, mut k) = (start, start, 0);
    while k < 2 {
        let end = by[k] * (trips[k] - 1);
        if end < 0 {
            least += end;
        } else {
            most += end;
        }
        k += 1;
    }
    if least > 0 || most < 0 {
        return false;
    }
    // Steps of one size meet 0 only if they divide the way to it.
    match (by[0], by[1]) {
        (0, 0) => true,
        (0, b) | (b, 0) => start % b == 0,
        _ => true,
    }
}
