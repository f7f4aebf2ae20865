//! Searching an order of channels.

use super::view::{Squares, View, same_lines, views};
use super::{Pool, Pools};
use crate::{PruneError, PruneLayer, layer};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use vta_net::graph::{Graph, Op};

/// Least gain, as a fraction of a layer's energy, that an exchange is made for.
const LEAST: f64 = 1e-9;

/// How long to search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effort {
    /// Groups that may be looked at in each pool and round: some 1e8 take a second.
    pub groups: u64,
    /// Rounds over all pools.
    pub rounds: u32,
    /// Seed of the order in which places are tried.
    pub seed: u64,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            groups: 200_000_000,
            rounds: 4,
            seed: 1,
        }
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// For each pool: which channel comes to each place.
    pub orders: Vec<Vec<usize>>,
    /// Fraction of a layer's energy that its kept groups held, mean over layers that lose groups.
    pub before: f64,
    /// The same in the new order.
    pub after: f64,
}

/// Searches, for each pool, an order in which the strongest groups of the
/// layers hold more energy: pool by pool, exchanging two channels while that
/// helps, from the order as it is and from one sorted by energy. Never worse
/// than before. The same seed gives the same orders on every machine.
///
/// # Errors
/// Another number of layers.
pub fn search(
    graph: &Graph,
    pools: &Pools,
    layers: &[PruneLayer],
    kept: &[usize],
    effort: &Effort,
) -> Result<Outcome, PruneError> {
    if layers.len() != kept.len() {
        let (want, got) = (layers.len(), kept.len());
        return Err(PruneError::Layers { want, got });
    }
    let mut squares = Vec::new();
    for (layer, &kept) in layers.iter().zip(kept) {
        // A layer that keeps all keeps all in any order.
        if layer.prunable() && kept < layer.blocks.groups() {
            squares.extend(of_layer(graph, layer, kept));
        }
    }
    let mean = |all: &[Squares]| {
        let sum: f64 = all.iter().map(Squares::value).sum();
        if all.is_empty() {
            1.0
        } else {
            sum / all.len() as f64
        }
    };
    let before = mean(&squares);
    let identity = |p: &Pool| (0..p.channels()).collect::<Vec<_>>();
    let mut orders: Vec<Vec<usize>> = pools.pools.iter().map(identity).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(effort.seed);
    let mut value = before;
    for round in 0..effort.rounds {
        let start = value;
        for (at, pool) in pools.pools.iter().enumerate() {
            let starts = if round == 0 { 2 } else { 1 };
            for sorted in [false, true].into_iter().take(starts) {
                let order = of_pool(&squares, pool, sorted, effort.groups, &mut rng);
                let mut changed = squares.clone();
                let mut one: Vec<Vec<usize>> = pools.pools.iter().map(identity).collect();
                one[at].clone_from(&order);
                for s in &mut changed {
                    permute(s, pools, &one);
                }
                // A layer on both sides of a pool is seen from one: so look at all.
                let new = mean(&changed);
                if new > value + LEAST {
                    value = new;
                    squares = changed;
                    orders[at] = order.iter().map(|slot| orders[at][*slot]).collect();
                }
            }
        }
        if value <= start + LEAST {
            break;
        }
    }
    Ok(Outcome {
        orders,
        before,
        after: value,
    })
}

fn of_layer(graph: &Graph, l: &PruneLayer, kept: usize) -> Option<Squares> {
    let node = graph.nodes().find(|n| n.name == l.node)?;
    let groups = match &node.op {
        Op::Conv(c) => c.groups,
        _ => 1,
    };
    let weights = layer::weight(graph, &l.weight_name)?;
    let squares = weights.iter().map(|w| f64::from(*w) * f64::from(*w));
    let tensors = [node.inputs.first()?.0, node.output.0];
    Some(Squares::new(l, squares.collect(), kept, groups, tensors))
}

fn permute(s: &mut Squares, pools: &Pools, orders: &[Vec<usize>]) {
    let [co, ci, ..] = s.layer.blocks.weight();
    let of = |t: usize, n: usize| pools.sources(vta_net::graph::TensorId(t), n, orders);
    let (rows, columns) = (of(s.output, co), of(s.input, ci * s.conv_groups));
    s.permute(&rows, &columns);
}

/// An order for one pool, the others as they are.
fn of_pool(
    layers: &[Squares],
    pool: &Pool,
    sorted: bool,
    mut groups: u64,
    rng: &mut ChaCha8Rng,
) -> Vec<usize> {
    let n = pool.channels();
    let mut views = views(layers, pool);
    let mut order: Vec<usize> = (0..n).collect();
    if views.is_empty() {
        return order;
    }
    let lines = same_lines(&views, n);
    if sorted {
        sort(&mut views, &mut order);
    }
    let work: u64 = views.iter().map(View::work).sum::<u64>().max(1);
    loop {
        let mut exchanged = false;
        for a in shuffled(n, rng) {
            let needed = work * n as u64;
            if groups < needed {
                return order;
            }
            groups -= needed;
            let gain = |b: usize| -> f64 {
                let of = [order[a], order[b]];
                views.iter().map(|v| v.gain([a, b], of)).sum()
            };
            let others = (0..n).filter(|b| lines[*b] != lines[a]);
            // Of equals the first: no order of a map decides.
            let best = others
                .map(|b| (gain(b), b))
                .fold(None, |best, one| match best {
                    Some((gain, _)) if gain >= one.0 => best,
                    _ => Some(one),
                });
            let Some((gain, b)) = best else { continue };
            if gain > LEAST && exchange(&mut views, &mut order, [a, b]) {
                exchanged = true;
            }
        }
        if !exchanged {
            return order;
        }
    }
}

/// Exchanges the channels of two places if that really helps: the threshold
/// moves with the energies, so the gain may not come.
fn exchange(views: &mut [View<'_>], order: &mut [usize], places: [usize; 2]) -> bool {
    let value = |views: &[View<'_>]| views.iter().map(|v| v.value).sum::<f64>();
    let before = value(views);
    let of = places.map(|p| order[p]);
    views.iter_mut().for_each(|v| v.exchange(places, of));
    if value(views) > before + LEAST {
        order.swap(places[0], places[1]);
        return true;
    }
    let back = [of[1], of[0]];
    views.iter_mut().for_each(|v| v.exchange(places, back));
    false
}

/// Puts channels in the order of their energies, the strongest first.
fn sort(views: &mut [View<'_>], order: &mut [usize]) {
    let n = order.len();
    let energy = |c: usize| views.iter().map(|v| v.share(c)).sum::<f64>();
    let energies: Vec<f64> = (0..n).map(energy).collect();
    let mut wanted: Vec<usize> = (0..n).collect();
    wanted.sort_by(|a, b| energies[*b].total_cmp(&energies[*a]).then(a.cmp(b)));
    for place in 0..n {
        let Some(at) = order.iter().position(|c| *c == wanted[place]) else {
            continue;
        };
        if at != place {
            let of = [order[place], order[at]];
            views.iter_mut().for_each(|v| v.exchange([place, at], of));
            order.swap(place, at);
        }
    }
}

/// All numbers below `n`, shuffled.
fn shuffled(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        // The bias of a remainder does not matter for an order of trials.
        all.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
    }
    all
}
