//! Back to a graph: what was trained is what is compiled.

use super::{EPSILON, Network};
use crate::TrainError;
use crate::backend::Kernels;
use ndarray::Array1;
use vta_net::graph::{Graph, Op};

impl<B: Kernels> Network<B> {
    /// As [`Network::to_graph`], if all its weights are numbers: folding
    /// normalisations can overflow where no parameter has.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] with the first layer that has such a weight.
    pub fn to_finite_graph(&self) -> Result<Graph, TrainError> {
        let graph = self.to_graph();
        for node in graph.nodes() {
            let bad = match &node.op {
                Op::Conv(c) => c.weight.iter().chain(&c.bias).find(|v| !v.is_finite()),
                Op::Dense(d) => d.weight.iter().chain(&d.bias).find(|v| !v.is_finite()),
                _ => None,
            };
            if let Some(value) = bad {
                let what = format!("a weight or bias of `{}` is {value}", node.name);
                return Err(TrainError::NotFinite(what));
            }
        }
        Ok(graph)
    }

    /// The graph with the trained weights: masks applied as they are, normalisations folded in.
    pub fn to_graph(&self) -> Graph {
        let mut graph = self.graph.clone();
        for (node, layer) in graph.nodes_mut().zip(&self.layers) {
            let Some(layer) = layer else { continue };
            let param = &self.params[layer.weight];
            let mut weight = param.values();
            if let Some(mask) = self.masks.get(&param.name) {
                weight
                    .iter_mut()
                    .zip(mask.factors())
                    .for_each(|(w, f)| *w *= f);
            }
            let mut bias = self.params[layer.bias].values();
            if let Some(norm) = layer.norm {
                let r = &self.running[norm.running];
                let gamma = self.params[norm.gamma].values();
                let per_channel = (weight.len() / gamma.len().max(1)).max(1);
                for (c, w) in weight.chunks_mut(per_channel).enumerate() {
                    // As a pass folds it, to the bit.
                    let scale = gamma[c] * (1.0 / (r.var[c] + EPSILON).sqrt());
                    w.iter_mut().for_each(|w| *w *= scale);
                    bias[c] -= r.mean[c] * scale;
                }
            }
            // Element by element: a weight from a file may lie in memory in another order.
            let to_bias = match &mut node.op {
                Op::Conv(c) => {
                    c.weight
                        .update(|mut to| to.iter_mut().zip(weight).for_each(|(to, w)| *to = w));
                    &mut c.bias
                }
                Op::Dense(d) => {
                    d.weight
                        .update(|mut to| to.iter_mut().zip(weight).for_each(|(to, w)| *to = w));
                    &mut d.bias
                }
                _ => continue,
            };
            *to_bias = Array1::from(bias);
        }
        graph
    }
}
