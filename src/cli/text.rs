//! The assembler, behind the two functions that the commands know.

use super::CliError;
use crate::config::HwConfig;
use crate::program::Program;
use std::path::Path;

fn not_linked() -> CliError {
    CliError::new("assembly", "the assembler is not linked into this build")
}

/// The program of an assembly text; `config` wins over what the text says.
///
/// Files that the text names are looked for beside `path`, the text's own file.
///
/// # Errors
/// The line, and what is wrong there.
pub fn assemble(
    _text: &str,
    _path: &Path,
    _config: Option<&HwConfig>,
) -> Result<Program, CliError> {
    let _span = tracing::info_span!("assemble").entered();
    Err(not_linked())
}

/// The assembly text of a program.
///
/// # Errors
/// What cannot be said in assembly text.
pub fn disassemble(_program: &Program) -> Result<String, CliError> {
    Err(not_linked())
}
