//! From images to outputs.

use super::apply::{apply, with_factor};
use super::params::{Layer, row};
use super::plan::Role;
use super::value::Value;
use super::{EPSILON, Network, size};
use crate::TrainError;
use crate::backend::Kernels;
use crate::kernels::fake::Grid;
use crate::kernels::last::{Blocks, suits};
use burn_tensor::Tensor;
use burn_tensor::backend::{Backend, BackendTypes};
use vta_net::graph::{Node, Op, TensorId};

/// How normalisations work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With mean and variance of the batch, as in training.
    Batch,
    /// With running statistics, folded into the weights: as the network is exported.
    Folded,
}

/// What a pass gave.
#[derive(Debug, Clone)]
pub struct Pass<K: Backend> {
    values: Vec<Option<Value<K>>>,
    outputs: Vec<TensorId>,
    /// For each normalisation that saw the batch: which, mean and variance.
    pub(super) seen: Vec<(usize, Vec<f32>, Vec<f32>)>,
}

impl<K: Backend> Pass<K> {
    /// An output, or a tensor that was to be kept.
    pub fn get(&self, t: TensorId) -> Option<&Value<K>> {
        self.values.get(t.0).and_then(Option::as_ref)
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> Vec<&Value<K>> {
        self.outputs.iter().filter_map(|t| self.get(*t)).collect()
    }
}

impl<K: Kernels> Pass<K> {
    /// The first output as `[samples, classes]`.
    pub fn logits(&self) -> Option<Tensor<K, 2>> {
        self.outputs().first().map(|v| v.rows())
    }
}

/// A pass at work.
struct Run<'a, B: Kernels, K: Kernels> {
    network: &'a Network<B>,
    params: &'a [Tensor<K, 1>],
    mode: Mode,
    values: Vec<Option<Value<K>>>,
    /// Normalisations that a sum is still to do, by the tensor of their operand.
    raw: Vec<Option<Layer>>,
    seen: Vec<(usize, Vec<f32>, Vec<f32>)>,
    device: K::Device,
}

impl<B: Kernels> Network<B> {
    /// A pass over a batch, on this backend or with gradients: `params` are
    /// [`plain`](Network::plain) or [`leaves`](Network::leaves).
    ///
    /// # Errors
    /// Images that do not fit the network's input.
    pub fn forward<K: Kernels + BackendTypes<Device = B::Device>>(
        &self,
        params: &[Tensor<K, 1>],
        input: impl Into<Value<K>>,
        mode: Mode,
    ) -> Result<Pass<K>, TrainError> {
        let input = input.into();
        let at = self.graph.inputs[0];
        let want = &self.graph.tensor(at).dims;
        let got = input.dims();
        if got.len() != want.len() || got[1..] != want[1..] || got[0] == 0 {
            let name = &self.graph.tensor(at).name;
            return Err(size(name, want.clone(), got.to_vec()));
        }
        let mode = match self.exponents {
            Some(_) => Mode::Folded,
            None => mode,
        };
        let n = got[0];
        let tensors = self.graph.tensors().len();
        let mut run = Run {
            network: self,
            params,
            mode,
            values: vec![None; tensors],
            raw: vec![None; tensors],
            seen: Vec::new(),
            device: self.device.clone(),
        };
        run.put(at, input);
        for (i, node) in self.graph.nodes().enumerate() {
            let mut dims = self.graph.tensor(node.output).dims.clone();
            dims[0] = n;
            let y = run.node(i, node, &dims)?;
            run.put(node.output, y);
            for t in &self.last_uses[i] {
                run.values[t.0] = None;
            }
        }
        Ok(Pass {
            values: run.values,
            outputs: self.graph.outputs.clone(),
            seen: run.seen,
        })
    }

    /// Lets the running statistics follow what a pass in [`Mode::Batch`] saw:
    /// they become `(1 - momentum) * old + momentum * seen`.
    pub fn follow<K: Backend>(&mut self, pass: &Pass<K>, momentum: f32) {
        for (at, mean, var) in &pass.seen {
            let r = &mut self.running[*at];
            for (old, new) in [(&mut r.mean, mean), (&mut r.var, var)] {
                for (o, n) in old.iter_mut().zip(new) {
                    *o += momentum * (n - *o);
                }
            }
        }
    }

    /// Outputs without gradients, as the exported network gives them.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn predict(&self, input: impl Into<Value<B>>) -> Result<Pass<B>, TrainError> {
        self.forward(&self.plain(), input, Mode::Folded)
    }
}

impl<B: Kernels, K: Kernels + BackendTypes<Device = B::Device>> Run<'_, B, K> {
    /// Stores a value, rounded where the tensor has an exponent.
    fn put(&mut self, t: TensorId, value: Value<K>) {
        let exponents = self.network.exponents.as_ref();
        let exponent = exponents.and_then(|e| e.tensors.get(&t));
        self.values[t.0] = Some(match exponent {
            Some(e) => {
                let grid = match self.network.graph.inputs.contains(&t) {
                    true => Grid::input(*e),
                    false => Grid::result(*e),
                };
                value.each(|x| K::fake_quantise(x, &[grid]))
            }
            None => value,
        });
    }

    fn node(&mut self, i: usize, node: &Node, dims: &[usize]) -> Result<Value<K>, TrainError> {
        let missing = || TrainError::Unknown {
            name: node.name.clone(),
        };
        let operands = node.inputs.iter().map(|t| self.values[t.0].clone());
        let operands: Vec<Value<K>> = operands.collect::<Option<_>>().ok_or_else(missing)?;
        let role = match self.mode {
            Mode::Batch => self.network.roles[i],
            Mode::Folded => Role::Alone,
        };
        match (&node.op, self.network.layers[i], role) {
            (Op::Conv(c), Some(layer), role) => {
                let batch = self.mode == Mode::Batch && layer.norm.is_some();
                let (weight, bias) = match batch {
                    true => (self.weight(layer), None),
                    false => self.folded(layer, node.inputs[0]),
                };
                let dims = [0, 1, 2, 3].map(|d| c.weight.shape()[d]);
                let weight = weight.reshape(dims);
                let last = K::CHANNELS_LAST && self.network.channels_last && suits(dims, c.groups);
                let y = match last {
                    true => {
                        let taken = self.taken(layer, dims);
                        let x = operands[0].map_last();
                        Value::from_last(K::conv_last(x, weight, bias, &c.window, taken))
                    }
                    false => {
                        let x = operands[0].map();
                        K::conv(x, weight, bias, &c.window, c.groups).into()
                    }
                };
                if role == Role::Raw {
                    self.raw[node.output.0] = Some(layer);
                    return Ok(y);
                }
                match batch {
                    true => Ok(self.norm(layer, &y, None, role == Role::WithRelu)),
                    false => Ok(y),
                }
            }
            (Op::Dense(d), Some(layer), _) => {
                let (out, inp) = d.weight.dim();
                let rows = operands[0].dims().iter().product::<usize>() / inp.max(1);
                let (weight, bias) = self.folded(layer, node.inputs[0]);
                let x = operands[0].to([rows, inp]);
                let mut y = x.matmul(weight.reshape([out, inp]).transpose());
                if let Some(bias) = bias {
                    y = y + bias.reshape([1, out]);
                }
                Ok(Value::from(y).reshaped(dims))
            }
            (_, _, Role::NormSum { conv, relu }) => {
                let layer = self.raw[node.inputs[conv].0].take().ok_or_else(missing)?;
                Ok(self.norm(layer, &operands[conv], Some(&operands[1 - conv]), relu))
            }
            (_, _, Role::Done) => Ok(operands[0].clone()),
            (op, _, _) => {
                let operands: Vec<&Value<K>> = operands.iter().collect();
                let exponents = self.network.exponents.as_ref();
                let factor = exponents.and_then(|e| e.factors.get(&node.output));
                let step = exponents.and_then(|e| e.tensors.get(&node.output));
                let half = step.map_or(0.0, |e| (*e as f32 - 1.0).exp2());
                let approximate =
                    factor.and_then(|f| with_factor(op, (*f, half), operands[0], dims));
                Ok(approximate.unwrap_or_else(|| apply(op, &operands, dims, &self.device)))
            }
        }
    }

    /// A weight with its mask.
    fn weight(&self, layer: Layer) -> Tensor<K, 1> {
        let weight = self.params[layer.weight].clone();
        match self
            .network
            .masks
            .get(&self.network.params[layer.weight].name)
        {
            Some(mask) => weight * row::<K>(mask.factors(), &self.device),
            None => weight,
        }
    }

    /// The blocks of a weight that its mask leaves, if it drops others for good.
    fn taken(&self, layer: Layer, dims: [usize; 4]) -> Option<Blocks> {
        let name = &self.network.params[layer.weight].name;
        let mask = self.network.masks.get(name).filter(|m| m.eta == 1.0)?;
        Some(Blocks::of(dims, &mask.keep))
    }

    /// A weight and a bias as they are exported, rounded where there are exponents.
    fn folded(&self, layer: Layer, operand: TensorId) -> (Tensor<K, 1>, Option<Tensor<K, 1>>) {
        let mut weight = self.weight(layer);
        let mut bias = self.params[layer.bias].clone();
        if let Some(norm) = layer.norm {
            let running = &self.network.running[norm.running];
            let c = running.mean.len();
            let inverse = running.var.iter().map(|v| 1.0 / (v + EPSILON).sqrt());
            let inverse = row::<K>(inverse.collect(), &self.device);
            let scale = self.params[norm.gamma].clone() * inverse;
            let mean = row::<K>(running.mean.clone(), &self.device);
            bias = bias - mean * scale.clone();
            let n = weight.dims()[0];
            let by_channel = weight.reshape([c, n / c.max(1)]) * scale.reshape([c, 1]);
            weight = by_channel.reshape([n]);
        }
        let name = &self.network.params[layer.weight].name;
        if let Some(grids) = self.network.grids(name) {
            weight = K::fake_quantise(weight, &grids);
            let exponents = self.network.exponents.as_ref();
            if let Some(e) = exponents.and_then(|e| e.tensors.get(&operand)) {
                let grids: Vec<Grid> = grids.iter().map(|g| Grid::bias(g.exponent + e)).collect();
                bias = K::fake_quantise(bias, &grids);
            }
        }
        (weight, Some(bias))
    }

    fn norm(
        &mut self,
        layer: Layer,
        x: &Value<K>,
        residual: Option<&Value<K>>,
        relu: bool,
    ) -> Value<K> {
        let Some(norm) = layer.norm else {
            return x.clone();
        };
        let affine = (
            self.params[norm.gamma].clone(),
            self.params[norm.beta].clone(),
        );
        let (y, mean, var) = if x.is_last() {
            let r = residual.map(Value::map_last);
            let n = K::batch_norm_last(x.map_last(), affine, r, relu, EPSILON);
            (Value::from_last(n.y), n.mean, n.var)
        } else {
            let n = K::batch_norm(x.map(), affine, residual.map(Value::map), relu, EPSILON);
            (n.y.into(), n.mean, n.var)
        };
        self.seen.push((norm.running, mean, var));
        y
    }
}
