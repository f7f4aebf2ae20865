//! Schedules a largest-value pool.
//!
//! Inputs reach the accumulators through an identity GEMM; then each kernel
//! position is one register MAX. ALU steps do not read inputs, and GEMM only adds.

use super::cost::Rows;
use super::job::{PoolJob, valid};
use super::pads::{Deps, SlotId, join};
use super::schedule::{Device, DoesNotFit, Pads, line, map_loops, store, uop};
use super::stream::{Base, Kind};
use crate::isa::{AluOpcode, MemoryType, Unit};
use std::ops::Range;

const COMPUTE: usize = Unit::Compute as usize;

/// Output rows and blocks of a tile: as many as leave room for two tiles.
fn tile(job: &PoolJob, pads: &Pads) -> Option<(u32, u32)> {
    let (o, i) = (&job.output, &job.input);
    let reach = (job.kernel[0] - 1) * job.dilation[0] + 1;
    let in_h = |th: u32| ((th - 1) * job.stride[0] + reach).min(i.h);
    let fits = |th: u32, blocks: u32, share: u32| {
        let inputs = u64::from(in_h(th)) * u64::from(i.w) * u64::from(blocks);
        let outputs = u64::from(th) * u64::from(o.w) * u64::from(blocks);
        inputs * u64::from(share) <= u64::from(pads.inp.size())
            && (inputs + outputs) * u64::from(share) <= u64::from(pads.acc.size())
    };
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
    let identity = d.pads.wgt.alloc(1, &[])?;
    let deps = d.pads.wgt.before_write(identity);
    let rows = Rows {
        dram: d.weights_at,
        y: 1,
        x: 1,
        stride: 1,
    };
    let kind = Kind::Load {
        memory_type: MemoryType::Wgt,
        sram: d.pads.wgt.start(identity).unwrap_or(0),
        base: Base::Weights,
        rows,
    };
    let op = d.stream.push(kind, job.layer, &deps);
    d.pads.wgt.write(identity, Unit::Load as usize, op);
    let mut pending: Option<(SlotId, Range<u32>, Range<u32>, Range<u32>)> = None;
    for y0 in (0..o.h).step_by(th as usize) {
        for b0 in (0..o.blocks).step_by(tb as usize) {
            let (rows, blocks) = (y0..(y0 + th).min(o.h), b0..(b0 + tb).min(o.blocks));
            let lo = (rows.start * job.stride[0]).saturating_sub(job.pads[0]);
            let reach = (job.kernel[0] - 1) * job.dilation[0] + 1;
            let hi = ((rows.end - 1) * job.stride[0] + reach).saturating_sub(job.pads[0]);
            let in_rows = lo.min(i.h)..hi.min(i.h);
            let size = in_rows.len() as u32 * i.w * blocks.len() as u32;
            let pins: Vec<SlotId> = pending.iter().map(|p| p.0).collect();
            let slot = match d.pads.inp.alloc(size, &pins) {
                Ok(slot) => slot,
                Err(_) => {
                    if let Some(p) = pending.take() {
                        compute(job, d, identity, p)?;
                    }
                    d.pads.inp.alloc(size, &[])?
                }
            };
            load(job, d, slot, &in_rows, &blocks);
            if let Some(p) = pending.replace((slot, in_rows, rows, blocks)) {
                compute(job, d, identity, p)?;
            }
        }
    }
    match pending {
        Some(p) => compute(job, d, identity, p),
        None => Ok(()),
    }
}

fn load(job: &PoolJob, d: &mut Device<'_>, slot: SlotId, rows: &Range<u32>, blocks: &Range<u32>) {
    let i = job.input;
    let size = rows.len() as u32 * i.w;
    let start = d.pads.inp.start(slot).unwrap_or(0);
    let whole = i.plane() <= d.max_stride;
    let per = if whole { blocks.len() as u32 } else { 1 };
    for (n, b) in blocks.clone().step_by(per as usize).enumerate() {
        let mut deps = d.pads.inp.before_write(slot);
        join(&mut deps, &d.pads.stored(&i, b..b + per, rows, &(0..i.w)));
        let kind = Kind::Load {
            memory_type: MemoryType::Inp,
            sram: start + n as u32 * per * size,
            base: Base::Zero,
            rows: Rows {
                dram: i.base + b * i.plane() + rows.start * i.w,
                y: per,
                x: size,
                stride: if per > 1 { i.plane() } else { size },
            },
        };
        let op = d.stream.push(kind, job.layer, &deps);
        d.pads.inp.write(slot, Unit::Load as usize, op);
    }
}

fn compute(
    job: &PoolJob,
    d: &mut Device<'_>,
    identity: SlotId,
    (inp, in_rows, rows, blocks): (SlotId, Range<u32>, Range<u32>, Range<u32>),
) -> Result<(), DoesNotFit> {
    let (o, i) = (job.output, job.input);
    let nb = blocks.len() as u32;
    let (in_h, h) = (in_rows.len() as u32, rows.len() as u32);
    let (in_size, out_size) = (in_h * i.w, h * o.w);
    let slot = d.pads.acc.alloc((in_size + out_size) * nb, &[])?;
    let out = d.pads.acc.start(slot).unwrap_or(0);
    let staged = out + out_size * nb;
    let none = Deps::default();
    let n = in_size * nb;
    // GEMM adds: what it adds to must be zero.
    let reset = Kind::Gemm {
        uops: vec![uop(staged, 0, 0)],
        loops: line(n),
        reset: true,
    };
    let deps = d.pads.acc.before_write(slot);
    d.stream.push(reset, job.layer, &deps);
    let mut deps = d.pads.inp.before_read(inp);
    join(&mut deps, &d.pads.wgt.before_read(identity));
    let copy = Kind::Gemm {
        uops: vec![uop(
            staged,
            d.pads.inp.start(inp).unwrap_or(0),
            d.pads.wgt.start(identity).unwrap_or(0),
        )],
        loops: line(n),
        reset: false,
    };
    let op = d.stream.push(copy, job.layer, &deps);
    d.pads.inp.read(inp, COMPUTE, op);
    d.pads.wgt.read(identity, COMPUTE, op);
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
        .position(|p| p.2 == rows && p.3 == (0..o.w));
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
        let uops = (0..nb)
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
        let kind = Kind::Alu {
            uops,
            loops: map_loops(
                ys.len() as u32,
                xs.len() as u32,
                [o.w, 1],
                [job.stride[0] * i.w, job.stride[1]],
            ),
            opcode,
            imm,
        };
        last = d.stream.push(kind, job.layer, &none);
    }
    d.pads.acc.write(slot, COMPUTE, last);
    store(d, job.layer, &o, slot, out, &rows, &(0..o.w), &blocks);
    Ok(())
}
