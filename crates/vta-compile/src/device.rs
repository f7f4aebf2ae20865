//! The device while a launch is scheduled: what lies in the scratchpads, what
//! was stored where, and the instruction schedule; transfers of maps.

use crate::allocator::{Allocator, BufferId};
use crate::cost::Rows;
use crate::deps::{Deps, OpId, join};
use crate::fit::{self, DoesNotFit};
use crate::map::{Area, FMap, len};
use crate::op::{Base, OpKind};
use crate::schedule::Schedule;
use smallvec::{SmallVec, smallvec};
use std::ops::Range;
use vta_program::config::HwConfig;
use vta_program::isa::{M_STRIDE_BITS, MemoryType, Unit};
use vta_program::timing::{self, Geometry};

/// What is in the scratchpads.
#[derive(Debug, Clone)]
pub(crate) struct Scratchpads {
    pub inp: Allocator,
    pub wgt: Allocator,
    /// Accumulators that have an output element.
    pub acc: Allocator,
    /// A part of the accumulators for biases and shifts.
    pub bias: Allocator,
}

impl Scratchpads {
    /// Empty scratchpads.
    pub(crate) fn new(c: &HwConfig) -> Self {
        let bias = (c.acc_depth / 16).max(4).min(c.acc_depth / 2);
        // What is stored is read from the output scratchpad, at the same index.
        let outputs = c.acc_depth.min(c.out_depth);
        // Depths are powers of two: there is room behind the outputs, or they are all.
        let (bias, acc) = if outputs + bias <= c.acc_depth {
            (outputs..outputs + bias, 0..outputs)
        } else {
            (0..bias, bias..outputs)
        };
        Self {
            inp: Allocator::new(0..c.inp_depth),
            wgt: Allocator::new(0..c.wgt_depth),
            acc: Allocator::new(acc),
            bias: Allocator::new(bias),
        }
    }

    /// The next buffers begin at the first elements.
    pub(crate) fn rewind(&mut self) {
        self.inp.rewind();
        self.wgt.rewind();
        self.acc.rewind();
        self.bias.rewind();
    }
}

/// Largest distance of rows that an instruction can say.
const MAX_STRIDE: u32 = (1 << M_STRIDE_BITS) - 1;

/// Distance of `n` rows of a map: what a single row says is without meaning.
fn row_stride(m: &FMap, n: u32) -> u32 {
    if n == 1 { m.w.min(MAX_STRIDE) } else { m.w }
}

/// Everything that scheduling a layer changes.
pub(crate) struct Device<'a> {
    pub scratchpads: &'a mut Scratchpads,
    pub schedule: &'a mut Schedule,
    /// Index of the layer.
    pub layer: usize,
    /// Next free element of the segment of weights.
    pub weights_at: u32,
    /// Next free element of the segment of biases.
    pub biases_at: u32,
    /// The hardware.
    pub c: &'a HwConfig,
}

/// A load in parts, none of which the hardware counts wrong: a load whose beats in
/// flight can come round their counter is over too early.
fn parts(c: &HwConfig, memory_type: MemoryType, rows: Rows) -> SmallVec<[Rows; 4]> {
    let pad = memory_type.scratchpad();
    let geo = Geometry::new(c, c.elem_bytes(pad));
    let mut done = SmallVec::new();
    // The next one last.
    let mut open: SmallVec<[Rows; 4]> = smallvec![rows];
    while let Some(r) = open.pop() {
        let single = r.y == 1 && r.x == 1;
        if single || timing::counter_wraps(c, pad, &r.at(geo)).is_none() {
            done.push(r);
            continue;
        }
        let halves = if r.y > 1 {
            let y = r.y / 2;
            let behind = Rows {
                y: r.y - y,
                dram: r.dram + y * r.stride,
                ..r
            };
            [Rows { y, ..r }, behind]
        } else {
            let x = r.x / 2;
            let behind = Rows {
                x: r.x - x,
                dram: r.dram + x,
                ..r
            };
            [Rows { x, ..r }, behind]
        };
        open.extend(halves.into_iter().rev());
    }
    done
}

impl Device<'_> {
    /// Adds an operation of this layer.
    ///
    /// # Errors
    /// A number that does not fit its field of the instruction.
    pub(crate) fn push(&mut self, kind: OpKind, deps: &Deps) -> Result<OpId, DoesNotFit> {
        self.schedule.push(kind, self.layer, deps)
    }

    /// Adds the load of some rows of this layer, in as many instructions as the
    /// hardware's counter of beats asks for, and gives the last one.
    ///
    /// # Errors
    /// A number that does not fit its field of the instruction.
    pub(crate) fn load(
        &mut self,
        memory_type: MemoryType,
        mut sram: u32,
        base: Base,
        rows: Rows,
        deps: &Deps,
    ) -> Result<OpId, DoesNotFit> {
        let mut last = None;
        for rows in parts(self.c, memory_type, rows) {
            let kind = OpKind::Load {
                memory_type,
                sram,
                base,
                rows,
            };
            last = Some(self.push(kind, deps)?);
            sram += rows.x * rows.y;
        }
        last.ok_or(DoesNotFit::NoRoom)
    }

    /// Loads rows and columns of some blocks of a map to a buffer, one block after the other.
    ///
    /// # Errors
    /// A transfer that no instruction can say.
    pub(crate) fn load_map(
        &mut self,
        m: &FMap,
        blocks: &[u32],
        (rows, cols): (&Range<u32>, &Range<u32>),
        buffer: BufferId,
    ) -> Result<(), DoesNotFit> {
        let size = len(rows) * len(cols);
        let mut sram = self.scratchpads.inp.start(buffer)?;
        let whole = len(cols) == m.w;
        let mut at = 0;
        while at < blocks.len() {
            // Blocks at equal distances go together.
            let step = blocks.get(at + 1).map_or(1, |b| b - blocks[at]);
            let stride = step * m.plane();
            let mut n = 1;
            if whole && stride <= MAX_STRIDE {
                let pairs = blocks[at..].windows(2);
                n += pairs.take_while(|p| p[1] - p[0] == step).count();
            }
            let y = fit::count("blocks of a load", n)?;
            let dram = m.base + blocks[at] * m.plane() + rows.start * m.w + cols.start;
            let in_dram = if whole {
                Rows {
                    dram,
                    y,
                    x: size,
                    stride: if n > 1 { stride } else { size },
                }
            } else {
                Rows {
                    dram,
                    y: len(rows),
                    x: len(cols),
                    stride: row_stride(m, len(rows)),
                }
            };
            let mut deps = self.scratchpads.inp.before_write(buffer)?;
            for b in &blocks[at..at + n] {
                let stored = self.schedule.stores.last(m, *b..b + 1, rows, cols);
                join(&mut deps, &stored);
            }
            let op = self.load(MemoryType::Inp, sram, Base::Zero, in_dram, &deps)?;
            self.scratchpads.inp.write(buffer, Unit::Load, op)?;
            sram += size * y;
            at += n;
        }
        Ok(())
    }

    /// Takes a buffer for `count` weight elements and loads them.
    ///
    /// # Errors
    /// There is no buffer, or a transfer that no instruction can say.
    pub(crate) fn load_weights(
        &mut self,
        dram: u32,
        count: u32,
        pins: &[BufferId],
    ) -> Result<BufferId, DoesNotFit> {
        let buffer = self.scratchpads.wgt.alloc(count, pins)?;
        let deps = self.scratchpads.wgt.before_write(buffer)?;
        let sram = self.scratchpads.wgt.start(buffer)?;
        let rows = Rows {
            dram,
            y: 1,
            x: count,
            stride: count,
        };
        let op = self.load(MemoryType::Wgt, sram, Base::Weights, rows, &deps)?;
        self.scratchpads.wgt.write(buffer, Unit::Load, op)?;
        Ok(buffer)
    }

    /// Stores the last row of a map when `made` has ended, as if the others were there.
    ///
    /// # Errors
    /// A transfer that no instruction can say.
    pub(crate) fn store_after(&mut self, out: &FMap, made: OpId) -> Result<(), DoesNotFit> {
        let rows = Rows {
            dram: out.base,
            y: 1,
            x: out.w,
            stride: 1,
        };
        let mut deps = Deps::default();
        deps[Unit::Compute as usize] = Some(made);
        let op = self.push(OpKind::Store { sram: 0, rows }, &deps)?;
        let all = Area {
            blocks: 0..out.blocks,
            rows: 0..out.h,
            cols: 0..out.w,
        };
        self.schedule.stores.push(out, all, op);
        Ok(())
    }

    /// Stores an area of a map that lies at `acc` of a buffer as `[blocks][rows][cols]`.
    ///
    /// # Errors
    /// A transfer that no instruction can say.
    pub(crate) fn store(
        &mut self,
        out: &FMap,
        area: &Area,
        buffer: BufferId,
        acc: u32,
    ) -> Result<(), DoesNotFit> {
        let (h, w) = (len(&area.rows), len(&area.cols));
        let dram = |b: u32| out.base + b * out.plane() + area.rows.start * out.w + area.cols.start;
        let whole = w == out.w;
        let mut parts: SmallVec<[Rows; 8]> = SmallVec::new();
        if whole && out.plane() <= MAX_STRIDE {
            parts.push(Rows {
                dram: dram(area.blocks.start),
                y: len(&area.blocks),
                x: h * w,
                stride: out.plane(),
            });
        } else {
            parts.extend(area.blocks.clone().map(|b| Rows {
                dram: dram(b),
                y: if whole { 1 } else { h },
                x: if whole { h * w } else { w },
                stride: row_stride(out, if whole { 1 } else { h }),
            }));
        }
        let deps = self.scratchpads.acc.before_read(buffer)?;
        let mut sram = acc;
        for rows in parts {
            let op = self.push(OpKind::Store { sram, rows }, &deps)?;
            sram += rows.x * rows.y;
            self.scratchpads.acc.read(buffer, Unit::Store, op)?;
            self.schedule.stores.push(out, area.clone(), op);
        }
        Ok(())
    }
}
