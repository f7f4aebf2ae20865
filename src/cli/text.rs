//! The assembler, behind the two functions that the commands know.

use super::CliError;
use std::path::Path;
use vta::asm::{self, AsmErrors, AsmOptions};
use vta::config::HwConfig;
use vta::program::Program;

/// Largest file that an assembly text can take data from.
const MAX_DATA_BYTES: u64 = 1 << 30;

/// The program of an assembly text; `config` wins over what the text says.
///
/// Files that the text names are looked for beside `path`, the text's own file.
///
/// # Errors
/// Each line that is wrong, and what is wrong there.
pub fn assemble(text: &str, path: &Path, config: Option<&HwConfig>) -> Result<Program, CliError> {
    let _span = tracing::info_span!("assemble", bytes = text.len()).entered();
    let folder = path.parent().unwrap_or(Path::new(""));
    let read = |name: &str| {
        use std::io::Read;
        let mut bytes = Vec::new();
        let file = std::fs::File::open(folder.join(name))?;
        file.take(MAX_DATA_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let options = AsmOptions {
        config: config.cloned(),
        read: Some(&read),
    };
    asm::assemble(text, &options).map_err(|e| CliError::new("assembly", told(&e)))
}

/// Each mistake with its line and a caret under it.
fn told(errors: &AsmErrors) -> String {
    let mut text = String::new();
    for e in &errors.0 {
        let mark = "^".repeat(e.width);
        let indent = " ".repeat(e.column - 1);
        text += &format!("{e}\n  {}\n  {indent}{mark}\n", e.line_text);
    }
    text.trim_end().into()
}

/// The assembly text of a program.
///
/// # Errors
/// What cannot be said in assembly text.
pub fn disassemble(program: &Program) -> Result<String, CliError> {
    asm::disassemble(program).map_err(|e| CliError::new("assembly", e))
}
