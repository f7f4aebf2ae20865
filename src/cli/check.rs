//! `vta check`: proves that a program is ordered and reads what was written.

use super::input::ProgramArgs;
use super::{CliError, EXIT_DIFFERS, EXIT_NOT_OK, Output, Paint, expectation};
use clap::Args;
use serde_json::json;
use vta::MAX_CYCLES;
use vta::printable::printable;
use vta::report::{Table, thousands};
use vta::verify::{self, Report, VerifyError};

/// Findings that are printed; there may be one for each pair of instructions.
const MOST: usize = 20;

/// Prove that a program is ordered by tokens and reads what was written, without running it
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    program: ProgramArgs,
}

impl Check {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        let program = self.program.load()?;
        let mut said = match verify::check(&program) {
            Ok(report) => {
                let text = format!("{}\n\n{}", paint.good("proven"), table(&report));
                Output::ok(text, json!({ "ok": true, "proven": report }))
            }
            Err(errors) => findings(&errors, paint),
        };
        if let Some(expected) = expectation::of(&program, MAX_CYCLES, paint)? {
            said.text += &format!("\n{}", expected.text);
            said.json["expectation"] = expected.json;
            if said.exit == 0 && !expected.is_met {
                said.exit = EXIT_DIFFERS;
            }
        }
        Ok(said)
    }
}

fn findings(errors: &[VerifyError], paint: Paint) -> Output {
    let count = errors.len();
    let head = match count {
        1 => "1 finding".to_owned(),
        n => format!("{} findings", thousands(n as u64)),
    };
    let mut text = format!("{}\n\n", paint.bad(&head));
    for e in errors.iter().take(MOST) {
        text += &format!("{}: {}\n", e.kind(), printable(&e.to_string()));
    }
    if count > MOST {
        text += &format!("and {} more\n", count - MOST);
    }
    let list = errors.iter().take(MOST);
    let list: Vec<_> = list
        .map(|e| json!({ "kind": e.kind(), "message": e.to_string() }))
        .collect();
    let json = json!({ "ok": false, "findings": list, "count": count });
    Output {
        exit: EXIT_NOT_OK,
        ..Output::ok(text, json)
    }
}

fn table(r: &Report) -> Table {
    let mut t = Table::default();
    let mut row = |name: &str, n: u64| t.row([name.into(), n.into()]);
    row("launches", r.launches);
    if r.host_steps > 0 {
        row("host steps", r.host_steps);
    }
    row("instructions", r.insns);
    row("pops with their push", r.token_pairs);
    for (tokens, most) in &r.most_tokens {
        row(&format!("tokens at most, {tokens}"), *most);
    }
    row("conflicts, each ordered", r.ordered_pairs);
    row("loads", r.loads);
    row("stores", r.stores);
    row("GEMM steps", r.gemm_steps);
    row("ALU steps", r.alu_steps);
    if r.kept_weights > 0 {
        row("weight loads, all of kept blocks", r.kept_weights);
    }
    row("bytes of results, all written", r.result_bytes);
    t
}
