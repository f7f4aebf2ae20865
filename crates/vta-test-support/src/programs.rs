//! Small programs.

use vta_program::config::HwConfig;
use vta_program::isa::{Finish, Insn, Load, MemoryType};
use vta_program::program::{
    HostStep, Launch, Layer, Layout, On, Program, Region, Segment, SegmentKind,
};
use vta_program::program::{Step, Symbol, WeightMap};
use vta_tensor::host::{DType, HostOp};

/// A FINISH without dependencies.
pub fn finish() -> Insn {
    Insn::Finish(Finish::from_bits(3).expect("the opcode alone is a FINISH"))
}

/// A LOAD of one row of uop elements.
pub fn load_uop(dram_base: u32, x_size: u16) -> Insn {
    Insn::Load(Load {
        memory_type: MemoryType::Uop,
        dram_base,
        y_size: 1,
        x_size,
        x_stride: x_size,
        ..Load::from_bits(0).expect("the opcode alone is a LOAD")
    })
}

/// The bytes of instructions.
///
/// # Panics
///
/// If a field is out of range.
pub fn encode(insns: &[Insn]) -> Vec<u8> {
    let words = insns.iter().map(|i| i.encode().expect("the fields fit"));
    words.flat_map(u128::to_le_bytes).collect()
}

/// A load of four micro-ops and the finish, twice.
pub fn two_launches() -> Program {
    let insns = encode(&[load_uop(2048, 4), finish(), load_uop(2052, 4), finish()]);
    let launch = |name: &str, insn_addr| {
        let symbol = |name: &str, first| Symbol {
            name: name.into(),
            first,
            count: 1,
        };
        Step::Launch(Launch {
            name: name.into(),
            insn_addr,
            insn_count: 2,
            outputs: vec![(8192, 64)],
            symbols: vec![symbol("load", 0), symbol("end", 1)],
        })
    };
    let segment = |name: &str, kind, addr, data| Segment {
        name: name.into(),
        kind,
        addr,
        bytes: 4096,
        data,
    };
    Program {
        config: HwConfig::default(),
        dram_bytes: 12288,
        segments: vec![
            segment("insns", SegmentKind::Insn, 4096, insns),
            segment("scratch", SegmentKind::Uop, 8192, (0..32).collect()),
        ],
        steps: vec![launch("first", 4096), launch("second", 4128)],
        ..Program::default()
    }
}

fn region(tensor: &str, addr: u32, dtype: DType, layout: Layout) -> Region {
    Region {
        tensor: tensor.into(),
        addr,
        dims: vec![1, 3, 2, 2],
        dtype,
        layout,
        exponent: (dtype == DType::I8).then_some(-1),
    }
}

/// The launches of [`two_launches`] between steps of the host: twelve numbers
/// at address 0 are quantised, turned back, and copied.
pub fn network() -> Program {
    let two = two_launches();
    let x = region("x", 0, DType::F32, Layout::Plain);
    let q = region("q", 64, DType::I8, Layout::Blocked);
    let y = region("y", 128, DType::F32, Layout::Plain);
    let copy = region("copy", 192, DType::I8, Layout::Plain);
    let host = |name: &str, op, from: &Region, to: &Region| {
        Step::Host(HostStep {
            name: name.into(),
            op,
            inputs: vec![from.clone()],
            output: to.clone(),
        })
    };
    let [first, second] = [0, 1].map(|i| two.steps[i].clone());
    let data = (0..12).flat_map(|i| (i as f32 - 3.0).to_le_bytes());
    let mut segments = two.segments.clone();
    segments.insert(
        0,
        Segment {
            name: "x".into(),
            kind: SegmentKind::Raw,
            addr: 0,
            bytes: 48,
            data: data.collect(),
        },
    );
    let layer = |name: &str, on, step, output: &Region, weights: Option<WeightMap>| Layer {
        name: name.into(),
        op: "Conv".into(),
        on,
        step,
        why: String::new(),
        blocks: 3 * u64::from(weights.is_some()),
        kept: 2 * u64::from(weights.is_some()),
        macs: 1000,
        compute_floor: 10,
        memory_floor: 20,
        output: output.clone(),
        weights,
    };
    let weights = WeightMap {
        addr: 1024,
        count: 6,
        mask_dims: vec![1, 3, 1, 1],
        mask: "101".into(),
        block_of: vec![0, 0, 0, 2, 2, 2],
    };
    Program {
        segments,
        steps: vec![
            host("quantise", HostOp::Quantize { exponent: -1 }, &x, &q),
            first,
            host("turn back", HostOp::Dequantize { exponent: -1 }, &q, &y),
            second,
            host("copy", HostOp::Copy, &q, &copy),
        ],
        inputs: vec![x],
        layers: vec![
            layer("to int8", On::Host, 0, &q, None),
            layer("load", On::Device, 1, &q, Some(weights)),
        ],
        outputs: vec![y, copy],
        ..two
    }
}
