//! The scratchpads: names, bytes of an element, elements.

use super::HwConfig;

/// A scratchpad, in the order of upstream's `VTA_MEM_ID_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Scratchpad {
    /// Micro-ops: 32 bits.
    Uop,
    /// Weights: a matrix of `block` x `block` int8.
    Wgt,
    /// Inputs: a vector of `block` int8.
    Inp,
    /// Accumulators: a vector of `block` int32.
    Acc,
    /// Outputs: a vector of `block` int8.
    Out,
}

impl Scratchpad {
    /// All scratchpads.
    pub const ALL: [Self; 5] = [Self::Uop, Self::Wgt, Self::Inp, Self::Acc, Self::Out];

    /// The name in assembly text and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uop => "uop",
            Self::Wgt => "wgt",
            Self::Inp => "inp",
            Self::Acc => "acc",
            Self::Out => "out",
        }
    }
}

impl std::fmt::Display for Scratchpad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl HwConfig {
    /// Bytes of an element, in the scratchpad and in DRAM.
    pub const fn elem_bytes(&self, of: Scratchpad) -> u32 {
        match of {
            Scratchpad::Uop => 4,
            Scratchpad::Wgt => self.block * self.block,
            Scratchpad::Inp | Scratchpad::Out => self.block,
            Scratchpad::Acc => 4 * self.block,
        }
    }

    /// Elements.
    pub const fn depth(&self, of: Scratchpad) -> u32 {
        match of {
            Scratchpad::Uop => self.uop_depth,
            Scratchpad::Wgt => self.wgt_depth,
            Scratchpad::Inp => self.inp_depth,
            Scratchpad::Acc => self.acc_depth,
            Scratchpad::Out => self.out_depth,
        }
    }

    /// Bytes of a micro-op.
    pub const fn uop_bytes(&self) -> u32 {
        self.elem_bytes(Scratchpad::Uop)
    }

    /// Bytes of an input element.
    pub const fn inp_bytes(&self) -> u32 {
        self.elem_bytes(Scratchpad::Inp)
    }

    /// Bytes of a weight element.
    pub const fn wgt_bytes(&self) -> u32 {
        self.elem_bytes(Scratchpad::Wgt)
    }

    /// Bytes of an accumulator element.
    pub const fn acc_bytes(&self) -> u32 {
        self.elem_bytes(Scratchpad::Acc)
    }

    /// Bytes of an output element.
    pub const fn out_bytes(&self) -> u32 {
        self.elem_bytes(Scratchpad::Out)
    }
}
