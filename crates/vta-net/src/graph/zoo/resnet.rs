//! Residual networks of basic blocks.

use super::{Builder, ConvSpec, Form, Graph, TensorId, classifier, conv_relu};
use crate::graph::Window;

/// Two 3x3 convolutions beside the identity, or a 1x1 convolution where dimensions change.
fn block(b: &mut Builder, name: &str, x: TensorId, co: usize, stride: usize) -> TensorId {
    let first = ConvSpec::new(co, 3).stride(stride).pad(1);
    let y = conv_relu(b, &format!("{name}.conv1"), x, first);
    let second = ConvSpec::new(co, 3).pad(1).gain(0.4);
    let y = b.conv(&format!("{name}.conv2"), y, second);
    let short = if stride != 1 || b.dims(x)[1] != co {
        let spec = ConvSpec::new(co, 1).stride(stride).gain(0.7);
        b.conv(&format!("{name}.downsample"), x, spec)
    } else {
        x
    };
    let sum = b.add(&format!("{name}.add"), y, short);
    b.relu(&format!("{name}.relu"), sum)
}

/// Three blocks of 16, 32 and 64 channels, at 32 x 32.
pub(super) fn resnet8(seed: u64, form: Form) -> Graph {
    three_blocks("resnet8", seed, form, [16, 32, 64], 1)
}

/// A first convolution with a stride, and three blocks, the second and third with stride 2.
fn three_blocks(name: &str, seed: u64, form: Form, widths: [usize; 3], stride: usize) -> Graph {
    let mut b = Builder::new(name, seed);
    let x = form.input(&mut b, [3, 32, 32]);
    let first = ConvSpec::new(widths[0], 3).stride(stride).pad(1);
    let mut x = conv_relu(&mut b, "conv1", x, first);
    for (i, co) in widths.into_iter().enumerate() {
        let stride = if i == 0 { 1 } else { 2 };
        x = block(&mut b, &format!("stage{}.0", i + 1), x, co, stride);
    }
    classifier(&mut b, x, form.classes(10));
    b.finish()
}

/// Channels in whole blocks of 32: 310,000 weights.
pub(super) fn resnet_32_64_128(seed: u64, form: Form) -> Graph {
    three_blocks("resnet-32-64-128", seed, form, [32, 64, 128], 1)
}

/// Twice the channels: 1,230,000 weights.
pub(super) fn resnet_64_128_256(seed: u64, form: Form) -> Graph {
    three_blocks("resnet-64-128-256", seed, form, [64, 128, 256], 1)
}

/// The layers of `resnet-32-64-128` on maps of half the size: for a quick training.
pub(super) fn resnet_tiny(seed: u64, form: Form) -> Graph {
    three_blocks("resnet-tiny", seed, form, [32, 64, 128], 2)
}

/// ResNet-18 in its ImageNet layout.
pub(super) fn resnet18(seed: u64, form: Form) -> Graph {
    let mut b = Builder::new("resnet18", seed);
    let x = form.input(&mut b, [3, 224, 224]);
    let x = conv_relu(&mut b, "conv1", x, ConvSpec::new(64, 7).stride(2).pad(3));
    let mut x = b.max_pool("maxpool", x, Window::square(3, 2, 1));
    for (s, co) in [64, 128, 256, 512].into_iter().enumerate() {
        for i in 0..2 {
            let stride = if s > 0 && i == 0 { 2 } else { 1 };
            x = block(&mut b, &format!("stage{}.{i}", s + 1), x, co, stride);
        }
    }
    classifier(&mut b, x, form.classes(1000));
    b.finish()
}
