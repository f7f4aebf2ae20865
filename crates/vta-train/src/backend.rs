//! Backends: burn's, and which operators are ours on which.

use super::kernels::fake::Grid;
use super::kernels::last::Blocks;
use super::ops::{self, Maps};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_tensor::backend::Backend;
use burn_tensor::ops::{ConvOptions, PadMode};
use burn_tensor::{Tensor, TensorData, module, s};
use vta_net::graph::Window;

/// The CPU, without gradients.
pub type Cpu = Flex;
/// The CPU, with gradients.
pub type CpuGrad = Autodiff<Flex>;

/// What the commands train on, without gradients: the CPU, or with the feature
/// `wgpu` a GPU.
#[cfg(not(feature = "wgpu"))]
pub type Chosen = Cpu;
/// What the commands train on, without gradients: the CPU, or with the feature
/// `wgpu` a GPU.
#[cfg(feature = "wgpu")]
pub type Chosen = burn_wgpu::Wgpu;
/// The same with gradients.
pub type ChosenGrad = Autodiff<Chosen>;

#[cfg(feature = "wgpu")]
impl Kernels for burn_wgpu::Wgpu {}
#[cfg(feature = "wgpu")]
impl Kernels for Autodiff<burn_wgpu::Wgpu> {}

/// Where the channels of maps are in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// `[n, channels, height, width]`.
    First,
    /// `[n, height, width, channels]`.
    Last,
}

/// A batch normalisation's result and what it saw.
#[derive(Debug, Clone)]
pub struct Normed<B: Backend> {
    /// The result, as its operand.
    pub y: Tensor<B, 4>,
    /// Mean of each channel; no gradient goes through it.
    pub mean: Vec<f32>,
    /// Variance of each channel; no gradient goes through it.
    pub var: Vec<f32>,
}

/// A backend with the operators that cost most.
///
/// What is given here is burn's own and runs on every backend; the CPU has
/// faster ones ([`kernels`](super::kernels)).
pub trait Kernels: Backend {
    /// Convolution: `x [n, ci, h, w]`, `weight [co, ci / groups, kh, kw]`, `bias [co]`.
    fn conv(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        window: &Window,
        groups: usize,
    ) -> Tensor<Self, 4> {
        let [top, left, bottom, right] = window.pads;
        let hops = [0, 1].map(|a| window.kernel[a] == 1 && window.stride[a] > 1);
        let hop = hops.contains(&true);
        let (mut x, padding) = if [top, left] == [bottom, right] && !hop {
            (x, [top, left])
        } else {
            let x = x.pad((left, right, top, bottom), PadMode::Constant(0.0));
            (x, [0, 0])
        };
        let mut stride = window.stride;
        // One row or column of each `stride` is met: taken out first, since burn's
        // kernels for GPUs (0.21) give the input no gradient there.
        if hop {
            let step = |a: usize| if hops[a] { stride[a] as isize } else { 1 };
            x = x.slice([s![..], s![..], s![..; step(0)], s![..; step(1)]]);
            stride = [0, 1].map(|a| if hops[a] { 1 } else { stride[a] });
        }
        let options = ConvOptions::new(stride, padding, window.dilation, groups);
        module::conv2d(x, weight, bias, options)
    }

    /// `relu((x - mean) / sqrt(var + eps) * gamma + beta + residual)` with mean
    /// and variance of this batch; the second operand and ReLU where asked for.
    fn batch_norm(
        x: Tensor<Self, 4>,
        (gamma, beta): (Tensor<Self, 1>, Tensor<Self, 1>),
        residual: Option<Tensor<Self, 4>>,
        relu: bool,
        eps: f32,
    ) -> Normed<Self> {
        let c = gamma.dims()[0];
        let mean_of = |t: Tensor<Self, 4>| t.mean_dim(0).mean_dim(2).mean_dim(3);
        let mean = mean_of(x.clone());
        let centred = x - mean.clone();
        let var = mean_of(centred.clone().square());
        let inverse = var.clone().add_scalar(eps).sqrt().recip();
        let mut y = centred * (inverse * gamma.reshape([1, c, 1, 1])) + beta.reshape([1, c, 1, 1]);
        if let Some(r) = residual {
            y = y + r;
        }
        if relu {
            y = burn_tensor::activation::relu(y);
        }
        Normed {
            y,
            mean: floats(mean),
            var: floats(var),
        }
    }

    /// Whether [`Kernels::conv_last`] and [`Kernels::batch_norm_last`] are faster than
    /// those of maps with channels first.
    const CHANNELS_LAST: bool = false;

    /// [`Kernels::conv`] without groups, of maps with channels last: `x [n, h, w, ci]`.
    /// In blocks of the weight that are not in `taken` it is zero, and nobody asks for a gradient.
    fn conv_last(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        window: &Window,
        _taken: Option<Blocks>,
    ) -> Tensor<Self, 4> {
        Self::to_last(Self::conv(Self::to_first(x), weight, bias, window, 1))
    }

    /// [`Kernels::batch_norm`] of maps with channels last.
    fn batch_norm_last(
        x: Tensor<Self, 4>,
        affine: (Tensor<Self, 1>, Tensor<Self, 1>),
        residual: Option<Tensor<Self, 4>>,
        relu: bool,
        eps: f32,
    ) -> Normed<Self> {
        let residual = residual.map(Self::to_first);
        let normed = Self::batch_norm(Self::to_first(x), affine, residual, relu, eps);
        Normed {
            y: Self::to_last(normed.y),
            ..normed
        }
    }

    /// `[n, h, w, c]` from `[n, c, h, w]`.
    fn to_last(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        x.permute([0, 2, 3, 1])
    }

    /// `[n, c, h, w]` from `[n, h, w, c]`.
    fn to_first(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        x.permute([0, 3, 1, 2])
    }

    /// Values rounded to a grid, or each of as many equal parts to its own;
    /// gradients go straight through where the grid has not ended.
    fn fake_quantise(x: Tensor<Self, 1>, grids: &[Grid]) -> Tensor<Self, 1> {
        let n = x.dims()[0];
        let part = n.div_ceil(grids.len().max(1)).max(1);
        let of = |f: &dyn Fn(&Grid) -> f32| -> Tensor<Self, 1> {
            let values: Vec<f32> = (0..n).map(|i| grids.get(i / part).map_or(0.0, f)).collect();
            Tensor::from_data(TensorData::new(values, [n]), &x.device())
        };
        let step = of(&Grid::step);
        let (low, high) = (of(&|g| g.low * g.step()), of(&|g| g.high * g.step()));
        // 1 where halves go away from zero: the sign then is taken out first.
        let away = of(&|g| f32::from(u8::from(g.away)));
        let within = x.max_pair(low).min_pair(high);
        let steps = within.clone().detach() / step.clone();
        let sign = steps.clone().sign() * away.clone() + (away.neg() + 1.0);
        let rounded = (steps * sign.clone() + 0.5).floor() * sign * step;
        within.clone() + (rounded - within.detach())
    }
}

/// The values of a tensor, in order.
pub fn floats<B: Backend, const D: usize>(t: Tensor<B, D>) -> Vec<f32> {
    // f32 is asked for, so the conversion to a Vec<f32> cannot fail.
    t.into_data().convert::<f32>().to_vec().unwrap_or_default()
}

impl Kernels for Cpu {
    fn conv(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        window: &Window,
        groups: usize,
    ) -> Tensor<Self, 4> {
        ops::conv_plain(x, weight, bias, window, &Maps::First { groups })
    }

    fn batch_norm(
        x: Tensor<Self, 4>,
        (gamma, beta): (Tensor<Self, 1>, Tensor<Self, 1>),
        residual: Option<Tensor<Self, 4>>,
        relu: bool,
        eps: f32,
    ) -> Normed<Self> {
        ops::norm_plain(x, (gamma, beta), residual, (relu, Order::First), eps)
    }

    const CHANNELS_LAST: bool = true;

    fn conv_last(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        window: &Window,
        taken: Option<Blocks>,
    ) -> Tensor<Self, 4> {
        ops::conv_plain(x, weight, bias, window, &Maps::Last { taken })
    }

    fn batch_norm_last(
        x: Tensor<Self, 4>,
        affine: (Tensor<Self, 1>, Tensor<Self, 1>),
        residual: Option<Tensor<Self, 4>>,
        relu: bool,
        eps: f32,
    ) -> Normed<Self> {
        ops::norm_plain(x, affine, residual, (relu, Order::Last), eps)
    }

    fn to_last(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        ops::swap_plain(x, Order::Last)
    }

    fn to_first(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        ops::swap_plain(x, Order::First)
    }

    fn fake_quantise(x: Tensor<Self, 1>, grids: &[Grid]) -> Tensor<Self, 1> {
        ops::fake_plain(x, grids)
    }
}

impl Kernels for CpuGrad {
    fn conv(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        window: &Window,
        groups: usize,
    ) -> Tensor<Self, 4> {
        ops::conv(x, weight, bias, window, Maps::First { groups })
    }

    fn batch_norm(
        x: Tensor<Self, 4>,
        (gamma, beta): (Tensor<Self, 1>, Tensor<Self, 1>),
        residual: Option<Tensor<Self, 4>>,
        relu: bool,
        eps: f32,
    ) -> Normed<Self> {
        ops::norm(x, (gamma, beta), residual, (relu, Order::First), eps)
    }

    const CHANNELS_LAST: bool = true;

    fn conv_last(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        window: &Window,
        taken: Option<Blocks>,
    ) -> Tensor<Self, 4> {
        ops::conv(x, weight, bias, window, Maps::Last { taken })
    }

    fn batch_norm_last(
        x: Tensor<Self, 4>,
        affine: (Tensor<Self, 1>, Tensor<Self, 1>),
        residual: Option<Tensor<Self, 4>>,
        relu: bool,
        eps: f32,
    ) -> Normed<Self> {
        ops::norm(x, affine, residual, (relu, Order::Last), eps)
    }

    fn to_last(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        ops::swap(x, Order::Last)
    }

    fn to_first(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        ops::swap(x, Order::First)
    }

    fn fake_quantise(x: Tensor<Self, 1>, grids: &[Grid]) -> Tensor<Self, 1> {
        ops::fake(x, grids)
    }
}
