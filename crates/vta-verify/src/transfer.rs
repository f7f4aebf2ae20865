//! LOAD and STORE: which elements and which bytes.

use super::error::VerifyError;
use super::launch::Context;
use vta_program::config::Scratchpad;
use vta_program::isa::Insn;

/// A row of a transfer, without its padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// First element in the scratchpad.
    pub element: u32,
    /// Byte address of the first element in DRAM.
    pub addr: u64,
}

/// A LOAD or STORE that moves something.
#[derive(Debug)]
pub(super) struct Transfer {
    pub pad: Scratchpad,
    /// Elements of the scratchpad, padding included.
    pub elements: std::ops::Range<u32>,
    /// Rows, the first one, and the distances of the next ones: elements of the
    /// scratchpad, and bytes.
    count: u32,
    first: Row,
    width: u32,
    stride: u64,
    /// Elements in a row.
    pub row_elements: u32,
    pub element_bytes: u32,
}

impl Transfer {
    /// The rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        let (first, width, stride) = (self.first, self.width, self.stride);
        (0..self.count).map(move |r| Row {
            element: first.element + r * width,
            addr: first.addr + u64::from(r) * stride,
        })
    }

    /// How many rows there are.
    pub const fn rows_count(&self) -> u32 {
        self.count
    }

    /// The first byte in DRAM and the bytes of a row, how many rows there are, and
    /// the bytes from row to row.
    pub fn in_dram(&self) -> ((u64, u64), (u64, u64)) {
        let rows = (self.count.into(), self.stride);
        ((self.first.addr, self.row_bytes()), rows)
    }

    /// Bytes in DRAM of a row.
    pub fn row_bytes(&self) -> u64 {
        u64::from(self.row_elements) * u64::from(self.element_bytes)
    }

    /// The transfer of an instruction, if it moves anything.
    ///
    /// # Errors
    /// Rows outside of DRAM or at address 0.
    pub fn new(c: &Context<'_>, insn: u32, dram_bytes: u32) -> Result<Option<Self>, VerifyError> {
        let config = c.config;
        let transfer = match &c.insns[insn as usize] {
            i if i.is_sync() => return Ok(None),
            Insn::Load(l) => {
                let pad = l.memory_type.scratchpad();
                let element_bytes = config.elem_bytes(pad);
                let [above, below, left, right] =
                    [l.y_pad_0, l.y_pad_1, l.x_pad_0, l.x_pad_1].map(u32::from);
                let (x, y) = (u32::from(l.x_size), u32::from(l.y_size));
                let (width, base) = (left + x + right, u32::from(l.sram_base));
                Self {
                    pad,
                    elements: base..base + (above + y + below) * width,
                    count: y,
                    first: Row {
                        element: base + above * width + left,
                        addr: byte_addr(l.dram_base, element_bytes),
                    },
                    width,
                    stride: byte_addr(l.x_stride.into(), element_bytes),
                    row_elements: x,
                    element_bytes,
                }
            }
            Insn::Store(s) => {
                let element_bytes = config.out_bytes();
                let (x, y, base) = (
                    u32::from(s.x_size),
                    u32::from(s.y_size),
                    u32::from(s.sram_base),
                );
                Self {
                    pad: Scratchpad::Out,
                    elements: base..base + y * x,
                    count: y,
                    first: Row {
                        element: base,
                        addr: byte_addr(s.dram_base, element_bytes),
                    },
                    width: x,
                    stride: byte_addr(s.x_stride.into(), element_bytes),
                    row_elements: x,
                    element_bytes,
                }
            }
            _ => return Ok(None),
        };
        for row in transfer.rows() {
            let bytes = transfer.row_bytes();
            if row.addr + bytes > dram_bytes.into() {
                return Err(VerifyError::OutsideDram {
                    at: c.at(insn),
                    addr: row.addr,
                    bytes,
                    dram_bytes,
                });
            }
            if row.addr < config.beat_bytes().into() {
                return Err(VerifyError::AddressZero {
                    launch: c.launch.name.clone(),
                    what: c.at(insn).to_string(),
                });
            }
        }
        Ok(Some(transfer))
    }
}

/// Byte address of an element. The hardware's addresses wrap in 32 bits; here one
/// that would is past the end of every DRAM.
fn byte_addr(element: u32, element_bytes: u32) -> u64 {
    u64::from(element) * u64::from(element_bytes)
}
