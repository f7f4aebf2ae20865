//! GEMM: steps of one vector times one matrix.

use super::Core;
use crate::isa::{Gemm, Uop, loop_trips, uop_trips};

/// The uop indices that `uop_bgn..uop_end` visits: a 14-bit counter, cut to the
/// depth when it addresses the scratchpad (core/TensorGemm.scala).
pub(super) fn uop_index(bgn: u16, n: u64, depth: u32) -> usize {
    ((u64::from(bgn) + n) & 0x3fff) as usize & (depth as usize - 1)
}

/// A decoded micro-op.
pub(super) fn uop(word: u32) -> (u32, u32, u32) {
    match Uop::from_bits(word) {
        Ok(u) => (u.dst_idx.into(), u.src_idx.into(), u.wgt_idx.into()),
        Err(_) => unreachable!("every micro-op word decodes"),
    }
}

/// acc += wgt * inp, out = low bytes of acc.
#[inline(always)]
fn step(acc: &mut [i32], out: &mut [i8], wgt: &[i8], inp: &[i8]) {
    let lanes = inp.len();
    for ((a, o), row) in acc.iter_mut().zip(out).zip(wgt.chunks_exact(lanes)) {
        let dot: i32 = row
            .iter()
            .zip(inp)
            .map(|(w, i)| i32::from(*w) * i32::from(*i))
            .sum();
        *a = a.wrapping_add(dot);
        *o = *a as i8;
    }
}

impl Core {
    /// Executes GEMM. A step sees the results of all steps before it: the
    /// pipeline forwards the last write (`bypass_cond`), older ones are in
    /// memory in time.
    pub(super) fn gemm(&mut self, g: &Gemm) {
        let c = &self.cfg;
        let (acc_mask, inp_mask) = (c.acc_depth - 1, c.inp_depth - 1);
        let (wgt_mask, out_mask) = (c.wgt_depth - 1, c.out_depth - 1);
        let uops = uop_trips(g.uop_bgn, g.uop_end);
        let p = &mut self.pads;
        let (mut dst_o, mut src_o, mut wgt_o) = (0u32, 0u32, 0u32);
        for _ in 0..loop_trips(g.iter_out) {
            let (mut dst_i, mut src_i, mut wgt_i) = (dst_o, src_o, wgt_o);
            for _ in 0..loop_trips(g.iter_in) {
                for n in 0..uops {
                    let (u0, u1, u2) = uop(p.uop[uop_index(g.uop_bgn, n, c.uop_depth)]);
                    let dst = (u0.wrapping_add(dst_i) & acc_mask) as usize;
                    let src = (u1.wrapping_add(src_i) & inp_mask) as usize;
                    let wgt = (u2.wrapping_add(wgt_i) & wgt_mask) as usize;
                    let out = dst & out_mask as usize;
                    match c.block {
                        16 => one::<16>(p, g.reset_reg, dst, src, wgt, out),
                        32 => one::<32>(p, g.reset_reg, dst, src, wgt, out),
                        4 => one::<4>(p, g.reset_reg, dst, src, wgt, out),
                        8 => one::<8>(p, g.reset_reg, dst, src, wgt, out),
                        _ => one::<64>(p, g.reset_reg, dst, src, wgt, out),
                    }
                }
                dst_i = dst_i.wrapping_add(g.dst_factor_in.into());
                src_i = src_i.wrapping_add(g.src_factor_in.into());
                wgt_i = wgt_i.wrapping_add(g.wgt_factor_in.into());
            }
            dst_o = dst_o.wrapping_add(g.dst_factor_out.into());
            src_o = src_o.wrapping_add(g.src_factor_out.into());
            wgt_o = wgt_o.wrapping_add(g.wgt_factor_out.into());
        }
    }
}

#[inline(always)]
fn one<const B: usize>(
    p: &mut crate::mem::Scratchpads,
    reset: bool,
    dst: usize,
    src: usize,
    wgt: usize,
    out: usize,
) {
    let acc = &mut p.acc[dst * B..][..B];
    if reset {
        acc.fill(0);
        return;
    }
    let out = &mut p.out[out * B..][..B];
    step(
        acc,
        out,
        &p.wgt[wgt * B * B..][..B * B],
        &p.inp[src * B..][..B],
    );
}
