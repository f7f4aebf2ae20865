// Generated from isa/vta.isa and isa/uop.isa; `VTA_BLESS=1 cargo test --test tidy` rewrites it.
//! The formats as types, field tables, encoder and decoder.
#![allow(clippy::identity_op)] // shifts by 0 keep every field alike

use super::{Field, FieldRange, Illegal, Kind};

/// Width in bits.
pub const INST_BITS: u32 = 128;
/// Width in bits.
pub const OP_BITS: u32 = 3;
/// Width in bits.
pub const M_DEP_BITS: u32 = 4;
/// Width in bits.
pub const M_ID_BITS: u32 = 3;
/// Width in bits.
pub const M_SRAM_OFFSET_BITS: u32 = 16;
/// Width in bits.
pub const M_DRAM_OFFSET_BITS: u32 = 32;
/// Width in bits.
pub const M_SIZE_BITS: u32 = 16;
/// Width in bits.
pub const M_STRIDE_BITS: u32 = 16;
/// Width in bits.
pub const M_PAD_BITS: u32 = 4;
/// Width in bits.
pub const C_UOP_BGN_BITS: u32 = 13;
/// Width in bits.
pub const C_UOP_END_BITS: u32 = 14;
/// Width in bits.
pub const C_ITER_BITS: u32 = 14;
/// Width in bits.
pub const C_AIDX_BITS: u32 = 11;
/// Width in bits.
pub const C_IIDX_BITS: u32 = 11;
/// Width in bits.
pub const C_WIDX_BITS: u32 = 10;
/// Width in bits.
pub const C_ALU_OP_BITS: u32 = 3;
/// Width in bits.
pub const C_ALU_IMM_BITS: u32 = 16;

/// Values of a `M_ID_BITS` field; the others are illegal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum MemoryType {
    /// `uop`.
    Uop = 0,
    /// `wgt`.
    Wgt = 1,
    /// `inp`.
    Inp = 2,
    /// `acc`.
    Acc = 3,
}
impl MemoryType {
    /// All values, in order of their encoding.
    pub const ALL: [Self; 4] = [Self::Uop, Self::Wgt, Self::Inp, Self::Acc];

    /// The name in assembly text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uop => "uop",
            Self::Wgt => "wgt",
            Self::Inp => "inp",
            Self::Acc => "acc",
        }
    }

    /// The value with this encoding, if it is legal.
    pub const fn from_bits(bits: u128) -> Option<Self> {
        match bits {
            0 => Some(Self::Uop),
            1 => Some(Self::Wgt),
            2 => Some(Self::Inp),
            3 => Some(Self::Acc),
            _ => None,
        }
    }
}

/// Values of a `C_ALU_OP_BITS` field; the others are illegal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum AluOpcode {
    /// `min`.
    Min = 0,
    /// `max`.
    Max = 1,
    /// `add`.
    Add = 2,
    /// `shr`.
    Shr = 3,
}
impl AluOpcode {
    /// All values, in order of their encoding.
    pub const ALL: [Self; 4] = [Self::Min, Self::Max, Self::Add, Self::Shr];

    /// The name in assembly text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Add => "add",
            Self::Shr => "shr",
        }
    }

    /// The value with this encoding, if it is legal.
    pub const fn from_bits(bits: u128) -> Option<Self> {
        match bits {
            0 => Some(Self::Min),
            1 => Some(Self::Max),
            2 => Some(Self::Add),
            3 => Some(Self::Shr),
            _ => None,
        }
    }
}

/// Copy a tensor of rows from DRAM to a scratchpad, with zero padding around it. uop and acc loads run in compute, inp and wgt loads in load. `x_size` 0 makes it an empty instruction that only carries dependency flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Load {
    /// Bits 3..=3: wait for a token of the unit before (compute: from load).
    pub pop_prev_dep: bool,
    /// Bits 4..=4: wait for a token of the unit after (load: from compute; compute: from store).
    pub pop_next_dep: bool,
    /// Bits 5..=5: give a token to the unit before, at the end (compute: to load).
    pub push_prev_dep: bool,
    /// Bits 6..=6: give a token to the unit after, at the end (load: to compute; compute: to store).
    pub push_next_dep: bool,
    /// Bits 7..=9: the scratchpad.
    pub memory_type: MemoryType,
    /// Bits 10..=25: first element in the scratchpad, padding included.
    pub sram_base: u16,
    /// Bits 26..=57: first element in DRAM; times the element size, ORed with the base register.
    pub dram_base: u32,
    /// Bits 64..=79: rows read.
    pub y_size: u16,
    /// Bits 80..=95: elements read in a row.
    pub x_size: u16,
    /// Bits 96..=111: elements from one row in DRAM to the next.
    pub x_stride: u16,
    /// Bits 112..=115: rows of zeros above.
    pub y_pad_0: u8,
    /// Bits 116..=119: rows of zeros below.
    pub y_pad_1: u8,
    /// Bits 120..=123: zero elements left of each row.
    pub x_pad_0: u8,
    /// Bits 124..=127: zero elements right of each row.
    pub x_pad_1: u8,
}

/// Fields of LOAD, least significant first.
pub const LOAD_FIELDS: &[Field] = &[
    Field {
        name: "opcode",
        lsb: 0,
        width: 3,
        kind: Kind::Opcode,
        text: "0",
    },
    Field {
        name: "pop_prev_dep",
        lsb: 3,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of the unit before (compute: from load)",
    },
    Field {
        name: "pop_next_dep",
        lsb: 4,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of the unit after (load: from compute; compute: from store)",
    },
    Field {
        name: "push_prev_dep",
        lsb: 5,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to the unit before, at the end (compute: to load)",
    },
    Field {
        name: "push_next_dep",
        lsb: 6,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to the unit after, at the end (load: to compute; compute: to store)",
    },
    Field {
        name: "memory_type",
        lsb: 7,
        width: 3,
        kind: Kind::Enum(&[(0, "uop"), (1, "wgt"), (2, "inp"), (3, "acc")]),
        text: "the scratchpad",
    },
    Field {
        name: "sram_base",
        lsb: 10,
        width: 16,
        kind: Kind::Uint,
        text: "first element in the scratchpad, padding included",
    },
    Field {
        name: "dram_base",
        lsb: 26,
        width: 32,
        kind: Kind::Uint,
        text: "first element in DRAM; times the element size, ORed with the base register",
    },
    Field {
        name: "reserved_0",
        lsb: 58,
        width: 6,
        kind: Kind::Reserved,
        text: "ignored",
    },
    Field {
        name: "y_size",
        lsb: 64,
        width: 16,
        kind: Kind::Uint,
        text: "rows read",
    },
    Field {
        name: "x_size",
        lsb: 80,
        width: 16,
        kind: Kind::Uint,
        text: "elements read in a row",
    },
    Field {
        name: "x_stride",
        lsb: 96,
        width: 16,
        kind: Kind::Uint,
        text: "elements from one row in DRAM to the next",
    },
    Field {
        name: "y_pad_0",
        lsb: 112,
        width: 4,
        kind: Kind::Uint,
        text: "rows of zeros above",
    },
    Field {
        name: "y_pad_1",
        lsb: 116,
        width: 4,
        kind: Kind::Uint,
        text: "rows of zeros below",
    },
    Field {
        name: "x_pad_0",
        lsb: 120,
        width: 4,
        kind: Kind::Uint,
        text: "zero elements left of each row",
    },
    Field {
        name: "x_pad_1",
        lsb: 124,
        width: 4,
        kind: Kind::Uint,
        text: "zero elements right of each row",
    },
];

impl Load {
    /// The opcode.
    pub const OPCODE: u8 = 0;

    /// The fields with these bits; reserved bits are dropped.
    ///
    /// # Errors
    /// The field whose bits have no meaning.
    pub const fn from_bits(w: u128) -> Result<Self, Illegal> {
        Ok(Self {
            pop_prev_dep: (w >> 3) & 0x1 != 0,
            pop_next_dep: (w >> 4) & 0x1 != 0,
            push_prev_dep: (w >> 5) & 0x1 != 0,
            push_next_dep: (w >> 6) & 0x1 != 0,
            memory_type: match MemoryType::from_bits((w >> 7) & 0x7) {
                Some(v) => v,
                None => {
                    return Err(Illegal {
                        field: "memory_type",
                        value: ((w >> 7) & 0x7) as u64,
                    });
                }
            },
            sram_base: ((w >> 10) & 0xffff) as u16,
            dram_base: ((w >> 26) & 0xffffffff) as u32,
            y_size: ((w >> 64) & 0xffff) as u16,
            x_size: ((w >> 80) & 0xffff) as u16,
            x_stride: ((w >> 96) & 0xffff) as u16,
            y_pad_0: ((w >> 112) & 0xf) as u8,
            y_pad_1: ((w >> 116) & 0xf) as u8,
            x_pad_0: ((w >> 120) & 0xf) as u8,
            x_pad_1: ((w >> 124) & 0xf) as u8,
        })
    }

    /// The bits of these fields; reserved bits are zero.
    ///
    /// # Errors
    /// The field whose value is wider than its bits.
    pub const fn to_bits(&self) -> Result<u128, FieldRange> {
        let w = 0;
        let v = self.pop_prev_dep as u128;
        let w = w | (v << 3);
        let v = self.pop_next_dep as u128;
        let w = w | (v << 4);
        let v = self.push_prev_dep as u128;
        let w = w | (v << 5);
        let v = self.push_next_dep as u128;
        let w = w | (v << 6);
        let v = self.memory_type as u128;
        let w = w | (v << 7);
        let v = self.sram_base as u128;
        let w = w | (v << 10);
        let v = self.dram_base as u128;
        let w = w | (v << 26);
        let v = self.y_size as u128;
        let w = w | (v << 64);
        let v = self.x_size as u128;
        let w = w | (v << 80);
        let v = self.x_stride as u128;
        let w = w | (v << 96);
        let v = self.y_pad_0 as u128;
        if v > 0xf {
            return Err(FieldRange {
                field: "y_pad_0",
                value: v as i128,
                min: 0,
                max: 0xf,
            });
        }
        let w = w | (v << 112);
        let v = self.y_pad_1 as u128;
        if v > 0xf {
            return Err(FieldRange {
                field: "y_pad_1",
                value: v as i128,
                min: 0,
                max: 0xf,
            });
        }
        let w = w | (v << 116);
        let v = self.x_pad_0 as u128;
        if v > 0xf {
            return Err(FieldRange {
                field: "x_pad_0",
                value: v as i128,
                min: 0,
                max: 0xf,
            });
        }
        let w = w | (v << 120);
        let v = self.x_pad_1 as u128;
        if v > 0xf {
            return Err(FieldRange {
                field: "x_pad_1",
                value: v as i128,
                min: 0,
                max: 0xf,
            });
        }
        let w = w | (v << 124);
        Ok(w)
    }
}

/// Copy rows from the output scratchpad to DRAM. `x_size` 0 makes it an empty instruction. The hardware does not look at `memory_type` and the paddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Store {
    /// Bits 3..=3: wait for a token of compute.
    pub pop_prev_dep: bool,
    /// Bits 4..=4: ignored by store.
    pub pop_next_dep: bool,
    /// Bits 5..=5: give a token to compute, at the end.
    pub push_prev_dep: bool,
    /// Bits 6..=6: ignored by store.
    pub push_next_dep: bool,
    /// Bits 7..=9: ignored; upstream writes 4 (out).
    pub memory_type: u8,
    /// Bits 10..=25: first element in the output scratchpad.
    pub sram_base: u16,
    /// Bits 26..=57: first element in DRAM; times the element size, ORed with the base register.
    pub dram_base: u32,
    /// Bits 64..=79: rows written.
    pub y_size: u16,
    /// Bits 80..=95: elements written in a row.
    pub x_size: u16,
    /// Bits 96..=111: elements from one row in DRAM to the next.
    pub x_stride: u16,
    /// Bits 112..=115: ignored.
    pub y_pad_0: u8,
    /// Bits 116..=119: ignored.
    pub y_pad_1: u8,
    /// Bits 120..=123: ignored.
    pub x_pad_0: u8,
    /// Bits 124..=127: ignored.
    pub x_pad_1: u8,
}

/// Fields of STORE, least significant first.
pub const STORE_FIELDS: &[Field] = &[
    Field {
        name: "opcode",
        lsb: 0,
        width: 3,
        kind: Kind::Opcode,
        text: "1",
    },
    Field {
        name: "pop_prev_dep",
        lsb: 3,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of compute",
    },
    Field {
        name: "pop_next_dep",
        lsb: 4,
        width: 1,
        kind: Kind::Flag,
        text: "ignored by store",
    },
    Field {
        name: "push_prev_dep",
        lsb: 5,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to compute, at the end",
    },
    Field {
        name: "push_next_dep",
        lsb: 6,
        width: 1,
        kind: Kind::Flag,
        text: "ignored by store",
    },
    Field {
        name: "memory_type",
        lsb: 7,
        width: 3,
        kind: Kind::Uint,
        text: "ignored; upstream writes 4 (out)",
    },
    Field {
        name: "sram_base",
        lsb: 10,
        width: 16,
        kind: Kind::Uint,
        text: "first element in the output scratchpad",
    },
    Field {
        name: "dram_base",
        lsb: 26,
        width: 32,
        kind: Kind::Uint,
        text: "first element in DRAM; times the element size, ORed with the base register",
    },
    Field {
        name: "reserved_0",
        lsb: 58,
        width: 6,
        kind: Kind::Reserved,
        text: "ignored",
    },
    Field {
        name: "y_size",
        lsb: 64,
        width: 16,
        kind: Kind::Uint,
        text: "rows written",
    },
    Field {
        name: "x_size",
        lsb: 80,
        width: 16,
        kind: Kind::Uint,
        text: "elements written in a row",
    },
    Field {
        name: "x_stride",
        lsb: 96,
        width: 16,
        kind: Kind::Uint,
        text: "elements from one row in DRAM to the next",
    },
    Field {
        name: "y_pad_0",
        lsb: 112,
        width: 4,
        kind: Kind::Uint,
        text: "ignored",
    },
    Field {
        name: "y_pad_1",
        lsb: 116,
        width: 4,
        kind: Kind::Uint,
        text: "ignored",
    },
    Field {
        name: "x_pad_0",
        lsb: 120,
        width: 4,
        kind: Kind::Uint,
        text: "ignored",
    },
    Field {
        name: "x_pad_1",
        lsb: 124,
        width: 4,
        kind: Kind::Uint,
        text: "ignored",
    },
];

impl Store {
    /// The opcode.
    pub const OPCODE: u8 = 1;

    /// The fields with these bits; reserved bits are dropped.
    ///
    /// # Errors
    /// The field whose bits have no meaning.
    pub const fn from_bits(w: u128) -> Result<Self, Illegal> {
        Ok(Self {
            pop_prev_dep: (w >> 3) & 0x1 != 0,
            pop_next_dep: (w >> 4) & 0x1 != 0,
            push_prev_dep: (w >> 5) & 0x1 != 0,
            push_next_dep: (w >> 6) & 0x1 != 0,
            memory_type: ((w >> 7) & 0x7) as u8,
            sram_base: ((w >> 10) & 0xffff) as u16,
            dram_base: ((w >> 26) & 0xffffffff) as u32,
            y_size: ((w >> 64) & 0xffff) as u16,
            x_size: ((w >> 80) & 0xffff) as u16,
            x_stride: ((w >> 96) & 0xffff) as u16,
            y_pad_0: ((w >> 112) & 0xf) as u8,
            y_pad_1: ((w >> 116) & 0xf) as u8,
            x_pad_0: ((w >> 120) & 0xf) as u8,
            x_pad_1: ((w >> 124) & 0xf) as u8,
        })
    }

    /// The bits of these fields; reserved bits are zero.
    ///
    /// # Errors
    /// The field whose value is wider than its bits.
    pub const fn to_bits(&self) -> Result<u128, FieldRange> {
        let w = 1;
        let v = self.pop_prev_dep as u128;
        let w = w | (v << 3);
        let v = self.pop_next_dep as u128;
        let w = w | (v << 4);
        let v = self.push_prev_dep as u128;
        let w = w | (v << 5);
        let v = self.push_next_dep as u128;
        let w = w | (v << 6);
        let v = self.memory_type as u128;
        if v > 0x7 {
            return Err(FieldRange {
                field: "memory_type",
                value: v as i128,
                min: 0,
                max: 0x7,
            });
        }
        let w = w | (v << 7);
        let v = self.sram_base as u128;
        let w = w | (v << 10);
        let v = self.dram_base as u128;
        let w = w | (v << 26);
        let v = self.y_size as u128;
        let w = w | (v << 64);
        let v = self.x_size as u128;
        let w = w | (v << 80);
        let v = self.x_stride as u128;
        let w = w | (v << 96);
        let v = self.y_pad_0 as u128;
        if v > 0xf {
            return Err(FieldRange {
                field: "y_pad_0",
                value: v as i128,
                min: 0,
                max: 0xf,
            });
        }
        let w = w | (v << 112);
        let v = self.y_pad_1 as u128;
        if v > 0xf {
            return Err(FieldRange {
                field: "y_pad_1",
                value: v as i128,
                min: 0,
                max: 0xf,
            });
        }
        let w = w | (v << 116);
        let v = self.x_pad_0 as u128;
        if v > 0xf {
            return Err(FieldRange {
                field: "x_pad_0",
                value: v as i128,
                min: 0,
                max: 0xf,
            });
        }
        let w = w | (v << 120);
        let v = self.x_pad_1 as u128;
        if v > 0xf {
            return Err(FieldRange {
                field: "x_pad_1",
                value: v as i128,
                min: 0,
                max: 0xf,
            });
        }
        let w = w | (v << 124);
        Ok(w)
    }
}

/// For each trip of the outer loop, each trip of the inner loop, each micro-op: acc\[dst] += wgt\[wgt] * inp\[src], and out\[dst] = its low 8 bits. With `reset_reg`: acc\[dst] = 0, out untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gemm {
    /// Bits 3..=3: wait for a token of load.
    pub pop_prev_dep: bool,
    /// Bits 4..=4: wait for a token of store.
    pub pop_next_dep: bool,
    /// Bits 5..=5: give a token to load, at the end.
    pub push_prev_dep: bool,
    /// Bits 6..=6: give a token to store, at the end.
    pub push_next_dep: bool,
    /// Bits 7..=7: clear the accumulators instead.
    pub reset_reg: bool,
    /// Bits 8..=20: first micro-op.
    pub uop_bgn: u16,
    /// Bits 21..=34: one past the last micro-op; an empty range runs 16384 of them.
    pub uop_end: u16,
    /// Bits 35..=48: trips of the outer loop; 0 runs 16384.
    pub iter_out: u16,
    /// Bits 49..=62: trips of the inner loop; 0 runs 16384.
    pub iter_in: u16,
    /// Bits 64..=74: added to dst for each outer trip.
    pub dst_factor_out: u16,
    /// Bits 75..=85: added to dst for each inner trip.
    pub dst_factor_in: u16,
    /// Bits 86..=96: added to src for each outer trip.
    pub src_factor_out: u16,
    /// Bits 97..=107: added to src for each inner trip.
    pub src_factor_in: u16,
    /// Bits 108..=117: added to wgt for each outer trip.
    pub wgt_factor_out: u16,
    /// Bits 118..=127: added to wgt for each inner trip.
    pub wgt_factor_in: u16,
}

/// Fields of GEMM, least significant first.
pub const GEMM_FIELDS: &[Field] = &[
    Field {
        name: "opcode",
        lsb: 0,
        width: 3,
        kind: Kind::Opcode,
        text: "2",
    },
    Field {
        name: "pop_prev_dep",
        lsb: 3,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of load",
    },
    Field {
        name: "pop_next_dep",
        lsb: 4,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of store",
    },
    Field {
        name: "push_prev_dep",
        lsb: 5,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to load, at the end",
    },
    Field {
        name: "push_next_dep",
        lsb: 6,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to store, at the end",
    },
    Field {
        name: "reset_reg",
        lsb: 7,
        width: 1,
        kind: Kind::Flag,
        text: "clear the accumulators instead",
    },
    Field {
        name: "uop_bgn",
        lsb: 8,
        width: 13,
        kind: Kind::Uint,
        text: "first micro-op",
    },
    Field {
        name: "uop_end",
        lsb: 21,
        width: 14,
        kind: Kind::Uint,
        text: "one past the last micro-op; an empty range runs 16384 of them",
    },
    Field {
        name: "iter_out",
        lsb: 35,
        width: 14,
        kind: Kind::Uint,
        text: "trips of the outer loop; 0 runs 16384",
    },
    Field {
        name: "iter_in",
        lsb: 49,
        width: 14,
        kind: Kind::Uint,
        text: "trips of the inner loop; 0 runs 16384",
    },
    Field {
        name: "reserved_0",
        lsb: 63,
        width: 1,
        kind: Kind::Reserved,
        text: "ignored",
    },
    Field {
        name: "dst_factor_out",
        lsb: 64,
        width: 11,
        kind: Kind::Uint,
        text: "added to dst for each outer trip",
    },
    Field {
        name: "dst_factor_in",
        lsb: 75,
        width: 11,
        kind: Kind::Uint,
        text: "added to dst for each inner trip",
    },
    Field {
        name: "src_factor_out",
        lsb: 86,
        width: 11,
        kind: Kind::Uint,
        text: "added to src for each outer trip",
    },
    Field {
        name: "src_factor_in",
        lsb: 97,
        width: 11,
        kind: Kind::Uint,
        text: "added to src for each inner trip",
    },
    Field {
        name: "wgt_factor_out",
        lsb: 108,
        width: 10,
        kind: Kind::Uint,
        text: "added to wgt for each outer trip",
    },
    Field {
        name: "wgt_factor_in",
        lsb: 118,
        width: 10,
        kind: Kind::Uint,
        text: "added to wgt for each inner trip",
    },
];

impl Gemm {
    /// The opcode.
    pub const OPCODE: u8 = 2;

    /// The fields with these bits; reserved bits are dropped.
    ///
    /// # Errors
    /// The field whose bits have no meaning.
    pub const fn from_bits(w: u128) -> Result<Self, Illegal> {
        Ok(Self {
            pop_prev_dep: (w >> 3) & 0x1 != 0,
            pop_next_dep: (w >> 4) & 0x1 != 0,
            push_prev_dep: (w >> 5) & 0x1 != 0,
            push_next_dep: (w >> 6) & 0x1 != 0,
            reset_reg: (w >> 7) & 0x1 != 0,
            uop_bgn: ((w >> 8) & 0x1fff) as u16,
            uop_end: ((w >> 21) & 0x3fff) as u16,
            iter_out: ((w >> 35) & 0x3fff) as u16,
            iter_in: ((w >> 49) & 0x3fff) as u16,
            dst_factor_out: ((w >> 64) & 0x7ff) as u16,
            dst_factor_in: ((w >> 75) & 0x7ff) as u16,
            src_factor_out: ((w >> 86) & 0x7ff) as u16,
            src_factor_in: ((w >> 97) & 0x7ff) as u16,
            wgt_factor_out: ((w >> 108) & 0x3ff) as u16,
            wgt_factor_in: ((w >> 118) & 0x3ff) as u16,
        })
    }

    /// The bits of these fields; reserved bits are zero.
    ///
    /// # Errors
    /// The field whose value is wider than its bits.
    pub const fn to_bits(&self) -> Result<u128, FieldRange> {
        let w = 2;
        let v = self.pop_prev_dep as u128;
        let w = w | (v << 3);
        let v = self.pop_next_dep as u128;
        let w = w | (v << 4);
        let v = self.push_prev_dep as u128;
        let w = w | (v << 5);
        let v = self.push_next_dep as u128;
        let w = w | (v << 6);
        let v = self.reset_reg as u128;
        let w = w | (v << 7);
        let v = self.uop_bgn as u128;
        if v > 0x1fff {
            return Err(FieldRange {
                field: "uop_bgn",
                value: v as i128,
                min: 0,
                max: 0x1fff,
            });
        }
        let w = w | (v << 8);
        let v = self.uop_end as u128;
        if v > 0x3fff {
            return Err(FieldRange {
                field: "uop_end",
                value: v as i128,
                min: 0,
                max: 0x3fff,
            });
        }
        let w = w | (v << 21);
        let v = self.iter_out as u128;
        if v > 0x3fff {
            return Err(FieldRange {
                field: "iter_out",
                value: v as i128,
                min: 0,
                max: 0x3fff,
            });
        }
        let w = w | (v << 35);
        let v = self.iter_in as u128;
        if v > 0x3fff {
            return Err(FieldRange {
                field: "iter_in",
                value: v as i128,
                min: 0,
                max: 0x3fff,
            });
        }
        let w = w | (v << 49);
        let v = self.dst_factor_out as u128;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "dst_factor_out",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 64);
        let v = self.dst_factor_in as u128;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "dst_factor_in",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 75);
        let v = self.src_factor_out as u128;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "src_factor_out",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 86);
        let v = self.src_factor_in as u128;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "src_factor_in",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 97);
        let v = self.wgt_factor_out as u128;
        if v > 0x3ff {
            return Err(FieldRange {
                field: "wgt_factor_out",
                value: v as i128,
                min: 0,
                max: 0x3ff,
            });
        }
        let w = w | (v << 108);
        let v = self.wgt_factor_in as u128;
        if v > 0x3ff {
            return Err(FieldRange {
                field: "wgt_factor_in",
                value: v as i128,
                min: 0,
                max: 0x3ff,
            });
        }
        let w = w | (v << 118);
        Ok(w)
    }
}

/// End of the program: compute raises the finish flag, the counters are latched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Finish {
    /// Bits 3..=3: wait for a token of load.
    pub pop_prev_dep: bool,
    /// Bits 4..=4: wait for a token of store.
    pub pop_next_dep: bool,
    /// Bits 5..=5: give a token to load.
    pub push_prev_dep: bool,
    /// Bits 6..=6: give a token to store.
    pub push_next_dep: bool,
}

/// Fields of FINISH, least significant first.
pub const FINISH_FIELDS: &[Field] = &[
    Field {
        name: "opcode",
        lsb: 0,
        width: 3,
        kind: Kind::Opcode,
        text: "3",
    },
    Field {
        name: "pop_prev_dep",
        lsb: 3,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of load",
    },
    Field {
        name: "pop_next_dep",
        lsb: 4,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of store",
    },
    Field {
        name: "push_prev_dep",
        lsb: 5,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to load",
    },
    Field {
        name: "push_next_dep",
        lsb: 6,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to store",
    },
    Field {
        name: "reserved_0",
        lsb: 7,
        width: 121,
        kind: Kind::Reserved,
        text: "ignored",
    },
];

impl Finish {
    /// The opcode.
    pub const OPCODE: u8 = 3;

    /// The fields with these bits; reserved bits are dropped.
    ///
    /// # Errors
    /// The field whose bits have no meaning.
    pub const fn from_bits(w: u128) -> Result<Self, Illegal> {
        Ok(Self {
            pop_prev_dep: (w >> 3) & 0x1 != 0,
            pop_next_dep: (w >> 4) & 0x1 != 0,
            push_prev_dep: (w >> 5) & 0x1 != 0,
            push_next_dep: (w >> 6) & 0x1 != 0,
        })
    }

    /// The bits of these fields; reserved bits are zero.
    ///
    /// # Errors
    /// The field whose value is wider than its bits.
    pub const fn to_bits(&self) -> Result<u128, FieldRange> {
        let w = 3;
        let v = self.pop_prev_dep as u128;
        let w = w | (v << 3);
        let v = self.pop_next_dep as u128;
        let w = w | (v << 4);
        let v = self.push_prev_dep as u128;
        let w = w | (v << 5);
        let v = self.push_next_dep as u128;
        let w = w | (v << 6);
        Ok(w)
    }
}

/// For each trip of the outer loop, each trip of the inner loop, each micro-op: acc\[dst] = op(acc\[dst], acc\[src]), or with `use_imm` acc\[dst] = op(acc\[src], imm); out\[dst] = its low 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alu {
    /// Bits 3..=3: wait for a token of load.
    pub pop_prev_dep: bool,
    /// Bits 4..=4: wait for a token of store.
    pub pop_next_dep: bool,
    /// Bits 5..=5: give a token to load, at the end.
    pub push_prev_dep: bool,
    /// Bits 6..=6: give a token to store, at the end.
    pub push_next_dep: bool,
    /// Bits 7..=7: ignored by the ALU.
    pub reset_reg: bool,
    /// Bits 8..=20: first micro-op.
    pub uop_bgn: u16,
    /// Bits 21..=34: one past the last micro-op; an empty range runs 16384 of them.
    pub uop_end: u16,
    /// Bits 35..=48: trips of the outer loop; 0 runs 16384.
    pub iter_out: u16,
    /// Bits 49..=62: trips of the inner loop; 0 runs 16384.
    pub iter_in: u16,
    /// Bits 64..=74: added to dst for each outer trip.
    pub dst_factor_out: u16,
    /// Bits 75..=85: added to dst for each inner trip.
    pub dst_factor_in: u16,
    /// Bits 86..=96: added to src for each outer trip.
    pub src_factor_out: u16,
    /// Bits 97..=107: added to src for each inner trip.
    pub src_factor_in: u16,
    /// Bits 108..=110: the operation.
    pub alu_opcode: AluOpcode,
    /// Bits 111..=111: the second operand is `imm`.
    pub use_imm: bool,
    /// Bits 112..=127: the immediate; for shr its sign bit makes the shift go left, for register operands too.
    pub imm: i16,
}

/// Fields of ALU, least significant first.
pub const ALU_FIELDS: &[Field] = &[
    Field {
        name: "opcode",
        lsb: 0,
        width: 3,
        kind: Kind::Opcode,
        text: "4",
    },
    Field {
        name: "pop_prev_dep",
        lsb: 3,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of load",
    },
    Field {
        name: "pop_next_dep",
        lsb: 4,
        width: 1,
        kind: Kind::Flag,
        text: "wait for a token of store",
    },
    Field {
        name: "push_prev_dep",
        lsb: 5,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to load, at the end",
    },
    Field {
        name: "push_next_dep",
        lsb: 6,
        width: 1,
        kind: Kind::Flag,
        text: "give a token to store, at the end",
    },
    Field {
        name: "reset_reg",
        lsb: 7,
        width: 1,
        kind: Kind::Flag,
        text: "ignored by the ALU",
    },
    Field {
        name: "uop_bgn",
        lsb: 8,
        width: 13,
        kind: Kind::Uint,
        text: "first micro-op",
    },
    Field {
        name: "uop_end",
        lsb: 21,
        width: 14,
        kind: Kind::Uint,
        text: "one past the last micro-op; an empty range runs 16384 of them",
    },
    Field {
        name: "iter_out",
        lsb: 35,
        width: 14,
        kind: Kind::Uint,
        text: "trips of the outer loop; 0 runs 16384",
    },
    Field {
        name: "iter_in",
        lsb: 49,
        width: 14,
        kind: Kind::Uint,
        text: "trips of the inner loop; 0 runs 16384",
    },
    Field {
        name: "reserved_0",
        lsb: 63,
        width: 1,
        kind: Kind::Reserved,
        text: "ignored",
    },
    Field {
        name: "dst_factor_out",
        lsb: 64,
        width: 11,
        kind: Kind::Uint,
        text: "added to dst for each outer trip",
    },
    Field {
        name: "dst_factor_in",
        lsb: 75,
        width: 11,
        kind: Kind::Uint,
        text: "added to dst for each inner trip",
    },
    Field {
        name: "src_factor_out",
        lsb: 86,
        width: 11,
        kind: Kind::Uint,
        text: "added to src for each outer trip",
    },
    Field {
        name: "src_factor_in",
        lsb: 97,
        width: 11,
        kind: Kind::Uint,
        text: "added to src for each inner trip",
    },
    Field {
        name: "alu_opcode",
        lsb: 108,
        width: 3,
        kind: Kind::Enum(&[(0, "min"), (1, "max"), (2, "add"), (3, "shr")]),
        text: "the operation",
    },
    Field {
        name: "use_imm",
        lsb: 111,
        width: 1,
        kind: Kind::Flag,
        text: "the second operand is `imm`",
    },
    Field {
        name: "imm",
        lsb: 112,
        width: 16,
        kind: Kind::Int,
        text: "the immediate; for shr its sign bit makes the shift go left, for register operands too",
    },
];

impl Alu {
    /// The opcode.
    pub const OPCODE: u8 = 4;

    /// The fields with these bits; reserved bits are dropped.
    ///
    /// # Errors
    /// The field whose bits have no meaning.
    pub const fn from_bits(w: u128) -> Result<Self, Illegal> {
        Ok(Self {
            pop_prev_dep: (w >> 3) & 0x1 != 0,
            pop_next_dep: (w >> 4) & 0x1 != 0,
            push_prev_dep: (w >> 5) & 0x1 != 0,
            push_next_dep: (w >> 6) & 0x1 != 0,
            reset_reg: (w >> 7) & 0x1 != 0,
            uop_bgn: ((w >> 8) & 0x1fff) as u16,
            uop_end: ((w >> 21) & 0x3fff) as u16,
            iter_out: ((w >> 35) & 0x3fff) as u16,
            iter_in: ((w >> 49) & 0x3fff) as u16,
            dst_factor_out: ((w >> 64) & 0x7ff) as u16,
            dst_factor_in: ((w >> 75) & 0x7ff) as u16,
            src_factor_out: ((w >> 86) & 0x7ff) as u16,
            src_factor_in: ((w >> 97) & 0x7ff) as u16,
            alu_opcode: match AluOpcode::from_bits((w >> 108) & 0x7) {
                Some(v) => v,
                None => {
                    return Err(Illegal {
                        field: "alu_opcode",
                        value: ((w >> 108) & 0x7) as u64,
                    });
                }
            },
            use_imm: (w >> 111) & 0x1 != 0,
            imm: (((w >> 112) & 0xffff) as u16) as i16,
        })
    }

    /// The bits of these fields; reserved bits are zero.
    ///
    /// # Errors
    /// The field whose value is wider than its bits.
    pub const fn to_bits(&self) -> Result<u128, FieldRange> {
        let w = 4;
        let v = self.pop_prev_dep as u128;
        let w = w | (v << 3);
        let v = self.pop_next_dep as u128;
        let w = w | (v << 4);
        let v = self.push_prev_dep as u128;
        let w = w | (v << 5);
        let v = self.push_next_dep as u128;
        let w = w | (v << 6);
        let v = self.reset_reg as u128;
        let w = w | (v << 7);
        let v = self.uop_bgn as u128;
        if v > 0x1fff {
            return Err(FieldRange {
                field: "uop_bgn",
                value: v as i128,
                min: 0,
                max: 0x1fff,
            });
        }
        let w = w | (v << 8);
        let v = self.uop_end as u128;
        if v > 0x3fff {
            return Err(FieldRange {
                field: "uop_end",
                value: v as i128,
                min: 0,
                max: 0x3fff,
            });
        }
        let w = w | (v << 21);
        let v = self.iter_out as u128;
        if v > 0x3fff {
            return Err(FieldRange {
                field: "iter_out",
                value: v as i128,
                min: 0,
                max: 0x3fff,
            });
        }
        let w = w | (v << 35);
        let v = self.iter_in as u128;
        if v > 0x3fff {
            return Err(FieldRange {
                field: "iter_in",
                value: v as i128,
                min: 0,
                max: 0x3fff,
            });
        }
        let w = w | (v << 49);
        let v = self.dst_factor_out as u128;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "dst_factor_out",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 64);
        let v = self.dst_factor_in as u128;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "dst_factor_in",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 75);
        let v = self.src_factor_out as u128;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "src_factor_out",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 86);
        let v = self.src_factor_in as u128;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "src_factor_in",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 97);
        let v = self.alu_opcode as u128;
        let w = w | (v << 108);
        let v = self.use_imm as u128;
        let w = w | (v << 111);
        let v = (self.imm as u16) as u128;
        let w = w | (v << 112);
        Ok(w)
    }
}

/// Width in bits.
pub const UOP_BITS: u32 = 32;
/// Width in bits.
pub const U_DST_BITS: u32 = 11;
/// Width in bits.
pub const U_SRC_BITS: u32 = 11;
/// Width in bits.
pub const U_WGT_BITS: u32 = 10;

/// One micro-op: the base indices of one step of GEMM or ALU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uop {
    /// Bits 0..=10: accumulator and output element.
    pub dst_idx: u16,
    /// Bits 11..=21: GEMM: input element; ALU: accumulator element (low part).
    pub src_idx: u16,
    /// Bits 22..=31: GEMM: weight element; ALU: shifted left by the log2 of the input depth and ORed to src_idx.
    pub wgt_idx: u16,
}

/// Fields of UOP, least significant first.
pub const UOP_FIELDS: &[Field] = &[
    Field {
        name: "dst_idx",
        lsb: 0,
        width: 11,
        kind: Kind::Uint,
        text: "accumulator and output element",
    },
    Field {
        name: "src_idx",
        lsb: 11,
        width: 11,
        kind: Kind::Uint,
        text: "GEMM: input element; ALU: accumulator element (low part)",
    },
    Field {
        name: "wgt_idx",
        lsb: 22,
        width: 10,
        kind: Kind::Uint,
        text: "GEMM: weight element; ALU: shifted left by the log2 of the input depth and ORed to src_idx",
    },
];

impl Uop {
    /// The fields with these bits; reserved bits are dropped.
    ///
    /// # Errors
    /// The field whose bits have no meaning.
    pub const fn from_bits(w: u32) -> Result<Self, Illegal> {
        Ok(Self {
            dst_idx: ((w >> 0) & 0x7ff) as u16,
            src_idx: ((w >> 11) & 0x7ff) as u16,
            wgt_idx: ((w >> 22) & 0x3ff) as u16,
        })
    }

    /// The bits of these fields; reserved bits are zero.
    ///
    /// # Errors
    /// The field whose value is wider than its bits.
    pub const fn to_bits(&self) -> Result<u32, FieldRange> {
        let w = 0;
        let v = self.dst_idx as u32;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "dst_idx",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 0);
        let v = self.src_idx as u32;
        if v > 0x7ff {
            return Err(FieldRange {
                field: "src_idx",
                value: v as i128,
                min: 0,
                max: 0x7ff,
            });
        }
        let w = w | (v << 11);
        let v = self.wgt_idx as u32;
        if v > 0x3ff {
            return Err(FieldRange {
                field: "wgt_idx",
                value: v as i128,
                min: 0,
                max: 0x3ff,
            });
        }
        let w = w | (v << 22);
        Ok(w)
    }
}

/// A decoded instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Insn {
    /// LOAD
    Load(Load),
    /// STORE
    Store(Store),
    /// GEMM
    Gemm(Gemm),
    /// FINISH
    Finish(Finish),
    /// ALU
    Alu(Alu),
}

impl Insn {
    /// Decodes a word as the fetch unit does (`FetchDecode` in core/Decode.scala).
    ///
    /// # Errors
    /// The field that makes the word an unknown instruction.
    pub const fn decode(w: u128) -> Result<Self, Illegal> {
        match (w & 0x7) as u8 {
            Load::OPCODE => match Load::from_bits(w) {
                Ok(i) => Ok(Self::Load(i)),
                Err(e) => Err(e),
            },
            Store::OPCODE => match Store::from_bits(w) {
                Ok(i) => Ok(Self::Store(i)),
                Err(e) => Err(e),
            },
            Gemm::OPCODE => match Gemm::from_bits(w) {
                Ok(i) => Ok(Self::Gemm(i)),
                Err(e) => Err(e),
            },
            Finish::OPCODE => match Finish::from_bits(w) {
                Ok(i) => Ok(Self::Finish(i)),
                Err(e) => Err(e),
            },
            Alu::OPCODE => match Alu::from_bits(w) {
                Ok(i) => Ok(Self::Alu(i)),
                Err(e) => Err(e),
            },
            other => Err(Illegal {
                field: "opcode",
                value: other as u64,
            }),
        }
    }

    /// Encodes the instruction.
    ///
    /// # Errors
    /// The field whose value is wider than its bits.
    pub const fn encode(&self) -> Result<u128, FieldRange> {
        match self {
            Self::Load(i) => i.to_bits(),
            Self::Store(i) => i.to_bits(),
            Self::Gemm(i) => i.to_bits(),
            Self::Finish(i) => i.to_bits(),
            Self::Alu(i) => i.to_bits(),
        }
    }

    /// The lower-case name in assembly text.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Store(_) => "store",
            Self::Gemm(_) => "gemm",
            Self::Finish(_) => "finish",
            Self::Alu(_) => "alu",
        }
    }
}

/// Every instruction format: lower-case name, opcode, fields.
pub const FORMATS: &[(&str, u8, &[Field])] = &[
    ("load", Load::OPCODE, LOAD_FIELDS),
    ("store", Store::OPCODE, STORE_FIELDS),
    ("gemm", Gemm::OPCODE, GEMM_FIELDS),
    ("finish", Finish::OPCODE, FINISH_FIELDS),
    ("alu", Alu::OPCODE, ALU_FIELDS),
];
