//! Running programs on samples.

use crate::execution::{Execution, watched};
use crate::layers::{LayerUse, layer_uses, symbol_steps};
use crate::monitor::Phase;
use crate::simulate::{Sim, Simulator, Stats};
use crate::{Error, Program};
use rayon::prelude::*;
use vta_program::mem::Dram;
use vta_program::program::Region;
use vta_tensor::host::{DType, HostOp, Tensor};

/// Cycles after which a launch counts as hanging, where nobody says another number.
pub const MAX_CYCLES: u64 = 1_000_000_000;

/// How a program is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// The simulator.
    pub simulator: Simulator,
    /// Cycles after which a launch counts as hanging.
    pub max_cycles: u64,
    /// Count cycles and move no data: the same cycles, sooner. Host steps are
    /// left out, and there are no outputs.
    pub timing_only: bool,
    /// Keep what DRAM holds at the end.
    pub keep_dram: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            simulator: Simulator::Tsim,
            max_cycles: MAX_CYCLES,
            timing_only: false,
            keep_dram: false,
        }
    }
}

/// Runs one program on many samples, each from a fresh DRAM.
#[derive(Debug)]
pub struct Runner<'a> {
    program: &'a Program,
    image: Vec<u8>,
    /// GEMM steps of each launch's symbols; none where no cycles are counted.
    steps: Vec<Vec<u64>>,
    options: RunOptions,
}

/// What a program did with one sample.
#[derive(Debug)]
pub struct Run {
    execution: Execution,
    outputs: Vec<Tensor>,
    exponents: Vec<Option<i32>>,
    layers: Vec<LayerUse>,
    dram: Option<Vec<u8>>,
}

impl<'a> Runner<'a> {
    /// Takes a program.
    pub fn new(program: &'a Program, options: RunOptions) -> Self {
        let image = program.dram_image();
        Self {
            steps: match options.simulator {
                Simulator::Fsim => Vec::new(),
                Simulator::Tsim => symbol_steps(program, &image),
            },
            program,
            image,
            options,
        }
    }

    /// Runs one sample: a tensor for each input, `F32` or as the input is. Without
    /// data, no tensor is needed.
    ///
    /// # Errors
    /// Tensors that the inputs do not take, a launch that cannot start, hangs
    /// or asserts; [`Error::Cancelled`].
    pub fn run(&self, sample: &[Tensor]) -> Result<Run, Error> {
        self.run_on(self.image.clone(), sample)
    }

    /// The same for a single sample: DRAM is not copied for others.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub fn run_once(mut self, sample: &[Tensor]) -> Result<Run, Error> {
        let image = std::mem::take(&mut self.image);
        self.run_on(image, sample)
    }

    fn run_on(&self, mut image: Vec<u8>, sample: &[Tensor]) -> Result<Run, Error> {
        let (program, options) = (self.program, &self.options);
        let inputs = program.inputs.len();
        if sample.len() != inputs && !options.timing_only {
            return Err(Error::Inputs {
                given: sample.len(),
                inputs,
            });
        }
        let block = program.config.block;
        for (region, value) in program.inputs.iter().zip(sample) {
            region.write(&mut image, block, &as_input(region, value)?)?;
        }
        let mut dram = Dram::new(image);
        let mut sim = Sim::new(options.simulator, &program.config)
            .timing_only(options.timing_only)
            .with_symbols();
        let all = 0..program.steps.len();
        let watch = program.watch();
        let _phase = watch.phase(Phase::Simulate, None);
        let max_cycles = options.max_cycles;
        let execution = watched(&mut sim, program, &mut dram, max_cycles, all, None, watch)?;
        let execution = execution.ended_well()?;
        let outputs = match options.timing_only {
            true => Vec::new(),
            false => {
                let read = |r: &Region| r.read(dram.bytes(), block);
                program.outputs.iter().map(read).collect::<Result<_, _>>()?
            }
        };
        Ok(Run {
            layers: layer_uses(program, &self.steps, |l| execution.report(&l.name)),
            outputs,
            exponents: program.outputs.iter().map(|r| r.exponent).collect(),
            execution,
            dram: options.keep_dram.then(|| dram.into_bytes()),
        })
    }
}

/// Runs many samples on all cores and gives what `each` makes of each run, in
/// the order of the samples; and how many of them, the first ones, were
/// simulated with their time.
///
/// Time does not depend on data, and where tokens order everything neither do
/// bytes depend on time. So the first sample is enough to know the cycles, if
/// the program is proven and `time_all` is not set: the others go through the
/// functional simulator, which gives the same bytes sooner.
///
/// # Errors
/// The first one of a run or of `each`; [`Error::Cancelled`].
pub fn run_batch<T: Send, E: From<Error> + Send>(
    program: &Program,
    options: &RunOptions,
    time_all: bool,
    samples: &[Vec<Tensor>],
    each: impl Fn(&[Tensor], Run) -> Result<T, E> + Sync,
) -> Result<(usize, Vec<T>), E> {
    let several = samples.len() > 1 && options.simulator == Simulator::Tsim && !time_all;
    let timed = match several && program.verify().is_ok() {
        true => 1,
        false => samples.len(),
    };
    let bytes_only = RunOptions {
        simulator: Simulator::Fsim,
        ..options.clone()
    };
    let (timer, rest) = (
        Runner::new(program, options.clone()),
        Runner::new(program, bytes_only),
    );
    let watch = program.watch();
    let progress = watch.phase(Phase::Device, Some(samples.len() as u64));
    let one = |(n, sample): (usize, &Vec<Tensor>)| -> Result<T, E> {
        watch.go_on()?;
        let runner = if n < timed { &timer } else { &rest };
        let made = each(sample, runner.run(sample)?);
        progress.step();
        made
    };
    let all: Result<Vec<T>, E> = samples.par_iter().enumerate().map(one).collect();
    Ok((timed, all?))
}

impl Run {
    /// Cycles of all launches, from launch to finish; 0 by the functional
    /// simulator, which counts none. The host's steps take none.
    pub fn cycles(&self) -> u64 {
        self.execution.cycles().unwrap_or(0)
    }

    /// Outputs of the network, in order, as the program has them.
    pub fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    /// Outputs of the network as the reals that they stand for.
    pub fn floats(&self) -> Vec<Vec<f32>> {
        let pairs = self.outputs.iter().zip(&self.exponents);
        pairs.map(|(t, e)| floats(t, *e)).collect()
    }

    /// What each layer took, in the order of the program's table of layers.
    pub fn layers(&self) -> &[LayerUse] {
        &self.layers
    }

    /// What was counted in all launches.
    pub fn stats(&self) -> Stats {
        self.execution.stats()
    }

    /// Launch by launch and host step by host step.
    pub const fn execution(&self) -> &Execution {
        &self.execution
    }

    /// DRAM after the run, where it was asked for.
    pub fn dram(&self) -> Option<&[u8]> {
        self.dram.as_deref()
    }
}

/// A value as a region takes it: quantised, if it holds integers.
fn as_input(region: &Region, value: &Tensor) -> Result<Tensor, Error> {
    match (region.dtype, value) {
        (DType::I8, Tensor::F32(_)) => {
            let op = HostOp::Quantize {
                exponent: region.exponent.unwrap_or(0),
            };
            Ok(op.run(&[value])?)
        }
        _ => Ok(value.clone()),
    }
}

/// The values of a tensor as floats: what int8 stands for.
pub fn floats(tensor: &Tensor, exponent: Option<i32>) -> Vec<f32> {
    match tensor {
        Tensor::F32(a) => a.iter().copied().collect(),
        Tensor::I8(a) => {
            let step = 2f32.powi(exponent.unwrap_or(0));
            a.iter().map(|q| f32::from(*q) * step).collect()
        }
    }
}
