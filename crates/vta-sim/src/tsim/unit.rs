//! What load, compute and store have in common: three states and four token wires.

/// `State::{Idle, Sync, Exe}` of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Waits for an instruction, or for the tokens of the one at the head.
    #[default]
    Idle,
    /// Ends an empty instruction.
    Sync,
    /// Executes.
    Exe,
}

/// What a unit does in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnitOut {
    /// The head leaves idle: its tokens are taken.
    pub start: bool,
    /// The head leaves the queue.
    pub done: bool,
    /// A token of the unit before is taken.
    pub wait_prev: bool,
    /// A token of the unit after is taken.
    pub wait_next: bool,
    /// A token is given to the unit before.
    pub post_prev: bool,
    /// A token is given to the unit after.
    pub post_next: bool,
}
