//! Cycles of one instruction by itself, as `docs/timing.md` has them.
//!
//! Enough to choose between schedules; the simulator has the last word.

use vta_program::config::HwConfig;

/// From the start of a load to its first beat, and from its last beat to its end.
const LOAD_LATENCY: u64 = 23;

/// Cycles of GEMM and ALU besides their steps.
const PIPELINE: u64 = 7;

/// Rows in DRAM: elements of `bytes` bytes.
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

/// Costs of a configuration.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    beat: u64,
    burst: u64,
}

impl Cost {
    /// The costs of a configuration.
    pub(crate) fn new(c: &HwConfig) -> Self {
        let beat = u64::from(c.beat_bytes());
        Self {
            beat,
            burst: beat << c.mem_len_bits,
        }
    }

    /// Beats that rows of elements of `bytes` bytes take on the bus.
    pub(crate) fn beats(&self, r: &Rows, bytes: u32) -> u64 {
        let bytes = u64::from(bytes);
        let row = u64::from(r.x) * bytes;
        if bytes >= self.beat {
            return u64::from(r.y) * row / self.beat;
        }
        (0..u64::from(r.y))
            .map(|y| {
                let at = (u64::from(r.dram) + y * u64::from(r.stride)) * bytes;
                (at + row).div_ceil(self.beat) - at / self.beat
            })
            .sum()
    }

    fn bursts(&self, r: &Rows, bytes: u32) -> u64 {
        let bytes = u64::from(bytes);
        let row = u64::from(r.x) * bytes;
        (0..u64::from(r.y))
            .map(|y| {
                let at = (u64::from(r.dram) + y * u64::from(r.stride)) * bytes;
                (at + row).div_ceil(self.burst) - at / self.burst
            })
            .sum()
    }

    /// Cycles of a load on an idle bus: beats, or a burst every second cycle.
    pub(crate) fn load(&self, r: &Rows, bytes: u32) -> u64 {
        let bursts = self.bursts(r, bytes);
        self.beats(r, bytes).max(2 * bursts) + LOAD_LATENCY
    }

    /// Cycles of a store: bursts follow each other four cycles after the
    /// response; an element wider than the bus takes a cycle to read.
    pub(crate) fn store(&self, r: &Rows, bytes: u32) -> u64 {
        let beats = self.beats(r, bytes);
        let elements = if u64::from(bytes) > self.beat {
            u64::from(r.y) * u64::from(r.x)
        } else {
            0
        };
        beats + elements + self.bursts(r, bytes) * 3 + 2
    }

    /// Cycles of GEMM.
    pub(crate) fn gemm(steps: u64) -> u64 {
        steps + PIPELINE
    }

    /// Cycles of ALU with an immediate or with registers.
    pub(crate) fn alu(steps: u64, imm: bool) -> u64 {
        if imm {
            steps + PIPELINE
        } else {
            2 * steps + PIPELINE
        }
    }
}
