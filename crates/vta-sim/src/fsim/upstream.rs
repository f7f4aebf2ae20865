//! What upstream's functional simulator computes, and where the hardware departs from it.
//!
//! Who writes down what a program should give runs that simulator, or thinks as it
//! does. [`compare`] executes a launch both ways in program order, and says at which
//! instructions a difference of the two has an effect, given what the hardware has by then.

use super::steps::Steps;
use super::{Core, LeavesDram, Limits, Stop};
use std::fmt;
use vta_program::config::HwConfig;
use vta_program::isa::{Alu, AluOpcode, Insn, Store};
use vta_program::mem::{Dram, Scratchpads};

/// A difference of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// An ALU step with an immediate reads its other operand at the source; upstream
    /// reads the destination.
    Immediate,
    /// Bit 15 of the immediate field says in which direction SHR goes; upstream asks
    /// the sign of the operand.
    Shift,
    /// A step that reads what the step before wrote gets the value from before it.
    Stale,
    /// A store takes the output scratchpad, which loads of accumulators and resets
    /// leave alone; upstream takes the low bytes of the accumulators.
    Output,
}

impl Difference {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Immediate, Self::Shift, Self::Stale, Self::Output];

    /// A stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Shift => "shift",
            Self::Stale => "stale",
            Self::Output => "output",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Immediate => {
                "the hardware applies an immediate to what is at the source, a functional simulator to what is at the destination"
            }
            Self::Shift => {
                "in the hardware bit 15 of the immediate field decides the direction of a shift, in a functional simulator the sign of the operand"
            }
            Self::Stale => {
                "in the hardware a step reads an accumulator as it was before the step right before it, a functional simulator as that step left it"
            }
            Self::Output => {
                "the hardware stores the output scratchpad, which loads and resets of accumulators do not change, a functional simulator the accumulators"
            }
        })
    }
}

/// Instructions at which a difference has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// The difference.
    pub difference: Difference,
    /// The first instruction.
    pub first: u32,
    /// How many there are.
    pub count: u32,
}

/// A launch both ways.
#[derive(Debug, Clone)]
pub struct Compared {
    /// DRAM as upstream's simulator leaves it.
    pub upstream: Dram,
    /// Where the two differ, in order of the first instruction.
    pub effects: Vec<Effect>,
    /// Why it ended.
    pub stop: Stop,
}

/// Executes a launch both ways, up to FINISH or an instruction that one of them cannot do.
///
/// # Errors
/// An instruction lies or reaches outside the DRAM image.
pub fn compare(
    cfg: &HwConfig,
    dram: &Dram,
    (insn_addr, insn_count): (u32, u32),
    limits: Limits,
) -> Result<Compared, LeavesDram> {
    let (mut hardware, mut upstream) = (Core::new(cfg), Core::new(cfg));
    let (mut hardware_dram, mut upstream_dram) = (dram.clone(), dram.clone());
    let mut effects: Vec<Effect> = Vec::new();
    let mut steps = 0_u64;
    let mut stop = Stop::NoFinish;
    for insn in 0..insn_count {
        let at = |cause| LeavesDram::new(insn, cause);
        let addr = u64::from(insn_addr) + 16 * u64::from(insn);
        let word = hardware_dram.word128(addr).map_err(at)?;
        let i = match Insn::decode(word) {
            Ok(i) => i,
            Err(cause) => {
                stop = Stop::Illegal { insn, cause };
                break;
            }
        };
        steps = steps.saturating_add(i.steps());
        if steps > limits.steps {
            stop = Stop::StepLimit { insn };
            break;
        }
        if let Insn::Finish(_) = i {
            stop = Stop::Finish;
            break;
        }
        if let Insn::Alu(a) = &i
            && let Some(hazard) = hardware.alu_hazard(a)
        {
            stop = Stop::Hazard { insn, hazard };
            break;
        }
        for difference in Difference::ALL {
            if !has_effect(cfg, hardware.pads(), &i, difference) {
                continue;
            }
            match effects.iter_mut().find(|e| e.difference == difference) {
                Some(e) => e.count += 1,
                None => effects.push(Effect {
                    difference,
                    first: insn,
                    count: 1,
                }),
            }
        }
        hardware.exec(&i, &mut hardware_dram).map_err(at)?;
        match &i {
            Insn::Alu(a) => alu(cfg, upstream.pads_mut(), a, &Difference::ALL),
            Insn::Store(_) => {
                low_bytes(upstream.pads_mut());
                upstream.exec(&i, &mut upstream_dram).map_err(at)?;
            }
            i => upstream.exec(i, &mut upstream_dram).map_err(at)?,
        }
    }
    Ok(Compared {
        upstream: upstream_dram,
        effects,
        stop,
    })
}

/// Whether an instruction would give something else with this difference alone.
fn has_effect(cfg: &HwConfig, pads: &Scratchpads, insn: &Insn, difference: Difference) -> bool {
    match (insn, difference) {
        (Insn::Store(s), Difference::Output) => stored(cfg, s).any(|at| {
            let acc = pads.acc.get(at..at + cfg.block as usize);
            let out = pads.out.get(at..at + cfg.block as usize);
            let (Some(acc), Some(out)) = (acc, out) else {
                return false;
            };
            acc.iter().zip(out).any(|(a, o)| *a as i8 != *o)
        }),
        (Insn::Alu(a), Difference::Immediate | Difference::Shift | Difference::Stale) => {
            let possible = match difference {
                Difference::Immediate => a.use_imm,
                // An immediate has the sign that bit 15 has.
                Difference::Shift => a.alu_opcode == AluOpcode::Shr && !a.use_imm,
                _ => true,
            };
            if !possible {
                return false;
            }
            let (mut as_is, mut other) = (pads.clone(), pads.clone());
            alu(cfg, &mut as_is, a, &[]);
            alu(cfg, &mut other, a, &[difference]);
            as_is.acc != other.acc
        }
        _ => false,
    }
}

/// The first lanes of the elements that a store takes.
fn stored(cfg: &HwConfig, s: &Store) -> impl Iterator<Item = usize> {
    let (first, block) = (u64::from(s.sram_base), u64::from(cfg.block));
    let (mask, n) = (
        u64::from(cfg.out_depth) - 1,
        u64::from(s.x_size) * u64::from(s.y_size),
    );
    (0..n).map(move |i| (((first + i) & mask) * block) as usize)
}

/// The output scratchpad as the low bytes of the accumulators.
fn low_bytes(pads: &mut Scratchpads) {
    for (o, a) in pads.out.iter_mut().zip(&pads.acc) {
        *o = *a as i8;
    }
}

/// Executes ALU with some of the differences, one step after the other.
pub(super) fn alu(cfg: &HwConfig, pads: &mut Scratchpads, a: &Alu, with: &[Difference]) {
    let has = |d| with.contains(&d);
    let (at_dst, by_sign) = (has(Difference::Immediate), has(Difference::Shift));
    let fresh = has(Difference::Stale);
    let (block, mask) = (cfg.block as usize, cfg.acc_depth - 1);
    let out_mask = cfg.out_depth - 1;
    let Scratchpads { uop, acc, out, .. } = pads;
    let mut last: Option<(u32, Vec<i32>)> = None;
    Steps::new(a, uop, cfg).each(|s| {
        let (dst, src) = (s.dst & mask, s.src & mask);
        let at = |i: u32| i as usize * block..(i as usize + 1) * block;
        let source = match &last {
            Some((written, before)) if *written == src && !fresh => before.clone(),
            _ => acc[at(src)].to_vec(),
        };
        let before = acc[at(dst)].to_vec();
        let value = |lane: usize| {
            let left = match (a.use_imm, at_dst) {
                (true, false) => source[lane],
                _ => before[lane],
            };
            let right = if a.use_imm {
                a.imm.into()
            } else {
                source[lane]
            };
            let negative = if by_sign { right < 0 } else { a.imm < 0 };
            match a.alu_opcode {
                AluOpcode::Min => left.min(right),
                AluOpcode::Max => left.max(right),
                AluOpcode::Add => left.wrapping_add(right),
                AluOpcode::Shr if negative => left.wrapping_shl(right.wrapping_neg() as u32),
                AluOpcode::Shr => left.wrapping_shr(right as u32),
            }
        };
        let values: Vec<i32> = (0..block).map(value).collect();
        acc[at(dst)].copy_from_slice(&values);
        for (o, v) in out[at(s.dst & out_mask)].iter_mut().zip(&values) {
            *o = *v as i8;
        }
        last = Some((dst, before));
        true
    });
}
