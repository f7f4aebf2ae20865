//! Micro-ops and loops as the index generators see them.

use vta_program::config::HwConfig;
use vta_program::isa::{Alu, U_DST_BITS, Uop, loop_trips, uop_trips};

/// The uop indices that `uop_bgn..uop_end` visits: a 14-bit counter, cut to the
/// depth when it addresses the scratchpad (core/TensorGemm.scala).
#[inline(always)]
pub(super) const fn uop_index(bgn: u16, n: u64, depth: u32) -> usize {
    ((bgn as u64 + n) & 0x3fff) as usize & (depth as usize - 1)
}

/// A decoded micro-op: dst, src, wgt.
#[inline(always)]
pub(super) const fn uop(word: u32) -> [u32; 3] {
    match Uop::from_bits(word) {
        Ok(u) => [u.dst_idx as u32, u.src_idx as u32, u.wgt_idx as u32],
        Err(_) => unreachable!(),
    }
}

/// Indices of one ALU step. `dst` and `src` have the widths of the RTL's
/// registers, which the assertions compare; memories see their low bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) dst: u32,
    pub(super) src: u32,
}

/// The index generator of the ALU (`TensorAluIndexGenerator`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps<'a> {
    pub(super) a: &'a Alu,
    uops: &'a [u32],
    /// Outer loop, inner loop, micro-ops.
    pub(super) trips: [u64; 3],
    /// Loop sums have the width of the accumulator's address.
    pub(super) loop_mask: u32,
    /// `dst_idx_r*` has the width of the wider of loop sum and uop field.
    pub(super) dst_mask: u32,
    src_shift: u32,
}

impl<'a> Steps<'a> {
    pub(super) fn new(a: &'a Alu, uops: &'a [u32], c: &HwConfig) -> Self {
        let acc_bits = c.acc_depth.trailing_zeros();
        Self {
            a,
            uops,
            trips: [
                loop_trips(a.iter_out),
                loop_trips(a.iter_in),
                uop_trips(a.uop_bgn, a.uop_end),
            ],
            loop_mask: c.acc_depth - 1,
            dst_mask: (1 << acc_bits.max(U_DST_BITS)) - 1,
            src_shift: c.inp_depth.trailing_zeros(),
        }
    }

    /// The indices that micro-op `n` adds to those of the loops.
    #[inline(always)]
    pub(super) fn offsets(&self, n: u64) -> Step {
        let depth = self.uops.len() as u32;
        let [dst, low, high] = uop(self.uops[uop_index(self.a.uop_bgn, n, depth)]);
        Step {
            dst,
            src: (high << self.src_shift) | low,
        }
    }

    /// Calls `f` with the sums of both loops, for each pair of trips in order,
    /// until it returns false.
    #[inline(always)]
    pub(super) fn each_trip(&self, mut f: impl FnMut(Step) -> bool) {
        let a = self.a;
        let add = |s: Step, dst: u16, src: u16| Step {
            dst: (s.dst + u32::from(dst)) & self.loop_mask,
            src: (s.src + u32::from(src)) & self.loop_mask,
        };
        let mut o = Step { dst: 0, src: 0 };
        for _ in 0..self.trips[0] {
            let mut i = o;
            for _ in 0..self.trips[1] {
                if !f(i) {
                    return;
                }
                i = add(i, a.dst_factor_in, a.src_factor_in);
            }
            o = add(o, a.dst_factor_out, a.src_factor_out);
        }
    }

    /// One step from the sums of the loops and the offsets of a micro-op.
    #[inline(always)]
    pub(super) const fn step(&self, sum: Step, offsets: Step) -> Step {
        Step {
            dst: (sum.dst + offsets.dst) & self.dst_mask,
            src: sum.src + offsets.src,
        }
    }

    /// Calls `f` for each step in order until it returns false.
    #[inline(always)]
    pub(super) fn each(&self, mut f: impl FnMut(Step) -> bool) {
        self.each_trip(|sum| (0..self.trips[2]).all(|n| f(self.step(sum, self.offsets(n)))));
    }
}
