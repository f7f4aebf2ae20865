//! Channels that can change places.

use super::channels::Channels;
use std::collections::BTreeMap;
use vta_net::graph::{Graph, TensorId};

/// Channels any two of which can change places: each is at as many positions
/// of the same tensors as the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// For each tensor that has them: for each channel, its positions along
    /// the channel dimension.
    pub(super) places: BTreeMap<usize, Vec<Vec<usize>>>,
    channels: usize,
}

/// All pools of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pools {
    /// In the order of their first tensors.
    pub(super) pools: Vec<Pool>,
    /// The channel dimension of each tensor.
    pub(super) dims: Vec<usize>,
}

/// Where a channel is, and what else holds for it.
type Signature = (Vec<(usize, usize)>, Vec<[usize; 2]>);

impl Pool {
    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The tensors that have them.
    pub fn tensors(&self) -> Vec<TensorId> {
        self.places.keys().map(|t| TensorId(*t)).collect()
    }
}

impl Pools {
    /// Finds which channels of a network can change places.
    pub fn of(graph: &Graph) -> Self {
        let channels = Channels::of(graph);
        // Positions of each channel in each tensor.
        let mut places: BTreeMap<usize, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for (t, axis) in channels.axes.iter().enumerate() {
            let Some(axis) = axis else { continue };
            for (position, id) in axis.ids.iter().enumerate() {
                let of = places.entry(channels.root(*id)).or_default();
                of.entry(t).or_default().push(position);
            }
        }
        let mut tags: BTreeMap<usize, Vec<[usize; 2]>> = BTreeMap::new();
        for (id, tag) in &channels.tags {
            tags.entry(channels.root(*id)).or_default().push(*tag);
        }
        let flat = |t: usize| channels.axes[t].as_ref().is_some_and(|a| a.flat);
        let mut pools: BTreeMap<Signature, Vec<usize>> = BTreeMap::new();
        for (root, of) in &places {
            // A channel that is twice in a tensor, unless all are: leave it alone.
            let twice = of.iter().any(|(t, p)| p.len() > 1 && !flat(*t));
            if channels.is_pinned(*root) || twice {
                continue;
            }
            let counts = of.iter().map(|(t, p)| (*t, p.len())).collect();
            let mut tags = tags.remove(root).unwrap_or_default();
            tags.sort_unstable();
            pools.entry((counts, tags)).or_default().push(*root);
        }
        let pool = |roots: Vec<usize>| Pool {
            channels: roots.len(),
            places: {
                let mut all: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
                for root in &roots {
                    for (t, positions) in &places[root] {
                        all.entry(*t).or_default().push(positions.clone());
                    }
                }
                all
            },
        };
        Self {
            pools: pools
                .into_values()
                .filter(|r| r.len() > 1)
                .map(pool)
                .collect(),
            dims: channels
                .axes
                .iter()
                .map(|a| a.as_ref().map_or(0, |a| a.dim))
                .collect(),
        }
    }

    /// The pools.
    pub fn pools(&self) -> &[Pool] {
        &self.pools
    }

    /// Which old position each position of a tensor takes its channel from,
    /// for `n` positions.
    pub(super) fn sources(&self, tensor: TensorId, n: usize, orders: &[Vec<usize>]) -> Vec<usize> {
        let mut sources: Vec<usize> = (0..n).collect();
        for (pool, order) in self.pools.iter().zip(orders) {
            let Some(places) = pool.places.get(&tensor.0) else {
                continue;
            };
            for (slot, from) in order.iter().enumerate() {
                for (to, from) in places[slot].iter().zip(&places[*from]) {
                    sources[*to] = *from;
                }
            }
        }
        sources
    }
}
