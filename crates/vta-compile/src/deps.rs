//! What must have ended before an operation starts.

use crate::fit::{self, DoesNotFit};

/// An operation, by its position in the instruction schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OpId(u32);

impl OpId {
    /// The operation at a position.
    pub(crate) fn new(position: usize) -> Result<Self, DoesNotFit> {
        fit::count("operations of a launch", position).map(Self)
    }

    /// Its position.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Operations of each unit (load, compute, store) that must have ended.
pub(crate) type Deps = [Option<OpId>; 3];

/// The later one of each unit.
pub(crate) fn join(a: &mut Deps, b: &Deps) {
    for (x, y) in a.iter_mut().zip(b) {
        *x = (*x).max(*y);
    }
}
