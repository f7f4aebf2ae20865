//! DRAM: what is known of it, and what a launch stores there.

use super::transfer::Transfer;
use bitvec::vec::BitVec;
use vta_program::program::{Program, SegmentKind};

/// Bytes of what is looked at together.
const WORD: u64 = 4;

/// DRAM at some point of a program: what it held at the start, and what was written since.
#[derive(Debug)]
pub(super) struct Dram {
    image: Vec<u8>,
    /// Words that the program says something of, or that were written.
    defined: BitVec,
    written: BitVec,
    /// Who wrote what, in order.
    writers: Vec<Written>,
}

/// Rows of bytes that were written.
#[derive(Debug, Clone, Copy)]
struct Written {
    first: u64,
    /// Bytes of a row, rows, bytes from row to row.
    bytes: u64,
    count: u64,
    stride: u64,
    by: Writer,
}

impl Written {
    /// Whether a row holds some of the word at an address.
    fn meets(&self, addr: u64) -> bool {
        let Some(reach) = (addr + WORD - 1).checked_sub(self.first) else {
            return false;
        };
        // The last row that starts before the word ends.
        let row = match self.stride {
            0 => 0,
            stride => (reach / stride).min(self.count - 1),
        };
        addr < self.first + row * self.stride + self.bytes
    }
}

/// Who writes to DRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// Whoever gives the network its inputs.
    Input,
    /// An instruction of a step.
    Insn(u32, u32),
    /// A host step.
    Host(u32),
}

fn words(addr: u64, bytes: u64) -> std::ops::Range<usize> {
    (addr / WORD) as usize..(addr + bytes).div_ceil(WORD) as usize
}

fn first_zero(bits: &BitVec, addr: u64, bytes: u64) -> Option<u64> {
    let range = words(addr, bytes);
    let first = bits[range.clone()].first_zero()?;
    Some(((range.start + first) as u64 * WORD).max(addr))
}

impl Dram {
    /// DRAM before the first step. Room for results is not defined by being there.
    pub fn new(program: &Program) -> Self {
        let image = program.dram_image();
        let count = image.len().div_ceil(WORD as usize);
        let mut defined = BitVec::repeat(false, count);
        for s in &program.segments {
            let bytes = match s.kind {
                SegmentKind::Out => s.data.len() as u64,
                _ => s.bytes.into(),
            };
            defined[words(s.addr.into(), bytes)].fill(true);
        }
        Self {
            image,
            defined,
            written: BitVec::repeat(false, count),
            writers: Vec::new(),
        }
    }

    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// Notes a write.
    pub fn write(&mut self, addr: u64, bytes: u64, by: Writer) {
        self.write_rows((addr, bytes), (1, 0), by);
    }

    /// Notes a write of some rows: the first byte and the bytes of a row, how many
    /// there are, and the bytes from row to row.
    pub fn write_rows(
        &mut self,
        (first, bytes): (u64, u64),
        (count, stride): (u64, u64),
        by: Writer,
    ) {
        for row in 0..count {
            let range = words(first + row * stride, bytes);
            self.written[range.clone()].fill(true);
            self.defined[range].fill(true);
        }
        self.writers.push(Written {
            first,
            bytes,
            count,
            stride,
            by,
        });
    }

    /// The first byte of a range that nothing wrote.
    pub fn first_unwritten(&self, addr: u64, bytes: u64) -> Option<u64> {
        first_zero(&self.written, addr, bytes)
    }

    /// The first byte of a range that nothing wrote and no segment holds.
    pub fn first_undefined(&self, addr: u64, bytes: u64) -> Option<u64> {
        first_zero(&self.defined, addr, bytes)
    }

    /// A word as it was at the start.
    ///
    /// # Errors
    /// Who wrote it since.
    pub fn word(&self, addr: u64) -> Result<u32, Writer> {
        let range = words(addr, WORD);
        if self.written[range].any() {
            let writer = self.writers.iter().rev().find(|w| w.meets(addr));
            return Err(writer.map_or(Writer::Input, |w| w.by));
        }
        let bytes = self.image.get(addr as usize..(addr + WORD) as usize);
        let bytes = bytes.and_then(|b| b.try_into().ok()).unwrap_or_default();
        Ok(u32::from_le_bytes(bytes))
    }
}

/// The bytes that a launch stores, as numbered places of one output element each.
#[derive(Debug)]
pub(super) struct Stored {
    /// Ranges of elements, in order, with the number of the first.
    ranges: Vec<(u64, u64, usize)>,
    element_bytes: u64,
}

/// Rows that are kept before they are brought together.
const MERGED: usize = 1 << 16;

/// Ranges that share no element and do not touch, in order.
fn merged(mut all: Vec<(u64, u64, usize)>) -> Vec<(u64, u64, usize)> {
    all.sort_unstable();
    all.dedup_by(|next, last| {
        let touch = next.0 <= last.1;
        if touch {
            last.1 = last.1.max(next.1);
        }
        touch
    });
    all
}

impl Stored {
    /// All that these stores write.
    pub fn new<'a>(stores: impl Iterator<Item = &'a Transfer>, element_bytes: u32) -> Self {
        let element_bytes = u64::from(element_bytes);
        let rows = stores.flat_map(|t| {
            let count = u64::from(t.row_elements);
            t.rows().map(move |r| {
                let first = r.addr / element_bytes;
                (first, first + count, 0)
            })
        });
        let mut ranges: Vec<(u64, u64, usize)> = Vec::new();
        let mut most = MERGED;
        for row in rows {
            ranges.push(row);
            // Stores to the same places, again and again, are not kept.
            if ranges.len() >= most {
                ranges = merged(ranges);
                most = (2 * ranges.len()).max(MERGED);
            }
        }
        let mut ranges = merged(ranges);
        let mut number = 0;
        for r in &mut ranges {
            r.2 = number;
            number += (r.1 - r.0) as usize;
        }
        Self {
            ranges,
            element_bytes,
        }
    }

    /// Number of places.
    pub fn count(&self) -> usize {
        self.ranges.last().map_or(0, |r| r.2 + (r.1 - r.0) as usize)
    }

    /// The places that some bytes touch, with their byte addresses.
    pub fn places(&self, addr: u64, bytes: u64) -> impl Iterator<Item = (usize, u64)> {
        let (from, to) = (
            addr / self.element_bytes,
            (addr + bytes).div_ceil(self.element_bytes),
        );
        let skip = self.ranges.partition_point(|r| r.1 <= from);
        let near = self.ranges[skip..].iter().take_while(move |r| r.0 < to);
        near.flat_map(move |r| {
            let inside = r.0.max(from)..r.1.min(to);
            inside.map(|e| (r.2 + (e - r.0) as usize, e * self.element_bytes))
        })
    }
}
