//! Cycles of one instruction by itself, where nobody else is on the bus: the
//! closed forms of [`vta_program::timing`] for the rows of the schedule.
//!
//! Enough to choose between schedules; the simulator has the last word.

use vta_program::config::HwConfig;
use vta_program::timing::{self, Geometry, Padding};

/// Rows in DRAM, of elements of some size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Element index of the first one.
    pub dram: u32,
    /// Rows.
    pub y: u32,
    /// Elements of a row.
    pub x: u32,
    /// Elements from row to row.
    pub stride: u32,
}

impl Rows {
    /// The same, by the byte address of the first one.
    pub(crate) const fn at(&self, geo: Geometry) -> timing::Rows {
        timing::Rows {
            addr: self.dram << geo.elem_log,
            x_size: self.x,
            y_size: self.y,
            x_stride: self.stride,
        }
    }
}

/// Costs of a configuration.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    /// Widths of elements of one byte.
    bytes: Geometry,
    mem_delay: u32,
}

impl Cost {
    /// The costs of a configuration.
    pub(crate) const fn new(c: &HwConfig) -> Self {
        Self {
            bytes: Geometry::new(c, 1),
            mem_delay: c.mem_delay,
        }
    }

    const fn geometry(&self, bytes: u32) -> Geometry {
        Geometry {
            elem_log: bytes.trailing_zeros(),
            ..self.bytes
        }
    }

    /// Cycles of a load of elements of `bytes` bytes, its paddings hidden.
    pub(crate) fn load(&self, r: &Rows, bytes: u32) -> u64 {
        let geo = self.geometry(bytes);
        timing::load(geo, &r.at(geo), Padding::NONE, 0, self.mem_delay)
    }

    /// Cycles of a store of elements of `bytes` bytes.
    pub(crate) fn store(&self, r: &Rows, bytes: u32) -> u64 {
        let geo = self.geometry(bytes);
        timing::store(geo, &r.at(geo)).cycles
    }

    /// Cycles of GEMM.
    pub(crate) const fn gemm(steps: u64) -> u64 {
        timing::gemm(steps)
    }

    /// Cycles of ALU with an immediate or with registers.
    pub(crate) const fn alu(steps: u64, imm: bool) -> u64 {
        timing::alu(steps, imm)
    }
}
