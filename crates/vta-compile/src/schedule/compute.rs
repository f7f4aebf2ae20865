//! The arithmetic of a convolution's tile: start of the sum, GEMM for each
//! chunk, what follows the sum, and the store.

use super::{Loaded, Scheduler, Spot};
use crate::cost::Rows;
use crate::device::{Area, DoesNotFit, len};
use crate::job::Pooled;
use crate::loops::{alu, by_block, compress, line, map_loops, uop};
use crate::pads::{Deps, NoSlot, SlotId, join};
use crate::pool::Maxima;
use crate::stream::{Base, Kind};
use std::ops::Range;
use vta_program::isa::{AluOpcode, MemoryType, Unit, Uop};

impl Scheduler<'_, '_> {
    /// Slot of the biases (and shifts) of a range of output blocks, and where they start.
    fn biases(&mut self, blocks: &Range<u32>) -> Result<(SlotId, u32, u32), NoSlot> {
        let per = if self.job.shifts.is_some() { 2 } else { 1 };
        let all = self.job.output.blocks;
        let whole = all * per <= self.d.pads.bias.size() / 2;
        let (key, range) = if whole {
            (0, 0..all)
        } else {
            (blocks.start, blocks.clone())
        };
        let n = len(&range);
        let slot = match self.bias_slots.get(&key) {
            Some(&slot) if self.d.pads.bias.start(slot).is_some() => slot,
            _ => {
                let slot = self.d.pads.bias.alloc(n * per, &[])?;
                let start = self.d.pads.bias.start(slot).unwrap_or(0);
                let loads = if whole { 1 } else { per };
                for part in 0..loads {
                    let x = n * per / loads;
                    let op = self.d.push(
                        Kind::Load {
                            memory_type: MemoryType::Acc,
                            sram: start + part * n,
                            base: Base::Biases,
                            rows: Rows {
                                dram: self.d.biases_at + part * all + range.start,
                                y: 1,
                                x,
                                stride: x,
                            },
                        },
                        &Deps::default(),
                    );
                    self.d.pads.bias.write(slot, Unit::Compute as usize, op);
                }
                self.bias_slots.insert(key, slot);
                slot
            }
        };
        let start = self.d.pads.bias.start(slot).unwrap_or(0);
        let bias = start + (blocks.start - range.start);
        Ok((slot, bias, bias + n))
    }

    /// Puts the arithmetic of a step, and its store, into the stream.
    pub(super) fn compute(&mut self, l: Loaded) -> Result<(), DoesNotFit> {
        let spot = self.spots[l.step.spot].clone();
        let blocks = self.blocks(l.step.coc);
        let n = len(&blocks);
        if l.step.first {
            let stored = spot.stored() * self.job.acc_per_vector();
            let size = match self.job.pool {
                None => stored,
                Some(_) => spot.sums() + stored,
            };
            let slot = self.d.pads.acc.alloc(n * size, &[])?;
            self.acc_slot = Some(slot);
            let (_, bias, _) = self.biases(&blocks)?;
            let acc = self.d.pads.acc.start(slot).unwrap_or(0);
            let deps = self.d.pads.acc.before_write(slot);
            let start = alu(AluOpcode::Add, Some(0), acc, bias, by_block(n, spot.sums()));
            let op = self.d.push(start, &deps);
            self.d.pads.acc.write(slot, Unit::Compute as usize, op);
        }
        let Some(slot) = self.acc_slot else {
            return Err(DoesNotFit);
        };
        let acc = self.d.pads.acc.start(slot).unwrap_or(0);
        if let (Some(group), Some(weights)) = (l.step.group, l.weights) {
            let block_0 = acc.wrapping_sub(blocks.start * spot.sums());
            self.gemm(&l, &spot, group, weights, block_0);
        }
        if l.step.last {
            let acc = match self.job.pool {
                None => acc,
                Some(p) => self.pool(&p, &spot, n, acc)?,
            };
            self.finish(&l, slot, acc, &blocks, spot.stored())?;
            let area = Area {
                blocks,
                rows: spot.out_rows,
                cols: spot.out_cols,
            };
            self.d.store(self.job.stored(), &area, slot, acc);
        }
        Ok(())
    }

    /// Pools the sums at `acc`, and gives where the results are: behind them.
    fn pool(&mut self, p: &Pooled, spot: &Spot, blocks: u32, acc: u32) -> Result<u32, DoesNotFit> {
        let out = acc + blocks * spot.sums();
        let maxima = Maxima {
            window: &p.window,
            maps: (&self.job.output, &p.map),
            from: (&spot.rows, &spot.cols),
            to: (&spot.out_rows, &spot.out_cols),
            blocks,
            staged: acc,
            out,
        };
        // Sums have no least value to start from.
        if !maxima.starts_somewhere() {
            return Err(DoesNotFit);
        }
        maxima.push(self.d);
        Ok(out)
    }

    /// GEMM of a group of weights; `acc` is where block 0 would be.
    fn gemm(
        &mut self,
        l: &Loaded,
        spot: &Spot,
        (bucket, group): (usize, usize),
        weights: SlotId,
        acc: u32,
    ) {
        let job = self.job;
        let wgt = self.d.pads.wgt.start(weights).unwrap_or(0);
        let (w, in_w) = (len(&spot.cols), len(&spot.in_cols));
        // Kernel positions with the same rows and columns go together.
        let mut parts: Vec<(Range<u32>, Range<u32>, Vec<Uop>)> = Vec::new();
        let g = &self.groups[bucket][group];
        let clip = |a: Range<u32>, b: &Range<u32>| a.start.max(b.start)..a.end.min(b.end);
        for (&t, &place) in g.tiles.iter().zip(&g.place) {
            let tile = &job.tiles[t as usize];
            let ys = clip(job.rows_of(tile.ky), &spot.rows);
            let xs = clip(job.cols_of(tile.kx), &spot.cols);
            if ys.start >= ys.end || xs.start >= xs.end {
                continue;
            }
            let Some(&(_, _, src)) = l.inputs.iter().find(|i| i.0 == tile.ci) else {
                continue;
            };
            let iy = ys.start * job.stride[0] + tile.ky * job.dilation[0]
                - job.pads[0]
                - spot.in_rows.start;
            let ix = xs.start * job.stride[1] + tile.kx * job.dilation[1]
                - job.pads[1]
                - spot.in_cols.start;
            let at = tile.co * spot.sums()
                + (ys.start - spot.rows.start) * w
                + (xs.start - spot.cols.start);
            let u = uop(acc.wrapping_add(at), src + iy * in_w + ix, wgt + place);
            match parts.iter_mut().find(|p| p.0 == ys && p.1 == xs) {
                Some(p) => p.2.push(u),
                None => parts.push((ys, xs, vec![u])),
            }
        }
        let mut deps = self.d.pads.wgt.before_read(weights);
        for i in &l.inputs {
            join(&mut deps, &self.d.pads.inp.before_read(i.1));
        }
        for (ys, xs, uops) in parts {
            let (ny, nx) = (len(&ys), len(&xs));
            let loops = map_loops(ny, nx, [w, 1], [job.stride[0] * in_w, job.stride[1]]);
            let (uops, loops) = compress(uops, loops);
            let op = self.d.push(
                Kind::Gemm {
                    uops,
                    loops,
                    reset: false,
                },
                &deps,
            );
            let compute = Unit::Compute as usize;
            self.d.pads.wgt.read(weights, compute, op);
            for i in &l.inputs {
                self.d.pads.inp.read(i.1, compute, op);
            }
            if let Some(slot) = self.acc_slot {
                self.d.pads.acc.write(slot, compute, op);
            }
        }
    }

    /// Slope, shifts, residual and limits of a whole tile.
    fn finish(
        &mut self,
        l: &Loaded,
        slot: SlotId,
        acc: u32,
        blocks: &Range<u32>,
        pix: u32,
    ) -> Result<(), DoesNotFit> {
        let job = self.job;
        let n = len(blocks) * pix;
        let none = Deps::default();
        if job.leaky.as_ref().is_some_and(Vec::is_empty) {
            self.d
                .push(alu(AluOpcode::Max, Some(0), acc, acc, line(n)), &none);
        } else if let Some(terms) = &job.leaky {
            let (sum, term) = (acc + n, acc + 2 * n);
            for (i, k) in terms.iter().enumerate() {
                let to = if i == 0 { sum } else { term };
                self.d.push(
                    alu(AluOpcode::Shr, Some((*k).into()), to, acc, line(n)),
                    &none,
                );
                if i > 0 {
                    self.d
                        .push(alu(AluOpcode::Add, None, sum, term, line(n)), &none);
                }
            }
            self.d
                .push(alu(AluOpcode::Max, None, acc, sum, line(n)), &none);
        }
        if job.shifts.is_some() {
            let (_, _, shifts) = self.biases(blocks)?;
            let loops = by_block(len(blocks), pix);
            self.d
                .push(alu(AluOpcode::Shr, None, acc, shifts, loops), &none);
        } else if job.shift > 0 {
            self.d.push(
                alu(AluOpcode::Shr, Some(job.shift.into()), acc, acc, line(n)),
                &none,
            );
        }
        if let Some(r) = l.residual {
            let (inp, wgt) = (r.inp, r.identity);
            let mut deps = self.d.pads.inp.before_read(inp);
            join(&mut deps, &self.d.pads.wgt.before_read(wgt));
            let src = self.d.pads.inp.start(inp).unwrap_or(0);
            let at = self.d.pads.wgt.start(wgt).unwrap_or(0);
            let kind = Kind::Gemm {
                uops: vec![uop(acc, src, at)],
                loops: line(n),
                reset: false,
            };
            let op = self.d.push(kind, &deps);
            self.d.pads.inp.read(inp, Unit::Compute as usize, op);
            self.d.pads.wgt.read(wgt, Unit::Compute as usize, op);
        }
        if job.post_shift > 0 {
            let imm = Some(job.post_shift.into());
            self.d
                .push(alu(AluOpcode::Shr, imm, acc, acc, line(n)), &none);
        }
        let (lo, hi) = job.clamp;
        self.d.push(
            alu(AluOpcode::Max, Some(lo.into()), acc, acc, line(n)),
            &none,
        );
        let op = self.d.push(
            alu(AluOpcode::Min, Some(hi.into()), acc, acc, line(n)),
            &none,
        );
        self.d.pads.acc.write(slot, Unit::Compute as usize, op);
        Ok(())
    }
}
