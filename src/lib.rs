//! Cycle-exact simulator, sparse compiler and block pruner for the Versatile
//! Tensor Accelerator (VTA), the open accelerator of Apache TVM.
//!
//! The way from a network to cycles is a chain of types; each is a stage whose
//! inputs cannot be forgotten:
//!
//! | stage | has | leads on by |
//! | --- | --- | --- |
//! | [`Model`] | a float network: ONNX, or of the zoo | [`Model::mask`] |
//! | [`MaskedModel`] | its dropped 32x32 weight blocks are zero | [`MaskedModel::quantise`] |
//! | [`QuantisedModel`] | int8, power-of-two scales | [`QuantisedModel::compile`] |
//! | [`Program`] | instructions, micro-ops, weights | [`Program::run`] |
//! | [`Run`] | cycles, outputs, what each layer took | |
//!
//! ```
//! let model = vta::Model::zoo("resnet8", 1)?; // or Model::open("model.onnx")
//! let masks = model.random_masks(0.25, 1)?; // or model.read_masks("masks.safetensors")
//! let net = model.mask(masks)?.quantise(&vta::Calibration::default())?;
//! let program = net.compile(&vta::config::HwConfig::default())?;
//! program.verify()?;
//! let run = program.run(&net.masked().random_samples(1, 1).values[0])?;
//! for (layer, used) in program.layers.iter().zip(run.layers()) {
//!     println!("{:20} {:8} cycles", layer.name, used.cycles);
//! }
//! println!("{} cycles, {:?}", run.cycles(), run.floats());
//! # Ok::<(), vta::Error>(())
//! ```
//!
//! Any program, also one in assembly text, is run the same way:
//! [`Program::open`]. Below the stages are the crates, each usable by itself:
//! `docs/architecture.md` has them and what each knows. Long work is followed
//! and stopped by a [`Monitor`].

mod calibration;
mod compare;
mod compiled;
pub mod cost;
pub mod cycles;
mod error;
#[cfg(feature = "data")]
pub mod evaluate;
pub mod execution;
mod expectation;
pub mod files;
pub mod layers;
#[cfg(feature = "data")]
pub mod metric;
mod model;
mod monitor;
pub mod pareto;
pub mod profile;
pub mod pruning;
mod quantised;
pub mod reference;
pub mod report;
pub mod rows;
mod run;
pub mod samples;
pub mod simulate;
pub mod sweep;
#[cfg(feature = "train")]
pub mod training;
mod workers;

pub use calibration::Calibration;
pub use compare::{ComparedLayer, Comparison, Side};
pub use compiled::Program;
pub use cycles::{CycleCounter, NetworkCycles};
pub use error::Error;
pub use expectation::{Apart, Expectation};
pub use model::{MAX_MODEL_BYTES, MaskedModel, Model};
pub use monitor::{Monitor, Phase};
pub use profile::Profile;
pub use quantised::QuantisedModel;
pub use run::{MAX_CYCLES, Run, RunOptions, Runner, floats, run_batch};
pub use simulate::Simulator;

pub use vta_compile as compiler;
#[cfg(feature = "data")]
pub use vta_data as data;
pub use vta_net::{graph, quant, sparse};
#[cfg(feature = "proptest")]
pub use vta_program::strategies;
pub use vta_program::{asm, config, isa, mem, program, standalone, timing};
pub use vta_prune as prune;
pub use vta_sim::{fsim, golden, profiling, steps, trace, tsim};
pub use vta_tensor::{host, npy, printable, spelling};
#[cfg(feature = "train")]
pub use vta_train as train;
#[cfg(feature = "train")]
pub use vta_train::pruning_aware;
pub use vta_verify as verify;

/// The README's lines run as they are printed.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
