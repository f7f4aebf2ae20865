//! Tokens: every pop has its push, nothing waits for itself, no semaphore
//! counts past 255, and what is known to be over when an instruction starts.

use super::error::VerifyError;
use super::launch::Context;
use super::names::{InsnAt, Tokens};
use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use vta_program::isa::{Deps, Insn, Unit};

/// What a semaphore counts to; a push at that is dropped.
const MOST: u64 = 255;

/// The four semaphores.
pub(super) const DIRECTIONS: [Tokens; 4] = [
    Tokens {
        from: Unit::Load,
        to: Unit::Compute,
    },
    Tokens {
        from: Unit::Compute,
        to: Unit::Load,
    },
    Tokens {
        from: Unit::Compute,
        to: Unit::Store,
    },
    Tokens {
        from: Unit::Store,
        to: Unit::Compute,
    },
];

fn pops(unit: Unit, deps: Deps, t: Tokens) -> bool {
    t.to == unit
        && match unit {
            Unit::Load => deps.pop_next,
            Unit::Store => deps.pop_prev,
            Unit::Compute if t.from == Unit::Load => deps.pop_prev,
            Unit::Compute => deps.pop_next,
        }
}

fn pushes(unit: Unit, deps: Deps, t: Tokens) -> bool {
    t.from == unit
        && match unit {
            Unit::Load => deps.push_next,
            Unit::Store => deps.push_prev,
            Unit::Compute if t.to == Unit::Load => deps.push_prev,
            Unit::Compute => deps.push_next,
        }
}

/// What is known of the order in which a launch's instructions run.
#[derive(Debug)]
pub(super) struct Order {
    /// For each instruction: how many of each unit have ended when it starts.
    clocks: Vec<[u32; 3]>,
    /// For each instruction: its unit, and its number there.
    places: Vec<(Unit, u32)>,
    /// Pairs of push and pop.
    pub pairs: u64,
    /// Pushes that nobody pops.
    pub unused: u64,
    /// Most tokens that each semaphore may hold.
    pub held: [u64; 4],
}

impl Order {
    /// Whether one instruction has ended when another starts, in every run.
    #[inline]
    pub fn before(&self, first: u32, second: u32) -> bool {
        let (unit, n) = self.places[first as usize];
        self.clocks[second as usize][unit as usize] > n
    }

    /// The order that the tokens of a launch make.
    ///
    /// # Errors
    /// Pops without pushes, instructions that wait for each other, tokens that
    /// may be dropped.
    pub fn new(c: &Context<'_>) -> Result<Self, Vec<VerifyError>> {
        let mut units: [Vec<u32>; 3] = Default::default();
        let mut places = Vec::with_capacity(c.insns.len());
        for (i, insn) in (0..).zip(&c.insns) {
            let queue = &mut units[insn.unit() as usize];
            places.push((insn.unit(), queue.len() as u32));
            queue.push(i);
        }
        // The instructions that push and that pop, for each semaphore.
        let with = |t: Tokens, f: fn(Unit, Deps, Tokens) -> bool| -> Vec<u32> {
            let all = (0..).zip(&c.insns);
            let some = all.filter(|(_, i)| f(i.unit(), i.deps(), t));
            some.map(|(n, _)| n).collect()
        };
        let push = DIRECTIONS.map(|t| with(t, pushes));
        let pop = DIRECTIONS.map(|t| with(t, pops));
        let mut errors = Vec::new();
        for (d, tokens) in DIRECTIONS.into_iter().enumerate() {
            if let Some(&first) = pop[d].get(push[d].len()) {
                errors.push(VerifyError::MissingPush {
                    pop: c.at(first),
                    tokens,
                    pop_number: push[d].len() as u64 + 1,
                    pushes: push[d].len() as u64,
                });
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let sorted = sort(c, &units, &places, &push, &pop).map_err(|e| vec![e])?;
        let mut order = Self {
            clocks: clocks(&sorted, &units, &places, &push, &pop),
            places,
            pairs: pop.iter().map(|p| p.len() as u64).sum(),
            unused: 0,
            held: [0; 4],
        };
        order.unused = push.iter().map(|p| p.len() as u64).sum::<u64>() - order.pairs;
        for (d, tokens) in DIRECTIONS.into_iter().enumerate() {
            match order.most_held(&push[d], &pop[d]) {
                Ok(held) => order.held[d] = held,
                Err((by, held, next)) => errors.push(VerifyError::Saturation {
                    push: c.at(by),
                    tokens,
                    held,
                    pop: Box::new(c.at(next.unwrap_or(by))),
                }),
            }
        }
        if errors.is_empty() {
            Ok(order)
        } else {
            Err(errors)
        }
    }

    /// Most tokens of a semaphore: those pushed, without those whose pop has
    /// surely ended. If that passes the most: the push, the tokens that may be
    /// there before it, and the first pop that may come later.
    fn most_held(&self, push: &[u32], pop: &[u32]) -> Result<u64, (u32, u64, Option<u32>)> {
        let mut most = 0;
        for (k, &p) in (0u64..).zip(push) {
            // Pops are in the order of their unit, so those that are over come first.
            let over = pop.partition_point(|&q| self.before(q, p));
            let held = k - (over as u64).min(k);
            if held >= MOST {
                return Err((p, held, pop.get(over).copied()));
            }
            most = most.max(held + 1);
        }
        Ok(most)
    }
}

/// The instructions in an order in which they can run.
///
/// A node for each instruction; behind them a node for each hand-over from
/// fetch to a queue, which happens in order and waits for room.
fn sort(
    c: &Context<'_>,
    units: &[Vec<u32>; 3],
    places: &[(Unit, u32)],
    push: &[Vec<u32>; 4],
    pop: &[Vec<u32>; 4],
) -> Result<Vec<u32>, VerifyError> {
    let n = c.insns.len();
    let mut graph = DiGraph::<(), ()>::with_capacity(2 * n, 5 * n);
    (0..2 * n).for_each(|_| _ = graph.add_node(()));
    let node = |i: u32| NodeIndex::new(i as usize);
    let handed = |i: u32| NodeIndex::new(n + i as usize);
    for queue in units {
        for w in queue.windows(2) {
            graph.add_edge(node(w[0]), node(w[1]), ());
        }
    }
    for (push, pop) in push.iter().zip(pop) {
        for (&a, &b) in push.iter().zip(pop) {
            graph.add_edge(node(a), node(b), ());
        }
    }
    let entries = c.config.insn_queue_entries;
    for (i, &(unit, k)) in (0..).zip(places) {
        graph.add_edge(handed(i), node(i), ());
        if i > 0 {
            graph.add_edge(handed(i - 1), handed(i), ());
        }
        if let Some(out) = k.checked_sub(entries) {
            let leaves = units[unit as usize][out as usize];
            graph.add_edge(node(leaves), handed(i), ());
        }
    }
    if let Ok(sorted) = toposort(&graph, None) {
        let insns = sorted.into_iter().map(NodeIndex::index);
        return Ok(insns.filter(|i| *i < n).map(|i| i as u32).collect());
    }
    Err(cycle(c, &graph))
}

/// One of the cycles of a graph that has some.
fn cycle(c: &Context<'_>, graph: &DiGraph<(), ()>) -> VerifyError {
    let n = c.insns.len();
    let parts = tarjan_scc(graph);
    // The smallest knot says most.
    let knots = parts.iter().filter(|p| {
        let alone = p.len() == 1;
        !alone || graph.contains_edge(p[0], p[0])
    });
    let mut insns: Vec<InsnAt> = Vec::new();
    let mut queue = false;
    if let Some(knot) = knots.min_by_key(|p| p.len()) {
        let mut inside = vec![false; graph.node_count()];
        knot.iter().for_each(|x| inside[x.index()] = true);
        // From any node, always to the next one in the knot, until one comes again.
        let mut path = vec![knot[0]];
        let mut seen = vec![None; graph.node_count()];
        let around = loop {
            let last = path[path.len() - 1];
            seen[last.index()] = Some(path.len() - 1);
            let mut next = graph.neighbors(last).filter(|x| inside[x.index()]);
            let next = next.next().unwrap_or(last);
            if let Some(from) = seen[next.index()] {
                break path.split_off(from);
            }
            path.push(next);
        };
        queue = around.iter().any(|x| x.index() >= n);
        let real = around.iter().map(|x| x.index()).filter(|i| *i < n);
        insns = real.map(|i| c.at(i as u32)).collect();
    }
    if insns.is_empty() {
        insns.push(c.at(0));
    }
    VerifyError::Cycle { insns, queue }
}

/// For each instruction, how many of each unit have ended when it starts.
fn clocks(
    sorted: &[u32],
    units: &[Vec<u32>; 3],
    places: &[(Unit, u32)],
    push: &[Vec<u32>; 4],
    pop: &[Vec<u32>; 4],
) -> Vec<[u32; 3]> {
    // The pushes that an instruction waits for: at most two.
    let mut waits = vec![[None; 2]; places.len()];
    for (push, pop) in push.iter().zip(pop) {
        for (&a, &b) in push.iter().zip(pop) {
            let free = usize::from(waits[b as usize][0].is_some());
            waits[b as usize][free] = Some(a);
        }
    }
    let mut clocks = vec![[0; 3]; places.len()];
    for &i in sorted {
        let (unit, k) = places[i as usize];
        let before = k.checked_sub(1).map(|k| units[unit as usize][k as usize]);
        let mut clock = [0u32; 3];
        for over in waits[i as usize].into_iter().chain([before]).flatten() {
            let (unit, k) = places[over as usize];
            for (mine, theirs) in clock.iter_mut().zip(clocks[over as usize]) {
                *mine = (*mine).max(theirs);
            }
            clock[unit as usize] = clock[unit as usize].max(k + 1);
        }
        clocks[i as usize] = clock;
    }
    clocks
}

/// The stores that FINISH, the last instruction, does not wait for: the first of them.
pub(super) fn lagging(c: &Context<'_>, order: &Order) -> Option<VerifyError> {
    let finish = c.insns.len() as u32 - 1;
    let mut stores = (0..finish).zip(&c.insns);
    let lags = |&(i, insn): &(u32, &Insn)| {
        matches!(insn, Insn::Store(_)) && !insn.is_sync() && !order.before(i, finish)
    };
    stores.find(lags).map(|(i, _)| VerifyError::StoreLags {
        store: Box::new(c.at(i)),
        finish: Box::new(c.at(finish)),
    })
}
