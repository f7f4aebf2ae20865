//! Micro-ops and the loops around them.

use crate::fit::{self, DoesNotFit};
use crate::op::{Loops, OpKind, uop};
use smallvec::smallvec;
use vta_program::isa::{AluOpcode, C_WIDX_BITS, Uop};

/// `n` vectors one after the other, of both operands.
pub(crate) fn line(n: u32) -> Loops {
    Loops {
        iter: [1, n],
        dst: [0, 1],
        src: [0, 1],
        wgt: [0, 0],
    }
}

/// `n` blocks of `plane` vectors; the source has one vector for each block.
pub(crate) fn by_block(n: u32, plane: u32) -> Loops {
    Loops {
        iter: [n, plane],
        dst: [plane, 1],
        src: [1, 0],
        wgt: [0, 0],
    }
}

/// An ALU operation with one micro-op.
///
/// # Errors
/// An index that is wider than its field.
pub(crate) fn alu(
    opcode: AluOpcode,
    imm: Option<i16>,
    dst: u32,
    src: u32,
    loops: Loops,
) -> Result<OpKind, DoesNotFit> {
    Ok(OpKind::Alu {
        uops: smallvec![uop(dst, src, 0)?],
        loops,
        opcode,
        imm,
    })
}

/// Loops over `ny` rows of `nx`, with the distances of rows and columns in dst
/// and src; one loop where rows follow each other.
pub(crate) fn map_loops(ny: u32, nx: u32, dst: [u32; 2], src: [u32; 2]) -> Loops {
    let joined = (dst[0] == nx * dst[1] && src[0] == nx * src[1]) || ny == 1;
    if joined {
        let one = ny * nx == 1;
        return Loops {
            iter: [1, ny * nx],
            dst: [0, if one { 0 } else { dst[1] }],
            src: [0, if one { 0 } else { src[1] }],
            wgt: [0, 0],
        };
    }
    if nx == 1 {
        return Loops {
            iter: [1, ny],
            dst: [0, dst[0]],
            src: [0, src[0]],
            wgt: [0, 0],
        };
    }
    Loops {
        iter: [ny, nx],
        dst,
        src,
        wgt: [0, 0],
    }
}

/// Moves repetition from micro-ops into loops that have one trip. Gives the micro-ops
/// that are left, which are the first ones.
///
/// # Errors
/// More micro-ops than can be counted.
pub(crate) fn compress(mut uops: &[Uop], mut loops: Loops) -> Result<(&[Uop], Loops), DoesNotFit> {
    for l in [0, 1] {
        if loops.iter[l] != 1 {
            continue;
        }
        if let Some((n, d)) = period(uops) {
            loops.iter[l] = fit::count("micro-ops of an instruction", uops.len() / n)?;
            (loops.dst[l], loops.src[l], loops.wgt[l]) = d;
            uops = &uops[..n];
        }
    }
    Ok((uops, loops))
}

/// The shortest beginning that repeats to the end with a constant distance.
fn period(uops: &[Uop]) -> Option<(usize, (u32, u32, u32))> {
    let n = uops.len();
    let diff = |a: &Uop, b: &Uop| {
        let d = |x: u16, y: u16| y.checked_sub(x).map(u32::from);
        Some((
            d(a.dst_idx, b.dst_idx)?,
            d(a.src_idx, b.src_idx)?,
            d(a.wgt_idx, b.wgt_idx)?,
        ))
    };
    (1..=n / 2).filter(|m| n.is_multiple_of(*m)).find_map(|m| {
        let first = diff(&uops[0], &uops[m])?;
        let fits = first.2 < 1 << C_WIDX_BITS;
        let all = (1..n - m).all(|i| diff(&uops[i], &uops[i + m]) == Some(first));
        (fits && all).then_some((m, first))
    })
}
