//! `vta disasm`: a program as assembly text.

use super::input::ProgramArgs;
use super::outputs::Outputs;
use super::{CliError, Output};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use vta::printable::printable;
use vta::program::atomic::write_file;

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
        let outputs = Outputs::new(&self.out, self.program.files())?;
        let text = self.program.load()?.disassemble()?;
        let Some(out) = &self.out else {
            let json = json!({ "text": text });
            return Ok(Output::ok(text, json));
        };
        outputs.unread()?;
        write_file(out, text.as_bytes()).map_err(|e| CliError::file(out, e))?;
        let path = out.display().to_string();
        Ok(Output::ok(
            format!("{}\n", printable(&path)),
            json!({ "out": path }),
        ))
    }
}
