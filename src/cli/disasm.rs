//! `vta disasm`: a program as assembly text.

use super::input::ProgramArgs;
use super::{CliError, Output, text};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use vta::program::atomic::write_file;
use vta::program::{Program, Step};

/// Print a program as assembly text
#[derive(Debug, Args)]
pub struct Disasm {
    #[command(flatten)]
    program: ProgramArgs,
    /// Write the text to a file instead
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Disasm {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let mut program = self.program.load()?;
        let host = network_comment(&program);
        // The text has launches only; a network's other parts are a comment.
        program.steps.retain(|s| matches!(s, Step::Launch(_)));
        program.inputs.clear();
        program.outputs.clear();
        program.layers.clear();
        let text = host + &text::disassemble(&program)?;
        let Some(out) = &self.out else {
            let json = json!({ "text": text });
            return Ok(Output::ok(text, json));
        };
        write_file(out, text.as_bytes()).map_err(|e| CliError::file(out, &e))?;
        let path = out.display().to_string();
        Ok(Output::ok(format!("{path}\n"), json!({ "out": path })))
    }
}

/// What a network's program has and the text has not; empty for other programs.
fn network_comment(program: &Program) -> String {
    if !program.is_network() {
        return String::new();
    }
    let mut text = String::from(
        "# The launches of a network; what it has besides is not in this text. Its steps:\n",
    );
    for step in &program.steps {
        let (what, name) = match step {
            Step::Launch(l) => ("launch".to_owned(), &l.name),
            Step::Host(h) => (format!("host {}", h.op.name()), &h.name),
        };
        text += &format!("#   {what} {}\n", name.escape_debug());
    }
    text + "\n"
}
