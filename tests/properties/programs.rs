//! Random instructions and programs.
//!
//! DRAM is 1 MiB with a region for each kind of data, so that every access is
//! inside it and no store overwrites what is loaded.

use crate::support::*;
use proptest::prelude::*;
use proptest::sample::select;
use vta::config::HwConfig;
use vta::isa::*;

/// Byte addresses of the regions.
pub const UOP: u32 = 0x1_0000;
/// Inputs.
pub const INP: u32 = 0x2_0000;
/// Weights.
pub const WGT: u32 = 0x4_0000;
/// Accumulators.
pub const ACC: u32 = 0x8_0000;
/// Outputs.
pub const OUT: u32 = 0xc_0000;

/// Region and element size of a load.
pub fn region(c: &HwConfig, m: MemoryType) -> (u32, u32) {
    match m {
        MemoryType::Uop => (UOP, c.uop_bytes()),
        MemoryType::Inp => (INP, c.inp_bytes()),
        MemoryType::Wgt => (WGT, c.wgt_bytes()),
        MemoryType::Acc => (ACC, c.acc_bytes()),
    }
}

/// How wild the instructions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Everything ends.
    Tame,
    /// Zero rows and zero trips now and then.
    Wild,
}

fn deps() -> impl Strategy<Value = Deps> {
    let flag = || prop::bool::weighted(0.2);
    (flag(), flag(), flag(), flag()).prop_map(|(pop_prev, pop_next, push_prev, push_next)| Deps {
        pop_prev,
        pop_next,
        push_prev,
        push_next,
    })
}

/// The instruction with other dependency flags.
pub fn with_deps(insn: Insn, d: Deps) -> Insn {
    macro_rules! set {
        ($name:ident, $i:expr) => {{
            let mut i = $i;
            (i.pop_prev_dep, i.pop_next_dep) = (d.pop_prev, d.pop_next);
            (i.push_prev_dep, i.push_next_dep) = (d.push_prev, d.push_next);
            Insn::$name(i)
        }};
    }
    match insn {
        Insn::Load(i) => set!(Load, i),
        Insn::Store(i) => set!(Store, i),
        Insn::Gemm(i) => set!(Gemm, i),
        Insn::Finish(i) => set!(Finish, i),
        Insn::Alu(i) => set!(Alu, i),
    }
}

/// Mostly small, sometimes 0 where the style allows it.
fn size(style: Style, most: u16) -> BoxedStrategy<u16> {
    let least = u16::from(style == Style::Tame);
    prop_oneof![9 => 1..=most, 1 => least..=most].boxed()
}

fn pad() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0u8), 3 => 0..=3u8, 1 => 0..=15u8]
}

/// A LOAD inside its region.
pub fn load(c: &HwConfig, style: Style) -> BoxedStrategy<Insn> {
    let c = c.clone();
    let shape = (0..64u32, size(style, 4), 0..=24u16, 0..=12u16, any::<u16>());
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

/// A STORE inside its region.
pub fn store(c: &HwConfig) -> BoxedStrategy<Insn> {
    let first = OUT / c.out_bytes();
    (0..64u32, 1..=4u16, 0..=24u16, 0..=30u16, any::<u16>())
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

/// A GEMM.
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

/// An ALU instruction.
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

/// Any instruction but FINISH, without dependency flags.
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

/// A word of a racy program: mostly instructions with random flags, sometimes
/// FINISH in the middle, sometimes bits that nothing decodes.
fn racy_word(c: &HwConfig) -> BoxedStrategy<u128> {
    let flagged = (insn(c, Style::Wild), deps()).prop_map(|(i, d)| with_deps(i, d).word());
    let finish = deps().prop_map(|d| with_deps(Insn::Finish(FINISH), d).word());
    let illegal = any::<u128>().prop_map(|w| w | 5);
    prop_oneof![60 => flagged, 1 => finish, 1 => illegal].boxed()
}

/// A built-in configuration.
pub fn config() -> impl Strategy<Value = HwConfig> {
    select(HwConfig::BUILT_IN.to_vec()).prop_map(|n| HwConfig::built_in(n).expect("it is built in"))
}

/// DRAM filled with random bytes from a seed.
pub fn fill(image: &mut [u8], seed: u64) {
    let mut x = seed | 1;
    for b in image {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        *b = x as u8;
    }
}

/// A program of these words with random data and micro-ops.
pub fn program(c: &HwConfig, seed: u64, words: impl IntoIterator<Item = u128>) -> Program {
    let mut p = Program::of(&c.name, words);
    fill(&mut p.image[UOP as usize..], seed);
    p.options.max_cycles = 20_000;
    p
}

/// Wrong tokens, hazards, endless loops, illegal words.
pub fn racy() -> impl Strategy<Value = Program> {
    config()
        .prop_flat_map(|c| {
            let words = prop::collection::vec(racy_word(&c), 1..30);
            (
                Just(c),
                words,
                any::<u64>(),
                prop::bool::weighted(0.9),
                0..4u32,
            )
        })
        .prop_map(|(c, mut words, seed, ends, shift)| {
            if ends {
                words.push(FINISH.word());
            }
            let mut p = program(&c, seed, words);
            p.insn_addr += 8 * shift;
            p
        })
}

/// Tokens that make each instruction wait for all before it.
pub fn serial_order(insns: &[Insn]) -> Vec<Insn> {
    let mut all: Vec<Insn> = Vec::new();
    let finish = [Insn::Finish(FINISH)];
    for &next in insns.iter().chain(&finish) {
        let before = all.last().map(Insn::unit);
        if matches!(
            (before, next.unit()),
            (Some(Unit::Load), Unit::Store) | (Some(Unit::Store), Unit::Load)
        ) {
            all.push(Insn::Load(COMPUTE));
        }
        all.push(next);
    }
    let units: Vec<Unit> = all.iter().map(Insn::unit).collect();
    let order = |u: Unit| u as i32;
    all.iter()
        .enumerate()
        .map(|(i, insn)| {
            let here = order(units[i]);
            let from = i.checked_sub(1).map(|j| order(units[j]) - here);
            let to = units.get(i + 1).map(|u| order(*u) - here);
            let d = Deps {
                pop_prev: from == Some(-1),
                pop_next: from == Some(1),
                push_prev: to == Some(-1),
                push_next: to == Some(1),
            };
            with_deps(*insn, d)
        })
        .collect()
}

/// One instruction after the other, on every configuration.
pub fn serial() -> impl Strategy<Value = Program> {
    config()
        .prop_flat_map(|c| {
            let insns = prop::collection::vec(insn(&c, Style::Tame), 1..20);
            (Just(c), insns, any::<u64>())
        })
        .prop_map(|(c, insns, seed)| {
            let words = serial_order(&insns).into_iter().map(Word::word);
            let mut p = program(&c, seed, words);
            p.options.max_cycles = 1_000_000;
            p
        })
}
