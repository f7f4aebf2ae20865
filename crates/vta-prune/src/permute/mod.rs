//! Orders of channels that gather energy in few blocks.
//!
//! The output channels of a convolution can be in any order, if all that reads
//! them has its weights in the same order. Tensors that are added share one.
//! The network computes the same; only which weights lie in one block changes.

mod apply;
mod channels;
mod pools;
mod search;
mod view;

pub use pools::{Pool, Pools};
pub use search::{Effort, Outcome, search};

use super::{PruneError, PruneLayer};
use vta_net::graph::Graph;

/// Searches orders of channels in which the `kept[l]` strongest groups of each
/// layer hold more energy, and puts the network's channels in them.
///
/// `kept` has the counts for all `layers`, as
/// [`Allocation::kept`](super::Allocation::kept).
///
/// # Errors
/// Another number of layers.
pub fn permute(
    graph: &mut Graph,
    layers: &[PruneLayer],
    kept: &[usize],
    effort: &Effort,
) -> Result<Outcome, PruneError> {
    let pools = Pools::of(graph);
    let outcome = search(graph, &pools, layers, kept, effort)?;
    pools.apply(graph, &outcome.orders);
    Ok(outcome)
}
