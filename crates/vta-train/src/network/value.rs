//! Tensors of any rank.

use burn_tensor::backend::Backend;
use burn_tensor::{Shape, Tensor, TensorPrimitive};

/// A tensor whose rank is known when the network runs.
#[derive(Debug, Clone)]
pub struct Value<K: Backend> {
    primitive: K::FloatTensorPrimitive,
    dims: Vec<usize>,
}

impl<K: Backend, const D: usize> From<Tensor<K, D>> for Value<K> {
    fn from(t: Tensor<K, D>) -> Self {
        Self {
            dims: t.dims().to_vec(),
            primitive: t.into_primitive().tensor(),
        }
    }
}

impl<K: Backend> Value<K> {
    /// Its dimensions, the batch first.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The tensor in given dimensions of as many elements.
    pub fn to<const D: usize>(&self, dims: [usize; D]) -> Tensor<K, D> {
        let mut primitive = self.primitive.clone();
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
        Self {
            primitive: K::float_reshape(self.primitive.clone(), Shape::from(dims.to_vec())),
            dims: dims.to_vec(),
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
}
