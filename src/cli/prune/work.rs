//! A network while it is pruned.

use crate::cli::progress::Progress;
use crate::cli::road::Scales;
use crate::cli::{CliError, cost};
use std::collections::BTreeMap;
use vta::config::HwConfig;
use vta::graph::Graph;
use vta::prune::permute::{Effort, Outcome, permute};
use vta::prune::{
    Allocation, AllocationError, Profile, PruneError, PruneLayer, Round, Simulated, Target, weight,
};
use vta::sparse::{self, Masks};

/// Cycles of the pruned network: by the table, and by the simulator.
pub struct Cycles {
    /// The budget.
    pub budget: u64,
    /// What the table says of each layer, by weight.
    pub predicted: BTreeMap<String, f64>,
    /// What the table says of the network.
    pub total: f64,
    /// What the simulator counts for each layer, by weight.
    pub simulated: BTreeMap<String, u64>,
    /// What the simulator counts for the network.
    pub simulated_total: u64,
    /// Predicted and simulated cycles of each round.
    pub rounds: Vec<Round>,
}

/// A network and its layers, while it is pruned.
pub struct Work {
    pub graph: Graph,
    pub layers: Vec<PruneLayer>,
    pub weights: Vec<Vec<f32>>,
    pub profiles: Vec<Profile>,
}

impl Work {
    pub fn new(graph: Graph, layers: Vec<PruneLayer>) -> Result<Self, PruneError> {
        let of = |l: &PruneLayer| weight(&graph, &l.weight_name).unwrap_or_default();
        let weights: Vec<Vec<f32>> = layers.iter().map(of).collect();
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        Ok(Self {
            profiles: Profile::all(&layers, &views)?,
            graph,
            layers,
            weights,
        })
    }

    /// How many groups each layer keeps in the end.
    pub fn allocate(&self, target: &Target) -> Result<Allocation, AllocationError> {
        target.allocate(&self.layers, &self.profiles, 1.0)
    }

    /// Puts channels in an order in which the `kept` strongest groups of each layer hold more.
    pub fn reorder(&mut self, kept: &[usize], effort: &Effort) -> Result<Outcome, PruneError> {
        let _progress = Progress::spinner("order channels");
        let _span = tracing::info_span!("permute").entered();
        let mut graph = self.graph.clone();
        let outcome = permute(&mut graph, &self.layers, kept, effort)?;
        *self = Self::new(graph, self.layers.clone())?;
        Ok(outcome)
    }

    /// The strongest groups of each layer, as many as were allocated.
    pub fn masks(&self, allocation: &Allocation) -> Masks {
        let each = self.layers.iter().zip(&self.weights).zip(&allocation.kept);
        each.filter(|((l, _), _)| l.prunable())
            .map(|((l, w), k)| (l.weight_name.clone(), l.blocks.mask(&l.blocks.top(w, *k))))
            .collect()
    }
}

/// Cycles of a network with masks, under the name of its model.
pub fn simulate(
    (model, graph): (&str, &Graph),
    masks: &Masks,
    scales: &Scales,
    config: &HwConfig,
) -> Result<Simulated, CliError> {
    let simulated = cost::simulate(model, graph.clone(), masks, scales, config)?;
    let mut layers = BTreeMap::new();
    // Of a weight that layers share, the cycles of all of them.
    let with_weights = sparse::layers(graph);
    for (node, used) in simulated.layers {
        if let Some(l) = with_weights.iter().find(|l| l.node == node) {
            *layers.entry(l.weight_name.clone()).or_default() += used;
        }
    }
    Ok(Simulated {
        layers,
        total: simulated.total,
    })
}
