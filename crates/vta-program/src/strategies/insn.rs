//! Instructions that stay inside their regions of DRAM.

use super::empty::{ALU, COMPUTE, GEMM, LOAD, STORE};
use super::listing::{OUT, region};
use crate::config::HwConfig;
use crate::isa::{Alu, AluOpcode, Gemm, Insn, Load, MemoryType, Store};
use proptest::prelude::*;
use proptest::sample::select;

/// How wild the instructions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Everything ends.
    Tame,
    /// Zero rows and zero trips now and then.
    Wild,
}

/// Mostly small, sometimes 0 where the style allows it.
fn size(style: Style, most: u16) -> BoxedStrategy<u16> {
    let least = u16::from(style == Style::Tame);
    prop_oneof![9 => 1..=most, 1 => least..=most].boxed()
}

fn pad() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0u8), 3 => 0..=3u8, 1 => 0..=15u8]
}

/// A LOAD of up to four rows of its region, with padding.
pub fn load(c: &HwConfig, style: Style) -> BoxedStrategy<Insn> {
    let c = c.clone();
    let shape = (0..48u32, size(style, 4), 0..=24u16, 0..=12u16, any::<u16>());
    let kind = select(MemoryType::ALL.to_vec());
    (kind, shape, [pad(), pad(), pad(), pad()])
        .prop_map(
            move |(memory_type, (at, y_size, x_size, x_stride, sram_base), p)| {
                let (addr, bytes) = region(&c, memory_type);
                Insn::Load(Load {
                    memory_type,
                    sram_base,
                    dram_base: addr / bytes + at,
                    y_size,
                    x_size,
                    x_stride,
                    y_pad_0: p[0],
                    y_pad_1: p[1],
                    x_pad_0: p[2],
                    x_pad_1: p[3],
                    ..LOAD
                })
            },
        )
        .boxed()
}

/// A STORE of up to four rows to its region.
pub fn store(c: &HwConfig) -> BoxedStrategy<Insn> {
    let first = OUT / c.out_bytes();
    (0..48u32, 1..=4u16, 0..=24u16, 0..=30u16, any::<u16>())
        .prop_map(move |(at, y_size, x_size, x_stride, sram_base)| {
            Insn::Store(Store {
                sram_base,
                dram_base: first + at,
                y_size,
                x_size,
                x_stride,
                ..STORE
            })
        })
        .boxed()
}

/// A trip count; wild ones may be 0, which runs 16384.
fn trips(style: Style) -> BoxedStrategy<u16> {
    match style {
        Style::Tame => (1..=4u16).boxed(),
        Style::Wild => prop_oneof![30 => 1..=4u16, 1 => Just(0)].boxed(),
    }
}

/// A range of micro-ops.
fn uops() -> impl Strategy<Value = (u16, u16)> {
    (0..2100u16, 1..=5u16).prop_map(|(bgn, n)| (bgn, bgn + n))
}

/// A GEMM of few trips anywhere in the scratchpads.
pub fn gemm(style: Style) -> BoxedStrategy<Insn> {
    let loops = (trips(style), trips(style), uops());
    let factors = (
        [0..2048u16, 0..2048u16, 0..2048u16, 0..2048u16],
        [0..1024u16, 0..1024u16],
    );
    (loops, factors, prop::bool::weighted(0.2))
        .prop_map(
            |((iter_out, iter_in, (uop_bgn, uop_end)), (f, w), reset_reg)| {
                Insn::Gemm(Gemm {
                    reset_reg,
                    uop_bgn,
                    uop_end,
                    iter_out,
                    iter_in,
                    dst_factor_out: f[0],
                    dst_factor_in: f[1],
                    src_factor_out: f[2],
                    src_factor_in: f[3],
                    wgt_factor_out: w[0],
                    wgt_factor_in: w[1],
                    ..GEMM
                })
            },
        )
        .boxed()
}

/// An ALU instruction of few trips anywhere in the scratchpads.
pub fn alu(style: Style) -> BoxedStrategy<Insn> {
    let loops = (trips(style), trips(style), uops());
    let factors = [0..2048u16, 0..2048u16, 0..2048u16, 0..2048u16];
    let imm = prop_oneof![Just(0i16), -40..40i16, any::<i16>()];
    let what = (select(AluOpcode::ALL.to_vec()), any::<bool>(), imm);
    (loops, factors, what)
        .prop_map(
            |((iter_out, iter_in, (uop_bgn, uop_end)), f, (alu_opcode, use_imm, imm))| {
                Insn::Alu(Alu {
                    uop_bgn,
                    uop_end,
                    iter_out,
                    iter_in,
                    dst_factor_out: f[0],
                    dst_factor_in: f[1],
                    src_factor_out: f[2],
                    src_factor_in: f[3],
                    alu_opcode,
                    use_imm,
                    imm,
                    ..ALU
                })
            },
        )
        .boxed()
}

/// Any instruction but FINISH inside its region, without dependency flags.
/// Shrinks to short loads.
pub fn insn(c: &HwConfig, style: Style) -> BoxedStrategy<Insn> {
    let empty = select(vec![
        Insn::Load(LOAD),
        Insn::Load(COMPUTE),
        Insn::Store(STORE),
    ]);
    prop_oneof![
        5 => load(c, style),
        3 => store(c),
        3 => gemm(style),
        3 => alu(style),
        2 => empty,
    ]
    .boxed()
}
