//! Why a run cannot go on: who waits for what, and who should have given it.

use super::event::{Module, UnitState};
use petgraph::{algo::tarjan_scc, graph::DiGraph};
use vta_program::isa::{Insn, Unit};

/// One module that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Who.
    pub module: Module,
    /// With which instruction, by its position in the program.
    pub insn: Option<u32>,
    /// Since which cycle.
    pub since: u64,
    /// For what.
    pub wait_for: WaitFor,
    /// Part of a circle of modules that wait for each other.
    pub in_circle: bool,
}

/// What a module waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// A token.
    Token {
        /// Who gives it.
        from: Unit,
        /// Which instruction would give it.
        pusher: Pusher,
    },
    /// Room in an instruction queue.
    Queue(Unit),
    /// Data from memory.
    Memory,
    /// Itself: it works, but not to an end.
    Work,
    /// Instructions: all that were dispatched have ended.
    Insn,
    /// A queue for an instruction that the hardware does not decode.
    Unknown,
}

/// Who would give a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pusher {
    /// This instruction, which has not ended.
    Insn(u32),
    /// Nobody: the program has `pushes` of them, all taken or dropped.
    /// `candidate` is the last instruction of the giver, before the one that
    /// waits, that has no push.
    Missing {
        /// Pushes in the program.
        pushes: u32,
        /// How many of them found the counter at 255.
        dropped: u32,
        /// Where one may have been forgotten.
        candidate: Option<u32>,
    },
}

fn pops(i: &Insn, from: Unit) -> bool {
    let d = i.deps();
    match (i.unit(), from) {
        (Unit::Load, Unit::Compute) | (Unit::Compute, Unit::Store) => d.pop_next,
        (Unit::Store, Unit::Compute) | (Unit::Compute, Unit::Load) => d.pop_prev,
        _ => false,
    }
}

fn pushes(i: &Insn, to: Unit) -> bool {
    let d = i.deps();
    match (i.unit(), to) {
        (Unit::Load, Unit::Compute) | (Unit::Compute, Unit::Store) => d.push_next,
        (Unit::Store, Unit::Compute) | (Unit::Compute, Unit::Load) => d.push_prev,
        _ => false,
    }
}

/// Finds the instruction whose token the unit of instruction `waiting` needs.
/// `program` holds every instruction that decodes, in order.
/// `dropped` pushes were lost.
pub(super) fn pusher(
    program: &[(u32, Insn)],
    waiting: u32,
    to: Unit,
    from: Unit,
    dropped: u32,
) -> Pusher {
    let taken = program
        .iter()
        .filter(|(n, i)| *n < waiting && i.unit() == to && pops(i, from))
        .count();
    let mut givers = program.iter().filter(|(_, i)| i.unit() == from);
    let mut giving = givers.clone().filter(|(_, i)| pushes(i, to));
    let all = giving.clone().count() as u32;
    match giving.nth(taken + dropped as usize) {
        Some((n, _)) => Pusher::Insn(*n),
        None => Pusher::Missing {
            pushes: all,
            dropped,
            candidate: givers
                .rfind(|(n, i)| *n < waiting && !pushes(i, to))
                .map(|(n, _)| *n),
        },
    }
}

/// Marks the modules that wait for each other in a circle.
pub(super) fn mark_circles(waits: &mut [Wait]) {
    let mut graph = DiGraph::<usize, ()>::new();
    let nodes: Vec<_> = (0..waits.len()).map(|i| graph.add_node(i)).collect();
    for (i, w) in waits.iter().enumerate() {
        let on = match w.wait_for {
            WaitFor::Token {
                from,
                pusher: Pusher::Insn(_),
            } => from,
            WaitFor::Queue(unit) => unit,
            WaitFor::Insn => {
                // Only fetch brings instructions.
                if let Some(j) = waits.iter().position(|v| v.module == Module::Fetch) {
                    graph.add_edge(nodes[i], nodes[j], ());
                }
                continue;
            }
            _ => continue,
        };
        if let Some(j) = waits.iter().position(|v| v.module == Module::Unit(on)) {
            graph.add_edge(nodes[i], nodes[j], ());
        }
    }
    for circle in tarjan_scc(&graph) {
        if circle.len() > 1 {
            for n in circle {
                waits[graph[n]].in_circle = true;
            }
        }
    }
}

/// What a state waits for, without the token's giver.
pub(super) fn wait_for(state: UnitState) -> Option<WaitFor> {
    Some(match state {
        UnitState::Insn => WaitFor::Insn,
        UnitState::Token(from) => WaitFor::Token {
            from,
            pusher: Pusher::Missing {
                pushes: 0,
                dropped: 0,
                candidate: None,
            },
        },
        UnitState::Work => WaitFor::Work,
        UnitState::Arbitration | UnitState::Latency | UnitState::Beats => WaitFor::Memory,
        UnitState::Queue(u) => WaitFor::Queue(u),
        UnitState::Done => return None,
    })
}

impl std::fmt::Display for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fetch => f.write_str("fetch"),
            Self::Unit(u) => u.fmt(f),
        }
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.module)?;
        if let Some(n) = self.insn {
            write!(f, " (instruction {n})")?;
        }
        write!(f, " waits since cycle {} for ", self.since)?;
        match self.wait_for {
            WaitFor::Token {
                from,
                pusher: Pusher::Insn(n),
            } => {
                write!(f, "a token of {from}, which instruction {n} would give")?;
            }
            WaitFor::Token {
                from,
                pusher:
                    Pusher::Missing {
                        pushes,
                        dropped,
                        candidate,
                    },
            } => {
                write!(f, "a token of {from}, but ")?;
                match (pushes, dropped) {
                    (0, _) => write!(f, "no instruction of {from} gives one")?,
                    (n, 0) => write!(f, "all {n} that the program gives are taken")?,
                    (n, d) => write!(f, "of {n} that the program gives {d} were dropped at 255")?,
                }
                if let (Some(n), 0) = (candidate, dropped) {
                    write!(f, "; instruction {n} of {from} has no push")?;
                }
            }
            WaitFor::Queue(u) => write!(f, "room in the queue of {u}")?,
            WaitFor::Memory => f.write_str("data from memory that have not come")?,
            WaitFor::Work => f.write_str("its own end")?,
            WaitFor::Insn => f.write_str("instructions; none of those that came was FINISH")?,
            WaitFor::Unknown => f.write_str("a unit that decodes it")?,
        }
        if self.in_circle {
            f.write_str(" (part of a circle)")?;
        }
        Ok(())
    }
}
