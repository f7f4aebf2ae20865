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

/// Steps up to which all are looked at.
const FEW: u64 = 1 << 14;

/// Looks at steps until two are too close.
fn scan(steps: &Steps<'_>) -> Option<Hazard> {
    let [outer, inner, uops] = steps.trips;
    if outer * inner * uops > FEW {
        return scan_period(steps);
    }
    let (later, kind) = rule(steps);
    let mut before: Option<u32> = None;
    let (mut n, mut found) = (0, None);
    steps.each(|s| {
        let index = later(s);
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

/// Which index of a step the destination of the step before is compared with.
fn rule(steps: &Steps<'_>) -> (fn(Step) -> u32, HazardKind) {
    if steps.a.use_imm {
        (|s| s.dst, HazardKind::Dst)
    } else {
        (|s| s.src, HazardKind::Src)
    }
}

/// As [`scan`], in time that the steps do not bound. The sums of the loops have
/// the width of the accumulators' address, so either loop comes to the same sums
/// again after at most as many trips as there are accumulators: what does not
/// meet until then never does.
pub(super) fn scan_period(steps: &Steps<'_>) -> Option<Hazard> {
    let a = steps.a;
    let [outer, inner, uops] = steps.trips;
    let (later, kind) = rule(steps);
    let offsets: Vec<Step> = (0..uops).map(|n| steps.offsets(n)).collect();
    let (first, last) = (offsets.first()?, offsets.last()?);
    let inside = Inside::new(steps, &offsets);
    let period = u64::from(steps.loop_mask) + 1;
    let sum = |i: u64, j: u64| {
        let of = |out: u16, inn: u16| {
            let all = i.wrapping_mul(out.into()) + j.wrapping_mul(inn.into());
            all as u32 & steps.loop_mask
        };
        Step {
            dst: of(a.dst_factor_out, a.dst_factor_in),
            src: of(a.src_factor_out, a.src_factor_in),
        }
    };
    let mut before: Option<Step> = None;
    // One trip more: its first step follows the last of a whole period.
    for i in 0..outer.min(period + 1) {
        for j in 0..inner.min(period + 1) {
            let now = sum(i, j);
            let at = |n: usize, index| Hazard {
                step: (i * inner + j) * uops + n as u64,
                kind,
                index,
            };
            let index = later(steps.step(now, *first));
            if before.is_some_and(|b| steps.step(b, *last).dst == index) {
                return Some(at(0, index));
            }
            if inside.meets(now) {
                let mut pairs = offsets.windows(2).zip(1..);
                let found = pairs.find_map(|(w, n)| {
                    let index = later(steps.step(now, w[1]));
                    (steps.step(now, w[0]).dst == index).then(|| at(n, index))
                });
                if found.is_some() {
                    return found;
                }
            }
            before = Some(now);
        }
        before = Some(sum(i, inner - 1));
    }
    None
}

/// The sums of the loops for which two micro-ops of one trip meet.
enum Inside {
    /// All or none: both indices move with one sum.
    Always(bool),
    /// A bit for each pair of sums, by destination, then source.
    Some { bits: Vec<u64>, width: usize },
}

impl Inside {
    fn new(steps: &Steps<'_>, offsets: &[Step]) -> Self {
        let pairs = offsets.windows(2);
        if steps.a.use_imm {
            return Self::Always(pairs.into_iter().any(|w| w[0].dst == w[1].dst));
        }
        let mut pairs: Vec<_> = pairs.map(|w| (w[0].dst, w[1].src)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        if pairs.is_empty() {
            return Self::Always(false);
        }
        let width = steps.loop_mask as usize + 1;
        let mut bits = vec![0u64; (width * width).div_ceil(64)];
        for (dst, src) in pairs {
            for sum in 0..=steps.loop_mask {
                let written = (sum + dst) & steps.dst_mask;
                if let Some(read) = written.checked_sub(src)
                    && read <= steps.loop_mask
                {
                    let at = sum as usize * width + read as usize;
                    bits[at / 64] |= 1 << (at % 64);
                }
            }
        }
        Self::Some { bits, width }
    }

    fn meets(&self, sum: Step) -> bool {
        match self {
            Self::Always(yes) => *yes,
            Self::Some { bits, width } => {
                let at = sum.dst as usize * width + sum.src as usize;
                bits[at / 64] >> (at % 64) & 1 != 0
            }
        }
    }
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
