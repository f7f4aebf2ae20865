//! ALU: vector operations on the accumulators, with the pipeline's stale reads.

use super::steps::{Step, Steps};
use super::{Core, Simd};
use crate::isa::{Alu, AluOpcode};
use crate::mem::Scratchpads;

/// Widest block that the configuration allows.
const MAX_BLOCK: usize = 64;

/// What all steps of an instruction share.
struct Job<'a> {
    steps: Steps<'a>,
    acc: &'a mut [i32],
    out: &'a mut [i8],
    acc_mask: u32,
    out_mask: u32,
}

impl Core {
    /// Executes ALU.
    ///
    /// The read of the left operand (immediate) or of the source (registers)
    /// happens before the write of the step before has reached the memory, so
    /// it gets the value from before that step. The destination of a register
    /// step is read one cycle later and is never stale.
    pub(super) fn alu(&mut self, a: &Alu) {
        match self.cfg.block {
            16 => self.alu_block::<16>(a),
            32 => self.alu_block::<32>(a),
            4 => self.alu_block::<4>(a),
            8 => self.alu_block::<8>(a),
            _ => self.alu_block::<MAX_BLOCK>(a),
        }
    }

    fn alu_block<const B: usize>(&mut self, a: &Alu) {
        let c = &self.cfg;
        let Scratchpads { uop, acc, out, .. } = &mut self.pads;
        let job = Job {
            steps: Steps::new(a, uop, c),
            acc,
            out,
            acc_mask: c.acc_depth - 1,
            out_mask: c.out_depth - 1,
        };
        match self.packed.simd {
            // SAFETY: the form was chosen among those that are available.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512Vnni => unsafe { avx512::<B>(job) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 | Simd::AvxVnni => unsafe { avx2::<B>(job) },
            _ => lanes::<B>(job),
        }
    }
}

/// The same loops with wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn avx512<const B: usize>(job: Job<'_>) {
    lanes::<B>(job);
}

/// The same loops with wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<const B: usize>(job: Job<'_>) {
    lanes::<B>(job);
}

/// Picks the operation once for the instruction.
#[inline(always)]
fn lanes<const B: usize>(job: Job<'_>) {
    let a = job.steps.a;
    let imm = i32::from(a.imm);
    match (a.alu_opcode, a.imm < 0) {
        (AluOpcode::Min, _) => either::<B>(job, imm, i32::min),
        (AluOpcode::Max, _) => either::<B>(job, imm, i32::max),
        (AluOpcode::Add, _) => either::<B>(job, imm, i32::wrapping_add),
        (AluOpcode::Shr, true) => {
            either::<B>(job, imm, |x, y| x.wrapping_shl(y.wrapping_neg() as u32));
        }
        (AluOpcode::Shr, false) => either::<B>(job, imm, |x, y| x.wrapping_shr(y as u32)),
    }
}

/// The operands: (source, immediate) or (destination, source).
#[inline(always)]
fn either<const B: usize>(job: Job<'_>, imm: i32, f: impl Fn(i32, i32) -> i32) {
    if job.steps.a.use_imm {
        walk::<B>(job, |_, src| f(src, imm));
    } else {
        walk::<B>(job, f);
    }
}

/// All steps; `f` gets a lane of the destination and of the source.
#[inline(always)]
fn walk<const B: usize>(mut job: Job<'_>, f: impl Fn(i32, i32) -> i32) {
    let steps = job.steps;
    if !steps.reads_are_fresh() {
        stale::<B>(job, f);
    } else if steps.trips[2] == 1 {
        let offsets = steps.offsets(0);
        steps.each_trip(|sum| {
            fresh::<B>(&mut job, steps.step(sum, offsets), &f);
            true
        });
    } else {
        steps.each(|s| {
            fresh::<B>(&mut job, s, &f);
            true
        });
    }
}

/// One step whose source is not the destination of the one before.
#[inline(always)]
fn fresh<const B: usize>(job: &mut Job<'_>, s: Step, f: impl Fn(i32, i32) -> i32) {
    let at = |i: u32| i as usize * B..(i as usize + 1) * B;
    let mut src = [0; B];
    src.copy_from_slice(&job.acc[at(s.src & job.acc_mask)]);
    let cell = &mut job.acc[at(s.dst & job.acc_mask)];
    let out = &mut job.out[at(s.dst & job.out_mask)];
    for ((t, o), x) in cell.iter_mut().zip(out).zip(&src) {
        *t = f(*t, *x);
        *o = *t as i8;
    }
}

/// All steps, where the source of one may be the destination of the one before.
#[inline(always)]
fn stale<const B: usize>(job: Job<'_>, f: impl Fn(i32, i32) -> i32) {
    let (mut last, mut before) = (u32::MAX, [0i32; B]);
    job.steps.each(|s| {
        let (dst, src) = (s.dst & job.acc_mask, s.src & job.acc_mask);
        let at = |i: u32| i as usize * B..(i as usize + 1) * B;
        let mut other = [0i32; B];
        other.copy_from_slice(if src == last {
            &before
        } else {
            &job.acc[at(src)]
        });
        let cell = &mut job.acc[at(dst)];
        before.copy_from_slice(cell);
        last = dst;
        for (t, x) in cell.iter_mut().zip(&other) {
            *t = f(*t, *x);
        }
        for (o, v) in job.out[at(s.dst & job.out_mask)].iter_mut().zip(cell) {
            *o = *v as i8;
        }
        true
    });
}
