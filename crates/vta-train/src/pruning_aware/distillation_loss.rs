//! The distillation loss of a task.

use super::distillation::soft_outputs;
use crate::backend::Kernels;
use crate::{Classify, Detect, Pass, TrainError};
use burn_tensor::Tensor;
use burn_tensor::backend::AutodiffBackend;
use vta_data::Boxes;

/// How far a student is from its teacher in what a task looks at, with labels `L`.
pub trait DistillationLoss<L> {
    /// How far the student's outputs are from the teacher's, one number: a mean over the batch.
    ///
    /// # Errors
    /// Outputs that do not suit the task.
    fn outputs<A, B>(
        &self,
        student: &Pass<A>,
        teacher: &Pass<B>,
        labels: &[L],
        temperature: f64,
    ) -> Result<Tensor<A, 1>, TrainError>
    where
        A: AutodiffBackend<InnerBackend = B> + Kernels,
        B: Kernels;

    /// How much each position of a map of features counts, `[n, h, w]` row by row;
    /// `None` if all count the same.
    fn position_weights(&self, _labels: &[L], _map: [usize; 2]) -> Option<Vec<f32>> {
        None
    }
}

impl DistillationLoss<u16> for Classify {
    fn outputs<A, B>(
        &self,
        student: &Pass<A>,
        teacher: &Pass<B>,
        _labels: &[u16],
        temperature: f64,
    ) -> Result<Tensor<A, 1>, TrainError>
    where
        A: AutodiffBackend<InnerBackend = B> + Kernels,
        B: Kernels,
    {
        let logits = (self.logits(student)?, self.logits(teacher)?);
        Ok(soft_outputs(logits.0, logits.1, temperature))
    }
}

impl DistillationLoss<Boxes> for Detect {
    /// Detectors give probabilities: the temperature does not count.
    fn outputs<A, B>(
        &self,
        student: &Pass<A>,
        teacher: &Pass<B>,
        labels: &[Boxes],
        _temperature: f64,
    ) -> Result<Tensor<A, 1>, TrainError>
    where
        A: AutodiffBackend<InnerBackend = B> + Kernels,
        B: Kernels,
    {
        self.distillation_loss(student, teacher, labels.len())
    }

    fn position_weights(&self, labels: &[Boxes], map: [usize; 2]) -> Option<Vec<f32>> {
        Some(self.foreground(labels, map))
    }
}
