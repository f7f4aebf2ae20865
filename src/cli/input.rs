//! Programs from the command line: a bundle, assembly text, or a raw image.

use super::{CliError, number, text};
use clap::Args;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use vta::config::HwConfig;
use vta::graph::zoo;
use vta::program::{MAX_DRAM_BYTES, Program, is_bundle};

/// A program: a file, or an image and where its instructions are.
#[derive(Debug, Args)]
pub struct ProgramArgs {
    /// A bundle or an assembly text; which of them is seen by the content
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
        let bytes = read(image, MAX_DRAM_BYTES.into())?;
        let (addr, count) = (self.insn_addr.unwrap_or(0), self.insn_count.unwrap_or(0));
        let outputs = self.output.clone();
        Program::from_image(bytes, addr, count, outputs, config.unwrap_or_default()).map_err(|e| {
            CliError::from(e)
                .of(image)
                .help("check --insn-addr, --insn-count and --output; the image starts at address 0")
        })
    }
}

/// Reads a bundle or an assembly text; a configuration wins over the program's.
///
/// # Errors
/// The file and what is wrong in it.
pub fn load(path: &Path, config: Option<&HwConfig>) -> Result<Program, CliError> {
    let network = path.to_str().filter(|name| {
        let known = zoo::NAMES.contains(name);
        (known && !path.exists()) || name.ends_with(".onnx")
    });
    if let Some(name) = network {
        let message = format_args!("{name}: a network, not a program");
        let help = format!("`vta compile {name} -o program.vta` makes one of it");
        return Err(CliError::new("file", message).help(help));
    }
    let bytes = read(path, u64::from(MAX_DRAM_BYTES) + (256 << 20))?;
    if is_bundle(&bytes) {
        let mut program = Program::from_bytes(&bytes).map_err(|e| CliError::from(e).of(path))?;
        if let Some(config) = config {
            program.config = config.clone();
        }
        return Ok(program);
    }
    match std::str::from_utf8(&bytes) {
        Ok(source) if !source.contains('\0') => {
            let program = text::assemble(source, path, config).map_err(|e| e.of(path))?;
            // What a bundle could not hold is not run either.
            program.validate().map_err(|e| CliError::from(e).of(path))?;
            Ok(program)
        }
        _ => Err(CliError::new(
            "file",
            format_args!("{}: neither a bundle nor assembly text", path.display()),
        )
        .help("for a raw DRAM image: --image FILE --insn-addr N --insn-count N")),
    }
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

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// The file cannot be read or is longer.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
    let error = |e| CliError::file(path, &e);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(error)?
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(error)?;
    if bytes.len() as u64 > limit {
        let message = format_args!("{}: more than {limit} bytes", path.display());
        return Err(CliError::new("file", message));
    }
    Ok(bytes)
}
