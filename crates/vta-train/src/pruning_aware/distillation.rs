//! Distances between a student and its teacher.
//!
//! Block pruning keeps every shape, so maps are compared as they are.
//! Teachers are on the backend without gradients.

use burn_tensor::backend::{AutodiffBackend, Backend};
use burn_tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// Keeps roots away from zero.
const SMALL: f64 = 1e-12;

/// How much each part of the distillation loss counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistillationWeights {
    /// Temperature `T` of outputs.
    pub temperature: f64,
    /// Weight of the dense network's outputs.
    pub spatial_outputs: f64,
    /// Weight of the dense network's attention maps.
    pub spatial_maps: f64,
    /// Weight of the temporal teacher's outputs.
    pub temporal_outputs: f64,
    /// Weight of the temporal teacher's maps of features.
    pub temporal_maps: f64,
    /// Teachers are asked in one of so many steps, and count as much more there.
    pub every: u64,
}

impl Default for DistillationWeights {
    fn default() -> Self {
        Self {
            temperature: 4.0,
            spatial_outputs: 0.1,
            spatial_maps: 1.0,
            temporal_outputs: 0.1,
            temporal_maps: 0.1,
            every: 4,
        }
    }
}

/// Epochs from which on a classifier is taught in every step.
const LONG: f64 = 10.0;

impl DistillationWeights {
    /// What is usual for classifiers in a run of so many epochs.
    ///
    /// Short runs have no time for teachers. In long ones the student has seen
    /// its images often enough to learn them by heart, and the dense network's
    /// outputs in every step keep it from that
    /// (`docs/decisions/0071-long-runs-are-taught-in-every-step.md`).
    pub fn of_classes(epochs: f64) -> Self {
        let short = Self::default();
        match epochs < LONG {
            true => short,
            false => Self {
                temperature: 2.0,
                spatial_outputs: 2.0,
                every: 1,
                ..short
            },
        }
    }
}

/// `T^2 KL(teacher || student)` of softened outputs `[n, classes]`: a mean over the rows.
///
/// The teacher's entropy, which has no gradient, is taken off, so equal rows give 0.
pub fn soft_outputs<A: AutodiffBackend>(
    student: Tensor<A, 2>,
    teacher: Tensor<A::InnerBackend, 2>,
    temperature: f64,
) -> Tensor<A, 1> {
    let n = student.dims()[0].max(1) as f64;
    let teacher = teacher.div_scalar(temperature);
    let target = activation::softmax(teacher.clone(), 1);
    let entropy = (target.clone() * activation::log_softmax(teacher, 1)).sum();
    let logs = activation::log_softmax(student.div_scalar(temperature), 1);
    let cross = (logs * Tensor::from_inner(target)).sum();
    (Tensor::from_inner(entropy) - cross).mul_scalar(temperature * temperature / n)
}

/// `Q(F)`: the mean of squares over the channels of `[n, c, h, w]` as a row
/// `[n, h w]` of length 1 (attention transfer).
pub fn attention<K: Backend>(map: Tensor<K, 4>) -> Tensor<K, 2> {
    let [n, _, h, w] = map.dims();
    unit_rows(map.clone().mul(map).mean_dim(1).reshape([n, h * w]))
}

/// `N(F)`: a map `[n, c, h, w]` as a row of length 1 for each sample.
pub fn unit<K: Backend>(map: Tensor<K, 4>) -> Tensor<K, 2> {
    let [n, c, h, w] = map.dims();
    unit_rows(map.reshape([n, c * h * w]))
}

fn unit_rows<K: Backend>(rows: Tensor<K, 2>) -> Tensor<K, 2> {
    let squares = rows.clone().mul(rows.clone()).sum_dim(1);
    rows / squares.add_scalar(SMALL).sqrt()
}

/// Squared distance of rows, a mean over the rows; `weights` has as many
/// elements as a row, for each row.
pub fn distance<A: AutodiffBackend>(
    student: Tensor<A, 2>,
    teacher: Tensor<A::InnerBackend, 2>,
    weights: Option<Tensor<A::InnerBackend, 2>>,
) -> Tensor<A, 1> {
    let n = student.dims()[0].max(1) as f64;
    let apart = student - Tensor::from_inner(teacher);
    let mut squares = apart.clone() * apart;
    if let Some(w) = weights {
        squares = squares * Tensor::from_inner(w);
    }
    squares.sum().div_scalar(n)
}
