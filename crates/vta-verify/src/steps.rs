//! GEMM and ALU: which elements their steps touch, without going through the steps.

use super::names::AluRule;
use super::set::Set;
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Alu, Gemm, Uop};

/// Indices of a micro-op, as the instruction uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Indices {
    pub dst: u32,
    pub src: u32,
    pub wgt: u32,
}

impl Indices {
    pub fn gemm(word: u32) -> Self {
        let (dst, src, wgt) = fields(word);
        Self { dst, src, wgt }
    }

    /// The ALU's source goes on in the bits of the weight index.
    pub fn alu(word: u32, c: &HwConfig) -> Self {
        let (dst, src, wgt) = fields(word);
        Self {
            dst,
            src: (wgt << c.inp_depth.trailing_zeros()) | src,
            wgt: 0,
        }
    }
}

fn fields(word: u32) -> (u32, u32, u32) {
    // Every word is a micro-op.
    Uop::from_bits(word).map_or((0, 0, 0), |u| {
        (u.dst_idx.into(), u.src_idx.into(), u.wgt_idx.into())
    })
}

/// The two loops around the micro-ops, for one of the indices.
#[derive(Debug, Clone, Copy)]
struct Loops {
    out: (u16, u16),
    inner: (u16, u16),
}

impl Loops {
    /// What micro-ops and loops add up to. None if one is `depth` or more.
    fn touched(&self, uops: impl Iterator<Item = u32>, depth: u32) -> Option<Set> {
        let mut starts = Set::new(depth);
        for u in uops {
            if u >= depth {
                return None;
            }
            starts.insert(u);
        }
        let outer = Set::progression(self.out.0.into(), self.out.1.into(), depth)?;
        let inner = Set::progression(self.inner.0.into(), self.inner.1.into(), depth)?;
        outer.sums(&inner, depth)?.sums(&starts, depth)
    }
}

/// Elements that an instruction touches.
#[derive(Debug)]
pub(super) struct Touched {
    pub dst: Set,
    pub src: Set,
    pub wgt: Set,
}

/// Depth for accumulators that are also written to the output scratchpad.
fn dst_depth(c: &HwConfig, writes_out: bool) -> (Scratchpad, u32) {
    if writes_out && c.out_depth < c.acc_depth {
        (Scratchpad::Out, c.out_depth)
    } else {
        (Scratchpad::Acc, c.acc_depth)
    }
}

impl Touched {
    /// Of a GEMM; one that resets reads no inputs and no weights.
    ///
    /// # Errors
    /// The scratchpad that the steps leave.
    pub fn gemm(g: &Gemm, uops: &[Indices], c: &HwConfig) -> Result<Self, (Scratchpad, u32)> {
        let loops = |factor_out: u16, factor_in: u16| Loops {
            out: (g.iter_out, factor_out),
            inner: (g.iter_in, factor_in),
        };
        let (pad, depth) = dst_depth(c, !g.reset_reg);
        let dst = loops(g.dst_factor_out, g.dst_factor_in)
            .touched(uops.iter().map(|u| u.dst), depth)
            .ok_or((pad, depth))?;
        if g.reset_reg {
            return Ok(Self {
                dst,
                src: Set::new(c.inp_depth),
                wgt: Set::new(c.wgt_depth),
            });
        }
        Ok(Self {
            dst,
            src: loops(g.src_factor_out, g.src_factor_in)
                .touched(uops.iter().map(|u| u.src), c.inp_depth)
                .ok_or((Scratchpad::Inp, c.inp_depth))?,
            wgt: loops(g.wgt_factor_out, g.wgt_factor_in)
                .touched(uops.iter().map(|u| u.wgt), c.wgt_depth)
                .ok_or((Scratchpad::Wgt, c.wgt_depth))?,
        })
    }

    /// Of an ALU instruction: `src` are accumulators.
    ///
    /// # Errors
    /// The scratchpad that the steps leave.
    pub fn alu(a: &Alu, uops: &[Indices], c: &HwConfig) -> Result<Self, (Scratchpad, u32)> {
        let loops = |factor_out: u16, factor_in: u16| Loops {
            out: (a.iter_out, factor_out),
            inner: (a.iter_in, factor_in),
        };
        let (pad, depth) = dst_depth(c, true);
        Ok(Self {
            dst: loops(a.dst_factor_out, a.dst_factor_in)
                .touched(uops.iter().map(|u| u.dst), depth)
                .ok_or((pad, depth))?,
            src: loops(a.src_factor_out, a.src_factor_in)
                .touched(uops.iter().map(|u| u.src), c.acc_depth)
                .ok_or((Scratchpad::Acc, c.acc_depth))?,
            wgt: Set::new(c.wgt_depth),
        })
    }
}

/// Most steps that are looked at one by one.
const MOST_STEPS: u64 = 1 << 24;

/// The first source of an immediate ALU instruction that is neither in
/// `written` nor the destination of a step before. None in the outer option
/// if there are too many steps to look.
pub(super) fn first_unwritten(a: &Alu, uops: &[Indices], written: &Set) -> Option<Option<u32>> {
    if a.steps() > MOST_STEPS {
        return None;
    }
    let mut written = written.clone();
    for i in 0..u32::from(a.iter_out) {
        for j in 0..u32::from(a.iter_in) {
            for u in uops {
                let src = u.src + i * u32::from(a.src_factor_out) + j * u32::from(a.src_factor_in);
                let dst = u.dst + i * u32::from(a.dst_factor_out) + j * u32::from(a.dst_factor_in);
                if !written.contains(src) {
                    return Some(Some(src));
                }
                written.insert(dst);
            }
        }
    }
    Some(None)
}

/// Two consecutive steps that are too close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Close {
    pub rule: AluRule,
    /// The later step.
    pub step: u64,
    pub element: u32,
}

/// The first of each rule that an ALU instruction breaks.
pub(super) fn close_steps(a: &Alu, uops: &[Indices]) -> Vec<Close> {
    let source = if a.use_imm {
        AluRule::ImmediateStaleSrc
    } else {
        AluRule::RegisterSrc
    };
    let pairs = Pairs { a, uops };
    let mut found = Vec::new();
    if a.use_imm {
        let dst = [a.dst_factor_out, a.dst_factor_in];
        found.extend(pairs.first(AluRule::ImmediateSameDst, dst, |u| u.dst));
    }
    let src = [a.src_factor_out, a.src_factor_in];
    found.extend(pairs.first(source, src, |u| u.src));
    found
}

struct Pairs<'a> {
    a: &'a Alu,
    uops: &'a [Indices],
}

impl Pairs<'_> {
    /// The first step whose index (of the later step: micro-op and factors) is
    /// the destination of the step before.
    fn first(
        &self,
        rule: AluRule,
        [factor_out, factor_in]: [u16; 2],
        index: impl Fn(&Indices) -> u32,
    ) -> Option<Close> {
        let (a, n) = (self.a, self.uops.len());
        let (out, inner) = (i64::from(a.iter_out), i64::from(a.iter_in));
        let [dst_out, dst_in] = [a.dst_factor_out, a.dst_factor_in].map(i64::from);
        let [by_out, by_in] = [factor_out, factor_in].map(i64::from);
        let mut best: Option<(i64, i64, usize)> = None;
        let mut found = |at: (i64, i64, usize)| best = Some(best.map_or(at, |b| b.min(at)));
        // What the earlier destination is less the later index, in iteration
        // (i, j) of the later step: `c + i * p + j * q`, 0 where they meet.
        let (p, q) = (dst_out - by_out, dst_in - by_in);
        for k in 0..n {
            let later = i64::from(index(&self.uops[k]));
            if k > 0 {
                let c = i64::from(self.uops[k - 1].dst) - later;
                if let Some((i, j)) = meet(c, p, q, 0..out, 0..inner) {
                    found((i, j, k));
                }
                continue;
            }
            let last = i64::from(self.uops[n - 1].dst);
            // The iteration before is (i, j - 1), or the last of i - 1.
            if let Some((i, j)) = meet(last - dst_in - later, p, q, 0..out, 1..inner) {
                found((i, j, k));
            }
            let c = last - dst_out + (inner - 1) * dst_in - later;
            if let Some((i, j)) = meet(c, p, q, 1..out, 0..inner.min(1)) {
                found((i, j, k));
            }
        }
        let (i, j, k) = best?;
        let element = i64::from(index(&self.uops[k])) + i * by_out + j * by_in;
        Some(Close {
            rule,
            step: ((i * inner + j) * n as i64) as u64 + k as u64,
            element: element as u32,
        })
    }
}

/// The first `(i, j)` of these ranges with `c + i * p + j * q == 0`, in time that
/// the ranges do not bound.
fn meet(
    c: i64,
    p: i64,
    q: i64,
    is: std::ops::Range<i64>,
    js: std::ops::Range<i64>,
) -> Option<(i64, i64)> {
    if is.is_empty() || js.is_empty() {
        return None;
    }
    if q == 0 {
        let i = match p {
            0 => (c == 0).then_some(is.start)?,
            p if c % p == 0 => -(c / p),
            _ => return None,
        };
        return is.contains(&i).then_some((i, js.start));
    }
    let j_of = |i: i64| {
        let rest = -(c + i * p);
        let j = rest / q;
        (rest % q == 0 && js.contains(&j)).then_some(j)
    };
    if p == 0 {
        return j_of(is.start).map(|j| (is.start, j));
    }
    // The `i` for which `j` is in its range: `least <= i * p <= most`.
    let ends = [js.start * q, (js.end - 1) * q];
    let (least, most) = (-ends[0].max(ends[1]) - c, -ends[0].min(ends[1]) - c);
    let (from, to) = if p > 0 {
        (-floor(-least, p), floor(most, p))
    } else {
        (-floor(-most, p), floor(least, p))
    };
    let (from, to) = (from.max(is.start), to.min(is.end - 1));
    // Those for which `q` divides: one of each `m` that follow each other.
    let (g, inverse) = inverse(p.rem_euclid(q.abs()), q.abs());
    if c % g != 0 {
        return None;
    }
    let m = q.abs() / g;
    let one = (-(c / g)).rem_euclid(m) * inverse.rem_euclid(m);
    let i = from + (one - from).rem_euclid(m);
    (i <= to).then(|| j_of(i).map(|j| (i, j)))?
}

/// The largest integer that is not above `a / b`.
const fn floor(a: i64, b: i64) -> i64 {
    if b > 0 {
        a.div_euclid(b)
    } else {
        (-a).div_euclid(-b)
    }
}

/// The greatest common divisor `g` of `a` and `m`, and an `x` with
/// `a * x` = `g` modulo `m`.
const fn inverse(a: i64, m: i64) -> (i64, i64) {
    let (mut r, mut x) = ((m, a), (0, 1));
    while r.1 != 0 {
        let n = r.0 / r.1;
        r = (r.1, r.0 - n * r.1);
        x = (x.1, x.0 - n * x.1);
    }
    (r.0, x.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alu(loops: [u16; 2], factors: [u16; 4], use_imm: bool) -> Alu {
        Alu {
            iter_out: loops[0],
            iter_in: loops[1],
            dst_factor_out: factors[0],
            dst_factor_in: factors[1],
            src_factor_out: factors[2],
            src_factor_in: factors[3],
            use_imm,
            ..Alu::from_bits(4).expect("the opcode alone is an ALU instruction")
        }
    }

    fn steps(a: &Alu, uops: &[Indices]) -> Vec<(u32, u32)> {
        let mut all = Vec::new();
        for i in 0..u32::from(a.iter_out) {
            for j in 0..u32::from(a.iter_in) {
                all.extend(uops.iter().map(|u| {
                    let at = |base, [o, n]: [u16; 2]| base + i * u32::from(o) + j * u32::from(n);
                    (
                        at(u.dst, [a.dst_factor_out, a.dst_factor_in]),
                        at(u.src, [a.src_factor_out, a.src_factor_in]),
                    )
                }));
            }
        }
        all
    }

    proptest! {
        #[test]
        fn close_steps_are_those_of_all_steps(
            loops in [1u16..5, 1..5], factors in [0u16..4, 0..4, 0..4, 0..4], use_imm: bool,
            uops in prop::collection::vec((0u32..6, 0u32..6), 1..4),
        ) {
            let uops: Vec<Indices> = uops.iter().map(|&(dst, src)| Indices { dst, src, wgt: 0 }).collect();
            let a = alu(loops, factors, use_imm);
            let all = steps(&a, &uops);
            let first = |rule, later: fn(&(u32, u32)) -> u32| {
                let mut pairs = all.windows(2).zip(1u64..);
                let pair = pairs.find(|(w, _)| w[0].0 == later(&w[1]));
                pair.map(|(w, step)| Close { rule, step, element: later(&w[1]) })
            };
            let mut expected = Vec::new();
            if use_imm {
                expected.extend(first(AluRule::ImmediateSameDst, |s| s.0));
                expected.extend(first(AluRule::ImmediateStaleSrc, |s| s.1));
            } else {
                expected.extend(first(AluRule::RegisterSrc, |s| s.1));
            }
            prop_assert_eq!(close_steps(&a, &uops), expected);
            // What is touched is what the steps touch.
            let c = HwConfig::default();
            let touched = Touched::alu(&a, &uops, &c).unwrap();
            let (mut dst, mut src) = (Set::new(c.acc_depth), Set::new(c.acc_depth));
            all.iter().for_each(|s| {
                dst.insert(s.0);
                src.insert(s.1);
            });
            prop_assert_eq!(&touched.dst, &dst);
            prop_assert_eq!(&touched.src, &src);
            // The first source that is not written.
            let mut written = Set::new(c.acc_depth);
            written.insert_range(0, 3);
            let mut seen = written.clone();
            let unwritten = all.iter().find_map(|s| {
                let missing = !seen.contains(s.1);
                seen.insert(s.0);
                missing.then_some(s.1)
            });
            prop_assert_eq!(first_unwritten(&a, &uops, &written), Some(unwritten));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        /// Against all pairs.
        #[test]
        fn where_indices_meet_is_found(
            c in -60i64..60, p in -9i64..9, q in -9i64..9,
            is in (0i64..4, 0i64..14), js in (0i64..4, 0i64..14),
        ) {
            let (is, js) = (is.0..is.1, js.0..js.1);
            let mut all = is.clone().flat_map(|i| js.clone().map(move |j| (i, j)));
            let first = all.find(|(i, j)| c + i * p + j * q == 0);
            prop_assert_eq!(meet(c, p, q, is, js), first);
        }
    }

    #[test]
    fn steps_past_the_end_are_told() {
        let c = HwConfig::default();
        let uop = |dst, src| vec![Indices { dst, src, wgt: 0 }];
        let a = alu([2, 16], [16, 1, 16, 1], true);
        assert!(Touched::alu(&a, &uop(2016, 2016), &c).is_ok());
        assert_eq!(
            Touched::alu(&a, &uop(2017, 0), &c).unwrap_err(),
            (Scratchpad::Acc, 2048)
        );
        assert_eq!(
            Touched::alu(&a, &uop(0, 2017), &c).unwrap_err(),
            (Scratchpad::Acc, 2048)
        );
        assert_eq!(Indices::alu(1 << 22, &c).src, 2048);
        let mut small = c.clone();
        small.out_depth = 1024;
        assert_eq!(
            Touched::alu(&a, &uop(1000, 0), &small).unwrap_err(),
            (Scratchpad::Out, 1024)
        );
    }
}
