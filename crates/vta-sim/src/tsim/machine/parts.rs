//! The parts of the machine, and sets of them.

use crate::tsim::vme::Client;
use vta_program::isa::Unit;

/// The parts that tick on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Part {
    Fetch,
    Load,
    Compute,
    Store,
    Vme,
    Port,
}

pub(super) const PARTS: usize = 6;

impl Part {
    pub(super) const ALL: [Self; PARTS] = [
        Self::Fetch,
        Self::Load,
        Self::Compute,
        Self::Store,
        Self::Vme,
        Self::Port,
    ];

    pub(super) const fn of_unit(u: Unit) -> Self {
        match u {
            Unit::Load => Self::Load,
            Unit::Compute => Self::Compute,
            Unit::Store => Self::Store,
        }
    }

    pub(super) const fn of_client(c: Client) -> Self {
        match c.unit() {
            None => Self::Fetch,
            Some(u) => Self::of_unit(u),
        }
    }
}

/// A set of parts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts(u8);

impl Parts {
    pub(super) const fn add(&mut self, p: Part) {
        self.0 |= 1 << p as usize;
    }

    pub(super) const fn has(self, p: Part) -> bool {
        self.0 >> p as usize & 1 != 0
    }
}
