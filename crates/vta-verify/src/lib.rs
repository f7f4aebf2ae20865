//! The verifier: proves of any program that its instructions are ordered, stay
//! inside their scratchpads, read what was written, and leave pruned weights alone.
//!
//! [`check`] does so of any program; [`against`] proves that a program computes
//! an integer network.
//!
//! It imports nothing of the compiler and of the simulators, so that a mistake
//! there is not one here. `docs/validation.md` has what it proves and its limits.

mod against;
mod dram;
mod error;
mod flow;
mod launch;
mod names;
mod race;
mod report;
mod set;
mod steps;
mod tables;
mod tokens;
mod transfer;
mod weights;

pub use against::{Flaw, Mismatch, Operand, against, against_until};
pub use error::VerifyError;
pub use names::{AluRule, Conflict, InsnAt, Place, Tokens};
pub use report::Report;

use dram::{Dram, Writer};
use launch::Context;
use tables::Tables;
use tokens::{DIRECTIONS, Order};
use vta_program::program::{Launch, On, Program, Region, Step};
use weights::Weights;

/// Checks a program.
///
/// # Errors
/// All that does not hold, in order of steps; what builds on something that
/// does not hold is not looked at.
pub fn check(program: &Program) -> Result<Report, Vec<VerifyError>> {
    check_until(program, &|| false)
}

/// As [`check`], until `stop` says true: it is asked between instructions.
///
/// # Errors
/// As [`check`]; [`VerifyError::Stopped`].
pub fn check_until(program: &Program, stop: &dyn Fn() -> bool) -> Result<Report, Vec<VerifyError>> {
    let _span = tracing::info_span!("verify").entered();
    program.validate().map_err(|e| vec![e.into()])?;
    program.fits().map_err(|e| vec![e.into()])?;
    let weights = Weights::new(program);
    let tables = Tables::new(program);
    let mut dram = Dram::new(program);
    let mut report = Report {
        most_tokens: DIRECTIONS.map(|t| (t, 0)).to_vec(),
        ..Report::default()
    };
    let mut errors = Vec::new();
    let block = program.config.block;
    let size = |r: &Region| r.bytes(block).unwrap_or(0);
    for r in &program.inputs {
        dram.write(r.addr.into(), size(r), Writer::Input);
    }
    for (n, step) in program.steps.iter().enumerate() {
        if stop() {
            errors.push(VerifyError::Stopped);
            return Err(errors);
        }
        match step {
            Step::Launch(l) => {
                let shared = (&weights, &tables, stop);
                let found = check_launch(program, n, l, shared, &mut dram, &mut report);
                let fine = found.is_empty();
                errors.extend(found);
                if !fine {
                    continue;
                }
                for &(addr, bytes) in &l.outputs {
                    let of = || format!("output of launch {}", l.name);
                    let missing = not_written(&dram, (addr, bytes.into()), of);
                    errors.extend(missing);
                    report.result_bytes += u64::from(bytes);
                }
            }
            Step::Host(h) => {
                report.host_steps += 1;
                for r in &h.inputs {
                    if let Some(addr) = dram.first_undefined(r.addr.into(), size(r)) {
                        errors.push(VerifyError::UndefinedDram {
                            by: format!("host step {}", h.name),
                            addr,
                        });
                    }
                }
                let (addr, bytes) = (u64::from(h.output.addr), size(&h.output));
                if let Some(of) = tables.code.overwritten(addr, bytes) {
                    errors.push(VerifyError::ChangedInsns {
                        by: format!("host step {}", h.name),
                        of,
                        addr,
                    });
                }
                dram.write(addr, bytes, Writer::Host(n as u32));
            }
        }
        for l in tables.of_step(n as u32) {
            let on = if l.on == On::Device { "device" } else { "host" };
            let of = || format!("result of layer {} on the {on}", l.name);
            let bytes = size(&l.output);
            errors.extend(not_written(&dram, (l.output.addr, bytes), of));
            report.result_bytes += bytes;
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    for r in &program.outputs {
        let of = || format!("output {} of the network", r.tensor);
        errors.extend(not_written(&dram, (r.addr, size(r)), of));
        report.result_bytes += size(r);
    }
    if errors.is_empty() {
        Ok(report)
    } else {
        Err(errors)
    }
}

fn not_written(
    dram: &Dram,
    (addr, bytes): (u32, u64),
    of: impl Fn() -> String,
) -> Option<VerifyError> {
    let missing = dram.first_unwritten(addr.into(), bytes)?;
    Some(VerifyError::NotWritten {
        of: of(),
        addr: missing,
    })
}

fn check_launch(
    program: &Program,
    step: usize,
    launch: &Launch,
    (weights, tables, stop): (&Weights<'_>, &Tables<'_>, &dyn Fn() -> bool),
    dram: &mut Dram,
    report: &mut Report,
) -> Vec<VerifyError> {
    let context = match Context::new(program, (step, tables), launch, dram.image()) {
        Ok(c) => c,
        Err(errors) => return errors,
    };
    report.launches += 1;
    report.insns += context.insns.len() as u64;
    let order = match Order::new(&context) {
        Ok(order) => order,
        Err(errors) => return errors,
    };
    report.token_pairs += order.pairs;
    report.unused_tokens += order.unused;
    for ((_, most), held) in report.most_tokens.iter_mut().zip(order.held) {
        *most = (*most).max(held);
    }
    let mut errors = flow::check(
        &context,
        &order,
        (program, step),
        (weights, tables, stop),
        dram,
        report,
    );
    errors.extend(tokens::lagging(&context, &order));
    errors
}
