//! Running the program of a network on samples.

use super::CliError;
use super::execute::{Execution, execute};
use super::layers::{LayerUse, layer_uses};
use super::samples::InputShape;
use super::sim::{Sim, Which};
use vta::golden::Status;
use vta::host::{DType, HostOp, Tensor};
use vta::mem::Dram;
use vta::program::{Program, Region};

/// Runs one program on many samples, each from a fresh DRAM.
pub struct Runner<'a> {
    program: &'a Program,
    image: Vec<u8>,
    which: Which,
    max_cycles: u64,
}

/// What a program did with one sample.
pub struct NetRun {
    /// What the simulator and the host did.
    pub execution: Execution,
    /// The network's outputs, in order.
    pub outputs: Vec<Tensor>,
    /// DRAM after the run, where it was asked for.
    pub dram: Option<Vec<u8>>,
}

impl<'a> Runner<'a> {
    /// Takes a program of a network.
    ///
    /// # Errors
    /// A program that says nothing of its inputs and outputs.
    pub fn new(program: &'a Program, which: Which, max_cycles: u64) -> Result<Self, CliError> {
        if program.inputs.is_empty() || program.outputs.is_empty() {
            let message = "the program has no inputs and outputs of a network";
            return Err(CliError::new("program", message)
                .help("`vta compile` makes programs of networks; `vta run` runs any program"));
        }
        Ok(Self {
            program,
            image: program.dram_image(),
            which,
            max_cycles,
        })
    }

    /// Runs one sample; `keep` keeps what DRAM holds at the end.
    ///
    /// # Errors
    /// The program cannot be run, hangs or asserts.
    pub fn run(&self, sample: &[Tensor], keep: bool) -> Result<NetRun, CliError> {
        let block = self.program.config.block;
        let mut image = self.image.clone();
        for (region, value) in self.program.inputs.iter().zip(sample) {
            let value = as_input(region, value)?;
            let written = region.write(&mut image, block, &value);
            written.map_err(|e| CliError::new("program", e))?;
        }
        let mut dram = Dram::new(image);
        let mut sim = Sim::new(self.which, &self.program.config).with_symbols();
        let all = 0..self.program.steps.len();
        let execution = execute(
            &mut sim,
            self.program,
            &mut dram,
            self.max_cycles,
            all,
            None,
        )?;
        if execution.status() != Status::Ok {
            return Err(failed(&execution));
        }
        let read = |r: &Region| r.read(dram.bytes(), block);
        let outputs: Result<Vec<Tensor>, _> = self.program.outputs.iter().map(read).collect();
        Ok(NetRun {
            outputs: outputs.map_err(|e| CliError::new("program", e))?,
            execution,
            dram: keep.then(|| dram.into_bytes()),
        })
    }

    /// What each layer took in a run.
    pub fn layers(&self, run: &NetRun) -> Vec<LayerUse> {
        let launches = &run.execution.launches;
        layer_uses(self.program, &self.image, |l| {
            let mut named = launches.iter().filter(|r| r.name == l.name);
            named.next().map(|r| &r.report)
        })
    }
}

/// The inputs of a network's program.
pub fn input_shapes(program: &Program) -> Vec<InputShape> {
    let one = |r: &Region| InputShape {
        name: r.tensor.clone(),
        dims: r.dims.clone(),
    };
    program.inputs.iter().map(one).collect()
}

/// A value as a region takes it: quantised, if it holds integers.
fn as_input(region: &Region, value: &Tensor) -> Result<Tensor, CliError> {
    match region.dtype {
        DType::F32 => Ok(value.clone()),
        DType::I8 => {
            let op = HostOp::Quantize {
                exponent: region.exponent.unwrap_or(0),
            };
            op.run(&[value]).map_err(|e| CliError::new("program", e))
        }
    }
}

/// A run that hangs or asserts.
fn failed(execution: &Execution) -> CliError {
    let mut message = format!("the program ends with {}", execution.status());
    if let Some(last) = execution.launches.last() {
        let r = &last.report;
        message += &format!(" in launch {}", last.name);
        let reason = r.reason.iter().chain(&r.where_).chain(&r.waits);
        for what in reason {
            message += &format!("; {what}");
        }
    }
    CliError {
        exit: super::EXIT_NOT_OK,
        ..CliError::new("simulator", message)
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
