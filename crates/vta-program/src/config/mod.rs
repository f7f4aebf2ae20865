//! Hardware configuration: block size, scratchpad depths, memory interface.
//!
//! Upstream keeps part of this in `vta_config.json` (`LOG_*` keys) and part in
//! Scala (core/Configs.scala, shell/Configs.scala). [`HwConfig`] holds both;
//! it reads and writes `vta_config.json` files that hold both.

mod check;
mod error;
mod json;
mod scratchpad;

pub use error::{ConfigError, ConfigProblem};
pub use json::ConfigKeys;
pub use scratchpad::Scratchpad;

/// One hardware configuration, checked: every depth is a power of two.
///
/// Batch is 1; inputs, weights and outputs are 8 bits, accumulators 32 bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HwConfig {
    /// Name of a built-in configuration, or the path of a file.
    pub name: String,
    /// Rows and columns of the GEMM core (`BLOCK_IN` = `BLOCK_OUT`).
    pub block: u32,
    /// Micro-ops in the uop scratchpad.
    pub uop_depth: u32,
    /// Elements in the input scratchpad.
    pub inp_depth: u32,
    /// Elements in the weight scratchpad.
    pub wgt_depth: u32,
    /// Elements in the accumulator scratchpad.
    pub acc_depth: u32,
    /// Elements in the output scratchpad.
    pub out_depth: u32,
    /// Data bus width in bits (`dataBits`).
    pub mem_data_bits: u32,
    /// Width of a burst's length field (`lenBits`): bursts of up to 2^n beats.
    pub mem_len_bits: u32,
    /// Cycles before the first beat when the memory's queue had been empty.
    pub mem_delay: u32,
    /// Entries of each instruction queue (`instQueueEntries`).
    pub insn_queue_entries: u32,
}

impl Default for HwConfig {
    /// [`HwConfig::de10`].
    fn default() -> Self {
        Self::de10()
    }
}

impl HwConfig {
    /// `de10`, the default of upstream's `tsim`: blocks of 16 x 16, a bus of 64
    /// bits, bursts of up to 16 beats.
    pub fn de10() -> Self {
        Self {
            name: "de10".into(),
            block: 16,
            uop_depth: 2048,
            inp_depth: 2048,
            wgt_depth: 1024,
            acc_depth: 2048,
            out_depth: 2048,
            mem_data_bits: 64,
            mem_len_bits: 4,
            mem_delay: 16,
            insn_queue_entries: 512,
        }
    }

    /// Names of the built-in configurations.
    pub const BUILT_IN: [&str; 6] = ["de10", "pynq", "wide128", "wide512", "small", "b32"];

    /// A built-in configuration.
    pub fn built_in(name: &str) -> Option<Self> {
        let mut c = Self {
            name: name.into(),
            ..Self::default()
        };
        match name {
            "de10" => {}
            "pynq" => c.mem_len_bits = 8,
            "wide128" => (c.mem_data_bits, c.mem_len_bits) = (128, 8),
            "wide512" => (c.mem_data_bits, c.mem_len_bits) = (512, 4),
            "small" => {
                (c.uop_depth, c.inp_depth, c.wgt_depth) = (512, 512, 256);
                (c.acc_depth, c.out_depth) = (512, 512);
            }
            "b32" => {
                c.block = 32;
                (c.inp_depth, c.wgt_depth, c.acc_depth) = (1024, 512, 1024);
            }
            _ => return None,
        }
        Some(c)
    }

    /// Bytes of a beat on the data bus.
    pub const fn beat_bytes(&self) -> u32 {
        self.mem_data_bits / 8
    }
}
