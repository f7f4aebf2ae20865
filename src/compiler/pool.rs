//! Schedules a largest-value pool.
//!
//! Inputs reach the accumulators through an identity GEMM; then each kernel
//! position is one register MAX. ALU steps do not read inputs, and GEMM only adds.

use super::job::{PoolJob, valid};
use super::pads::Deps;
use super::rows::{self, Loaded, RowTile, gemm, reset};
use super::schedule::{Device, DoesNotFit, Pads, line, map_loops, store, uop};
use super::stream::Kind;
use crate::isa::{AluOpcode, C_AIDX_BITS, Unit};

const COMPUTE: usize = Unit::Compute as usize;

/// Output rows and blocks of a tile: as many as leave room for two tiles.
pub(super) fn tile(job: &PoolJob, pads: &Pads) -> Option<(u32, u32)> {
    let (o, i) = (&job.output, &job.input);
    let reach = (job.kernel[0] - 1) * job.dilation[0] + 1;
    let in_h = |th: u32| ((th - 1) * job.stride[0] + reach).min(i.h);
    let fits = |th: u32, blocks: u32, share: u32| {
        let inputs = u64::from(in_h(th)) * u64::from(i.w) * u64::from(blocks);
        let outputs = u64::from(th) * u64::from(o.w) * u64::from(blocks);
        inputs * u64::from(share) <= u64::from(pads.inp.size())
            && (inputs + outputs) * u64::from(share) <= u64::from(pads.acc.size())
    };
    // What a loop can add to an index.
    if u64::from(job.stride[0]) * u64::from(i.w) >= 1 << C_AIDX_BITS {
        return None;
    }
    for share in [2, 1] {
        for blocks in (1..=o.blocks).rev() {
            // Few rows read many of them again.
            let least = if blocks > 1 { o.h.min(reach) } else { 1 };
            if let Some(th) = (least..=o.h).rev().find(|&th| fits(th, blocks, share)) {
                return Some((th, blocks));
            }
        }
    }
    None
}

/// Schedules a pool; its only weight element is the identity.
pub(super) fn pool(job: &PoolJob, d: &mut Device<'_>) -> Result<(), DoesNotFit> {
    let (th, tb) = tile(job, d.pads).ok_or(DoesNotFit)?;
    let (o, i) = (job.output, job.input);
    let reach = (job.kernel[0] - 1) * job.dilation[0] + 1;
    let mut tiles = Vec::new();
    for y0 in (0..o.h).step_by(th as usize) {
        for b0 in (0..o.blocks).step_by(tb as usize) {
            let rows = y0..(y0 + th).min(o.h);
            let lo = (rows.start * job.stride[0]).saturating_sub(job.pads[0]);
            let hi = ((rows.end - 1) * job.stride[0] + reach).saturating_sub(job.pads[0]);
            tiles.push(RowTile {
                in_rows: lo.min(i.h)..hi.min(i.h),
                rows,
                blocks: b0..(b0 + tb).min(o.blocks),
            });
        }
    }
    let each_tile = |d: &mut Device<'_>, l: Loaded| compute(job, d, &l);
    rows::each(d, job.layer, &i, tiles, each_tile)
}

fn compute(job: &PoolJob, d: &mut Device<'_>, l: &Loaded) -> Result<(), DoesNotFit> {
    let (o, i) = (job.output, job.input);
    let RowTile {
        in_rows,
        rows,
        blocks,
    } = &l.tile;
    let nb = blocks.len() as u32;
    let (in_h, h) = (in_rows.len() as u32, rows.len() as u32);
    let (in_size, out_size) = (in_h * i.w, h * o.w);
    let slot = d.pads.acc.alloc((in_size + out_size) * nb, &[])?;
    let out = d.pads.acc.start(slot).unwrap_or(0);
    let staged = out + out_size * nb;
    let none = Deps::default();
    let n = in_size * nb;
    reset(d, job.layer, slot, staged, n);
    let copy = Kind::Gemm {
        uops: vec![uop(
            staged,
            d.pads.inp.start(l.inp).unwrap_or(0),
            d.pads.wgt.start(l.identity).unwrap_or(0),
        )],
        loops: line(n),
        reset: false,
    };
    let op = gemm(d, job.layer, l, copy);
    let rows_of = |ky| {
        let all = valid(o.h, i.h, job.stride[0], job.dilation[0], job.pads[0], ky);
        all.start.max(rows.start)..all.end.min(rows.end)
    };
    let cols_of = |kx| valid(o.w, i.w, job.stride[1], job.dilation[1], job.pads[1], kx);
    let mut positions = Vec::new();
    for ky in 0..job.kernel[0] {
        for kx in 0..job.kernel[1] {
            let (ys, xs) = (rows_of(ky), cols_of(kx));
            if ys.start < ys.end && xs.start < xs.end {
                positions.push((ky, kx, ys, xs));
            }
        }
    }
    // A position that meets inputs everywhere is where the maximum starts.
    let first = positions
        .iter()
        .position(|p| p.2 == *rows && p.3 == (0..o.w));
    match first {
        Some(at) => {
            let p = positions.remove(at);
            positions.insert(0, p);
        }
        None => {
            // int8 values are not less than -128.
            let kind = Kind::Alu {
                uops: vec![uop(out, staged, 0)],
                loops: super::stream::Loops {
                    iter: [1, out_size * nb],
                    dst: [0, 1],
                    src: [0, 0],
                    wgt: [0, 0],
                },
                opcode: AluOpcode::Min,
                imm: Some(-128),
            };
            d.stream.push(kind, job.layer, &none);
        }
    }
    let mut last = op;
    for (n, (ky, kx, ys, xs)) in positions.into_iter().enumerate() {
        let iy = ys.start * job.stride[0] + ky * job.dilation[0] - job.pads[0] - in_rows.start;
        let ix = xs.start * job.stride[1] + kx * job.dilation[1] - job.pads[1];
        let dst = (ys.start - rows.start) * o.w + xs.start;
        let uops: Vec<_> = (0..nb)
            .map(|b| {
                uop(
                    out + b * out_size + dst,
                    staged + b * in_size + iy * i.w + ix,
                    0,
                )
            })
            .collect();
        let start = n == 0 && first.is_some();
        let (opcode, imm) = if start {
            (AluOpcode::Add, Some(0))
        } else {
            (AluOpcode::Max, None)
        };
        let loops = map_loops(
            ys.len() as u32,
            xs.len() as u32,
            [o.w, 1],
            [job.stride[0] * i.w, job.stride[1]],
        );
        for part in uops.chunks(d.uop_depth as usize) {
            let kind = Kind::Alu {
                uops: part.to_vec(),
                loops,
                opcode,
                imm,
            };
            last = d.stream.push(kind, job.layer, &none);
        }
    }
    d.pads.acc.write(slot, COMPUTE, last);
    store(d, job.layer, &o, slot, out, rows, &(0..o.w), blocks);
    Ok(())
}
