//! Raw DRAM images: what another simulator, or a test bench, starts from.
//!
//! For each launch a folder `NN-NAME/` with `dram.bin` (DRAM before the
//! launch), `launch.json` (where the instructions and the outputs are) and
//! `config.json` (the hardware, as a `vta_config.json` file).

use super::{Launch, Program, ProgramError, atomic};
use crate::config::HwConfig;
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// An export that could not be made; `E` is the error of the source of images.
#[derive(Debug, thiserror::Error)]
pub enum ExportError<E> {
    /// The program does not make sense.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The image before a launch could not be made.
    #[error("launch {launch}: {source}")]
    Image {
        /// Name of the launch.
        launch: String,
        /// Why.
        source: E,
    },
    /// The image before a launch has another length than DRAM.
    #[error("launch {launch}: the image has {found} bytes, DRAM {expected}")]
    ImageBytes {
        /// Name of the launch.
        launch: String,
        /// Length of the image.
        found: usize,
        /// Bytes of DRAM.
        expected: u32,
    },
    /// The folder cannot be written.
    #[error("{path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// Writes the folders of all launches into a new folder `out`, whole or not at
/// all, and returns their names.
///
/// `image_before` gives DRAM before launch `k`; it is called for each launch in
/// order. For launch 0 that is [`Program::dram_image`]; for a later one it
/// holds what the launches before it wrote.
///
/// # Errors
/// An image cannot be had, or the folder cannot be written or is not empty.
pub fn export_images<E>(
    program: &Program,
    out: &Path,
    mut image_before: impl FnMut(usize, &Launch) -> Result<Vec<u8>, E>,
) -> Result<Vec<String>, ExportError<E>> {
    program.validate()?;
    let io = |source| ExportError::Io {
        path: out.to_owned(),
        source,
    };
    let folder = atomic::AtomicFolder::create(out).map_err(io)?;
    let digits = program.launches().count().to_string().len().max(2);
    let mut names = Vec::new();
    for (k, launch) in program.launches().enumerate() {
        let image = image_before(k, launch).map_err(|source| ExportError::Image {
            launch: launch.name.clone(),
            source,
        })?;
        if image.len() != program.dram_bytes as usize {
            return Err(ExportError::ImageBytes {
                launch: launch.name.clone(),
                found: image.len(),
                expected: program.dram_bytes,
            });
        }
        let name = format!("{k:0digits$}-{}", launch.name);
        write_launch(&folder.path().join(&name), program, launch, &image).map_err(io)?;
        names.push(name);
    }
    folder.commit().map_err(io)?;
    Ok(names)
}

fn write_launch(path: &Path, program: &Program, launch: &Launch, image: &[u8]) -> io::Result<()> {
    let config = &program.config;
    let built_in = HwConfig::built_in(&config.name).is_some_and(|c| c == *config);
    let description = json!({
        "name": launch.name,
        "insn_addr": launch.insn_addr,
        "insn_count": launch.insn_count,
        "config": if built_in { json!(config.name) } else { json!(config.to_keys()) },
        "outputs": launch.outputs,
    });
    fs::create_dir(path)?;
    fs::write(path.join("dram.bin"), image)?;
    fs::write(path.join("launch.json"), format!("{description:#}\n"))?;
    fs::write(path.join("config.json"), config.to_json())
}
