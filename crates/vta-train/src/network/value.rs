//! Tensors of any rank.

use crate::backend::{Kernels, Order};
use burn_tensor::backend::Backend;
use burn_tensor::{Shape, Tensor, TensorPrimitive};

/// A tensor whose rank is known when the network runs.
#[derive(Debug, Clone)]
pub struct Value<K: Backend> {
    primitive: K::FloatTensorPrimitive,
    dims: Vec<usize>,
    /// Of maps: where the channels are in memory; else the first.
    order: Order,
}

impl<K: Backend, const D: usize> From<Tensor<K, D>> for Value<K> {
    fn from(t: Tensor<K, D>) -> Self {
        Self {
            dims: t.dims().to_vec(),
            primitive: t.into_primitive().tensor(),
            order: Order::First,
        }
    }
}

impl<K: Backend> Value<K> {
    /// Its dimensions, the batch first, and of maps the channels second.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }
}

impl<K: Kernels> Value<K> {
    /// A map from `[n, h, w, c]`.
    pub(super) fn from_last(t: Tensor<K, 4>) -> Self {
        let [n, h, w, c] = t.dims();
        Self {
            dims: vec![n, c, h, w],
            primitive: t.into_primitive().tensor(),
            order: Order::Last,
        }
    }

    /// Whether it is a map whose channels are last in memory.
    pub(super) fn is_last(&self) -> bool {
        self.order == Order::Last
    }

    /// As it is in memory.
    fn in_memory<const D: usize>(&self) -> Tensor<K, D> {
        Tensor::from_primitive(TensorPrimitive::Float(self.primitive.clone()))
    }

    /// The primitive with the channels first.
    fn first(&self) -> K::FloatTensorPrimitive {
        match self.order {
            Order::First => self.primitive.clone(),
            Order::Last => K::to_first(self.in_memory()).into_primitive().tensor(),
        }
    }

    /// The tensor in given dimensions of as many elements.
    pub fn to<const D: usize>(&self, dims: [usize; D]) -> Tensor<K, D> {
        let mut primitive = self.first();
        if self.dims != dims {
            primitive = K::float_reshape(primitive, Shape::new(dims));
        }
        Tensor::from_primitive(TensorPrimitive::Float(primitive))
    }

    /// All elements in one row.
    pub fn flat(&self) -> Tensor<K, 1> {
        self.to([self.dims.iter().product()])
    }

    /// `[samples, elements of each]`.
    pub fn rows(&self) -> Tensor<K, 2> {
        let n = self.dims.first().copied().unwrap_or(1);
        let rest = self.dims.iter().skip(1).product();
        self.to([n, rest])
    }

    /// The same elements in other dimensions.
    pub(super) fn reshaped(&self, dims: &[usize]) -> Self {
        if self.dims == dims {
            return self.clone();
        }
        Self {
            primitive: K::float_reshape(self.first(), Shape::from(dims.to_vec())),
            dims: dims.to_vec(),
            order: Order::First,
        }
    }

    /// What `f` makes of each element by itself; their order is not said.
    pub(super) fn each(&self, f: impl FnOnce(Tensor<K, 1>) -> Tensor<K, 1>) -> Self {
        let n = self.dims.iter().product();
        let row = K::float_reshape(self.primitive.clone(), Shape::new([n]));
        let y = f(Tensor::from_primitive(TensorPrimitive::Float(row)));
        let dims = match (self.order, &self.dims[..]) {
            (Order::Last, &[n, c, h, w]) => vec![n, h, w, c],
            _ => self.dims.clone(),
        };
        Self {
            primitive: K::float_reshape(y.into_primitive().tensor(), Shape::from(dims)),
            dims: self.dims.clone(),
            order: self.order,
        }
    }

    /// `[before, axis, after]`.
    pub(super) fn around(&self, axis: usize) -> Tensor<K, 3> {
        let before = self.dims[..axis].iter().product();
        let after = self.dims[axis + 1..].iter().product();
        self.to([before, self.dims[axis], after])
    }

    /// Ones in front, to rank 6: enough for all that is broadcast or permuted.
    pub(super) fn six(&self) -> Tensor<K, 6> {
        let mut dims = [1; 6];
        let n = self.dims.len();
        dims[6 - n..].copy_from_slice(&self.dims);
        self.to(dims)
    }

    /// Dimensions as a map `[n, c, h, w]`.
    pub fn map(&self) -> Tensor<K, 4> {
        let mut dims = [1; 4];
        let n = self.dims.len().min(4);
        dims[..n].copy_from_slice(&self.dims[..n]);
        self.to(dims)
    }

    /// A map as `[n, h, w, c]`.
    pub(super) fn map_last(&self) -> Tensor<K, 4> {
        match self.order {
            Order::First => K::to_last(self.map()),
            Order::Last => self.in_memory(),
        }
    }
}
