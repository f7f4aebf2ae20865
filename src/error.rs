//! What can go wrong on the way from a network to cycles.

use crate::simulate::{LaunchFailure, SimError};
use std::io;
use std::path::{Path, PathBuf};
use vta_compile::CompileError;
use vta_net::graph::onnx::OnnxError;
use vta_net::quant::float::FloatError;
use vta_net::quant::{ExponentsError, NetError, QuantError, reference};
use vta_net::sparse::MaskError;
use vta_program::asm::{AsmErrors, Invalid};
use vta_program::config::ConfigError;
use vta_program::program::export::ExportError;
use vta_program::program::{BundleError, HostStepError, ProgramError, RegionError};
use vta_program::standalone::StandaloneError;
use vta_prune::{AllocationError, PruneError};
use vta_tensor::host::HostError;
use vta_verify::VerifyError;

/// An error of any stage, with its place: file, node, tensor, layer or launch.
///
/// [`Error::kind`] is a stable word for programs that read it, [`Error::help`]
/// says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file that is longer than anything that makes sense.
    #[error("{}: more than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes that it may have.
        limit: u64,
    },
    /// An output that is an input, by this name or another.
    #[error("{}: the output {} the input {}", output.display(), if *inside { "is inside" } else { "is also" }, input.display())]
    OutputIsInput {
        /// The output.
        output: PathBuf,
        /// The input.
        input: PathBuf,
        /// Whether the input is a folder, and the output is in it.
        inside: bool,
    },
    /// Two outputs that are one file.
    #[error("{}: the same output as {}", second.display(), first.display())]
    OutputTwice {
        /// The one that is named first.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Something else, in this file.
    #[error("{}: {source}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<Error>,
    },
    /// A name that is neither a file nor a network of the zoo.
    #[error("{name}: no such file, and no network of the zoo")]
    UnknownModel {
        /// The name.
        name: String,
        /// The network of the zoo that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An ONNX file.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// Masks.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// A network that cannot be quantised, or samples to choose scales by.
    #[error(transparent)]
    Quantise(#[from] QuantError),
    /// Given exponents.
    #[error(transparent)]
    Exponents(#[from] ExponentsError),
    /// The float network.
    #[error(transparent)]
    Float(#[from] FloatError),
    /// An integer network that breaks a rule.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The integer reference.
    #[error(transparent)]
    Reference(#[from] reference::RunError),
    /// A network that does not compile for a configuration.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A bundle.
    #[error(transparent)]
    Bundle(Box<BundleError>),
    /// A folder of another compiler.
    #[error(transparent)]
    Folder(Box<StandaloneError>),
    /// A program that contradicts itself.
    #[error(transparent)]
    Program(Box<ProgramError>),
    /// Raw images that could not be written.
    #[error(transparent)]
    Export(Box<ExportError<Error>>),
    /// A tensor of a program.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// A step of the host.
    #[error(transparent)]
    HostStep(#[from] HostStepError),
    /// An operator of the host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Assembly text.
    #[error("{0}")]
    Assembly(#[from] AsmErrors),
    /// A program that assembly text cannot say.
    #[error(transparent)]
    Disassembly(#[from] Invalid),
    /// A file that is no program.
    #[error("{}: neither a bundle nor assembly text", .0.display())]
    NotAProgram(PathBuf),
    /// A program without a launch.
    #[error("{}: there is nothing in it to run", .0.display())]
    NothingToRun(PathBuf),
    /// A file that is a network where a program was asked for.
    #[error("{0}: a network, not a program")]
    NotAProgramButANetwork(String),
    /// A program without inputs and outputs of a network.
    #[error("the program has no inputs and outputs of a network")]
    NotANetwork,
    /// Inputs that a program or network does not take.
    #[error("{given} tensors are given, the network has {inputs} inputs")]
    Inputs {
        /// Tensors that were given.
        given: usize,
        /// Inputs that there are.
        inputs: usize,
    },
    /// Samples.
    #[error(transparent)]
    Samples(#[from] crate::samples::SampleError),
    /// A launch that cannot be simulated at all.
    #[error(transparent)]
    Simulator(#[from] SimError),
    /// A launch of a network that hangs or asserts.
    #[error("{0}")]
    NotOk(Box<LaunchFailure>),
    /// A program with hazards.
    #[error("{}", not_proven(.0))]
    NotProven(Vec<VerifyError>),
    /// The programs with and without zero blocks compute something else.
    #[error("the programs with and without zero blocks give different outputs")]
    OutputsDiffer,
    /// A measurement that makes no sense.
    #[cfg(feature = "data")]
    #[error(transparent)]
    Evaluate(#[from] crate::evaluate::EvaluateError),
    /// Data sets.
    #[cfg(feature = "data")]
    #[error(transparent)]
    Data(#[from] vta_data::DataError),
    /// An image that cannot be an input.
    #[cfg(feature = "data")]
    #[error(transparent)]
    Image(#[from] vta_data::Fault),
    /// A request to prune.
    #[error(transparent)]
    Prune(#[from] PruneError),
    /// A cost table.
    #[error(transparent)]
    Cost(#[from] vta_prune::cost::CostError),
    /// Training.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Train(#[from] vta_train::TrainError),
    /// A checkpoint where a new run was to begin.
    #[cfg(feature = "train")]
    #[error("{}: exists", .0.display())]
    CheckpointExists(PathBuf),
    /// A network where a new run was to begin: the result of another.
    #[cfg(feature = "train")]
    #[error("{}: exists, the result of another run", .0.display())]
    ResultExists(PathBuf),
    /// A network that is quantised in another form each time that its blocks are chosen anew,
    /// and takes too many cycles in it.
    #[error(
        "a budget of {budget} cycles is missed: quantised with the blocks that are left, the network takes {cycles}"
    )]
    Unsteady {
        /// The budget.
        budget: u64,
        /// Cycles of the last choice.
        cycles: u64,
    },
    /// A file of rows.
    #[error(transparent)]
    Rows(#[from] crate::rows::RowsError),
    /// Configurations of a sweep.
    #[error(transparent)]
    Configs(#[from] crate::sweep::ConfigsError),
    /// A method that trains, where nothing says how.
    #[error("method {method}: it trains, and there are no data")]
    NoTraining {
        /// The method.
        method: crate::pareto::Method,
    },
    /// The monitor wanted the work to stop.
    #[error("stopped")]
    Cancelled,
}

fn not_proven(findings: &[VerifyError]) -> String {
    let mut message = format!("not proven, {} findings", findings.len());
    if let Some(first) = findings.first() {
        message += &format!("; the first is {}: {first}", first.kind());
    }
    message
}

impl Error {
    /// A file that cannot be read or written.
    pub fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File {
            path: path.into(),
            source,
        }
    }

    /// The same, in this file.
    pub fn of(self, path: impl AsRef<Path>) -> Self {
        Self::In {
            path: path.as_ref().to_owned(),
            source: Box::new(self),
        }
    }

    /// What sort of thing is wrong: a stable word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. }
            | Self::TooLong { .. }
            | Self::OutputIsInput { .. }
            | Self::OutputTwice { .. }
            | Self::NotAProgram(_)
            | Self::NothingToRun(_)
            | Self::NotAProgramButANetwork(_) => "file",
            Self::In { source, .. } => source.kind(),
            Self::UnknownModel { .. }
            | Self::Onnx(_)
            | Self::Float(_)
            | Self::Net(_)
            | Self::Reference(_) => "model",
            Self::Config(_) | Self::Configs(_) => "config",
            Self::Rows(_) => "rows",
            Self::Mask(_) => "mask",
            Self::Quantise(_) | Self::Exponents(_) => "quantise",
            Self::Compile(_) => "compile",
            Self::Bundle(_) => "bundle",
            Self::Folder(_) => "folder",
            Self::Program(_)
            | Self::Region(_)
            | Self::HostStep(_)
            | Self::Host(_)
            | Self::NotANetwork => "program",
            Self::Assembly(_) | Self::Disassembly(_) => "assembly",
            Self::Inputs { .. } | Self::Samples(_) => "input",
            Self::Simulator(_) | Self::NotOk(_) | Self::OutputsDiffer => "simulator",
            Self::NotProven(_) => "verify",
            #[cfg(feature = "data")]
            Self::Evaluate(_) => "eval",
            #[cfg(feature = "data")]
            Self::Data(_) | Self::Image(_) => "data",
            Self::Prune(_) => "prune",
            Self::Cost(_) => "cost",
            #[cfg(feature = "train")]
            Self::Train(vta_train::TrainError::Data(_)) => "data",
            #[cfg(feature = "train")]
            Self::Train(_) => "train",
            #[cfg(feature = "train")]
            Self::CheckpointExists(_) | Self::ResultExists(_) => "train",
            Self::Unsteady { .. } | Self::NoTraining { .. } => "prune",
            Self::Export(e) => match &**e {
                ExportError::Image { source, .. } => source.kind(),
                ExportError::Io { .. } => "file",
                ExportError::Program(_) | ExportError::ImageBytes { .. } => "program",
            },
            Self::Cancelled => "cancelled",
        }
    }

    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        const DEFECT: &str = "this is a defect of the compiler; please report it with the network";
        let text = match self {
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "check the path",
                io::ErrorKind::DirectoryNotEmpty => {
                    "give a folder that does not exist yet, or an empty one"
                }
                io::ErrorKind::ResourceBusy => "wait for it, or give another folder",
                _ => return None,
            },
            Self::In { source, .. } => return source.help(),
            Self::UnknownModel { nearest, .. } => {
                let names = vta_net::graph::zoo::NAMES.join(", ");
                return Some(match nearest {
                    Some(name) => format!("did you mean {name}? The zoo has {names}"),
                    None => format!("the zoo has {names}"),
                });
            }
            Self::Onnx(e) => return e.help(),
            Self::Config(e) => return e.help(),
            Self::Configs(e) => return e.help(),
            Self::Rows(e) => e.help(),
            Self::Mask(e) => return e.help(),
            Self::Bundle(e) => return e.help(),
            Self::Folder(e) => return e.help(),
            Self::Export(e) => {
                return match &**e {
                    ExportError::Image { source, .. } => source.help(),
                    ExportError::Io { path, source } => {
                        Self::file(path, std::io::Error::from(source.kind())).help()
                    }
                    _ => None,
                };
            }
            Self::Samples(e) => return e.help(),
            Self::Prune(e) => return e.help(),
            #[cfg(feature = "data")]
            Self::Evaluate(e) => return e.help().map(Into::into),
            Self::Exponents(_) => {
                "`vta prune` writes such a file; --calib FILE chooses scales by samples"
            }
            Self::OutputIsInput { .. } => "what is read is never written: give another name",
            Self::OutputTwice { .. } => "give each a name of its own",
            Self::NotAProgram(_) => {
                "for a raw DRAM image: --image FILE --insn-addr N --insn-count N"
            }
            Self::NothingToRun(_) => "a program has at least one `.launch` (docs/asm.md)",
            Self::NotAProgramButANetwork(name) => {
                return Some(format!(
                    "`vta compile {name} -o program.vta` makes one of it"
                ));
            }
            Self::NotANetwork => {
                "`vta compile` makes programs of networks; `vta run` runs any program"
            }
            Self::NotProven(_) | Self::OutputsDiffer => DEFECT,
            #[cfg(feature = "data")]
            Self::Data(e) if e.not_found() => "check the path",
            #[cfg(feature = "train")]
            Self::Train(vta_train::TrainError::Data(e)) if e.not_found() => "check the path",
            #[cfg(feature = "train")]
            Self::CheckpointExists(_) => "--resume goes on from it; else give another folder",
            #[cfg(feature = "train")]
            Self::ResultExists(_) => "give another folder, or remove what is in this one",
            #[cfg(feature = "train")]
            Self::Train(e) => return e.help().map(Into::into),
            _ => return None,
        };
        Some(text.into())
    }
}

impl From<BundleError> for Error {
    fn from(e: BundleError) -> Self {
        Self::Bundle(Box::new(e))
    }
}

impl From<StandaloneError> for Error {
    fn from(e: StandaloneError) -> Self {
        Self::Folder(Box::new(e))
    }
}

impl From<ProgramError> for Error {
    fn from(e: ProgramError) -> Self {
        Self::Program(Box::new(e))
    }
}

impl From<ExportError<Error>> for Error {
    fn from(e: ExportError<Error>) -> Self {
        Self::Export(Box::new(e))
    }
}

impl From<AllocationError> for Error {
    fn from(e: AllocationError) -> Self {
        Self::Prune(e.into())
    }
}
