//! Random layers.

use bitvec::vec::BitVec;
use ndarray::Array4;
use proptest::prelude::*;
use vta_net::graph::Window;
use vta_net::quant::{QConv, QNet, QOp, Shift};
use vta_net::sparse::{BlockMask, Weight};
use vta_test_support::nodes::{INT8, node};

/// Sizes of a convolution; values come from a seed.
#[derive(Debug, Clone)]
pub struct Conv {
    pub co: usize,
    pub ci: usize,
    pub groups: usize,
    pub size: [usize; 2],
    pub window: Window,
    pub residual: bool,
    pub leaky: Option<Vec<u8>>,
    pub by_channel: bool,
    pub post_shift: u8,
    pub kept: Kept,
    pub seed: u64,
}

impl Conv {
    /// A dense 1x1 convolution of as many channels as it reads.
    pub fn pointwise(channels: usize, size: [usize; 2], seed: u64) -> Self {
        Self {
            co: channels,
            ci: channels,
            groups: 1,
            size,
            window: Window::POINT,
            residual: false,
            leaky: None,
            by_channel: false,
            post_shift: 0,
            kept: Kept::Share(1.0),
            seed,
        }
    }
}

/// Which blocks of a layer are kept.
#[derive(Debug, Clone, Copy)]
pub enum Kept {
    /// Each with this probability.
    Share(f64),
    /// Just one.
    One,
}

/// Numbers that follow from a seed.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn int8(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| self.next() as i8).collect()
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

impl Conv {
    /// Dimensions of the result, if there are any.
    pub fn out(&self) -> Option<[usize; 4]> {
        let w = &self.window;
        let size = |i: usize| {
            let span = (w.kernel[i] - 1) * w.dilation[i] + 1;
            let n = self.size[i] + w.pads[i] + w.pads[i + 2];
            n.checked_sub(span).map(|n| n / w.stride[i] + 1)
        };
        Some([1, self.co, size(0)?, size(1)?])
    }

    /// The layer with its mask.
    pub fn qconv(&self, name: &str) -> QConv {
        let mut n = Numbers(self.seed);
        let [kh, kw] = self.window.kernel;
        let ci = self.ci / self.groups;
        let shape = (self.co, ci, kh, kw);
        let weight = n.int8(self.co * ci * kh * kw);
        let weight = Array4::from_shape_vec(shape, weight).expect("as many weights");
        let dims = BlockMask::dims_for([self.co, ci, kh, kw]);
        let blocks = dims.iter().product();
        let one = n.below(blocks as u64) as usize;
        let kept: BitVec = (0..blocks)
            .map(|b| match self.kept {
                Kept::Share(density) => (n.below(1000) as f64) < density * 1000.0,
                Kept::One => b == one,
            })
            .collect();
        let mut weight = Weight::from(weight);
        weight.apply(BlockMask { dims, kept }).expect("its mask");
        let shift = |n: &mut Numbers| 4 + n.below(9) as u8;
        let shifts = if self.by_channel {
            Shift::Channel((0..self.co).map(|_| shift(&mut n)).collect())
        } else {
            Shift::Layer(n.below(13) as u8)
        };
        QConv {
            weight_name: name.into(),
            weight,
            bias: (0..self.co)
                .map(|_| n.below(20_000) as i32 - 10_000)
                .collect(),
            window: self.window,
            groups: self.groups,
            shift: shifts,
            leaky: self.leaky.clone(),
            residual_shift: if self.residual { n.below(7) as u8 } else { 0 },
            post_shift: self.post_shift,
            clamp: if n.below(2) == 0 {
                (0, 127)
            } else {
                (-128, 127)
            },
        }
    }

    /// A network of this layer alone.
    pub fn net(&self) -> QNet {
        let out = self.out().expect("there is a result");
        let mut net = QNet::default();
        let x = net.add_tensor("x", &[1, self.ci, self.size[0], self.size[1]], INT8);
        net.inputs.push(x);
        let mut inputs = vec![x];
        if self.residual {
            let r = net.add_tensor("r", &out, INT8);
            net.inputs.push(r);
            inputs.push(r);
        }
        let conv = self.qconv("w");
        let y = node(&mut net, QOp::Conv(conv), &inputs, &out);
        net.outputs.push(y);
        net
    }
}

fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![
        prop::sample::select(vec![1_usize, 3, 16, 17, 32, 33, 64, 100]),
        1..80_usize
    ]
}

prop_compose! {
    /// Kernels of 1x1 to 11x11, all strides, dilations and paddings.
    pub fn windows()(
        kernel in prop_oneof![
            3 => [1..=3_usize, 1..=3_usize],
            1 => [1..=11_usize, 1..=11_usize],
        ],
        stride in [1..=3_usize, 1..=3],
        dilation in [1..=2_usize, 1..=2],
        pads in [0..=3_usize, 0..=3, 0..=3, 0..=3],
        plain in any::<bool>(),
    ) -> Window {
        if plain {
            let p = kernel.map(|k| k / 2);
            Window { kernel, stride, dilation: [1, 1], pads: [p[0], p[1], p[0], p[1]] }
        } else {
            Window { kernel, stride, dilation, pads }
        }
    }
}

prop_compose! {
    /// Convolutions with everything that may follow.
    pub fn convs()(
        window in windows(),
        (co, ci) in (channels(), channels()),
        grouped in prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(2)],
        groups in 1..=6_usize,
        extra in prop_oneof![[0..=2_usize, 0..=2], [0..=20_usize, 0..=20]],
        residual in any::<bool>(),
        leaky in prop_oneof![
            4 => Just(None),
            1 => prop::sample::subsequence(vec![1_u8, 2, 3, 4, 7], 0..=3).prop_map(Some)
        ],
        by_channel in any::<bool>(),
        post_shift in prop_oneof![3 => Just(0_u8), 1 => 1..4_u8],
        kept in prop_oneof![
            prop::sample::select(vec![1.0, 0.5, 0.1, 0.0]).prop_map(Kept::Share),
            Just(Kept::One),
        ],
        seed in any::<u64>(),
    ) -> Conv {
        let span = |i: usize| {
            let span = (window.kernel[i] - 1) * window.dilation[i] + 1;
            span.saturating_sub(window.pads[i] + window.pads[i + 2]).max(1)
        };
        // None, depthwise, or some groups.
        let (co, ci, groups) = match grouped {
            0 => (co, ci, 1),
            1 => (ci, ci, ci),
            _ => (groups * co.div_ceil(groups), groups * ci.div_ceil(groups), groups),
        };
        Conv {
            co,
            ci,
            groups,
            size: [span(0) + extra[0], span(1) + extra[1]],
            window,
            residual,
            leaky,
            by_channel,
            post_shift,
            kept,
            seed,
        }
    }
}
