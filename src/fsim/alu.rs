//! ALU: vector operations on the accumulators, with the pipeline's stale reads.

use super::{
    Core,
    gemm::{uop, uop_index},
};
use crate::config::HwConfig;
use crate::isa::{Alu, AluOpcode, U_DST_BITS, loop_trips, uop_trips};

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

/// Indices of one step. `dst` and `src` have the widths of the RTL's
/// registers, which the assertions compare; memories see their low bits.
#[derive(Clone, Copy)]
struct Step {
    dst: u32,
    src: u32,
}

/// The index generator (`TensorAluIndexGenerator`).
struct Steps<'a> {
    a: &'a Alu,
    uops: &'a [u32],
    trips: [u64; 3],
    /// Loop sums have the width of the accumulator's address.
    loop_mask: u32,
    /// `dst_idx_r*` has the width of the wider of loop sum and uop field.
    dst_mask: u32,
    src_shift: u32,
}

impl<'a> Steps<'a> {
    fn new(a: &'a Alu, uops: &'a [u32], c: &HwConfig) -> Self {
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

    /// Calls `f` for each step in order until it returns false.
    #[inline(always)]
    fn each(&self, mut f: impl FnMut(Step) -> bool) {
        let a = self.a;
        let (mut dst_o, mut src_o) = (0u32, 0u32);
        for _ in 0..self.trips[0] {
            let (mut dst_i, mut src_i) = (dst_o, src_o);
            for _ in 0..self.trips[1] {
                for n in 0..self.trips[2] {
                    let depth = self.uops.len() as u32;
                    let (u0, u1, u2) = uop(self.uops[uop_index(a.uop_bgn, n, depth)]);
                    let offset = (u2 << self.src_shift) | u1;
                    let step = Step {
                        dst: (dst_i + u0) & self.dst_mask,
                        src: src_i + offset,
                    };
                    if !f(step) {
                        return;
                    }
                }
                dst_i = (dst_i + u32::from(a.dst_factor_in)) & self.loop_mask;
                src_i = (src_i + u32::from(a.src_factor_in)) & self.loop_mask;
            }
            dst_o = (dst_o + u32::from(a.dst_factor_out)) & self.loop_mask;
            src_o = (src_o + u32::from(a.src_factor_out)) & self.loop_mask;
        }
    }
}

#[inline(always)]
fn op(opcode: AluOpcode, shift_left: bool, a: i32, b: i32) -> i32 {
    match opcode {
        AluOpcode::Min => a.min(b),
        AluOpcode::Max => a.max(b),
        AluOpcode::Add => a.wrapping_add(b),
        AluOpcode::Shr if shift_left => a.wrapping_shl(b.wrapping_neg() as u32),
        AluOpcode::Shr => a.wrapping_shr(b as u32),
    }
}

/// Widest block that the configuration allows.
const MAX_BLOCK: usize = 64;

impl Core {
    /// The first pair of steps on which the RTL asserts, if any.
    pub fn alu_hazard(&self, a: &Alu) -> Option<Hazard> {
        let steps = Steps::new(a, &self.pads.uop, &self.cfg);
        let mut before: Option<u32> = None;
        let (mut n, mut found) = (0, None);
        steps.each(|s| {
            let (index, kind) = match a.use_imm {
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

    /// Executes ALU.
    ///
    /// The read of the left operand (immediate) or of the source (registers)
    /// happens before the write of the step before has reached the memory, so
    /// it gets the value from before that step. The destination of a register
    /// step is read one cycle later and is never stale.
    pub(super) fn alu(&mut self, a: &Alu) {
        match self.cfg.block {
            16 => self.alu_lanes::<16>(a),
            32 => self.alu_lanes::<32>(a),
            4 => self.alu_lanes::<4>(a),
            8 => self.alu_lanes::<8>(a),
            _ => self.alu_lanes::<MAX_BLOCK>(a),
        }
    }

    fn alu_lanes<const B: usize>(&mut self, a: &Alu) {
        let c = &self.cfg;
        let (acc_mask, out_mask) = (c.acc_depth - 1, c.out_depth - 1);
        let p = &mut self.pads;
        let (acc, out) = (&mut p.acc, &mut p.out);
        let shift_left = a.imm < 0;
        let imm = i32::from(a.imm);
        let (mut last, mut before) = (u32::MAX, [0i32; B]);
        Steps::new(a, &p.uop, c).each(|s| {
            let (dst, src) = (s.dst & acc_mask, s.src & acc_mask);
            let at = |i: u32| i as usize * B..(i as usize + 1) * B;
            let mut other = [0i32; B];
            other.copy_from_slice(if src == last { &before } else { &acc[at(src)] });
            let cell = &mut acc[at(dst)];
            before.copy_from_slice(cell);
            last = dst;
            if a.use_imm {
                for (t, x) in cell.iter_mut().zip(&other) {
                    *t = op(a.alu_opcode, shift_left, *x, imm);
                }
            } else {
                for (t, y) in cell.iter_mut().zip(&other) {
                    *t = op(a.alu_opcode, shift_left, *t, *y);
                }
            }
            for (o, v) in out[at(s.dst & out_mask)].iter_mut().zip(cell.iter()) {
                *o = *v as i8;
            }
            true
        });
    }
}
