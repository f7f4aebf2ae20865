//! Running a step of the host.

use super::{HostStep, RegionError};
use crate::mem::Dram;
use vta_tensor::host::{HostError, Tensor};

/// A host step that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostStepError {
    /// An operand or the result.
    #[error("host step {step}: {source}")]
    Region {
        /// Name of the step.
        step: String,
        /// What is wrong with the region.
        source: RegionError,
    },
    /// The operator.
    #[error("host step {step}: {source}")]
    Op {
        /// Name of the step.
        step: String,
        /// What the operator cannot do.
        source: HostError,
    },
}

impl HostStep {
    fn region(&self, source: RegionError) -> HostStepError {
        HostStepError::Region {
            step: self.name.clone(),
            source,
        }
    }

    /// Checks that the step can be run: regions are inside DRAM, and types and
    /// dimensions are those that the operator takes and gives.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, dram_bytes: u64, block: u32) -> Result<(), HostStepError> {
        let regions = self.inputs.iter().chain([&self.output]);
        for r in regions {
            r.check(dram_bytes, block).map_err(|e| self.region(e))?;
        }
        let op = |source| HostStepError::Op {
            step: self.name.clone(),
            source,
        };
        let types: Vec<_> = self.inputs.iter().map(|r| r.dtype).collect();
        let dims: Vec<&[usize]> = self.inputs.iter().map(|r| r.dims.as_slice()).collect();
        let (found_type, found) = (
            self.op.dtype(&types).map_err(op)?,
            self.op.dims(&dims).map_err(op)?,
        );
        if found_type != self.output.dtype || found != self.output.dims {
            return Err(self.region(RegionError::Differs {
                tensor: self.output.tensor.clone(),
                dtype: self.output.dtype,
                dims: self.output.dims.clone(),
                found_type,
                found,
            }));
        }
        Ok(())
    }

    /// Runs the step: reads its operands from DRAM, writes its result there.
    ///
    /// # Errors
    /// The step cannot be run; DRAM is then as before.
    pub fn run(&self, dram: &mut Dram, block: u32) -> Result<(), HostStepError> {
        let inputs = self.inputs.iter().map(|r| r.read(dram.bytes(), block));
        let inputs: Vec<Tensor> = inputs
            .collect::<Result<_, _>>()
            .map_err(|e| self.region(e))?;
        let result = self.op.run(&inputs.iter().collect::<Vec<_>>());
        let result = result.map_err(|source| HostStepError::Op {
            step: self.name.clone(),
            source,
        })?;
        let written = self.output.write(dram.bytes_mut(), block, &result);
        written.map_err(|e| self.region(e))
    }
}
