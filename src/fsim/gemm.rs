//! GEMM: steps of one vector times one matrix.

use super::Core;
use super::kernel::{self, Form};
use crate::config::HwConfig;
use crate::isa::{Gemm, Uop, loop_trips, uop_trips};

/// The uop indices that `uop_bgn..uop_end` visits: a 14-bit counter, cut to the
/// depth when it addresses the scratchpad (core/TensorGemm.scala).
#[inline(always)]
pub(super) const fn uop_index(bgn: u16, n: u64, depth: u32) -> usize {
    ((bgn as u64 + n) & 0x3fff) as usize & (depth as usize - 1)
}

/// A decoded micro-op: dst, src, wgt.
#[inline(always)]
pub(super) const fn uop(word: u32) -> (u32, u32, u32) {
    match Uop::from_bits(word) {
        Ok(u) => (u.dst_idx as u32, u.src_idx as u32, u.wgt_idx as u32),
        Err(_) => unreachable!(),
    }
}

/// Scratchpad elements of one step.
#[derive(Clone, Copy)]
struct Step {
    dst: usize,
    src: usize,
    wgt: usize,
}

/// Calls `f` for each step in order (`TensorGemmIndexGenerator`).
#[inline(always)]
fn each(g: &Gemm, uops: &[u32], c: &HwConfig, mut f: impl FnMut(Step)) {
    let (acc_mask, inp_mask, wgt_mask) = (c.acc_depth - 1, c.inp_depth - 1, c.wgt_depth - 1);
    let trips = uop_trips(g.uop_bgn, g.uop_end);
    let (mut dst_o, mut src_o, mut wgt_o) = (0u32, 0u32, 0u32);
    for _ in 0..loop_trips(g.iter_out) {
        let (mut dst_i, mut src_i, mut wgt_i) = (dst_o, src_o, wgt_o);
        for _ in 0..loop_trips(g.iter_in) {
            for n in 0..trips {
                let (u0, u1, u2) = uop(uops[uop_index(g.uop_bgn, n, c.uop_depth)]);
                f(Step {
                    dst: (u0.wrapping_add(dst_i) & acc_mask) as usize,
                    src: (u1.wrapping_add(src_i) & inp_mask) as usize,
                    wgt: (u2.wrapping_add(wgt_i) & wgt_mask) as usize,
                });
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

impl Core {
    /// Executes GEMM. A step sees the results of all steps before it: the
    /// pipeline forwards the last write (`bypass_cond`), older ones are in
    /// memory in time.
    pub(super) fn gemm(&mut self, g: &Gemm) {
        match self.cfg.block {
            16 => self.gemm_block::<16>(g),
            32 => self.gemm_block::<32>(g),
            4 => self.gemm_block::<4>(g),
            8 => self.gemm_block::<8>(g),
            _ => self.gemm_block::<64>(g),
        }
    }

    fn gemm_block<const B: usize>(&mut self, g: &Gemm) {
        let c = &self.cfg;
        let p = &mut self.pads;
        if g.reset_reg {
            let acc = &mut p.acc;
            each(g, &p.uop, c, |s| acc[s.dst * B..][..B].fill(0));
            return;
        }
        match Form::best(&mut self.packed) {
            Form::Scalar => {
                let out_mask = c.out_depth as usize - 1;
                let (acc, out, wgt, inp) = (&mut p.acc, &mut p.out, &p.wgt, &p.inp);
                each(g, &p.uop, c, |s| {
                    kernel::scalar::<B>(
                        &mut acc[s.dst * B..][..B],
                        &mut out[(s.dst & out_mask) * B..][..B],
                        &wgt[s.wgt * B * B..][..B * B],
                        &inp[s.src * B..][..B],
                    );
                });
            }
            #[cfg(target_arch = "x86_64")]
            Form::Avx2(packed) => {
                // SAFETY: this form is chosen only where the processor has AVX2.
                unsafe { gemm_avx2::<B>(g, c, p, packed) }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn gemm_avx2<const B: usize>(
    g: &Gemm,
    c: &HwConfig,
    p: &mut crate::mem::Scratchpads,
    packed: &mut kernel::Packed,
) {
    let out_mask = c.out_depth as usize - 1;
    let (acc, out, wgt, inp) = (&mut p.acc, &mut p.out, &p.wgt, &p.inp);
    each(g, &p.uop, c, |s| {
        kernel::avx2::step::<B>(
            &mut acc[s.dst * B..][..B],
            &mut out[(s.dst & out_mask) * B..][..B],
            packed.get::<B>(s.wgt, wgt),
            &inp[s.src * B..][..B],
        );
    });
}
