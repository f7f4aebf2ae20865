//! Training while blocks go: the method of [`prune`](vta_prune::prune) as hooks of
//! [`train`](crate::train), and its teachers.
//!
//! | file | subject |
//! | --- | --- |
//! | `run` | hooks of a trainer: masks, penalty, teachers, rounding |
//! | `teach` | what is learned from a teacher: outputs, maps of features |
//! | `lesson` | what a task's outputs teach |
//! | `features` | which tensors are compared |
//! | `exponents` | exponents of the quantiser, as the trainer takes them |
//! | `memory` | what a checkpoint holds of it |

mod exponents;
mod features;
mod lesson;
mod memory;
mod run;
mod teach;

pub use exponents::for_training;
pub use features::features;
pub use lesson::Lesson;
pub use run::{Calibrate, PruneRun};
pub use teach::{Teaching, attention, distance, soft_outputs, unit};
