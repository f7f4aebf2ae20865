//! Pruning-aware training, while blocks go: the method of [`vta_prune`] as
//! [`Hooks`](crate::Hooks) of a [`Trainer`](crate::Trainer), and its teachers.
//!
//! | file | subject |
//! | --- | --- |
//! | `run` | hooks of a trainer: masks, penalty, teachers, rounding |
//! | `distillation` | distances to a teacher, of outputs and of maps of features, and their weights |
//! | `distillation_loss` | which of them a task takes |
//! | `features` | which tensors are compared |
//! | `exponents` | exponents of the quantiser, as the trainer takes them |
//! | `checkpoint_state` | what a checkpoint holds of it |

mod checkpoint_state;
mod distillation;
mod distillation_loss;
mod exponents;
mod features;
mod run;

pub use distillation::{DistillationWeights, attention, distance, soft_outputs, unit};
pub use distillation_loss::DistillationLoss;
pub use exponents::for_training;
pub use features::features;
pub use run::{Calibrate, Count, PruneRun};
