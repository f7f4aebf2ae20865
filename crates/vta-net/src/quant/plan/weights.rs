//! Weights of a convolution of the device, from those of the graph's node.

use super::merge::taps;
use super::{Linear, Plan};
use crate::graph::canonical::Affine;
use crate::graph::{Op, Window};
use ndarray::{Array1, Array4};

/// How a dense layer's inputs lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One pixel, a channel each.
    Channels,
    /// A flattened `[c, h, w]`.
    Chw([usize; 3]),
    /// A flattened `[h, w, c]`, given as `[c, h, w]`.
    Hwc([usize; 3]),
}

impl Layout {
    /// `[ci, kh, kw]` of the convolution, for so many inputs.
    pub const fn kernel(self, inputs: usize) -> [usize; 3] {
        match self {
            Self::Channels => [inputs, 1, 1],
            Self::Chw(dims) | Self::Hwc(dims) => dims,
        }
    }

    /// The column of the matrix that becomes `[c, y, x]`.
    pub const fn column(self, [c, y, x]: [usize; 3]) -> usize {
        match self {
            Self::Channels => c,
            Self::Chw([_, h, w]) => (c * h + y) * w + x,
            Self::Hwc([n, _, w]) => (y * w + x) * n + c,
        }
    }
}

/// Where weights come from.
#[derive(Debug, Clone)]
pub(crate) enum Weights {
    /// The convolution at this index.
    Conv(usize),
    /// The dense layer at this index.
    Dense(usize, Layout),
    /// For each channel one value, all over the window; a bias each.
    Channels(Vec<f32>, Vec<f32>),
}

impl Plan<'_> {
    /// Weights `[co, ci / groups, kh, kw]` and bias `[co]` with folds and branches in them.
    pub fn weights(&self, linear: &Linear) -> Option<(Array4<f32>, Vec<f32>)> {
        let (mut weight, mut bias) = self.folded(&linear.weights, &linear.fold, &linear.window)?;
        for branch in &linear.branches {
            let (w, b) = self.folded(&branch.weights, &branch.fold, &branch.window)?;
            bias.iter_mut().zip(b).for_each(|(sum, b)| *sum += b);
            let [ys, xs] = [0, 1].map(|i| taps(&linear.window, &branch.window, i));
            let (ys, xs) = (ys?, xs?);
            let (co, ci, ..) = weight.dim();
            // The first input channel of the group that an output is in.
            let first = |o: usize, groups: usize, ci: usize| o / (co / groups) * ci;
            let read = w.dim().1;
            for ((o, i, y, x), w) in w.indexed_iter() {
                let channel = first(o, branch.groups, read) + i;
                let i = channel.checked_sub(first(o, linear.groups, ci))?;
                *weight.get_mut((o, i, ys[y], xs[x]))? += w;
            }
        }
        Some((weight, bias))
    }

    /// Weights and bias with a fold in them.
    fn folded(
        &self,
        weights: &Weights,
        fold: &[Affine],
        window: &Window,
    ) -> Option<(Array4<f32>, Vec<f32>)> {
        let (mut weight, bias) = match weights {
            Weights::Conv(i) => match &self.nodes[*i].op {
                Op::Conv(c) => (c.weight.values().clone(), c.bias.to_vec()),
                _ => return None,
            },
            Weights::Dense(i, layout) => match &self.nodes[*i].op {
                Op::Dense(d) => {
                    let (out, inputs) = d.weight.dim();
                    let [c, h, w] = layout.kernel(inputs);
                    let weight = Array4::from_shape_fn((out, c, h, w), |(o, c, y, x)| {
                        d.weight[[o, layout.column([c, y, x])]]
                    });
                    (weight, d.bias.to_vec())
                }
                _ => return None,
            },
            Weights::Channels(values, bias) => {
                let [kh, kw] = window.kernel;
                let dims = (values.len(), 1, kh, kw);
                let weight = Array4::from_shape_fn(dims, |(c, ..)| values[c]);
                (weight, bias.clone())
            }
        };
        let mut bias = Array1::from(bias);
        for affine in fold {
            affine.fold(weight.view_mut(), &mut bias);
        }
        Some((weight, bias.to_vec()))
    }
}
