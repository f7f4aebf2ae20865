//! From the stream to words: micro-ops in batches, tokens as flags, addresses.

use super::CompileError;
use super::pads::Deps;
use super::stream::{Base, Kind, Stream};
use std::collections::HashMap;
use vta_program::isa::{Alu, Finish, Gemm, Insn, Load, MemoryType, Store, Unit, Uop};
use vta_program::program::Symbol;

/// Element indices at which the segments start, each in its own elements.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bases {
    /// Weights.
    pub weights: u32,
    /// Biases, as accumulators.
    pub biases: u32,
    /// Micro-ops.
    pub uops: u32,
}

/// An instruction that may still need the base of a segment.
#[derive(Debug, Clone)]
pub(super) struct Emitted {
    insn: Insn,
    base: Segment,
    /// The layer that it belongs to.
    pub layer: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    None,
    Weights,
    Biases,
    Uops,
}

/// Micro-ops of a batch start at multiples of this: a whole burst.
const UOP_ALIGN: usize = 32;

/// Puts FINISH behind everything.
pub(super) fn finish(stream: &mut Stream, layer: u32) {
    let last = |u: Unit| {
        let ops = stream.ops().iter().enumerate().rev();
        ops.into_iter()
            .find(|(_, o)| o.kind.unit() == u)
            .map(|(n, _)| n as u32)
    };
    let mut deps = Deps::default();
    deps[Unit::Load as usize] = last(Unit::Load);
    deps[Unit::Store as usize] = last(Unit::Store);
    stream.push(Kind::Finish, layer, &deps);
}

/// Instructions of a stream; micro-ops are added to `uops`.
///
/// # Errors
/// More micro-ops in one instruction than the scratchpad has, a field that is too small.
pub(super) fn emit(
    stream: &Stream,
    uop_depth: u32,
    uops: &mut Vec<u32>,
    names: &[String],
) -> Result<Vec<Emitted>, CompileError> {
    let flags = flags(stream);
    let unsupported = |layer: u32, what: String| CompileError::Unsupported {
        layer: names.get(layer as usize).cloned().unwrap_or_default(),
        what,
    };
    let mut out = Vec::with_capacity(stream.ops().len() + 16);
    let mut batch: HashMap<&[Uop], u32> = HashMap::new();
    for (n, op) in stream.ops().iter().enumerate() {
        let mut bgn = 0;
        if let Some(list) = op.kind.uops() {
            if list.len() > uop_depth as usize {
                let what = format!("{} micro-ops in one instruction", list.len());
                return Err(unsupported(op.layer, what));
            }
            if !batch.contains_key(list) {
                let words;
                (batch, words) = gather(&stream.ops()[n..], uop_depth);
                let (dram, count) = (uops.len() as u32, words.len() as u32);
                uops.extend(words);
                uops.resize(uops.len().next_multiple_of(UOP_ALIGN), 0);
                out.push(Emitted {
                    insn: Insn::Load(load(MemoryType::Uop, 0, dram, 1, count, count)),
                    base: Segment::Uops,
                    layer: op.layer,
                });
            }
            bgn = batch[list];
        }
        let (insn, base) = insn(&op.kind, bgn, flags[n]);
        insn.encode()
            .map_err(|e| unsupported(op.layer, format!("an instruction does not encode: {e}")))?;
        out.push(Emitted {
            insn,
            base,
            layer: op.layer,
        });
    }
    Ok(out)
}

/// The longest beginning of operations whose micro-ops fit together.
fn gather(ops: &[super::stream::Op], depth: u32) -> (HashMap<&[Uop], u32>, Vec<u32>) {
    let mut batch: HashMap<&[Uop], u32> = HashMap::new();
    let mut words = Vec::new();
    for list in ops.iter().filter_map(|o| o.kind.uops()) {
        if batch.contains_key(list) {
            continue;
        }
        if words.len() + list.len() > depth as usize {
            break;
        }
        batch.insert(list, words.len() as u32);
        words.extend(list.iter().map(|u| u.to_bits().unwrap_or_default()));
    }
    (batch, words)
}

/// Dependency flags: pop_prev, pop_next, push_prev, push_next.
fn flags(stream: &Stream) -> Vec<[bool; 4]> {
    let mut flags = vec![[false; 4]; stream.ops().len()];
    let unit = |op: u32| stream.ops()[op as usize].kind.unit();
    for &(from, to) in stream.tokens() {
        let forward = unit(from) < unit(to);
        flags[from as usize][if forward { 3 } else { 2 }] = true;
        flags[to as usize][if forward { 0 } else { 1 }] = true;
    }
    flags
}

fn load(memory_type: MemoryType, sram: u32, dram: u32, y: u32, x: u32, stride: u32) -> Load {
    Load {
        memory_type,
        sram_base: sram as u16,
        dram_base: dram,
        y_size: y as u16,
        x_size: x as u16,
        x_stride: stride as u16,
        ..empty()
    }
}

fn empty() -> Load {
    Load {
        pop_prev_dep: false,
        pop_next_dep: false,
        push_prev_dep: false,
        push_next_dep: false,
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

fn insn(
    kind: &Kind,
    bgn: u32,
    [pop_prev, pop_next, push_prev, push_next]: [bool; 4],
) -> (Insn, Segment) {
    let u16s = |a: [u32; 2]| a.map(|x| x as u16);
    match kind {
        Kind::Load {
            memory_type,
            sram,
            base,
            rows,
        } => {
            let l = Load {
                pop_prev_dep: pop_prev,
                pop_next_dep: pop_next,
                push_prev_dep: push_prev,
                push_next_dep: push_next,
                ..load(*memory_type, *sram, rows.dram, rows.y, rows.x, rows.stride)
            };
            let base = match base {
                Base::Zero => Segment::None,
                Base::Weights => Segment::Weights,
                Base::Biases => Segment::Biases,
            };
            (Insn::Load(l), base)
        }
        Kind::Sync => {
            let l = Load {
                pop_prev_dep: pop_prev,
                pop_next_dep: pop_next,
                push_prev_dep: push_prev,
                push_next_dep: push_next,
                ..empty()
            };
            (Insn::Load(l), Segment::None)
        }
        Kind::Store { sram, rows } => {
            let s = Store {
                pop_prev_dep: pop_prev,
                pop_next_dep: pop_next,
                push_prev_dep: push_prev,
                push_next_dep: push_next,
                memory_type: 4,
                sram_base: *sram as u16,
                dram_base: rows.dram,
                y_size: rows.y as u16,
                x_size: rows.x as u16,
                x_stride: rows.stride as u16,
                y_pad_0: 0,
                y_pad_1: 0,
                x_pad_0: 0,
                x_pad_1: 0,
            };
            (Insn::Store(s), Segment::None)
        }
        Kind::Gemm { uops, loops, reset } => {
            let ([iter_out, iter_in], [d0, d1]) = (u16s(loops.iter), u16s(loops.dst));
            let ([s0, s1], [w0, w1]) = (u16s(loops.src), u16s(loops.wgt));
            let g = Gemm {
                pop_prev_dep: pop_prev,
                pop_next_dep: pop_next,
                push_prev_dep: push_prev,
                push_next_dep: push_next,
                reset_reg: *reset,
                uop_bgn: bgn as u16,
                uop_end: (bgn as usize + uops.len()) as u16,
                iter_out,
                iter_in,
                dst_factor_out: d0,
                dst_factor_in: d1,
                src_factor_out: s0,
                src_factor_in: s1,
                wgt_factor_out: w0,
                wgt_factor_in: w1,
            };
            (Insn::Gemm(g), Segment::None)
        }
        Kind::Alu {
            uops,
            loops,
            opcode,
            imm,
        } => {
            let ([iter_out, iter_in], [d0, d1]) = (u16s(loops.iter), u16s(loops.dst));
            let [s0, s1] = u16s(loops.src);
            let a = Alu {
                pop_prev_dep: pop_prev,
                pop_next_dep: pop_next,
                push_prev_dep: push_prev,
                push_next_dep: push_next,
                reset_reg: false,
                uop_bgn: bgn as u16,
                uop_end: (bgn as usize + uops.len()) as u16,
                iter_out,
                iter_in,
                dst_factor_out: d0,
                dst_factor_in: d1,
                src_factor_out: s0,
                src_factor_in: s1,
                alu_opcode: *opcode,
                use_imm: imm.is_some(),
                imm: imm.unwrap_or(0),
            };
            (Insn::Alu(a), Segment::None)
        }
        Kind::Finish => (
            Insn::Finish(Finish {
                pop_prev_dep: pop_prev,
                pop_next_dep: pop_next,
                push_prev_dep: push_prev,
                push_next_dep: push_next,
            }),
            Segment::None,
        ),
    }
}

impl Emitted {
    /// The word, with the segments where they are.
    pub(super) fn word(&self, bases: &Bases) -> u128 {
        let mut insn = self.insn;
        if let Insn::Load(l) = &mut insn {
            l.dram_base += match self.base {
                Segment::None => 0,
                Segment::Weights => bases.weights,
                Segment::Biases => bases.biases,
                Segment::Uops => bases.uops,
            };
        }
        // Fields were checked when it was emitted; `dram_base` fills its bits.
        insn.encode().unwrap_or_default()
    }
}

/// Ranges of instructions of each layer.
pub(super) fn symbols(insns: &[Emitted], names: &[String]) -> Vec<Symbol> {
    let mut all: Vec<(u32, Symbol)> = Vec::new();
    for (n, i) in insns.iter().enumerate() {
        match all.last_mut() {
            Some((layer, s)) if *layer == i.layer => s.count += 1,
            _ => all.push((
                i.layer,
                Symbol {
                    name: names[i.layer as usize].clone(),
                    first: n as u32,
                    count: 1,
                },
            )),
        }
    }
    all.into_iter().map(|(_, s)| s).collect()
}
