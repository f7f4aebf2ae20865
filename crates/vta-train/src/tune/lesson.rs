//! What a task's outputs teach.

use super::teach::soft_outputs;
use crate::train::backend::Kernels;
use crate::train::{Classify, Detect, Pass, TrainError};
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use vta_data::Boxes;

/// What of a task is learned from a teacher, with labels `L`.
pub trait Lesson<L> {
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

    /// How much each place of a map of features counts, `[n, h, w]` row by row;
    /// `None` if all count the same.
    fn places(&self, _labels: &[L], _map: [usize; 2]) -> Option<Vec<f32>> {
        None
    }
}

impl Lesson<u16> for Classify {
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

impl Lesson<Boxes> for Detect {
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
        self.apart(student, teacher, labels.len())
    }

    fn places(&self, labels: &[Boxes], map: [usize; 2]) -> Option<Vec<f32>> {
        Some(self.foreground(labels, map))
    }
}
