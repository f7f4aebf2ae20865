//! A table of cycles held against simulations of what is chosen by it.

use crate::cost::CostTable;
use crate::{Allocation, Limit, PruneLayer};
use std::collections::BTreeMap;
use vta_net::sparse::Masks;

/// Cycles of a network as simulated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simulated {
    /// Of its layers, by weight.
    pub layers: BTreeMap<String, u64>,
    /// Of all of it.
    pub total: u64,
}

/// What is chosen by a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// How many groups each layer keeps.
    pub allocation: Allocation,
    /// Which blocks.
    pub masks: Masks,
}

/// A choice, the table that it was made by, and what it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The round, counted from 0.
    pub round: usize,
    /// What was chosen.
    pub choice: Choice,
    /// The table.
    pub table: CostTable,
    /// What the simulator counts.
    pub simulated: Simulated,
}

/// Cycles of the network in one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// By the table.
    pub predicted: f64,
    /// By the simulator.
    pub simulated: u64,
}

/// What [`correct`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// The attempt that serves the limit best.
    pub best: Attempt,
    /// The table after the last correction.
    pub table: CostTable,
    /// All rounds.
    pub rounds: Vec<Round>,
}

/// Chooses by a table, simulates the network with what was chosen, corrects the
/// table by what each layer took, and chooses again: until the limit is met and
/// little of it is left, until a choice comes again, or for `most` rounds (one
/// at least). The best attempt is kept, of equals the first.
///
/// # Errors
/// What `choose` and `simulate` say.
pub fn correct<E>(
    table: CostTable,
    layers: &[PruneLayer],
    (limit, most): (Limit, usize),
    mut choose: impl FnMut(&CostTable) -> Result<Choice, E>,
    mut simulate: impl FnMut(&Masks) -> Result<Simulated, E>,
) -> Result<Correction, E> {
    let mut attempt = |round, choice: Choice, table| -> Result<Attempt, E> {
        let simulated = simulate(&choice.masks)?;
        Ok(Attempt {
            round,
            choice,
            table,
            simulated,
        })
    };
    let mut last = attempt(0, choose(&table)?, table)?;
    let mut best = last.clone();
    let mut seen = vec![last.choice.allocation.kept.clone()];
    let mut rounds = vec![last.cycles(layers)];
    let mut table = last.corrected(layers);
    while !limit.used_up_by(last.simulated.total) && rounds.len() < most {
        let choice = choose(&table)?;
        if seen.contains(&choice.allocation.kept) {
            break;
        }
        seen.push(choice.allocation.kept.clone());
        last = attempt(rounds.len(), choice, table)?;
        rounds.push(last.cycles(layers));
        table = last.corrected(layers);
        if limit.prefers(last.simulated.total, best.simulated.total) {
            best = last.clone();
        }
    }
    Ok(Correction {
        best,
        table,
        rounds,
    })
}

impl Attempt {
    /// Kept blocks, by weight.
    pub fn kept(&self, layers: &[PruneLayer]) -> BTreeMap<String, u64> {
        self.choice.allocation.blocks(layers)
    }

    fn cycles(&self, layers: &[PruneLayer]) -> Round {
        Round {
            predicted: self.table.total(&self.kept(layers)),
            simulated: self.simulated.total,
        }
    }

    fn corrected(&self, layers: &[PruneLayer]) -> CostTable {
        let (kept, seen) = (self.kept(layers), &self.simulated);
        self.table.corrected(&kept, &seen.layers, seen.total)
    }
}
