//! What is trained: parameters, and statistics that follow the batches.

use super::plan::last_layers;
use crate::backend::floats;
use burn_tensor::backend::{AutodiffBackend, Backend};
use burn_tensor::{Tensor, TensorData};
use vta_net::graph::{Graph, Op};

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Weight of a convolution or a dense layer.
    Weight,
    /// Bias of one.
    Bias,
    /// Factor of a batch normalisation.
    Gamma,
    /// Shift of a batch normalisation.
    Beta,
}

/// A parameter: its values in one row.
#[derive(Debug, Clone)]
pub struct Param<B: Backend> {
    /// The weight's name in the graph, the key of its mask; for others the
    /// node's name and `.bias`, `.gamma` or `.beta`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Dimensions: `[co, ci / groups, kh, kw]`, `[out, in]` or `[channels]`.
    pub dims: Vec<usize>,
    /// The values.
    pub value: Tensor<B, 1>,
}

impl<B: Backend> Param<B> {
    fn new(name: String, kind: Kind, dims: &[usize], values: Vec<f32>, at: &B::Device) -> Self {
        Self {
            name,
            kind,
            dims: dims.to_vec(),
            value: row(values, at),
        }
    }

    /// The values.
    pub fn values(&self) -> Vec<f32> {
        floats(self.value.clone())
    }

    /// The parameter as a leaf that gradients are wanted of.
    pub(super) fn leaf<A: AutodiffBackend<InnerBackend = B>>(&self) -> Tensor<A, 1> {
        Tensor::from_inner(self.value.clone()).require_grad()
    }
}

/// A tensor of one row.
pub(crate) fn row<K: Backend>(values: Vec<f32>, device: &K::Device) -> Tensor<K, 1> {
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

/// Running statistics of a batch normalisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Name of the convolution's node.
    pub node: String,
    /// Mean of each channel before normalisation.
    pub mean: Vec<f32>,
    /// Variance of each channel.
    pub var: Vec<f32>,
}

/// Where a convolution's or a dense layer's parameters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layer {
    pub weight: usize,
    /// Bias, where there is no normalisation.
    pub bias: usize,
    pub norm: Option<Norm>,
}

/// Where a normalisation's parameters and statistics are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Norm {
    pub gamma: usize,
    pub beta: usize,
    pub running: usize,
}

/// All parameters of a graph, statistics, and for each node where its own are.
pub(super) struct Parts<B: Backend> {
    pub params: Vec<Param<B>>,
    pub running: Vec<Running>,
    pub layers: Vec<Option<Layer>>,
}

pub(super) fn parts<B: Backend>(graph: &Graph, norms: bool, device: &B::Device) -> Parts<B> {
    let mut p = Parts {
        params: Vec::new(),
        running: Vec::new(),
        layers: Vec::new(),
    };
    let last = last_layers(graph);
    for (i, node) in graph.nodes().enumerate() {
        let (name, dims, weight, bias, norm) = match &node.op {
            Op::Conv(c) => {
                let weight: Vec<f32> = c.weight.iter().copied().collect();
                let dims = c.weight.shape().to_vec();
                (&c.weight_name, dims, weight, &c.bias, norms && !last[i])
            }
            Op::Dense(d) => {
                let weight: Vec<f32> = d.weight.iter().copied().collect();
                (
                    &d.weight_name,
                    d.weight.shape().to_vec(),
                    weight,
                    &d.bias,
                    false,
                )
            }
            _ => {
                p.layers.push(None);
                continue;
            }
        };
        let channels = bias.len();
        // A weight that several nodes share is one parameter.
        let shared = p
            .params
            .iter()
            .position(|q| q.name == *name && q.dims == dims);
        let mut add = |name: String, kind, dims: &[usize], values| {
            p.params.push(Param::new(name, kind, dims, values, device));
            p.params.len() - 1
        };
        let weight = match shared {
            Some(at) => at,
            None => add(name.clone(), Kind::Weight, &dims, weight),
        };
        let of = |what: &str| format!("{}.{what}", node.name);
        let layer = if norm {
            let gamma = add(of("gamma"), Kind::Gamma, &[channels], vec![1.0; channels]);
            let beta = add(of("beta"), Kind::Beta, &[channels], vec![0.0; channels]);
            p.running.push(Running {
                node: node.name.clone(),
                mean: vec![0.0; channels],
                var: vec![1.0; channels],
            });
            let running = p.running.len() - 1;
            Layer {
                weight,
                bias: beta,
                norm: Some(Norm {
                    gamma,
                    beta,
                    running,
                }),
            }
        } else {
            let bias = add(of("bias"), Kind::Bias, &[channels], bias.to_vec());
            Layer {
                weight,
                bias,
                norm: None,
            }
        };
        p.layers.push(Some(layer));
    }
    p
}
