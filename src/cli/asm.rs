//! `vta asm`: assembly text to a bundle.

use super::outputs::{Outputs, config_file};
use super::{CliError, Output, input};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use vta::config::HwConfig;
use vta::printable::printable;

/// Assemble a text into a bundle
#[derive(Debug, Args)]
pub struct Asm {
    /// The assembly text
    file: PathBuf,
    /// The bundle to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Configuration: a built-in name or a vta_config.json file [default: the text's]
    #[arg(long, value_name = "NAME|FILE")]
    config: Option<String>,
}

impl Asm {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let inputs = config_file(self.config.as_deref());
        let inputs = [self.file.as_path()].into_iter().chain(inputs);
        let outputs = Outputs::new([&self.out], inputs)?;
        let config = self.config.as_deref().map(HwConfig::load).transpose()?;
        let program = input::load(&self.file, config.as_ref())?;
        outputs.unread()?;
        program.save(&self.out)?;
        let insns: u64 = program.launches().map(|l| u64::from(l.insn_count)).sum();
        let launches = program.launches().count();
        let out = self.out.display().to_string();
        let text = format!(
            "{}: {launches} launches, {insns} instructions\n",
            printable(&out)
        );
        let json = json!({ "out": out, "launches": launches, "insns": insns });
        Ok(Output::ok(text, json))
    }
}
