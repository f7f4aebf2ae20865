//! The instruction schedule: operations in the order of the program, with the
//! tokens between them and an estimate of their time.

use crate::deps::{Deps, OpId};
use crate::estimate::{Clock, Estimate};
use crate::fit::DoesNotFit;
use crate::op::OpKind;
use crate::stores::Stores;
use crate::tokens::{self, Through, Tokens};
use vta_program::config::HwConfig;
use vta_program::isa::{Deps as Flags, Unit};

/// An operation in the schedule.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    /// What it does.
    pub kind: OpKind,
    /// The layer that it belongs to.
    pub layer: usize,
    /// Estimated end.
    end: u64,
}

/// Operations, the tokens between them, and when they end.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    ops: Vec<Op>,
    tokens: Tokens,
    estimate: Estimate,
    /// What was stored where.
    pub stores: Stores,
}

/// A point to go back to.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    ops: usize,
    tokens: tokens::Mark,
    clock: Clock,
    stores: usize,
}

impl Schedule {
    /// An empty schedule.
    pub(crate) fn new(c: &HwConfig) -> Self {
        Self {
            ops: Vec::new(),
            tokens: Tokens::default(),
            estimate: Estimate::new(c),
            stores: Stores::default(),
        }
    }

    /// The operations.
    pub(crate) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The flags of each operation.
    pub(crate) fn flags(&self) -> Vec<Flags> {
        self.tokens.flags()
    }

    /// Estimated cycle in which a unit is free.
    pub(crate) fn free(&self, unit: Unit) -> u64 {
        self.estimate.free(unit)
    }

    /// Cycles of all steps of GEMM and ALU so far, without what an instruction takes beside them.
    pub(crate) fn steps_cycles(&self) -> u64 {
        self.estimate.steps_cycles()
    }

    /// The point that was reached.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            ops: self.ops.len(),
            tokens: self.tokens.mark(),
            clock: self.estimate.mark(),
            stores: self.stores.mark(),
        }
    }

    /// Goes back to a point.
    pub(crate) fn rollback(&mut self, m: &Mark) {
        self.ops.truncate(m.ops);
        self.tokens.rollback(&m.tokens);
        self.estimate.rollback(&m.clock);
        self.stores.rollback(m.stores);
    }

    /// Adds an operation that starts after the operations `deps` have ended.
    ///
    /// # Errors
    /// A number that does not fit its field of the instruction.
    pub(crate) fn push(
        &mut self,
        kind: OpKind,
        layer: usize,
        deps: &Deps,
    ) -> Result<OpId, DoesNotFit> {
        // Where its micro-ops lie is known when all are.
        kind.insn(0, Flags::default())?;
        let mut deps = *deps;
        let through = match self.tokens.through(kind.unit(), &mut deps) {
            Some(Through::Sync(deps)) => Some(self.add(OpKind::Sync, layer, &deps)?),
            Some(Through::Op(op)) => Some(op),
            None => None,
        };
        let compute = &mut deps[Unit::Compute as usize];
        *compute = (*compute).max(through);
        self.add(kind, layer, &deps)
    }

    /// Puts FINISH behind everything.
    ///
    /// # Errors
    /// More operations than can be counted.
    pub(crate) fn finish(&mut self, layer: usize) -> Result<(), DoesNotFit> {
        let mut deps = Deps::default();
        for unit in [Unit::Load, Unit::Store] {
            deps[unit as usize] = self.tokens.last_of(unit);
        }
        self.add(OpKind::Finish, layer, &deps).map(|_| ())
    }

    /// Adds an operation whose dependencies are of neighbours.
    fn add(&mut self, kind: OpKind, layer: usize, deps: &Deps) -> Result<OpId, DoesNotFit> {
        let (op, waits) = self.tokens.push(kind.unit(), deps)?;
        let ends = waits.iter().flatten().map(|d| self.ops[d.index()].end + 1);
        let end = self.estimate.push(&kind, ends.max().unwrap_or(0));
        self.ops.push(Op { kind, layer, end });
        Ok(op)
    }
}
