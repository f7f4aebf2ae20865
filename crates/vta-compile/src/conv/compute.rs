//! The arithmetic of a convolution's tile: start of the sum, GEMM for each
//! chunk, what follows the sum, and the store.

use super::cut::SpatialTile;
use super::weights::GroupTile;
use super::{Loaded, Scheduler};
use crate::allocator::BufferId;
use crate::cost::Rows;
use crate::deps::{Deps, OpId, join};
use crate::fit::{self, DoesNotFit};
use crate::loops::{alu, by_block, compress, line, map_loops};
use crate::lowered::{LoweredConv, Pooled};
use crate::map::{Area, len};
use crate::op::{Base, OpKind, uop};
use crate::pool::Maxima;
use smallvec::{SmallVec, smallvec};
use std::ops::Range;
use vta_program::isa::{AluOpcode, MemoryType, Unit, Uop};

/// The pool of a tile of so many blocks whose sums are at `acc`: its results are behind
/// them.
fn maxima<'a>(
    lowered: &'a LoweredConv,
    p: &'a Pooled,
    spatial: &'a SpatialTile,
    blocks: u32,
    acc: u32,
) -> Maxima<'a> {
    Maxima {
        window: &p.window,
        maps: (&lowered.output, &p.map),
        from: (&spatial.rows, &spatial.cols),
        to: (&spatial.out_rows, &spatial.out_cols),
        blocks,
        carried: spatial.summed.start - spatial.rows.start,
        staged: acc,
        out: acc + blocks * spatial.sums(),
    }
}

/// Rows and columns of sums, and the micro-ops over them.
type MapPart = (Range<u32>, Range<u32>, Vec<Uop>);

impl Scheduler<'_, '_> {
    /// Buffer of the biases (and shifts) of a range of output blocks, and where they start.
    fn biases(&mut self, blocks: &Range<u32>) -> Result<(BufferId, u32, u32), DoesNotFit> {
        let per = if self.lowered.shifts.is_some() { 2 } else { 1 };
        let all = self.lowered.output.blocks;
        let whole = all * per <= self.d.scratchpads.bias.size() / 2;
        let (key, range) = if whole {
            (0, 0..all)
        } else {
            (blocks.start, blocks.clone())
        };
        let n = len(&range);
        let buffer = match self.bias_buffers.get(&key) {
            Some(&buffer) if self.d.scratchpads.bias.holds(buffer) => buffer,
            _ => {
                let buffer = self.d.scratchpads.bias.alloc(n * per, &[])?;
                let start = self.d.scratchpads.bias.start(buffer)?;
                let loads = if whole { 1 } else { per };
                for part in 0..loads {
                    let x = n * per / loads;
                    let rows = Rows {
                        dram: self.d.biases_at + part * all + range.start,
                        y: 1,
                        x,
                        stride: x,
                    };
                    let (sram, none) = (start + part * n, Deps::default());
                    let op = self
                        .d
                        .load(MemoryType::Acc, sram, Base::Biases, rows, &none)?;
                    self.d.scratchpads.bias.write(buffer, Unit::Compute, op)?;
                }
                self.bias_buffers.insert(key, buffer);
                buffer
            }
        };
        let start = self.d.scratchpads.bias.start(buffer)?;
        let bias = start + (blocks.start - range.start);
        Ok((buffer, bias, bias + n))
    }

    /// Puts the arithmetic of a step, and its store, into the schedule.
    pub(crate) fn compute(&mut self, l: Loaded) -> Result<(), DoesNotFit> {
        let tiles = self.cut.spatial_tiles.clone();
        let spatial = &tiles[l.step.spatial];
        let blocks = self.blocks(l.step.co_tile);
        let n = len(&blocks);
        if l.step.first {
            let above = self.acc_buffer.filter(|_| spatial.carried() > 0);
            let size = |s: &SpatialTile| s.accumulators(self.lowered);
            let size = match self.t.carries {
                false => fit::elements(size(spatial), n as usize)?,
                // Buffers of one size, from the first accumulator on: wherever the ring
                // ends, a tile does not meet the one above.
                true => {
                    if above.is_none() {
                        self.d.scratchpads.acc.rewind();
                    }
                    let most = tiles.iter().map(size).max().unwrap_or(0);
                    fit::elements(most, self.t.tco as usize)?
                }
            };
            let pins: SmallVec<[BufferId; 1]> = above.into_iter().collect();
            let buffer = self.d.scratchpads.acc.alloc(size, &pins)?;
            self.acc_buffer = Some(buffer);
            let (_, bias, _) = self.biases(&blocks)?;
            let acc = self.d.scratchpads.acc.start(buffer)?;
            let deps = self.d.scratchpads.acc.before_write(buffer)?;
            let mut loops = by_block(n, spatial.sums() - spatial.carried());
            loops.dst[0] = spatial.sums();
            let to = acc + spatial.carried();
            let start = alu(AluOpcode::Add, Some(0), to, bias, loops)?;
            let op = self.d.push(start, &deps)?;
            self.d.scratchpads.acc.write(buffer, Unit::Compute, op)?;
            if let Some(above) = above {
                self.carry((above, &tiles[l.step.spatial - 1]), (buffer, spatial), n)?;
            }
        }
        let Some(buffer) = self.acc_buffer else {
            return Err(DoesNotFit::Evicted);
        };
        let acc = self.d.scratchpads.acc.start(buffer)?;
        if let (Some(group), Some(weights)) = (l.step.group, l.weights) {
            self.gemm(&l, spatial, group, weights, (acc, blocks.start))?;
        }
        if l.step.last {
            let acc = match self.lowered.pool {
                None => acc,
                Some(p) => self.pool(&p, spatial, n, acc)?,
            };
            self.finish(&l, buffer, acc, &blocks, spatial.stored())?;
            let area = Area {
                blocks,
                rows: spatial.out_rows.clone(),
                cols: spatial.out_cols.clone(),
            };
            self.d.store(self.lowered.stored(), &area, buffer, acc)?;
        }
        Ok(())
    }

    /// Copies what the pool of a tile of so many blocks needs of the sums that the tile
    /// above has made.
    fn carry(
        &mut self,
        (from, above): (BufferId, &SpatialTile),
        (to, spatial): (BufferId, &SpatialTile),
        blocks: u32,
    ) -> Result<(), DoesNotFit> {
        let Some(p) = &self.lowered.pool else {
            return Ok(());
        };
        let acc = &mut self.d.scratchpads.acc;
        let row = len(&spatial.cols);
        let (first, n, step) = maxima(self.lowered, p, spatial, blocks, 0).columns_left();
        let src = acc.start(from)? + (spatial.rows.start - above.rows.start) * row + first;
        let dst = acc.start(to)? + first;
        let mut deps = acc.before_read(from)?;
        join(&mut deps, &acc.before_write(to)?);
        let uops = (0..blocks).map(|b| uop(dst + b * spatial.sums(), src + b * above.sums(), 0));
        let uops: Vec<Uop> = uops.collect::<Result<_, _>>()?;
        let rows = spatial.summed.start - spatial.rows.start;
        let loops = map_loops(rows, n, [row, step], [row, step]);
        for uops in uops.chunks(self.d.c.uop_depth as usize) {
            let kind = OpKind::Alu {
                uops: uops.into(),
                loops,
                opcode: AluOpcode::Add,
                imm: Some(0),
            };
            let op = self.d.push(kind, &deps)?;
            let acc = &mut self.d.scratchpads.acc;
            acc.read(from, Unit::Compute, op)?;
            acc.write(to, Unit::Compute, op)?;
        }
        Ok(())
    }

    /// Pools the sums at `acc`, and gives where the results are: behind them.
    fn pool(
        &mut self,
        p: &Pooled,
        spatial: &SpatialTile,
        blocks: u32,
        acc: u32,
    ) -> Result<u32, DoesNotFit> {
        let maxima = maxima(self.lowered, p, spatial, blocks, acc);
        // Sums have no least value to start from.
        if !maxima.starts_somewhere() {
            return Err(DoesNotFit::NoRoom);
        }
        maxima.push(self.d)?;
        Ok(maxima.out)
    }

    /// GEMM of a group of weights; `acc` is where the sums of block `first` are.
    fn gemm(
        &mut self,
        l: &Loaded,
        spatial: &SpatialTile,
        (bucket, group): (usize, usize),
        weights: BufferId,
        (acc, first): (u32, u32),
    ) -> Result<(), DoesNotFit> {
        let lowered = self.lowered;
        let wgt = self.d.scratchpads.wgt.start(weights)?;
        let cut = self.cut.weights;
        let g = &cut.groups[bucket][group];
        let [in_rows, in_cols] = self.cut.met(lowered, l.step.spatial, cut.part_of(bucket));
        let (w, in_w) = (len(&spatial.cols), len(&in_cols));
        let (sums, window) = (spatial.sums(), &lowered.window);
        // Where each input block is.
        let from = l.inputs.first().map_or(0, |i| i.0);
        let to = l.inputs.last().map_or(0, |i| i.0 + 1);
        let mut inputs = std::mem::take(&mut self.input_starts);
        inputs.clear();
        inputs.resize((to - from) as usize, 0);
        for &(block, _, at) in &l.inputs {
            inputs[(block - from) as usize] = at;
        }
        // Kernel positions with the same rows and columns go together.
        let mut parts: SmallVec<[MapPart; 9]> = SmallVec::new();
        let clip = |a: Range<u32>, b: &Range<u32>| a.start.max(b.start)..a.end.min(b.end);
        for p in &g.positions {
            let ys = clip(lowered.rows_of(p.ky), &spatial.summed);
            let xs = clip(lowered.cols_of(p.kx), &spatial.cols);
            if ys.start >= ys.end || xs.start >= xs.end {
                continue;
            }
            let iy = window.met(0, ys.start, p.ky) - in_rows.start;
            let ix = window.met(1, xs.start, p.kx) - in_cols.start;
            let dst = acc + (ys.start - spatial.rows.start) * w + (xs.start - spatial.cols.start);
            let src = iy * in_w + ix;
            let known = parts.iter().position(|p| p.0 == ys && p.1 == xs);
            let known = known.unwrap_or_else(|| {
                parts.push((ys, xs, self.uop_lists.pop().unwrap_or_default()));
                parts.len() - 1
            });
            let uops = &mut parts[known].2;
            let tiles = &g.tiles[p.tiles.clone()];
            let index = |t: &GroupTile| {
                let input = inputs[(t.ci - from) as usize];
                (dst + (t.co - first) * sums, src + input, wgt + t.element)
            };
            // Fields are checked once, for the largest index of each.
            let most = tiles
                .iter()
                .map(index)
                .fold((0, 0, 0), |(a, b, c), (x, y, z)| {
                    (a.max(x), b.max(y), c.max(z))
                });
            uop(most.0, most.1, most.2)?;
            uops.extend(tiles.iter().map(index).map(|(dst, src, wgt)| Uop {
                dst_idx: dst as u16,
                src_idx: src as u16,
                wgt_idx: wgt as u16,
            }));
        }
        self.input_starts = inputs;
        let mut deps = self.d.scratchpads.wgt.before_read(weights)?;
        for i in &l.inputs {
            join(&mut deps, &self.d.scratchpads.inp.before_read(i.1)?);
        }
        for (ys, xs, mut list) in parts {
            let (ny, nx) = (len(&ys), len(&xs));
            let stride = lowered.window.stride;
            let loops = map_loops(ny, nx, [w, 1], [stride[0].saturating_mul(in_w), stride[1]]);
            let (uops, loops) = compress(&list, loops)?;
            // No more micro-ops in an instruction than the scratchpad has.
            for part in uops.chunks(self.d.c.uop_depth as usize) {
                let kind = OpKind::Gemm {
                    uops: part.into(),
                    loops,
                    reset: false,
                };
                let op = self.d.push(kind, &deps)?;
                let compute = Unit::Compute;
                self.d.scratchpads.wgt.read(weights, compute, op)?;
                for i in &l.inputs {
                    self.d.scratchpads.inp.read(i.1, compute, op)?;
                }
                if let Some(buffer) = self.acc_buffer {
                    self.d.scratchpads.acc.write(buffer, compute, op)?;
                }
            }
            list.clear();
            self.uop_lists.push(list);
        }
        Ok(())
    }

    /// Adds an operation on what the operations before it made.
    fn follow(&mut self, kind: OpKind) -> Result<OpId, DoesNotFit> {
        self.d.push(kind, &Deps::default())
    }

    /// Slope, shifts, residual and limits of a whole tile.
    fn finish(
        &mut self,
        l: &Loaded,
        buffer: BufferId,
        acc: u32,
        blocks: &Range<u32>,
        pix: u32,
    ) -> Result<(), DoesNotFit> {
        let lowered = self.lowered;
        let n = len(blocks) * pix;
        // ALU on the whole tile, in place.
        let shr = |k: u8| alu(AluOpcode::Shr, Some(k.into()), acc, acc, line(n));
        let limit = |opcode, to: i8| alu(opcode, Some(to.into()), acc, acc, line(n));
        if let Some(terms) = &lowered.leaky {
            if terms.is_empty() {
                self.follow(limit(AluOpcode::Max, 0)?)?;
            } else {
                self.slope(terms, acc, n)?;
            }
        }
        if lowered.shifts.is_some() {
            let (_, _, shifts) = self.biases(blocks)?;
            let loops = by_block(len(blocks), pix);
            self.follow(alu(AluOpcode::Shr, None, acc, shifts, loops)?)?;
        } else if lowered.shift > 0 {
            self.follow(shr(lowered.shift)?)?;
        }
        if let Some(r) = l.residual {
            let (inp, wgt) = (r.inp, r.identity);
            let mut deps = self.d.scratchpads.inp.before_read(inp)?;
            join(&mut deps, &self.d.scratchpads.wgt.before_read(wgt)?);
            let src = self.d.scratchpads.inp.start(inp)?;
            let at = self.d.scratchpads.wgt.start(wgt)?;
            let kind = OpKind::Gemm {
                uops: smallvec![uop(acc, src, at)?],
                loops: line(n),
                reset: false,
            };
            let op = self.d.push(kind, &deps)?;
            self.d.scratchpads.inp.read(inp, Unit::Compute, op)?;
            self.d.scratchpads.wgt.read(wgt, Unit::Compute, op)?;
        }
        if lowered.post_shift > 0 {
            self.follow(shr(lowered.post_shift)?)?;
        }
        let (lo, hi) = lowered.clamp;
        self.follow(limit(AluOpcode::Max, lo)?)?;
        let op = self.follow(limit(AluOpcode::Min, hi)?)?;
        self.d.scratchpads.acc.write(buffer, Unit::Compute, op)
    }

    /// Leaky ReLU of `n` vectors at `acc`: the larger of each value and the sum
    /// of its shifts, which is made behind them.
    fn slope(&mut self, shifts: &[u8], acc: u32, n: u32) -> Result<(), DoesNotFit> {
        let (sum, term) = (acc + n, acc + 2 * n);
        for (i, &k) in shifts.iter().enumerate() {
            let to = if i == 0 { sum } else { term };
            self.follow(alu(AluOpcode::Shr, Some(k.into()), to, acc, line(n))?)?;
            if i > 0 {
                self.follow(alu(AluOpcode::Add, None, sum, term, line(n))?)?;
            }
        }
        self.follow(alu(AluOpcode::Max, None, acc, sum, line(n))?)?;
        Ok(())
    }
}
