//! Programs, and what can be done with them.

use crate::layers::LayerUse;
use crate::monitor::{Monitor, Phase, Watch};
use crate::profile::Profile;
use crate::run::{Run, RunOptions, Runner};
use crate::samples::InputShape;
use crate::simulate::Simulator;
use crate::{Error, execution, files};
use std::ops::{ControlFlow, Deref};
use std::path::Path;
use std::sync::Arc;
use vta_net::graph::zoo;
use vta_program::asm::{self, AsmOptions};
use vta_program::config::HwConfig;
use vta_program::mem::Dram;
use vta_program::program::export::export_images;
use vta_program::program::{self as raw, MAX_DRAM_BYTES, Step, is_bundle};
use vta_program::standalone;
use vta_sim::steps::each_launch;
use vta_sim::tsim::{self, Outcome, Sink};
use vta_tensor::host::Tensor;
use vta_tensor::printable::printable;
use vta_verify::{self as verify, Report};

/// Largest file that an assembly text can take data from, in bytes.
const MAX_DATA_BYTES: u64 = 1 << 30;

/// A program for the device: of a network, or any other.
///
/// It derefs to [`vta_program::program::Program`], which has its DRAM, steps,
/// tensors and layers.
///
/// ```
/// let program = vta::Program::open("programs/kernels/gemm.vtasm")?;
/// let run = program.run(&[])?;
/// println!("{} cycles, {} GEMM steps", run.cycles(), run.stats().gemm_steps);
/// # assert!(run.cycles() > 0);
/// # Ok::<(), vta::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Program {
    raw: raw::Program,
    watch: Watch,
    /// What its maker expects where its results go.
    expected: Option<Arc<[u8]>>,
}

impl Deref for Program {
    type Target = raw::Program;

    fn deref(&self) -> &raw::Program {
        &self.raw
    }
}

impl From<raw::Program> for Program {
    fn from(raw: raw::Program) -> Self {
        Self::watched(raw, Watch::default())
    }
}

impl Program {
    pub(crate) const fn watched(raw: raw::Program, watch: Watch) -> Self {
        Self {
            raw,
            watch,
            expected: None,
        }
    }

    /// What the maker of the program expects where its first result goes, if it
    /// came with that.
    pub fn expected(&self) -> Option<&[u8]> {
        self.expected.as_deref()
    }

    pub(crate) const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Reads a bundle, an assembly text, or a folder of another compiler
    /// ([`vta_program::standalone`]); which of them is seen by the content.
    ///
    /// # Errors
    /// The file and what is wrong in it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_for(path, None)
    }

    /// The same; a configuration wins over the program's.
    ///
    /// # Errors
    /// The file and what is wrong in it.
    pub fn open_for(path: impl AsRef<Path>, config: Option<&HwConfig>) -> Result<Self, Error> {
        let path = path.as_ref();
        let network = path.to_str().filter(|name| {
            let known = zoo::NAMES.contains(name);
            (known && !path.exists()) || name.ends_with(".onnx")
        });
        if let Some(name) = network {
            return Err(Error::NotAProgramButANetwork(name.into()));
        }
        let program = Self::read(path, config)?;
        match program.steps.is_empty() {
            true => Err(Error::NothingToRun(path.to_owned())),
            false => Ok(program),
        }
    }

    fn read(path: &Path, config: Option<&HwConfig>) -> Result<Self, Error> {
        if path.is_dir() {
            let folder = standalone::read(path, config);
            let folder = folder.map_err(|e| Error::from(e).of(path))?;
            let mut program = Self::from(folder.program);
            program.expected = folder.expected.map(Into::into);
            return Ok(program);
        }
        let bytes = files::read(path, u64::from(MAX_DRAM_BYTES) + (256 << 20))?;
        if is_bundle(&bytes) {
            let mut program = Self::from_bundle(&bytes).map_err(|e| e.of(path))?;
            if let Some(config) = config {
                program.raw.config = config.clone();
            }
            return Ok(program);
        }
        match std::str::from_utf8(&bytes) {
            Ok(source) if !source.contains('\0') => {
                let folder = path.parent().unwrap_or(Path::new(""));
                let program = Self::assemble(source, folder, config).map_err(|e| e.of(path))?;
                // What a bundle could not hold is not run either.
                program.validate().map_err(|e| Error::from(e).of(path))?;
                Ok(program)
            }
            _ => Err(Error::NotAProgram(path.to_owned())),
        }
    }

    /// Reads the bytes of a bundle.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn from_bundle(bytes: &[u8]) -> Result<Self, Error> {
        Ok(raw::Program::from_bytes(bytes)?.into())
    }

    /// Assembles a text; files that it names are looked for in `folder`, and
    /// `config` wins over what the text says.
    ///
    /// # Errors
    /// Each line that is wrong, and what is wrong there.
    pub fn assemble(text: &str, folder: &Path, config: Option<&HwConfig>) -> Result<Self, Error> {
        let _span = tracing::info_span!("assemble", bytes = text.len()).entered();
        let read = |name: &str| {
            use std::io::Read;
            let mut bytes = Vec::new();
            let file = vta_tensor::files::open(&folder.join(name))?;
            file.take(MAX_DATA_BYTES + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let options = AsmOptions {
            config: config.cloned(),
            read: Some(&read),
        };
        Ok(asm::assemble(text, &options)?.into())
    }

    /// The assembly text of the program: its launches. What a network has
    /// besides is a comment.
    ///
    /// # Errors
    /// What cannot be said in assembly text.
    pub fn disassemble(&self) -> Result<String, Error> {
        let mut raw = self.raw.clone();
        raw.steps.retain(|s| matches!(s, Step::Launch(_)));
        raw.inputs.clear();
        raw.outputs.clear();
        raw.layers.clear();
        Ok(network_comment(&self.raw) + &asm::disassemble(&raw)?)
    }

    /// The program itself, taken out.
    pub fn into_raw(self) -> raw::Program {
        self.raw
    }

    /// The same, and long work on it is followed by `monitor`.
    pub fn monitored(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.watch = Watch::new(monitor);
        self
    }

    /// Inputs of the network, in order; none in other programs.
    pub fn input_shapes(&self) -> Vec<InputShape> {
        InputShape::of_program(&self.raw)
    }

    /// Writes a bundle, whole or not at all.
    ///
    /// # Errors
    /// A program that contradicts itself, a file that cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        self.raw.save(path).map_err(|e| Error::from(e).of(path))
    }

    /// Proves that every access is ordered by tokens, that only what was
    /// written is read, and that pruned weights are left alone.
    ///
    /// # Errors
    /// [`Error::NotProven`] with all findings; [`Error::Cancelled`].
    pub fn verify(&self) -> Result<Report, Error> {
        let _span = tracing::info_span!("verify").entered();
        let _phase = self.watch.phase(Phase::Verify, None);
        let proof = verify::check_until(&self.raw, &|| self.watch.is_cancelled());
        self.watch.go_on()?;
        proof.map_err(Error::NotProven)
    }

    /// Runs the program to its end: for a network, on one sample, a tensor for
    /// each input; other programs take none. Cycles and bytes are the
    /// hardware's.
    ///
    /// # Errors
    /// Tensors that the inputs do not take, a launch that cannot start, hangs
    /// or asserts; [`Error::Cancelled`].
    pub fn run(&self, inputs: &[Tensor]) -> Result<Run, Error> {
        self.run_with(inputs, &RunOptions::default())
    }

    /// The same, with options.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn run_with(&self, inputs: &[Tensor], options: &RunOptions) -> Result<Run, Error> {
        Runner::new(self, options.clone()).run_once(inputs)
    }

    /// Cycles of all launches. No data are moved: cycles do not depend on them.
    ///
    /// # Errors
    /// A launch that cannot start, hangs or asserts.
    pub fn cycles(&self) -> Result<u64, Error> {
        Ok(self.time()?.cycles())
    }

    /// Cycles, floors and traffic of each layer of a network, in order. No
    /// data are moved.
    ///
    /// # Errors
    /// As [`Program::cycles`].
    pub fn layer_uses(&self) -> Result<Vec<LayerUse>, Error> {
        Ok(self.time()?.layers().to_vec())
    }

    /// Runs all launches without data.
    fn time(&self) -> Result<Run, Error> {
        let options = RunOptions {
            timing_only: true,
            ..RunOptions::default()
        };
        Runner::new(self, options).run_once(&[])
    }

    /// Where the cycles of all launches went: for each unit and layer, how
    /// many to what. No data are moved.
    ///
    /// # Errors
    /// A launch that cannot start. One that hangs or asserts is in the profile.
    pub fn profile(&self) -> Result<Profile<'_>, Error> {
        Profile::new(self, crate::run::MAX_CYCLES)
    }

    /// Runs all launches with a sink of one's own, which receives what happens
    /// and may stop the run; up to the first launch that does not end well. No
    /// data are moved.
    ///
    /// # Errors
    /// A launch that cannot start, an error of the sink.
    pub fn observe<S: Sink>(
        &self,
        sink: &mut S,
        max_cycles: u64,
    ) -> Result<Vec<Outcome>, tsim::RunError<S::Error>> {
        let options = tsim::Options {
            max_cycles,
            data: false,
            ..tsim::Options::default()
        };
        let mut outcomes = Vec::new();
        let _ = each_launch(&self.raw, |launch, dram| {
            let (addr, count) = (launch.insn_addr, launch.insn_count);
            let outcome = tsim::run(&self.config, dram, addr, count, options, sink)?;
            let ok = outcome.status == tsim::Status::Ok;
            outcomes.push(outcome);
            Ok::<_, tsim::RunError<S::Error>>(match ok {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        })?;
        Ok(outcomes)
    }

    /// Writes raw DRAM images of all launches into a new folder, whole or not
    /// at all, and returns the names of their folders. Those after the first
    /// come from `simulator`.
    ///
    /// # Errors
    /// A launch that cannot start, hangs or asserts, a folder that cannot be written.
    pub fn export_image(
        &self,
        out: impl AsRef<Path>,
        simulator: Simulator,
        max_cycles: u64,
    ) -> Result<Vec<String>, Error> {
        let mut dram = Dram::new(self.dram_image());
        let mut sim = crate::simulate::Sim::new(simulator, &self.config);
        let is_launch = |s: &Step| matches!(s, Step::Launch(_));
        let mut next = 0;
        let names = export_images(&self.raw, out.as_ref(), |k, _| {
            // All steps up to this launch: the launch before it, then what the host does.
            let skip = usize::from(k > 0);
            let more = self.steps[next + skip..].iter().position(is_launch);
            let steps = next..next + skip + more.unwrap_or(0);
            next = steps.end;
            let done = execution::watched(
                &mut sim,
                &self.raw,
                &mut dram,
                max_cycles,
                steps,
                None,
                &self.watch,
            )?;
            done.ended_well()?;
            Ok(dram.bytes().to_vec())
        })?;
        Ok(names)
    }
}

/// What a network's program has and the text has not; empty for other programs.
fn network_comment(program: &raw::Program) -> String {
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
        text += &format!("#   {what} {}\n", printable(name));
    }
    text + "\n"
}
