//! Networks written in code.

use super::{Constant, Conv, Dense, Graph, Node, Op, TensorId, Window, shape};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use ndarray::{Array1, Array2, Array4, ArrayD};

/// Builds a [`Graph`] node by node; a node's result has the node's name, a
/// weight is named `<node>.weight`.
///
/// Layers without given weights draw them from the seed: uniform, with the
/// variance of He's initialisation (2 / inputs), times `gain` squared; biases
/// within ±0.1.
///
/// # Panics
/// All methods that add a node panic, naming it, when the operator cannot work
/// on its operands or the name is taken: a mistake in the code that builds.
#[derive(Debug)]
pub struct Builder {
    graph: Graph,
    rng: ChaCha8Rng,
}

/// A convolution to be filled with random weights.
#[derive(Debug, Clone, Copy)]
pub struct ConvSpec {
    /// Output channels.
    pub co: usize,
    /// Kernel, stride, dilation, padding.
    pub window: Window,
    /// Groups.
    pub groups: usize,
    /// Factor on the weights.
    pub gain: f32,
}

impl ConvSpec {
    /// `co` channels by a square kernel; stride, dilation and groups 1, no padding.
    pub const fn new(co: usize, kernel: usize) -> Self {
        Self {
            co,
            window: Window {
                kernel: [kernel; 2],
                stride: [1; 2],
                dilation: [1; 2],
                pads: [0; 4],
            },
            groups: 1,
            gain: 1.0,
        }
    }

    /// Another kernel, rows and columns.
    #[must_use]
    pub const fn kernel(mut self, rows: usize, columns: usize) -> Self {
        self.window.kernel = [rows, columns];
        self
    }

    /// The stride, in both directions.
    #[must_use]
    pub const fn stride(mut self, stride: usize) -> Self {
        self.window.stride = [stride; 2];
        self
    }

    /// The dilation, in both directions.
    #[must_use]
    pub const fn dilation(mut self, dilation: usize) -> Self {
        self.window.dilation = [dilation; 2];
        self
    }

    /// The padding, on all sides.
    #[must_use]
    pub const fn pad(mut self, pad: usize) -> Self {
        self.window.pads = [pad; 4];
        self
    }

    /// The padding: top, left, bottom, right.
    #[must_use]
    pub const fn pads(mut self, pads: [usize; 4]) -> Self {
        self.window.pads = pads;
        self
    }

    /// The groups.
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Factor on the weights; below 1 at the end of a residual branch, so that sums keep their scale.
    #[must_use]
    pub const fn gain(mut self, gain: f32) -> Self {
        self.gain = gain;
        self
    }
}

impl Builder {
    /// An empty network, and the seed of its weights.
    pub fn new(name: &str, seed: u64) -> Self {
        Self {
            graph: Graph::new(name),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The network.
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// Dimensions of a tensor.
    pub fn dims(&self, t: TensorId) -> &[usize] {
        &self.graph.tensor(t).dims
    }

    /// An input of the network.
    pub fn input(&mut self, name: &str, dims: &[usize]) -> TensorId {
        let t = self.graph.add_tensor(name, dims);
        self.graph.inputs.push(t);
        t
    }

    /// Makes a tensor an output of the network.
    pub fn output(&mut self, t: TensorId) {
        self.graph.outputs.push(t);
    }

    /// A node whose result's dimensions follow from its operands.
    pub fn op(&mut self, name: &str, op: Op, inputs: &[TensorId]) -> TensorId {
        self.push(name, op, inputs, None)
    }

    /// A node whose result has given dimensions (`Reshape`, `Slice`, `ReduceMean`).
    pub fn op_to(&mut self, name: &str, op: Op, inputs: &[TensorId], dims: &[usize]) -> TensorId {
        self.push(name, op, inputs, Some(dims))
    }

    fn push(&mut self, name: &str, op: Op, inputs: &[TensorId], to: Option<&[usize]>) -> TensorId {
        assert!(
            self.graph.tensors().iter().all(|t| t.name != name),
            "{name}: the name is taken"
        );
        let operands: Vec<&[usize]> = inputs.iter().map(|t| self.dims(*t)).collect();
        let dims = shape::infer(&op, &operands, to)
            .unwrap_or_else(|e| panic!("{name} ({}): {e}", op.name()));
        let output = self.graph.add_tensor(name, &dims);
        self.graph.add_node(Node {
            name: name.to_owned(),
            op,
            inputs: inputs.to_vec(),
            output,
        });
        output
    }

    /// Values within ±`bound`.
    fn uniform(&mut self, n: usize, bound: f32) -> Vec<f32> {
        let step = bound / (1 << 23) as f32;
        // 24 random bits are exact in f32.
        let mut value = || ((self.rng.next_u32() >> 8) as f32 - (1 << 23) as f32) * step;
        (0..n).map(|_| value()).collect()
    }

    fn weights(&mut self, n: usize, inputs: usize, gain: f32) -> Vec<f32> {
        // The variance of a uniform distribution is a third of its bound squared.
        self.uniform(n, gain * (6.0 / inputs.max(1) as f32).sqrt())
    }

    /// A convolution with random weights: `[1, ci, h, w]` to `[1, co, ho, wo]`.
    pub fn conv(&mut self, name: &str, x: TensorId, spec: ConvSpec) -> TensorId {
        let channels = self.dims(x).get(1).copied().unwrap_or(0);
        let ci = channels / spec.groups.max(1);
        let [kh, kw] = spec.window.kernel;
        let values = self.weights(spec.co * ci * kh * kw, ci * kh * kw, spec.gain);
        let weight = Array4::from_shape_vec((spec.co, ci, kh, kw), values);
        let bias = self.uniform(spec.co, 0.1);
        let conv = Conv {
            weight_name: format!("{name}.weight"),
            weight: weight.expect("as many values as the dimensions say").into(),
            bias: bias.into(),
            window: spec.window,
            groups: spec.groups,
        };
        self.op(name, Op::Conv(conv), &[x])
    }

    /// A convolution with given weights `[co, ci / groups, kh, kw]` and bias `[co]`:
    /// `[1, ci, h, w]` to `[1, co, ho, wo]`.
    pub fn conv_with(
        &mut self,
        name: &str,
        x: TensorId,
        weight: Array4<f32>,
        bias: Array1<f32>,
        window: Window,
        groups: usize,
    ) -> TensorId {
        let weight_name = format!("{name}.weight");
        let conv = Conv {
            weight_name,
            weight: weight.into(),
            bias,
            window,
            groups,
        };
        self.op(name, Op::Conv(conv), &[x])
    }

    /// A dense layer on the last dimension with random weights, as PyTorch writes it
    /// (`[out, in]`): `[.., in]` to `[.., out]`.
    pub fn dense(&mut self, name: &str, x: TensorId, out: usize, gain: f32) -> TensorId {
        let width = self.dims(x).last().copied().unwrap_or(0);
        let values = self.weights(out * width, width, gain);
        let weight = Array2::from_shape_vec((out, width), values);
        let bias = self.uniform(out, 0.1);
        let weight = weight.expect("as many values as the dimensions say");
        self.dense_with(name, x, weight, bias.into())
    }

    /// A dense layer with given weights `[out, in]` and bias `[out]`: `[.., in]` to `[.., out]`.
    pub fn dense_with(
        &mut self,
        name: &str,
        x: TensorId,
        weight: Array2<f32>,
        bias: Array1<f32>,
    ) -> TensorId {
        let weight_name = format!("{name}.weight");
        let dense = Dense {
            weight_name,
            weight: weight.into(),
            transposed: false,
            bias,
        };
        self.op(name, Op::Dense(dense), &[x])
    }

    /// max(x, 0).
    pub fn relu(&mut self, name: &str, x: TensorId) -> TensorId {
        self.op(name, Op::Relu, &[x])
    }

    /// x between two bounds.
    pub fn clip(&mut self, name: &str, x: TensorId, min: f32, max: f32) -> TensorId {
        self.op(name, Op::Clip { min, max }, &[x])
    }

    /// x, or `alpha * x` below zero.
    pub fn leaky_relu(&mut self, name: &str, x: TensorId, alpha: f32) -> TensorId {
        self.op(name, Op::LeakyRelu { alpha }, &[x])
    }

    /// 1 / (1 + exp(-x)).
    pub fn sigmoid(&mut self, name: &str, x: TensorId) -> TensorId {
        self.op(name, Op::Sigmoid, &[x])
    }

    /// Softmax along an axis.
    pub fn softmax(&mut self, name: &str, x: TensorId, axis: usize) -> TensorId {
        self.op(name, Op::Softmax { axis }, &[x])
    }

    /// Sum of two tensors.
    pub fn add(&mut self, name: &str, a: TensorId, b: TensorId) -> TensorId {
        self.op(name, Op::Add, &[a, b])
    }

    /// Product of two tensors.
    pub fn mul(&mut self, name: &str, a: TensorId, b: TensorId) -> TensorId {
        self.op(name, Op::Mul, &[a, b])
    }

    /// Sum with a constant named `<node>.value`.
    pub fn add_const(&mut self, name: &str, x: TensorId, values: ArrayD<f32>) -> TensorId {
        let name_ = format!("{name}.value");
        let constant = Constant {
            name: name_,
            values,
        };
        self.op(name, Op::AddConst(constant), &[x])
    }

    /// Product with a constant named `<node>.value`.
    pub fn mul_const(&mut self, name: &str, x: TensorId, values: ArrayD<f32>) -> TensorId {
        let name_ = format!("{name}.value");
        let constant = Constant {
            name: name_,
            values,
        };
        self.op(name, Op::MulConst(constant), &[x])
    }

    /// Largest value in a window.
    pub fn max_pool(&mut self, name: &str, x: TensorId, window: Window) -> TensorId {
        self.op(name, Op::MaxPool(window), &[x])
    }

    /// Mean of a window; padding does not count.
    pub fn average_pool(&mut self, name: &str, x: TensorId, window: Window) -> TensorId {
        let count_include_pad = false;
        let op = Op::AveragePool {
            window,
            count_include_pad,
        };
        self.op(name, op, &[x])
    }

    /// Mean of each channel's map, `[1, c, 1, 1]`.
    pub fn global_average_pool(&mut self, name: &str, x: TensorId) -> TensorId {
        let mut window = Window::square(1, 1, 0);
        if let [_, _, h, w] = *self.dims(x) {
            window.kernel = [h, w];
        }
        self.average_pool(name, x, window)
    }

    /// Mean over axes, which stay as 1 if `keep`.
    pub fn reduce_mean(&mut self, name: &str, x: TensorId, axes: &[usize], keep: bool) -> TensorId {
        let dims: Vec<usize> = self
            .dims(x)
            .iter()
            .enumerate()
            .filter(|(i, _)| keep || !axes.contains(i))
            .map(|(i, d)| if axes.contains(&i) { 1 } else { *d })
            .collect();
        let axes = axes.to_vec();
        self.op_to(name, Op::ReduceMean { axes }, &[x], &dims)
    }

    /// Tensors one after the other along an axis.
    pub fn concat(&mut self, name: &str, xs: &[TensorId], axis: usize) -> TensorId {
        self.op(name, Op::Concat { axis }, xs)
    }

    /// `len` indices of an axis, from `start`, `step` apart.
    pub fn slice(
        &mut self,
        name: &str,
        x: TensorId,
        axis: usize,
        start: usize,
        len: usize,
        step: usize,
    ) -> TensorId {
        let mut dims = self.dims(x).to_vec();
        if let Some(d) = dims.get_mut(axis) {
            *d = len;
        }
        self.op_to(name, Op::Slice { axis, start, step }, &[x], &dims)
    }

    /// Nearest neighbour upsampling by a whole factor.
    pub fn resize(&mut self, name: &str, x: TensorId, factor: usize) -> TensorId {
        let factor = [factor; 2];
        self.op(name, Op::Resize { factor }, &[x])
    }

    /// The same elements in other dimensions.
    pub fn reshape(&mut self, name: &str, x: TensorId, dims: &[usize]) -> TensorId {
        self.op_to(name, Op::Reshape, &[x], dims)
    }

    /// `[1, all the rest]`.
    pub fn flatten(&mut self, name: &str, x: TensorId) -> TensorId {
        let n = self.dims(x).iter().product();
        self.reshape(name, x, &[1, n])
    }

    /// Permuted axes.
    pub fn transpose(&mut self, name: &str, x: TensorId, perm: &[usize]) -> TensorId {
        let perm = perm.to_vec();
        self.op(name, Op::Transpose { perm }, &[x])
    }

    /// Constant padding, before and after for each dimension.
    pub fn pad(
        &mut self,
        name: &str,
        x: TensorId,
        pads: &[(usize, usize)],
        value: f32,
    ) -> TensorId {
        let pads = pads.to_vec();
        self.op(name, Op::Pad { pads, value }, &[x])
    }
}
