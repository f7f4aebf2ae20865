//! An order of the file's nodes in which operands come first.

use super::error::{Fault, Problem};
use super::proto::NodeProto;
use super::scope::reads;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Indices of the nodes that these results need, operands first and otherwise as
/// in the file. `known` says which names are inputs, initializers or results
/// from outside. Fails with the index of a node that reads what nothing
/// computes, or that is part of a circle.
pub(super) fn sort(
    nodes: &[NodeProto],
    results: &[&str],
    known: impl Fn(&str) -> bool,
) -> Result<Vec<usize>, (usize, Fault)> {
    let mut producer: HashMap<&str, usize> = HashMap::new();
    for (i, n) in nodes.iter().enumerate() {
        for o in n.output.iter().filter(|o| !o.is_empty()) {
            producer.insert(o, i);
        }
    }
    let mut waits = vec![0usize; nodes.len()];
    let mut readers = vec![Vec::new(); nodes.len()];
    let operands: Vec<Vec<&str>> = nodes.iter().map(reads).collect();
    let wanted = wanted(&operands, results, &producer);
    for i in (0..nodes.len()).filter(|i| wanted[*i]) {
        for input in operands[i].iter().copied().filter(|t| !known(t)) {
            let Some(p) = producer.get(input) else {
                return Err((i, Fault::at(input, Problem::Undefined)));
            };
            waits[i] += 1;
            readers[*p].push(i);
        }
    }
    let free = (0..nodes.len()).filter(|i| wanted[*i] && waits[*i] == 0);
    let free = free.map(Reverse);
    let mut ready: BinaryHeap<Reverse<usize>> = free.collect();
    let mut sorted = Vec::with_capacity(nodes.len());
    while let Some(Reverse(i)) = ready.pop() {
        sorted.push(i);
        for r in &readers[i] {
            waits[*r] -= 1;
            if waits[*r] == 0 {
                ready.push(Reverse(*r));
            }
        }
    }
    if sorted.len() == wanted.iter().filter(|w| **w).count() {
        return Ok(sorted);
    }
    // Going back from a node that still waits ends in a circle: the first node met twice is in it.
    let waiting = |i: usize, waits: &[usize]| {
        let operands = operands[i].iter().copied();
        operands
            .filter_map(|t| producer.get(t).map(|p| (*p, t)))
            .find(|(p, _)| waits[*p] > 0)
    };
    let mut at = waits.iter().position(|w| *w > 0).unwrap_or(0);
    let mut met = vec![false; nodes.len()];
    loop {
        let next = waiting(at, &waits);
        match next {
            Some((_, tensor)) if met[at] => {
                return Err((at, Fault::at(tensor, Problem::Cycle)));
            }
            Some((p, _)) => {
                met[at] = true;
                at = p;
            }
            None => return Err((at, Problem::Cycle.into())),
        }
    }
}

/// Which nodes the results need, directly or through others.
fn wanted(operands: &[Vec<&str>], results: &[&str], producer: &HashMap<&str, usize>) -> Vec<bool> {
    let mut wanted = vec![false; operands.len()];
    let mut rest: Vec<&str> = results.to_vec();
    while let Some(name) = rest.pop() {
        if let Some(&at) = producer.get(name)
            && !std::mem::replace(&mut wanted[at], true)
        {
            rest.extend(&operands[at]);
        }
    }
    wanted
}
