//! From the instruction schedule to words: micro-ops in batches, tokens as
//! flags, addresses.

use crate::error::CompileError;
use crate::fit::{self, DoesNotFit};
use crate::op::{Base, OpKind};
use crate::schedule::{Op, Schedule};
use rustc_hash::FxHashMap;
use vta_program::isa::{Deps as Flags, FieldRange, Insn, M_DRAM_OFFSET_BITS, Uop};
use vta_program::program::Symbol;

/// Element indices at which the segments start, each in its own elements.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bases {
    /// Weights.
    pub weights: u32,
    /// Biases, as accumulators.
    pub biases: u32,
    /// Micro-ops.
    pub uops: u32,
}

/// An instruction that may still need the base of a segment.
#[derive(Debug, Clone)]
pub(crate) struct Emitted {
    insn: Insn,
    base: Base,
    /// The layer that it belongs to.
    pub layer: usize,
}

/// Micro-ops of a batch start at multiples of this: a whole burst.
const UOP_ALIGN: usize = 32;

/// Instructions of a schedule; micro-ops are added to `uops`.
///
/// # Errors
/// More micro-ops in one instruction than the scratchpad has, a field that is too small.
pub(crate) fn emit(
    schedule: &Schedule,
    uop_depth: u32,
    uops: &mut Vec<u32>,
    names: &[String],
) -> Result<Vec<Emitted>, CompileError> {
    let flags = schedule.flags();
    let mut out = Vec::with_capacity(schedule.ops().len() + 16);
    let mut batch: FxHashMap<&[Uop], u32> = FxHashMap::default();
    for (n, op) in schedule.ops().iter().enumerate() {
        let unfit = |e: DoesNotFit| CompileError::unfit(&names[op.layer], e);
        let mut emit = |kind: &OpKind, bgn, flags| {
            let insn = kind.insn(bgn, flags)?;
            out.push(Emitted {
                insn,
                base: kind.base(),
                layer: op.layer,
            });
            Ok(())
        };
        let mut bgn = 0;
        if let Some(list) = op.kind.uops() {
            if list.len() > uop_depth as usize {
                return Err(CompileError::Unsupported {
                    layer: names[op.layer].clone(),
                    what: format!("{} micro-ops in one instruction", list.len()),
                });
            }
            bgn = match batch.get(list) {
                Some(&bgn) => bgn,
                None => {
                    let words;
                    (batch, words) = gather(&schedule.ops()[n..], uop_depth).map_err(unfit)?;
                    let count = |n| fit::count("micro-ops of the program", n).map_err(unfit);
                    let load = OpKind::load_uops(count(uops.len())?, count(words.len())?);
                    uops.extend(words);
                    uops.resize(uops.len().next_multiple_of(UOP_ALIGN), 0);
                    emit(&load, 0, Flags::default()).map_err(unfit)?;
                    // The list with which the batch begins.
                    0
                }
            };
        }
        emit(&op.kind, bgn, flags[n]).map_err(unfit)?;
    }
    Ok(out)
}

/// Where each list of a batch of micro-ops begins, and the batch's words.
type Batch<'a> = (FxHashMap<&'a [Uop], u32>, Vec<u32>);

/// The longest beginning of operations whose micro-ops fit together.
fn gather(ops: &[Op], depth: u32) -> Result<Batch<'_>, DoesNotFit> {
    let mut batch: FxHashMap<&[Uop], u32> = FxHashMap::default();
    let mut words = Vec::new();
    for list in ops.iter().filter_map(|o| o.kind.uops()) {
        if batch.contains_key(list) {
            continue;
        }
        if words.len() + list.len() > depth as usize {
            break;
        }
        batch.insert(list, fit::count("micro-ops of a batch", words.len())?);
        for u in list {
            words.push(u.to_bits()?);
        }
    }
    Ok((batch, words))
}

impl Emitted {
    /// The word, with the segments where they are.
    ///
    /// # Errors
    /// A number that does not fit its field.
    pub(crate) fn word(&self, bases: &Bases) -> Result<u128, DoesNotFit> {
        let mut insn = self.insn;
        if let Insn::Load(l) = &mut insn {
            let base = match self.base {
                Base::Zero => 0,
                Base::Weights => bases.weights,
                Base::Biases => bases.biases,
                Base::Uops => bases.uops,
            };
            let at = u64::from(l.dram_base) + u64::from(base);
            l.dram_base = u32::try_from(at).map_err(|_| FieldRange {
                field: "dram_base",
                value: at.into(),
                min: 0,
                max: (1 << M_DRAM_OFFSET_BITS) - 1,
            })?;
        }
        Ok(insn.encode()?)
    }
}

/// Ranges of instructions of each layer.
///
/// # Errors
/// More instructions than can be counted.
pub(crate) fn symbols(insns: &[Emitted], names: &[String]) -> Result<Vec<Symbol>, DoesNotFit> {
    let mut all: Vec<(usize, Symbol)> = Vec::new();
    for (n, i) in insns.iter().enumerate() {
        let first = fit::count("instructions of a launch", n)?;
        match all.last_mut() {
            Some((layer, s)) if *layer == i.layer => s.count += 1,
            _ => all.push((
                i.layer,
                Symbol {
                    name: names[i.layer].clone(),
                    first,
                    count: 1,
                },
            )),
        }
    }
    Ok(all.into_iter().map(|(_, s)| s).collect())
}
