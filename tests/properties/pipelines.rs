//! Double-buffered pipelines: load, compute and store at once, ordered by
//! tokens alone.

use super::programs::{ACC, INP, OUT, UOP, WGT, config, fill};
use crate::support::*;
use proptest::prelude::*;
use vta::isa::*;

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
    config: String,
    tiles: u16,
    rows: u16,
    depth: u16,
    shift: i16,
    with_bias: bool,
    seed: u64,
}

/// Any pipeline.
pub fn pipeline() -> impl Strategy<Value = Pipeline> {
    let size = (1..=6u16, 2..=8u16, 1..=4u16);
    (config(), size, -3..8i16, any::<bool>(), any::<u64>()).prop_map(
        |(c, (tiles, rows, depth), shift, with_bias, seed)| Pipeline {
            config: c.name,
            tiles,
            rows,
            depth,
            shift,
            with_bias,
            seed,
        },
    )
}

impl Pipeline {
    /// The program with its things at these places.
    pub fn program(&self, at: Bases) -> Program {
        let mut p = Program::new(&self.config);
        fill(&mut p.image[INP as usize..], self.seed);
        p.options.max_cycles = 1_000_000;
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
        p.uops(UOP as usize, &uops);
        let count = u16::try_from(uops.len()).expect("a few micro-ops");
        p.push(Load {
            sram_base: at.uop,
            dram_base: UOP / 4,
            y_size: 1,
            x_size: count,
            x_stride: count,
            ..COMPUTE
        });
        for tile in 0..self.tiles {
            self.tile(&mut p, at, tile);
        }
        let last = self.tiles.min(2);
        p.repeat(
            usize::from(last) - 1,
            Load {
                pop_next_dep: true,
                ..COMPUTE
            },
        );
        p.push(Finish {
            pop_next_dep: true,
            ..FINISH
        });
        p
    }

    fn tile(&self, p: &mut Program, at: Bases, tile: u16) {
        let (rows, depth, buffer) = (self.rows, self.depth, tile % 2);
        let waits = tile >= 2;
        let (inp, wgt) = (rows * depth, depth);
        let t = u32::from(tile);
        p.push(Load {
            pop_next_dep: waits,
            sram_base: at.inp + buffer * inp,
            dram_base: INP / p.cfg.inp_bytes() + t * u32::from(inp),
            y_size: rows,
            x_size: depth,
            x_stride: depth,
            ..LOAD
        });
        p.push(Load {
            push_next_dep: true,
            memory_type: MemoryType::Wgt,
            sram_base: at.wgt + buffer * wgt,
            dram_base: WGT / p.cfg.wgt_bytes() + t * u32::from(wgt),
            y_size: 1,
            x_size: wgt,
            x_stride: wgt,
            ..LOAD
        });
        let bgn = at.uop + buffer * (depth + 1);
        let acc = at.acc + buffer * rows;
        let begin = Gemm {
            pop_next_dep: waits,
            ..GEMM
        };
        if self.with_bias {
            p.push(Load {
                pop_next_dep: waits,
                memory_type: MemoryType::Acc,
                sram_base: acc,
                dram_base: ACC / p.cfg.acc_bytes() + t * u32::from(rows),
                y_size: 1,
                x_size: rows,
                x_stride: rows,
                ..LOAD
            });
        } else {
            p.push(Gemm {
                reset_reg: true,
                uop_bgn: bgn,
                uop_end: bgn + 1,
                iter_in: rows,
                dst_factor_in: 1,
                ..begin
            });
        }
        p.push(Gemm {
            pop_prev_dep: true,
            push_prev_dep: true,
            uop_bgn: bgn,
            uop_end: bgn + depth,
            iter_in: rows,
            dst_factor_in: 1,
            src_factor_in: depth,
            ..GEMM
        });
        let step = Alu {
            uop_bgn: bgn + depth,
            uop_end: bgn + depth + 1,
            iter_in: rows,
            dst_factor_in: 1,
            src_factor_in: 1,
            ..ALU
        };
        p.push(Alu {
            alu_opcode: AluOpcode::Shr,
            imm: self.shift,
            ..step
        });
        p.push(Alu {
            alu_opcode: AluOpcode::Max,
            push_next_dep: true,
            ..step
        });
        p.push(Store {
            pop_prev_dep: true,
            push_prev_dep: true,
            sram_base: acc,
            dram_base: OUT / p.cfg.out_bytes() + t * u32::from(rows),
            y_size: 1,
            x_size: rows,
            x_stride: rows,
            ..STORE
        });
    }
}
