//! Ranges of a configuration, and what the RTL does not elaborate with.

use super::{ConfigProblem, HwConfig};

/// Smallest and largest depth of each scratchpad, as powers of two.
pub(super) const DEPTHS: [(&str, u32, u32); 5] = [
    ("UOP_DEPTH", 1, 13),
    ("INP_DEPTH", 1, 11),
    ("WGT_DEPTH", 1, 10),
    ("ACC_DEPTH", 1, 11),
    ("OUT_DEPTH", 1, 13),
];

/// Bits of a read client's tag (`clientTagBitWidth` in shell/VME.scala).
const TAG_BITS: u32 = 21;

const TAG: &str = "the tag of a read client has 21 bits";
const BEAT: &str = "a scratchpad holds at least one beat";
const FETCH: &str = "a burst of instructions fills whole beats";

/// A key's value against an inclusive range.
pub(super) fn in_range(
    key: &'static str,
    value: u64,
    min: u64,
    max: u64,
) -> Result<(), ConfigProblem> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let allowed = if min == max {
        format!("only {min}")
    } else {
        format!("{min} to {max}")
    };
    Err(ConfigProblem::Range {
        key,
        value,
        allowed,
    })
}

/// Bits of the tag that a load needs besides the depth: none when the element
/// is wider than the bus, else where the element starts and ends in a beat.
fn wide_tag_bits(ratio: u32) -> u32 {
    2 * if ratio == 1 { 1 } else { ratio.ilog2() + 1 }
}

impl HwConfig {
    /// Checks every range, and what the RTL does not elaborate with.
    ///
    /// # Errors
    /// The first key that is out of range.
    pub fn check(&self) -> Result<(), ConfigProblem> {
        if !self.block.is_power_of_two() || !(4..=64).contains(&self.block) {
            return Err(ConfigProblem::Range {
                key: "block (2 ^ LOG_BLOCK)",
                value: self.block.into(),
                allowed: "4, 8, 16, 32, 64".into(),
            });
        }
        for ((key, min, max), depth) in DEPTHS.into_iter().zip(self.depths()) {
            if !depth.is_power_of_two() || !(1 << min..=1 << max).contains(&depth) {
                return Err(ConfigProblem::Range {
                    key,
                    value: depth.into(),
                    allowed: format!("a power of two from {} to {}", 1 << min, 1 << max),
                });
            }
        }
        if ![64, 128, 256, 512].contains(&self.mem_data_bits) {
            return Err(ConfigProblem::Range {
                key: "MEM_DATA_BITS",
                value: self.mem_data_bits.into(),
                allowed: "64, 128, 256, 512".into(),
            });
        }
        in_range("MEM_LEN_BITS", self.mem_len_bits.into(), 1, 8)?;
        in_range("MEM_DELAY", self.mem_delay.into(), 0, 4096)?;
        let entries = self.insn_queue_entries.into();
        in_range("INSN_QUEUE_ENTRIES", entries, 2, 65536)?;
        self.check_loads()?;
        self.check_fetch()
    }

    /// The five scratchpad depths: uop, inp, wgt, acc, out.
    pub const fn depths(&self) -> [u32; 5] {
        [
            self.uop_depth,
            self.inp_depth,
            self.wgt_depth,
            self.acc_depth,
            self.out_depth,
        ]
    }

    /// The tag of each load unit fits (core/TensorLoadNarrowVME.scala,
    /// core/TensorLoadWideVME.scala).
    fn check_loads(&self) -> Result<(), ConfigProblem> {
        let loads = [
            ("UOP_DEPTH", self.uop_bytes(), self.uop_depth),
            ("INP_DEPTH", self.inp_bytes(), self.inp_depth),
            ("WGT_DEPTH", self.wgt_bytes(), self.wgt_depth),
            ("ACC_DEPTH", self.acc_bytes(), self.acc_depth),
        ];
        for (key, bytes, depth) in loads {
            let element = bytes * 8;
            let bus = |bound, limit: u32, reason| ConfigProblem::Bus {
                key,
                value: depth.into(),
                bound,
                limit: limit.into(),
                mem_data_bits: self.mem_data_bits,
                reason,
            };
            let other_bits = if element > self.mem_data_bits {
                (element / self.mem_data_bits).ilog2()
            } else {
                let ratio = self.mem_data_bits / element;
                if depth < ratio {
                    return Err(bus("at least", ratio, BEAT));
                }
                wide_tag_bits(ratio)
            };
            if depth.ilog2() + other_bits > TAG_BITS {
                return Err(bus("at most", 1 << (TAG_BITS - other_bits), TAG));
            }
        }
        Ok(())
    }

    /// The wide fetch unit reads bursts of 64-bit half instructions
    /// (core/FetchWideVME.scala).
    fn check_fetch(&self) -> Result<(), ConfigProblem> {
        if self.mem_data_bits < 128 {
            return Ok(());
        }
        let ratio = self.mem_data_bits / 64;
        let bus = |bound, limit: u32, reason| ConfigProblem::Bus {
            key: "MEM_LEN_BITS",
            value: self.mem_len_bits.into(),
            bound,
            limit: limit.into(),
            mem_data_bits: self.mem_data_bits,
            reason,
        };
        let depth_bits = self.mem_len_bits + 1;
        if !(1u32 << depth_bits).is_multiple_of(ratio) {
            return Err(bus("at least", ratio.ilog2() - 1, FETCH));
        }
        let other_bits = wide_tag_bits(ratio);
        if depth_bits + other_bits > TAG_BITS {
            return Err(bus("at most", TAG_BITS - other_bits - 1, TAG));
        }
        Ok(())
    }
}
