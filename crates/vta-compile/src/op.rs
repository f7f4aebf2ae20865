//! Operations: what an instruction does, before it has tokens and addresses.

use crate::cost::Rows;
use smallvec::SmallVec;
use vta_program::isa::{
    Alu, AluOpcode, C_AIDX_BITS, C_IIDX_BITS, C_ITER_BITS, C_UOP_BGN_BITS, C_UOP_END_BITS,
    C_WIDX_BITS, Deps as Flags, FieldRange, Finish, Gemm, Insn, Load, M_SIZE_BITS,
    M_SRAM_OFFSET_BITS, M_STRIDE_BITS, MemoryType, Store, U_DST_BITS, U_SRC_BITS, U_WGT_BITS, Unit,
    Uop,
};

/// Two loops around the micro-ops: trips, and what is added to the indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Loops {
    /// Trips, outer and inner.
    pub iter: [u32; 2],
    /// Added to dst.
    pub dst: [u32; 2],
    /// Added to src.
    pub src: [u32; 2],
    /// Added to wgt.
    pub wgt: [u32; 2],
}

/// Where a transfer's DRAM elements are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// Address 0.
    Zero,
    /// The segment of weights.
    Weights,
    /// The segment of biases.
    Biases,
    /// The segment of micro-ops.
    Uops,
}

/// Micro-ops; most operations have one.
pub(crate) type Uops = SmallVec<[Uop; 2]>;

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OpKind {
    /// LOAD.
    Load {
        memory_type: MemoryType,
        sram: u32,
        base: Base,
        rows: Rows,
    },
    /// STORE.
    Store { sram: u32, rows: Rows },
    /// GEMM.
    Gemm {
        uops: Uops,
        loops: Loops,
        reset: bool,
    },
    /// ALU; `imm` none: registers.
    Alu {
        uops: Uops,
        loops: Loops,
        opcode: AluOpcode,
        imm: Option<i16>,
    },
    /// An empty instruction of compute, only for tokens.
    Sync,
    /// FINISH.
    Finish,
}

/// A number in a field of `bits` bits.
///
/// # Errors
/// It is wider.
fn narrow(field: &'static str, value: u32, bits: u32) -> Result<u16, FieldRange> {
    let max = (1u32 << bits) - 1;
    match u16::try_from(value) {
        Ok(v) if value <= max => Ok(v),
        _ => Err(FieldRange {
            field,
            value: value.into(),
            min: 0,
            max: max.into(),
        }),
    }
}

/// A micro-op of elements of the scratchpads.
///
/// # Errors
/// An index that is wider than its field.
pub(crate) fn uop(dst: u32, src: u32, wgt: u32) -> Result<Uop, FieldRange> {
    Ok(Uop {
        dst_idx: narrow("dst_idx", dst, U_DST_BITS)?,
        src_idx: narrow("src_idx", src, U_SRC_BITS)?,
        wgt_idx: narrow("wgt_idx", wgt, U_WGT_BITS)?,
    })
}

/// Where a list of micro-ops lies in its scratchpad.
fn uop_range(bgn: u32, uops: &[Uop]) -> Result<(u16, u16), FieldRange> {
    let n = u32::try_from(uops.len()).unwrap_or(u32::MAX);
    Ok((
        narrow("uop_bgn", bgn, C_UOP_BGN_BITS)?,
        narrow("uop_end", bgn.saturating_add(n), C_UOP_END_BITS)?,
    ))
}

fn pair(fields: [&'static str; 2], v: [u32; 2], bits: u32) -> Result<[u16; 2], FieldRange> {
    let [outer, inner] = fields;
    Ok([narrow(outer, v[0], bits)?, narrow(inner, v[1], bits)?])
}

impl Loops {
    fn trips(&self) -> Result<[u16; 2], FieldRange> {
        pair(["iter_out", "iter_in"], self.iter, C_ITER_BITS)
    }

    fn dst_factors(&self) -> Result<[u16; 2], FieldRange> {
        let fields = ["dst_factor_out", "dst_factor_in"];
        pair(fields, self.dst, C_AIDX_BITS)
    }

    fn src_factors(&self) -> Result<[u16; 2], FieldRange> {
        let fields = ["src_factor_out", "src_factor_in"];
        pair(fields, self.src, C_IIDX_BITS)
    }

    fn wgt_factors(&self) -> Result<[u16; 2], FieldRange> {
        let fields = ["wgt_factor_out", "wgt_factor_in"];
        pair(fields, self.wgt, C_WIDX_BITS)
    }
}

/// The memory type of the output scratchpad, which only STORE knows.
const MEMORY_OUT: u8 = 4;

impl OpKind {
    /// A load of micro-ops to the beginning of their scratchpad.
    pub(crate) fn load_uops(dram: u32, count: u32) -> Self {
        Self::Load {
            memory_type: MemoryType::Uop,
            sram: 0,
            base: Base::Uops,
            rows: Rows {
                dram,
                y: 1,
                x: count,
                stride: count,
            },
        }
    }

    /// The unit that executes it.
    pub(crate) fn unit(&self) -> Unit {
        match self {
            Self::Load { memory_type, .. } => match memory_type {
                MemoryType::Inp | MemoryType::Wgt => Unit::Load,
                MemoryType::Uop | MemoryType::Acc => Unit::Compute,
            },
            Self::Store { .. } => Unit::Store,
            _ => Unit::Compute,
        }
    }

    /// Its micro-ops.
    pub(crate) fn uops(&self) -> Option<&[Uop]> {
        match self {
            Self::Gemm { uops, .. } | Self::Alu { uops, .. } => Some(uops),
            _ => None,
        }
    }

    /// Steps of GEMM or ALU.
    pub(crate) fn steps(&self) -> u64 {
        match self {
            Self::Gemm { uops, loops, .. } | Self::Alu { uops, loops, .. } => {
                uops.len() as u64 * u64::from(loops.iter[0]) * u64::from(loops.iter[1])
            }
            _ => 0,
        }
    }

    /// Where its DRAM elements are counted from.
    pub(crate) fn base(&self) -> Base {
        match self {
            Self::Load { base, .. } => *base,
            _ => Base::Zero,
        }
    }

    /// The instruction, with its micro-ops from `uop_bgn` and these flags. DRAM
    /// elements are counted from [`Self::base`].
    ///
    /// # Errors
    /// A number that is wider than its field.
    pub(crate) fn insn(&self, uop_bgn: u32, flags: Flags) -> Result<Insn, FieldRange> {
        let Flags {
            pop_prev,
            pop_next,
            push_prev,
            push_next,
        } = flags;
        Ok(match self {
            Self::Load {
                memory_type,
                sram,
                rows,
                ..
            } => Insn::Load(Load {
                memory_type: *memory_type,
                sram_base: narrow("sram_base", *sram, M_SRAM_OFFSET_BITS)?,
                dram_base: rows.dram,
                y_size: narrow("y_size", rows.y, M_SIZE_BITS)?,
                x_size: narrow("x_size", rows.x, M_SIZE_BITS)?,
                x_stride: narrow("x_stride", rows.stride, M_STRIDE_BITS)?,
                ..no_load(flags)
            }),
            Self::Sync => Insn::Load(no_load(flags)),
            Self::Store { sram, rows } => Insn::Store(Store {
                pop_prev_dep: pop_prev,
                pop_next_dep: pop_next,
                push_prev_dep: push_prev,
                push_next_dep: push_next,
                memory_type: MEMORY_OUT,
                sram_base: narrow("sram_base", *sram, M_SRAM_OFFSET_BITS)?,
                dram_base: rows.dram,
                y_size: narrow("y_size", rows.y, M_SIZE_BITS)?,
                x_size: narrow("x_size", rows.x, M_SIZE_BITS)?,
                x_stride: narrow("x_stride", rows.stride, M_STRIDE_BITS)?,
                y_pad_0: 0,
                y_pad_1: 0,
                x_pad_0: 0,
                x_pad_1: 0,
            }),
            Self::Gemm { uops, loops, reset } => {
                let (uop_bgn, uop_end) = uop_range(uop_bgn, uops)?;
                let [iter_out, iter_in] = loops.trips()?;
                let [dst_factor_out, dst_factor_in] = loops.dst_factors()?;
                let [src_factor_out, src_factor_in] = loops.src_factors()?;
                let [wgt_factor_out, wgt_factor_in] = loops.wgt_factors()?;
                Insn::Gemm(Gemm {
                    pop_prev_dep: pop_prev,
                    pop_next_dep: pop_next,
                    push_prev_dep: push_prev,
                    push_next_dep: push_next,
                    reset_reg: *reset,
                    uop_bgn,
                    uop_end,
                    iter_out,
                    iter_in,
                    dst_factor_out,
                    dst_factor_in,
                    src_factor_out,
                    src_factor_in,
                    wgt_factor_out,
                    wgt_factor_in,
                })
            }
            Self::Alu {
                uops,
                loops,
                opcode,
                imm,
            } => {
                let (uop_bgn, uop_end) = uop_range(uop_bgn, uops)?;
                let [iter_out, iter_in] = loops.trips()?;
                let [dst_factor_out, dst_factor_in] = loops.dst_factors()?;
                let [src_factor_out, src_factor_in] = loops.src_factors()?;
                Insn::Alu(Alu {
                    pop_prev_dep: pop_prev,
                    pop_next_dep: pop_next,
                    push_prev_dep: push_prev,
                    push_next_dep: push_next,
                    reset_reg: false,
                    uop_bgn,
                    uop_end,
                    iter_out,
                    iter_in,
                    dst_factor_out,
                    dst_factor_in,
                    src_factor_out,
                    src_factor_in,
                    alu_opcode: *opcode,
                    use_imm: imm.is_some(),
                    // The field is there for registers too, and means nothing.
                    imm: imm.unwrap_or(0),
                })
            }
            Self::Finish => Insn::Finish(Finish {
                pop_prev_dep: pop_prev,
                pop_next_dep: pop_next,
                push_prev_dep: push_prev,
                push_next_dep: push_next,
            }),
        })
    }
}

/// A load of nothing, which compute executes.
fn no_load(flags: Flags) -> Load {
    Load {
        pop_prev_dep: flags.pop_prev,
        pop_next_dep: flags.pop_next,
        push_prev_dep: flags.push_prev,
        push_next_dep: flags.push_next,
        memory_type: MemoryType::Uop,
        sram_base: 0,
        dram_base: 0,
        y_size: 0,
        x_size: 0,
        x_stride: 0,
        y_pad_0: 0,
        y_pad_1: 0,
        x_pad_0: 0,
        x_pad_1: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    fn trips(n: u32) -> Loops {
        Loops {
            iter: [1, n],
            ..Loops::default()
        }
    }

    #[test]
    fn what_is_wider_than_its_field_is_named_with_value_and_range() {
        let rows = Rows {
            dram: 0,
            y: 65_536,
            x: 1,
            stride: 1,
        };
        let load = OpKind::Load {
            memory_type: MemoryType::Inp,
            sram: 0,
            base: Base::Zero,
            rows,
        };
        let e = load.insn(0, Flags::default()).expect_err("17 bits");
        assert_eq!(
            (e.field, e.value, e.min, e.max),
            ("y_size", 65_536, 0, 65_535)
        );
        let e = uop(2_048, 0, 0).expect_err("12 bits");
        assert_eq!((e.field, e.value, e.max), ("dst_idx", 2_048, 2_047));
        let gemm = OpKind::Gemm {
            uops: smallvec![uop(0, 0, 0).expect("zeros fit")],
            loops: trips(16_384),
            reset: false,
        };
        let e = gemm.insn(0, Flags::default()).expect_err("15 bits");
        assert_eq!((e.field, e.value, e.max), ("iter_in", 16_384, 16_383));
        let e = gemm.insn(8_192, Flags::default()).expect_err("14 bits");
        assert_eq!((e.field, e.value, e.max), ("uop_bgn", 8_192, 8_191));
    }

    #[test]
    fn what_fits_encodes() {
        let gemm = OpKind::Gemm {
            uops: smallvec![uop(2_047, 2_047, 1_023).expect("the largest indices fit")],
            loops: trips(16_383),
            reset: false,
        };
        for kind in [
            gemm,
            OpKind::Sync,
            OpKind::Finish,
            OpKind::load_uops(7, 65_535),
        ] {
            let insn = kind.insn(8_191, Flags::default()).expect("it fits");
            assert!(insn.encode().is_ok());
        }
    }
}
