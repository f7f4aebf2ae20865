//! Programs out of bytes: any words over small memory, and ones that mostly work.

use arbitrary::{Result, Unstructured};
use vta_program::config::HwConfig;
use vta_program::isa::{Alu, AluOpcode, Deps, Gemm, Insn, Load, MemoryType, Store, Uop};
use vta_program::mem::Dram;
use vta_program::strategies::empty::{ALU, COMPUTE, FINISH, GEMM, LOAD, STORE};
use vta_program::strategies::{fill, serial_order, with_deps};
use vta_sim::tsim::{self, Options, Outcome, RunError, Sink};

/// Bytes of DRAM.
pub(crate) const DRAM_BYTES: usize = 1 << 17;
/// Where the instructions are.
const INSNS: u32 = 0x100;
/// Where micro-ops are.
const UOP: u32 = 0x1000;
/// Where inputs and accumulators are loaded from.
const DATA: u32 = 0x2000;
/// Where results go.
pub(crate) const OUT: u32 = 0x1_0000;
/// Where weights are.
const WGT: u32 = 0x8000;
/// Most instructions.
const MOST: usize = 40;

thread_local! {
    /// What DRAM holds beside the program.
    static NOISE: Vec<u8> = {
        let mut noise = vec![0; DRAM_BYTES];
        fill(&mut noise, 7);
        noise
    };
}

/// A program of one launch.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub config: HwConfig,
    pub insn_addr: u32,
    pub words: Vec<u128>,
    pub uops: Vec<Uop>,
}

impl Program {
    pub(crate) fn count(&self) -> u32 {
        self.words.len() as u32
    }

    /// DRAM before the run.
    pub(crate) fn image(&self) -> Vec<u8> {
        let mut image = NOISE.with(Vec::clone);
        for (i, word) in self.words.iter().enumerate() {
            let at = self.insn_addr as usize + 16 * i;
            image[at..at + 16].copy_from_slice(&word.to_le_bytes());
        }
        for (i, uop) in self.uops.iter().enumerate() {
            let bits = uop.to_bits().expect("its indices are in range");
            let at = UOP as usize + 4 * i;
            image[at..at + 4].copy_from_slice(&bits.to_le_bytes());
        }
        image
    }

    /// Runs in cycles.
    pub(crate) fn run<S: Sink>(
        &self,
        image: &[u8],
        options: Options,
        sink: &mut S,
    ) -> (std::result::Result<Outcome, RunError<S::Error>>, Dram) {
        let mut dram = Dram::new(image.to_vec());
        let (at, n) = (self.insn_addr, self.count());
        let out = tsim::run(&self.config, &mut dram, at, n, options, sink);
        (out, dram)
    }
}

/// Any configuration that can be built; short delays are more frequent.
pub(crate) fn config(u: &mut Unstructured<'_>) -> Result<HwConfig> {
    if u.ratio(1, 4)? {
        let name = *u.choose(&HwConfig::BUILT_IN)?;
        return Ok(HwConfig::built_in(name).expect("it is built in"));
    }
    let mut c = HwConfig {
        name: "random".into(),
        block: 1 << u.int_in_range(2..=6)?,
        uop_depth: 1 << u.int_in_range(1..=13)?,
        inp_depth: 1 << u.int_in_range(1..=11)?,
        wgt_depth: 1 << u.int_in_range(1..=10)?,
        acc_depth: 1 << u.int_in_range(1..=11)?,
        out_depth: 1 << u.int_in_range(1..=13)?,
        mem_data_bits: *u.choose(&[64, 128, 256, 512])?,
        mem_len_bits: u.int_in_range(1..=8)?,
        mem_delay: match u.int_in_range(0..=7)? {
            0 => u.int_in_range(0..=4096)?,
            1..=3 => u.int_in_range(0..=3)?,
            _ => u.int_in_range(0..=40)?,
        },
        insn_queue_entries: match u.int_in_range(0..=3)? {
            0 => u.int_in_range(2..=65536)?,
            _ => u.int_in_range(2..=12)?,
        },
    };
    // The bus that every depth goes with, where the one wanted cannot be built.
    if c.check().is_err() {
        let deep = |d: u32| d.clamp(128, 1024);
        c.uop_depth = deep(c.uop_depth);
        c.inp_depth = deep(c.inp_depth);
        c.wgt_depth = deep(c.wgt_depth);
        c.acc_depth = deep(c.acc_depth);
        c.mem_len_bits = c.mem_len_bits.clamp(2, 5);
    }
    if c.check().is_err() {
        c.mem_data_bits = 64;
    }
    c.check().expect("every depth goes with 64 bits");
    Ok(c)
}

fn deps(u: &mut Unstructured<'_>) -> Result<Deps> {
    let bits: u8 = u.arbitrary()?;
    Ok(Deps {
        pop_prev: bits & 1 != 0,
        pop_next: bits & 2 != 0,
        push_prev: bits & 4 != 0,
        push_next: bits & 8 != 0,
    })
}

/// Any words: wild instructions, wrong tokens, bits that nothing decodes.
pub(crate) fn wild(u: &mut Unstructured<'_>) -> Result<Program> {
    let config = config(u)?;
    let insn_addr = INSNS + 8 * u.int_in_range(0..=8)?;
    let (mut uops, mut words) = (Vec::new(), Vec::new());
    for _ in 0..u.int_in_range(0..=8)? {
        let bits = u.arbitrary::<u32>()?;
        uops.extend(Uop::from_bits(bits));
    }
    let ordered = u.ratio(1, 3)?;
    let mut insns = Vec::new();
    for _ in 0..u.int_in_range(1..=MOST)? {
        if u.is_empty() {
            break;
        }
        let insn = match u.int_in_range(0..=15)? {
            0 => {
                let word = u.arbitrary::<u128>()?;
                if !ordered {
                    words.push(word);
                }
                continue;
            }
            1 if !ordered => Insn::Finish(FINISH),
            n => wild_insn(u, &config, n)?,
        };
        match ordered {
            true => insns.push(insn),
            false => words.push(word(with_deps(insn, deps(u)?))),
        }
    }
    if ordered {
        words.extend(serial_order(&insns).into_iter().map(word));
    } else if u.ratio(7, 8)? {
        words.push(word(Insn::Finish(FINISH)));
    }
    if words.is_empty() {
        words.push(word(Insn::Finish(FINISH)));
    }
    Ok(Program {
        config,
        insn_addr,
        words,
        uops,
    })
}

fn word(insn: Insn) -> u128 {
    insn.encode().expect("every field is in range")
}

fn wild_insn(u: &mut Unstructured<'_>, c: &HwConfig, kind: u8) -> Result<Insn> {
    Ok(match kind {
        0..=5 => {
            let memory_type = *u.choose(&MemoryType::ALL)?;
            let (addr, bytes) = region(c, memory_type);
            let pads: u16 = if u.ratio(1, 3)? { u.arbitrary()? } else { 0 };
            let pad = |n: u32| ((pads >> (4 * n)) & 15) as u8;
            Insn::Load(Load {
                memory_type,
                sram_base: u.arbitrary()?,
                dram_base: addr / bytes + u32::from(u.int_in_range(0..=40u8)?),
                y_size: u.int_in_range(0..=4)?,
                x_size: u.int_in_range(0..=24)?,
                x_stride: u.int_in_range(0..=24)?,
                y_pad_0: pad(0),
                y_pad_1: pad(1),
                x_pad_0: pad(2),
                x_pad_1: pad(3),
                ..LOAD
            })
        }
        6..=8 => Insn::Store(Store {
            sram_base: u.arbitrary()?,
            dram_base: OUT / c.out_bytes() + u32::from(u.int_in_range(0..=60u8)?),
            y_size: u.int_in_range(0..=4)?,
            x_size: u.int_in_range(0..=24)?,
            x_stride: u.int_in_range(0..=30)?,
            ..STORE
        }),
        9..=11 => {
            let uop_bgn = u.int_in_range(0..=2100)?;
            Insn::Gemm(Gemm {
                reset_reg: u.ratio(1, 4)?,
                uop_bgn,
                uop_end: uop_bgn + u.int_in_range(1..=5)?,
                iter_out: u.int_in_range(1..=4)?,
                iter_in: if u.ratio(1, 50)? {
                    0
                } else {
                    u.int_in_range(1..=4)?
                },
                dst_factor_out: u.int_in_range(0..=2047)?,
                dst_factor_in: u.int_in_range(0..=2047)?,
                src_factor_out: u.int_in_range(0..=2047)?,
                src_factor_in: u.int_in_range(0..=2047)?,
                wgt_factor_out: u.int_in_range(0..=1023)?,
                wgt_factor_in: u.int_in_range(0..=1023)?,
                ..GEMM
            })
        }
        12..=14 => {
            let uop_bgn = u.int_in_range(0..=2100)?;
            Insn::Alu(Alu {
                uop_bgn,
                uop_end: uop_bgn + u.int_in_range(1..=5)?,
                iter_out: u.int_in_range(1..=4)?,
                iter_in: if u.ratio(1, 50)? {
                    0
                } else {
                    u.int_in_range(1..=4)?
                },
                dst_factor_out: u.int_in_range(0..=2047)?,
                dst_factor_in: u.int_in_range(0..=2047)?,
                src_factor_out: u.int_in_range(0..=2047)?,
                src_factor_in: u.int_in_range(0..=2047)?,
                alu_opcode: *u.choose(&AluOpcode::ALL)?,
                use_imm: u.arbitrary()?,
                imm: u.arbitrary()?,
                ..ALU
            })
        }
        _ => *u.choose(&[Insn::Load(LOAD), Insn::Load(COMPUTE), Insn::Store(STORE)])?,
    })
}

/// Where loads of a type read from, and the bytes of an element.
fn region(c: &HwConfig, m: MemoryType) -> (u32, u32) {
    match m {
        MemoryType::Uop => (UOP, c.uop_bytes()),
        MemoryType::Inp => (DATA, c.inp_bytes()),
        MemoryType::Wgt => (WGT, c.wgt_bytes()),
        MemoryType::Acc => (DATA, c.acc_bytes()),
    }
}

/// What the scratchpads hold after the first loads of a tame program.
#[derive(Debug, Clone, Copy)]
struct Filled {
    uop: u16,
    inp: u16,
    wgt: u16,
    acc: u16,
}

/// Programs that fill the scratchpads first and stay inside of what they filled,
/// one instruction after the other or with tokens that are changed here and there.
/// The verifier proves a good part of them.
pub(crate) fn tame(u: &mut Unstructured<'_>) -> Result<Program> {
    let config = config(u)?;
    let c = &config;
    let few = |depth: u32, most: u16| most.min(u16::try_from(depth).unwrap_or(u16::MAX));
    let acc = few(c.acc_depth.min(c.out_depth), 16);
    let filled = Filled {
        uop: few(c.uop_depth, 12),
        inp: few(c.inp_depth, 16),
        wgt: few(c.wgt_depth, 4),
        acc,
    };
    let mut uops = Vec::new();
    for _ in 0..filled.uop {
        let bits = u64::from(u.arbitrary::<u32>()?);
        let uop = Uop {
            dst_idx: (bits & 0xff) as u16 % filled.acc,
            src_idx: (bits >> 8 & 0xff) as u16 % filled.inp.min(filled.acc),
            wgt_idx: (bits >> 16 & 0xff) as u16 % filled.wgt,
        };
        uops.push(uop);
    }
    let mut insns = Vec::new();
    for (memory_type, n) in [
        (MemoryType::Uop, filled.uop),
        (MemoryType::Inp, filled.inp),
        (MemoryType::Wgt, filled.wgt),
        (MemoryType::Acc, filled.acc),
    ] {
        let (addr, bytes) = region(c, memory_type);
        insns.push(Insn::Load(Load {
            memory_type,
            dram_base: addr / bytes,
            y_size: 1,
            x_size: n,
            x_stride: n,
            ..LOAD
        }));
    }
    // A GEMM makes the results defined that are stored.
    insns.push(Insn::Gemm(Gemm {
        reset_reg: true,
        uop_end: 1,
        iter_out: 1,
        iter_in: acc,
        dst_factor_in: 1,
        ..GEMM
    }));
    for _ in 0..u.int_in_range(1..=20)? {
        if u.is_empty() {
            break;
        }
        insns.push(tame_insn(u, c, filled)?);
    }
    let mut insns = serial_order(&insns);
    let changes = u.int_in_range(0..=6u8)?.saturating_sub(3);
    for _ in 0..changes {
        let n = u.choose_index(insns.len())?;
        insns[n] = with_deps(insns[n], deps(u)?);
    }
    Ok(Program {
        insn_addr: INSNS,
        words: insns.into_iter().map(word).collect(),
        config,
        uops,
    })
}

fn tame_insn(u: &mut Unstructured<'_>, c: &HwConfig, f: Filled) -> Result<Insn> {
    let uop_bgn = u.int_in_range(0..=f.uop - 1)?;
    let uop_end = u.int_in_range(uop_bgn + 1..=f.uop)?;
    let (iter_out, iter_in) = (u.int_in_range(1..=3)?, u.int_in_range(1..=3)?);
    Ok(match u.int_in_range(0..=9)? {
        0..=2 => {
            let (memory_type, depth) = *u.choose(&[
                (MemoryType::Inp, f.inp),
                (MemoryType::Wgt, f.wgt),
                (MemoryType::Acc, f.acc),
                (MemoryType::Uop, f.uop),
            ])?;
            let (addr, bytes) = region(c, memory_type);
            let x_size = u.int_in_range(0..=depth)?;
            let rows = depth / x_size.max(1);
            let y_size = u.int_in_range(1..=rows.max(1))?;
            let room = depth - (x_size * y_size).min(depth);
            // Micro-ops of the first loads stay what they are.
            let at = if memory_type == MemoryType::Uop {
                0
            } else {
                u.int_in_range(0..=3)?
            };
            let x_pad_0 = u8::try_from(u.int_in_range(0..=room)?.min(2)).unwrap_or(0);
            let padded = memory_type != MemoryType::Uop && y_size == 1;
            Insn::Load(Load {
                memory_type,
                sram_base: if memory_type == MemoryType::Uop {
                    0
                } else {
                    u.int_in_range(0..=room.saturating_sub(x_pad_0.into()))?
                },
                dram_base: addr / bytes + at,
                y_size: if memory_type == MemoryType::Uop {
                    1
                } else {
                    y_size
                },
                x_size,
                x_stride: u.int_in_range(0..=x_size + 2)?,
                x_pad_0: if padded { x_pad_0 } else { 0 },
                ..LOAD
            })
        }
        3 | 4 => {
            let x_size = u.int_in_range(0..=f.acc)?;
            let y_size = u.int_in_range(1..=(f.acc / x_size.max(1)).max(1))?;
            let room = f.acc - (x_size * y_size).min(f.acc);
            Insn::Store(Store {
                sram_base: u.int_in_range(0..=room)?,
                dram_base: OUT / c.out_bytes() + u32::from(u.int_in_range(0..=60u8)?),
                y_size,
                x_size,
                x_stride: u.int_in_range(0..=30)?,
                ..STORE
            })
        }
        5..=7 => Insn::Gemm(Gemm {
            reset_reg: u.ratio(1, 4)?,
            uop_bgn,
            uop_end,
            iter_out,
            iter_in,
            dst_factor_out: u.int_in_range(0..=1)?,
            dst_factor_in: u.int_in_range(0..=1)?,
            src_factor_out: u.int_in_range(0..=1)?,
            src_factor_in: u.int_in_range(0..=1)?,
            ..GEMM
        }),
        _ => Insn::Alu(Alu {
            uop_bgn,
            uop_end: if u.arbitrary()? { uop_bgn + 1 } else { uop_end },
            iter_out,
            iter_in,
            dst_factor_out: u.int_in_range(0..=1)?,
            dst_factor_in: u.int_in_range(0..=1)?,
            src_factor_out: u.int_in_range(0..=1)?,
            src_factor_in: u.int_in_range(0..=1)?,
            alu_opcode: *u.choose(&AluOpcode::ALL)?,
            use_imm: u.arbitrary()?,
            imm: u.arbitrary()?,
            ..ALU
        }),
    })
}
