//! Programs from the command line: a bundle, assembly text, or a raw image.

use super::outputs::config_file;
use super::{CliError, number, progress};
use clap::Args;
use std::path::{Path, PathBuf};
use vta::config::HwConfig;
use vta::program::{self, MAX_DRAM_BYTES};
use vta::{Program, files};

/// A program: a file, or an image and where its instructions are.
#[derive(Debug, Args)]
pub struct ProgramArgs {
    /// A bundle, an assembly text, or a folder of another compiler; which of them is seen by the content
    #[arg(required_unless_present = "image", conflicts_with = "image")]
    pub file: Option<PathBuf>,
    /// A raw DRAM image, from physical address 0
    #[arg(long, value_name = "FILE", requires_all = ["insn_addr", "insn_count"])]
    pub image: Option<PathBuf>,
    /// Byte address of the first instruction in the image
    #[arg(long, value_name = "N", value_parser = number::word, requires = "image")]
    pub insn_addr: Option<u32>,
    /// Number of instructions in the image
    #[arg(long, value_name = "N", value_parser = number::count, requires = "image")]
    pub insn_count: Option<u32>,
    /// A region of the image that holds results; may be repeated
    #[arg(long, value_name = "ADDR:BYTES", value_parser = number::region, requires = "image")]
    pub output: Vec<(u32, u32)>,
    /// Configuration: a built-in name or a vta_config.json file [default: the program's; de10 for an image]
    #[arg(long, value_name = "NAME|FILE")]
    pub config: Option<String>,
}

impl ProgramArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let programs = self.file.iter().chain(&self.image);
        programs
            .map(PathBuf::as_path)
            .chain(config_file(self.config.as_deref()))
    }

    /// Reads the program.
    ///
    /// # Errors
    /// The file and what is wrong in it.
    pub fn load(&self) -> Result<Program, CliError> {
        let config = self.config.as_deref().map(HwConfig::load).transpose()?;
        let Some(image) = &self.image else {
            let file = self.file.as_deref().unwrap_or(Path::new(""));
            return load(file, config.as_ref());
        };
        let bytes = files::read(image, MAX_DRAM_BYTES.into())?;
        let (addr, count) = (self.insn_addr.unwrap_or(0), self.insn_count.unwrap_or(0));
        let outputs = self.output.clone();
        let config = config.unwrap_or_default();
        let raw = program::Program::from_image(bytes, addr, count, outputs, config);
        let raw = raw.map_err(|e| {
            CliError::from(e)
                .of(image)
                .help("check --insn-addr, --insn-count and --output; the image starts at address 0")
        })?;
        Ok(Program::from(raw).monitored(progress::bars()))
    }
}

/// Reads a bundle or an assembly text; a configuration wins over the program's.
/// Progress is shown.
///
/// # Errors
/// The file and what is wrong in it.
pub fn load(path: &Path, config: Option<&HwConfig>) -> Result<Program, CliError> {
    Ok(Program::open_for(path, config)?.monitored(progress::bars()))
}

/// Refuses a program whose transfers go past the end of a scratchpad.
///
/// # Errors
/// The instruction, and where it would end.
pub fn check_fit(program: &Program) -> Result<(), CliError> {
    program.fits().map_err(|e| {
        CliError::new("program", e).help(
            "take a configuration with larger scratchpads, or --wrap to let indices wrap as the hardware does",
        )
    })
}
