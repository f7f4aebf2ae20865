//! The device while a launch is scheduled: what lies in the scratchpads, what
//! was stored where, and the stream; transfers of maps.

use super::cost::Rows;
use super::job::FMap;
use super::pads::{Deps, NoSlot, Pad, SlotId, join};
use super::stream::{Base, Kind, Stream};
use std::collections::HashMap;
use std::ops::Range;
use vta_program::config::HwConfig;
use vta_program::isa::{M_STRIDE_BITS, MemoryType, Unit};

/// Why a tiling does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DoesNotFit;

impl From<NoSlot> for DoesNotFit {
    fn from(_: NoSlot) -> Self {
        Self
    }
}

/// A store that was made to a buffer; blocks are counted in the buffer.
#[derive(Debug, Clone)]
struct Write {
    op: u32,
    area: Area,
}

/// What is in the scratchpads and who wrote what to DRAM.
#[derive(Debug, Clone)]
pub(super) struct Pads {
    pub inp: Pad,
    pub wgt: Pad,
    pub acc: Pad,
    /// A part of the accumulators for biases and shifts.
    pub bias: Pad,
    writes: HashMap<usize, Vec<Write>>,
}

/// Whether two ranges share an element.
pub(super) fn meet(a: &Range<u32>, b: &Range<u32>) -> bool {
    a.start < b.end && b.start < a.end
}

impl Pads {
    /// Empty scratchpads.
    pub(super) fn new(c: &HwConfig) -> Self {
        let bias = (c.acc_depth / 16).max(4).min(c.acc_depth / 2);
        // The output scratchpad shares the accumulators' indices.
        let acc = c.acc_depth.min(c.out_depth);
        Self {
            inp: Pad::new(0, c.inp_depth),
            wgt: Pad::new(0, c.wgt_depth),
            acc: Pad::new(bias, acc),
            bias: Pad::new(0, bias),
            writes: HashMap::new(),
        }
    }

    /// The last store of this launch to a part of a map.
    fn stored(&self, m: &FMap, blocks: Range<u32>, rows: &Range<u32>, cols: &Range<u32>) -> Deps {
        let blocks = m.block + blocks.start..m.block + blocks.end;
        let writes = self.writes.get(&m.buffer).into_iter().flatten();
        let meets =
            |a: &Area| meet(&a.blocks, &blocks) && meet(&a.rows, rows) && meet(&a.cols, cols);
        let last = writes.filter(|w| meets(&w.area)).map(|w| w.op).max();
        [None, None, last]
    }
}

/// Largest distance of rows that an instruction can say.
const MAX_STRIDE: u32 = (1 << M_STRIDE_BITS) - 1;

/// A part of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Area {
    /// Blocks of channels.
    pub blocks: Range<u32>,
    /// Rows.
    pub rows: Range<u32>,
    /// Columns.
    pub cols: Range<u32>,
}

/// Elements of a range.
pub(super) fn len(r: &Range<u32>) -> u32 {
    r.end - r.start
}

/// Everything that scheduling a layer changes.
pub(super) struct Device<'a> {
    pub pads: &'a mut Pads,
    pub stream: &'a mut Stream,
    /// Index of the layer.
    pub layer: u32,
    /// Next free element of the segment of weights.
    pub weights_at: u32,
    /// Next free element of the segment of biases.
    pub biases_at: u32,
    /// Micro-ops that an instruction can have.
    pub uop_depth: u32,
}

impl Device<'_> {
    /// Adds an operation of this layer.
    pub(super) fn push(&mut self, kind: Kind, deps: &Deps) -> u32 {
        self.stream.push(kind, self.layer, deps)
    }

    /// Loads rows and columns of some blocks of a map to a slot, one block after the other.
    pub(super) fn load_map(
        &mut self,
        m: &FMap,
        blocks: &[u32],
        (rows, cols): (&Range<u32>, &Range<u32>),
        slot: SlotId,
    ) {
        let size = len(rows) * len(cols);
        let mut sram = self.pads.inp.start(slot).unwrap_or(0);
        let whole = len(cols) == m.w;
        let mut at = 0;
        while at < blocks.len() {
            // Blocks at equal distances go together.
            let step = blocks.get(at + 1).map_or(1, |b| b - blocks[at]);
            let stride = step * m.plane();
            let mut n = 1;
            if whole && stride <= MAX_STRIDE {
                while blocks.get(at + n) == Some(&(blocks[at] + n as u32 * step)) {
                    n += 1;
                }
            }
            let dram = m.base + blocks[at] * m.plane() + rows.start * m.w + cols.start;
            let in_dram = if whole {
                Rows {
                    dram,
                    y: n as u32,
                    x: size,
                    stride: if n > 1 { stride } else { size },
                }
            } else {
                Rows {
                    dram,
                    y: len(rows),
                    x: len(cols),
                    stride: m.w,
                }
            };
            let mut deps = self.pads.inp.before_write(slot);
            for b in &blocks[at..at + n] {
                join(&mut deps, &self.pads.stored(m, *b..b + 1, rows, cols));
            }
            let kind = Kind::Load {
                memory_type: MemoryType::Inp,
                sram,
                base: Base::Zero,
                rows: in_dram,
            };
            let op = self.push(kind, &deps);
            self.pads.inp.write(slot, Unit::Load as usize, op);
            sram += size * n as u32;
            at += n;
        }
    }

    /// Takes a slot for `count` weight elements and loads them.
    pub(super) fn load_weights(
        &mut self,
        dram: u32,
        count: u32,
        pins: &[SlotId],
    ) -> Result<SlotId, NoSlot> {
        let slot = self.pads.wgt.alloc(count, pins)?;
        let deps = self.pads.wgt.before_write(slot);
        let kind = Kind::Load {
            memory_type: MemoryType::Wgt,
            sram: self.pads.wgt.start(slot).unwrap_or(0),
            base: Base::Weights,
            rows: Rows {
                dram,
                y: 1,
                x: count,
                stride: count,
            },
        };
        let op = self.push(kind, &deps);
        self.pads.wgt.write(slot, Unit::Load as usize, op);
        Ok(slot)
    }

    /// Stores an area of a map that lies at `acc` of a slot as `[blocks][rows][cols]`.
    pub(super) fn store(&mut self, out: &FMap, area: &Area, slot: SlotId, acc: u32) {
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
                stride: out.w,
            }));
        }
        let deps = self.pads.acc.before_read(slot);
        let mut sram = acc;
        for rows in parts {
            let op = self.push(Kind::Store { sram, rows }, &deps);
            sram += rows.x * rows.y;
            self.pads.acc.read(slot, Unit::Store as usize, op);
            let mut area = area.clone();
            area.blocks = out.block + area.blocks.start..out.block + area.blocks.end;
            let writes = self.pads.writes.entry(out.buffer).or_default();
            writes.push(Write { op, area });
        }
    }
}
