//! A training run: step by step, with hooks, checkpoints and a log.

mod checkpoint;
mod hooks;
mod log;
mod trainer;

pub use checkpoint::MAX_CHECKPOINT_BYTES;
pub use hooks::{Context, HookState, Hooks, Moment};
pub use log::{Log, Row};
pub use trainer::{Outcome, Settings, Step, Trainer, Watch};
