//! ALU: vector operations on the accumulators, with the pipeline's stale reads.

use super::steps::{Step, Steps};
use super::{Core, Pace};
use vta_program::isa::{Alu, AluOpcode};
use vta_program::mem::Scratchpads;

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

/// An operation on one lane.
trait Op: Copy {
    /// Of the value at the destination and the value at the source.
    fn of(self, dst: i32, src: i32) -> i32;
}

impl Core {
    /// Executes ALU.
    ///
    /// The read of the left operand (immediate) or of the source (registers)
    /// happens before the write of the step before has reached the memory, so
    /// it gets the value from before that step. The destination of a register
    /// step is read one cycle later and is never stale.
    pub(super) fn alu(&mut self, a: &Alu, pace: &mut Pace<'_>) {
        match self.cfg.block {
            16 => self.alu_block::<16>(a, pace),
            32 => self.alu_block::<32>(a, pace),
            4 => self.alu_block::<4>(a, pace),
            8 => self.alu_block::<8>(a, pace),
            _ => self.alu_block::<MAX_BLOCK>(a, pace),
        }
    }

    fn alu_block<const B: usize>(&mut self, a: &Alu, pace: &mut Pace<'_>) {
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
            super::Simd::Avx512Vnni => unsafe { avx512::<B>(job, pace) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            super::Simd::Avx2 | super::Simd::AvxVnni => unsafe { avx2::<B>(job, pace) },
            _ => lanes::<B>(job, pace),
        }
    }
}

/// The same loops with wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn avx512<const B: usize>(job: Job<'_>, pace: &mut Pace<'_>) {
    lanes::<B>(job, pace);
}

/// The same loops with wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<const B: usize>(job: Job<'_>, pace: &mut Pace<'_>) {
    lanes::<B>(job, pace);
}

macro_rules! op {
    ($name:ident, $x:ident, $y:ident, $value:expr) => {
        #[derive(Clone, Copy)]
        struct $name;

        impl Op for $name {
            #[inline(always)]
            fn of(self, $x: i32, $y: i32) -> i32 {
                $value
            }
        }
    };
}

op!(Min, x, y, x.min(y));
op!(Max, x, y, x.max(y));
op!(Add, x, y, x.wrapping_add(y));
op!(Right, x, y, x.wrapping_shr(y as u32));
op!(Left, x, y, x.wrapping_shl(y.wrapping_neg() as u32));

/// The source with an immediate.
#[derive(Clone, Copy)]
struct Imm<O>(O, i32);

impl<O: Op> Op for Imm<O> {
    #[inline(always)]
    fn of(self, _dst: i32, src: i32) -> i32 {
        self.0.of(src, self.1)
    }
}

/// Picks the operation once for the instruction.
#[inline(always)]
fn lanes<const B: usize>(job: Job<'_>, pace: &mut Pace<'_>) {
    let a = job.steps.a;
    match (a.alu_opcode, a.imm < 0) {
        (AluOpcode::Min, _) => either::<B, _>(job, Min, pace),
        (AluOpcode::Max, _) => either::<B, _>(job, Max, pace),
        (AluOpcode::Add, _) => either::<B, _>(job, Add, pace),
        (AluOpcode::Shr, true) => either::<B, _>(job, Left, pace),
        (AluOpcode::Shr, false) => either::<B, _>(job, Right, pace),
    }
}

#[inline(always)]
fn either<const B: usize, O: Op>(job: Job<'_>, op: O, pace: &mut Pace<'_>) {
    let a = job.steps.a;
    if a.use_imm {
        all::<B, _>(job, Imm(op, a.imm.into()), pace);
    } else {
        all::<B, _>(job, op, pace);
    }
}

#[inline(always)]
fn all<const B: usize, O: Op>(mut job: Job<'_>, op: O, pace: &mut Pace<'_>) {
    if !job.steps.reads_are_fresh() {
        return stale::<B, O>(job, op, pace);
    }
    // No index wraps, or reads would not surely be fresh.
    let steps = job.steps;
    let a = steps.a;
    let [outer, inner, uops] = steps.trips;
    let [dst_out, dst_in] = [a.dst_factor_out, a.dst_factor_in].map(u32::from);
    let [src_out, src_in] = [a.src_factor_out, a.src_factor_in].map(u32::from);
    let first = steps.offsets(0);
    for o in 0..outer as u32 {
        let mut s = Step {
            dst: o * dst_out,
            src: o * src_out,
        };
        if uops == 1 {
            (s.dst, s.src) = (s.dst + first.dst, s.src + first.src);
            row::<B, O>(&mut job, op, s, [dst_in, src_in], inner as u32);
            if !pace.done(inner) {
                return;
            }
            continue;
        }
        for _ in 0..inner {
            for n in 0..uops {
                let u = steps.offsets(n);
                let (dst, src) = (s.dst + u.dst, s.src + u.src);
                one::<B, O>(&mut job, op, Step { dst, src });
            }
            (s.dst, s.src) = (s.dst + dst_in, s.src + src_in);
            if !pace.done(uops) {
                return;
            }
        }
    }
}

/// `count` steps at equal distances.
#[inline(always)]
fn row<const B: usize, O: Op>(job: &mut Job<'_>, op: O, s: Step, by: [u32; 2], count: u32) {
    let in_place = s.dst == s.src && by == [1, 1];
    if in_place && s.dst + count <= job.out_mask + 1 {
        let range = s.dst as usize * B..(s.dst + count) as usize * B;
        let cells = job.acc[range.clone()].iter_mut();
        for (t, o) in cells.zip(&mut job.out[range]) {
            *t = op.of(*t, *t);
            *o = *t as i8;
        }
        return;
    }
    let Step { mut dst, mut src } = s;
    for _ in 0..count {
        one::<B, O>(job, op, Step { dst, src });
        (dst, src) = (dst + by[0], src + by[1]);
    }
}

/// One step whose source is not the destination of the one before.
#[inline(always)]
fn one<const B: usize, O: Op>(job: &mut Job<'_>, op: O, s: Step) {
    let at = |i: u32| i as usize * B..(i as usize + 1) * B;
    let mut src = [0; B];
    src.copy_from_slice(&job.acc[at(s.src)]);
    write(
        &mut job.acc[at(s.dst)],
        &mut job.out[at(s.dst & job.out_mask)],
        op,
        &src,
    );
}

/// Copies in and out keep the compiler from doubting that lanes are apart.
#[inline(always)]
fn write<const B: usize, O: Op>(acc: &mut [i32], out: &mut [i8], op: O, src: &[i32; B]) {
    let (mut value, mut low) = ([0; B], [0; B]);
    value.copy_from_slice(acc);
    for (v, x) in value.iter_mut().zip(src) {
        *v = op.of(*v, *x);
    }
    for (l, v) in low.iter_mut().zip(&value) {
        *l = *v as i8;
    }
    acc.copy_from_slice(&value);
    out.copy_from_slice(&low);
}

/// All steps, where the source of one may be the destination of the one before.
fn stale<const B: usize, O: Op>(job: Job<'_>, op: O, pace: &mut Pace<'_>) {
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
        write(cell, &mut job.out[at(s.dst & job.out_mask)], op, &other);
        pace.done(1)
    });
}
