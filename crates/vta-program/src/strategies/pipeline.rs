//! Double-buffered pipelines: load, compute and store at once, ordered by
//! tokens alone.

use super::empty::{ALU, COMPUTE, FINISH, GEMM, LOAD, STORE, uop};
use super::listing::{ACC, INP, Listing, OUT, UOP, WGT};
use crate::config::HwConfig;
use crate::isa::{Alu, AluOpcode, Finish, Gemm, Insn, Load, MemoryType, Store};
use proptest::prelude::*;

/// Where a pipeline keeps its things in the scratchpads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bases {
    /// First micro-op.
    pub uop: u16,
    /// First input.
    pub inp: u16,
    /// First weight.
    pub wgt: u16,
    /// First accumulator and output.
    pub acc: u16,
}

/// A pipeline: `tiles` tiles of `rows` vectors, each the product of `depth`
/// inputs for each vector with one of `depth` weights, shifted and clipped.
#[derive(Debug, Clone)]
pub struct Pipeline {
    config: HwConfig,
    tiles: u16,
    rows: u16,
    depth: u16,
    shift: i16,
    with_bias: bool,
    seed: u64,
}

/// Any pipeline that the scratchpads have room for; shrinks to one tile.
/// Configurations with fewer than four micro-ops are left out: two buffers do
/// not fit.
pub fn pipeline(configs: impl Strategy<Value = HwConfig>) -> impl Strategy<Value = Pipeline> {
    let configs = configs.prop_filter("room for two buffers", |c| c.uop_depth >= 4);
    let size = (1..=6u16, 2..=8u16, 1..=4u16);
    (configs, size, -3..8i16, any::<bool>(), any::<u64>()).prop_map(
        |(config, (tiles, rows, depth), shift, with_bias, seed)| {
            let half = |n: u32| u16::try_from(n / 2).expect("depths are small");
            let depth = depth
                .min(half(config.wgt_depth))
                .min(half(config.inp_depth));
            let depth = depth.min(half(config.uop_depth) - 1);
            let rows = rows.min(half(config.acc_depth)).min(half(config.out_depth));
            Pipeline {
                rows: rows.min(half(config.inp_depth) / depth),
                config,
                tiles,
                depth,
                shift,
                with_bias,
                seed,
            }
        },
    )
}

impl Pipeline {
    /// The program with its things at these places.
    ///
    /// # Panics
    ///
    /// If an index does not fit its field.
    pub fn listing(&self, at: Bases) -> Listing {
        let mut p = Vec::new();
        let (rows, depth) = (self.rows, self.depth);
        // For each buffer: a GEMM micro-op for each weight, and one for ALU.
        let mut uops = Vec::new();
        for buffer in 0..2u16 {
            let acc = at.acc + buffer * rows;
            for k in 0..depth {
                let inp = at.inp + (buffer * rows * depth) + k;
                uops.push(uop(acc, inp, at.wgt + buffer * depth + k));
            }
            uops.push(uop(acc, acc, 0));
        }
        let count = u16::try_from(uops.len()).expect("a few micro-ops");
        p.push(Insn::Load(Load {
            sram_base: at.uop,
            dram_base: UOP / 4,
            y_size: 1,
            x_size: count,
            x_stride: count,
            ..COMPUTE
        }));
        for tile in 0..self.tiles {
            self.tile(&mut p, at, tile);
        }
        let last = self.tiles.min(2);
        if last == 2 {
            p.push(Insn::Load(Load {
                pop_next_dep: true,
                ..COMPUTE
            }));
        }
        p.push(Insn::Finish(Finish {
            pop_next_dep: true,
            ..FINISH
        }));
        let words = p
            .iter()
            .map(|i| i.encode().expect("every field is in range"));
        Listing {
            uops,
            ..Listing::new(self.config.clone(), words.collect(), self.seed)
        }
    }

    fn tile(&self, p: &mut Vec<Insn>, at: Bases, tile: u16) {
        let (rows, depth, buffer) = (self.rows, self.depth, tile % 2);
        let waits = tile >= 2;
        let (inp, wgt) = (rows * depth, depth);
        let t = u32::from(tile);
        p.push(Insn::Load(Load {
            pop_next_dep: waits,
            sram_base: at.inp + buffer * inp,
            dram_base: INP / self.config.inp_bytes() + t * u32::from(inp),
            y_size: rows,
            x_size: depth,
            x_stride: depth,
            ..LOAD
        }));
        p.push(Insn::Load(Load {
            push_next_dep: true,
            memory_type: MemoryType::Wgt,
            sram_base: at.wgt + buffer * wgt,
            dram_base: WGT / self.config.wgt_bytes() + t * u32::from(wgt),
            y_size: 1,
            x_size: wgt,
            x_stride: wgt,
            ..LOAD
        }));
        let bgn = at.uop + buffer * (depth + 1);
        let acc = at.acc + buffer * rows;
        let begin = Gemm {
            pop_next_dep: waits,
            ..GEMM
        };
        if self.with_bias {
            p.push(Insn::Load(Load {
                pop_next_dep: waits,
                memory_type: MemoryType::Acc,
                sram_base: acc,
                dram_base: ACC / self.config.acc_bytes() + t * u32::from(rows),
                y_size: 1,
                x_size: rows,
                x_stride: rows,
                ..LOAD
            }));
        } else {
            p.push(Insn::Gemm(Gemm {
                reset_reg: true,
                uop_bgn: bgn,
                uop_end: bgn + 1,
                iter_in: rows,
                dst_factor_in: 1,
                ..begin
            }));
        }
        p.push(Insn::Gemm(Gemm {
            pop_prev_dep: true,
            push_prev_dep: true,
            uop_bgn: bgn,
            uop_end: bgn + depth,
            iter_in: rows,
            dst_factor_in: 1,
            src_factor_in: depth,
            ..GEMM
        }));
        let step = Alu {
            uop_bgn: bgn + depth,
            uop_end: bgn + depth + 1,
            iter_in: rows,
            dst_factor_in: 1,
            src_factor_in: 1,
            ..ALU
        };
        p.push(Insn::Alu(Alu {
            alu_opcode: AluOpcode::Shr,
            imm: self.shift,
            ..step
        }));
        p.push(Insn::Alu(Alu {
            alu_opcode: AluOpcode::Max,
            push_next_dep: true,
            ..step
        }));
        p.push(Insn::Store(Store {
            pop_prev_dep: true,
            push_prev_dep: true,
            sram_base: acc,
            dram_base: OUT / self.config.out_bytes() + t * u32::from(rows),
            y_size: 1,
            x_size: rows,
            x_stride: rows,
            ..STORE
        }));
    }
}
