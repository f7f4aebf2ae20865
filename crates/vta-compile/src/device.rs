//! The device while a launch is scheduled: what lies in the scratchpads, what
//! was stored where, and the instruction schedule; transfers of maps.

use crate::allocator::{Allocator, BufferId};
use crate::cost::Rows;
use crate::deps::{Deps, OpId, join};
use crate::fit::{self, DoesNotFit};
use crate::map::{Area, FMap, len, meet};
use crate::op::{Base, OpKind};
use crate::schedule::Schedule;
use std::collections::HashMap;
use std::ops::Range;
use vta_program::config::HwConfig;
use vta_program::isa::{M_STRIDE_BITS, MemoryType, Unit};
use vta_program::timing::memory::TAGS;

/// A store that was made to a tensor; blocks are counted in the tensor.
#[derive(Debug, Clone)]
struct Write {
    op: OpId,
    area: Area,
}

/// What is in the scratchpads and who wrote what to DRAM.
#[derive(Debug, Clone)]
pub(crate) struct Scratchpads {
    pub inp: Allocator,
    pub wgt: Allocator,
    /// Accumulators that have an output element.
    pub acc: Allocator,
    /// A part of the accumulators for biases and shifts.
    pub bias: Allocator,
    /// Most elements of a load of inputs.
    pub max_inp: u32,
    /// Most elements of a load of weights.
    max_wgt: u32,
    writes: HashMap<usize, Vec<Write>>,
}

/// Most elements of a load into a scratchpad. Loads of elements wider than the
/// bus count beats in flight in as many bits as the scratchpad has beats: a load
/// of all of it is over too early where all of it can be in flight
/// (`load_narrow::in_flight_counter_wraps` in `docs/timing.md`).
fn max_load(c: &HwConfig, depth: u32, bytes: u32) -> u32 {
    let beats = u64::from(depth) * u64::from(bytes / c.beat_bytes());
    let in_flight = (TAGS as u64) << c.mem_len_bits;
    if bytes > c.beat_bytes() && in_flight >= beats {
        depth - 1
    } else {
        depth
    }
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
            max_inp: max_load(c, c.inp_depth, c.inp_bytes()),
            max_wgt: max_load(c, c.wgt_depth, c.wgt_bytes()),
            writes: HashMap::new(),
        }
    }

    /// The last store of this launch to a part of a map.
    fn stored(&self, m: &FMap, blocks: Range<u32>, rows: &Range<u32>, cols: &Range<u32>) -> Deps {
        let blocks = m.block + blocks.start..m.block + blocks.end;
        let writes = self.writes.get(&m.root).into_iter().flatten();
        let meets =
            |a: &Area| meet(&a.blocks, &blocks) && meet(&a.rows, rows) && meet(&a.cols, cols);
        let last = writes.filter(|w| meets(&w.area)).map(|w| w.op).max();
        [None, None, last]
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
    /// Micro-ops that an instruction can have.
    pub uop_depth: u32,
}

impl Device<'_> {
    /// Adds an operation of this layer.
    ///
    /// # Errors
    /// A number that does not fit its field of the instruction.
    pub(crate) fn push(&mut self, kind: OpKind, deps: &Deps) -> Result<OpId, DoesNotFit> {
        self.schedule.push(kind, self.layer, deps)
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
                join(
                    &mut deps,
                    &self.scratchpads.stored(m, *b..b + 1, rows, cols),
                );
            }
            if in_dram.x * in_dram.y > self.scratchpads.max_inp {
                return Err(DoesNotFit::NoRoom);
            }
            let kind = OpKind::Load {
                memory_type: MemoryType::Inp,
                sram,
                base: Base::Zero,
                rows: in_dram,
            };
            let op = self.push(kind, &deps)?;
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
        if count > self.scratchpads.max_wgt {
            return Err(DoesNotFit::NoRoom);
        }
        let buffer = self.scratchpads.wgt.alloc(count, pins)?;
        let deps = self.scratchpads.wgt.before_write(buffer)?;
        let kind = OpKind::Load {
            memory_type: MemoryType::Wgt,
            sram: self.scratchpads.wgt.start(buffer)?,
            base: Base::Weights,
            rows: Rows {
                dram,
                y: 1,
                x: count,
                stride: count,
            },
        };
        let op = self.push(kind, &deps)?;
        self.scratchpads.wgt.write(buffer, Unit::Load, op)?;
        Ok(buffer)
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
        let mut parts = Vec::new();
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
            let mut area = area.clone();
            area.blocks = out.block + area.blocks.start..out.block + area.blocks.end;
            let writes = self.scratchpads.writes.entry(out.root).or_default();
            writes.push(Write { op, area });
        }
        Ok(())
    }
}
