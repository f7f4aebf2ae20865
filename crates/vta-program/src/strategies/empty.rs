//! Instructions with nothing set, for struct update syntax.

use crate::isa::{Alu, AluOpcode, Finish, Gemm, Load, MemoryType, Store, Uop};

/// An empty LOAD of inputs.
pub const LOAD: Load = Load {
    pop_prev_dep: false,
    pop_next_dep: false,
    push_prev_dep: false,
    push_next_dep: false,
    memory_type: MemoryType::Inp,
    sram_base: 0,
    dram_base: 0,
    y_size: 0,
    x_size: 0,
    x_stride: 0,
    y_pad_0: 0,
    y_pad_1: 0,
    x_pad_0: 0,
    x_pad_1: 0,
};

/// An empty LOAD that runs in compute.
pub const COMPUTE: Load = Load {
    memory_type: MemoryType::Uop,
    ..LOAD
};

/// An empty STORE.
pub const STORE: Store = Store {
    pop_prev_dep: false,
    pop_next_dep: false,
    push_prev_dep: false,
    push_next_dep: false,
    memory_type: 4,
    sram_base: 0,
    dram_base: 0,
    y_size: 0,
    x_size: 0,
    x_stride: 0,
    y_pad_0: 0,
    y_pad_1: 0,
    x_pad_0: 0,
    x_pad_1: 0,
};

/// One step of GEMM.
pub const GEMM: Gemm = Gemm {
    pop_prev_dep: false,
    pop_next_dep: false,
    push_prev_dep: false,
    push_next_dep: false,
    reset_reg: false,
    uop_bgn: 0,
    uop_end: 1,
    iter_out: 1,
    iter_in: 1,
    dst_factor_out: 0,
    dst_factor_in: 0,
    src_factor_out: 0,
    src_factor_in: 0,
    wgt_factor_out: 0,
    wgt_factor_in: 0,
};

/// One step of ALU: add 0.
pub const ALU: Alu = Alu {
    pop_prev_dep: false,
    pop_next_dep: false,
    push_prev_dep: false,
    push_next_dep: false,
    reset_reg: false,
    uop_bgn: 0,
    uop_end: 1,
    iter_out: 1,
    iter_in: 1,
    dst_factor_out: 0,
    dst_factor_in: 0,
    src_factor_out: 0,
    src_factor_in: 0,
    alu_opcode: AluOpcode::Add,
    use_imm: true,
    imm: 0,
};

/// FINISH.
pub const FINISH: Finish = Finish {
    pop_prev_dep: false,
    pop_next_dep: false,
    push_prev_dep: false,
    push_next_dep: false,
};

/// A micro-op.
pub const fn uop(dst_idx: u16, src_idx: u16, wgt_idx: u16) -> Uop {
    Uop {
        dst_idx,
        src_idx,
        wgt_idx,
    }
}
