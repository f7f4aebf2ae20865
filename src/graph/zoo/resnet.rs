//! Residual networks of basic blocks.

use super::{Builder, ConvSpec, Graph, TensorId, classifier, conv_relu};
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

/// Three blocks of 16, 32 and 64 channels at 32 x 32.
pub(super) fn resnet8(seed: u64) -> Graph {
    let mut b = Builder::new("resnet8", seed);
    let x = b.input("input", &[1, 3, 32, 32]);
    let mut x = conv_relu(&mut b, "conv1", x, ConvSpec::new(16, 3).pad(1));
    for (i, (co, stride)) in [(16, 1), (32, 2), (64, 2)].into_iter().enumerate() {
        x = block(&mut b, &format!("stage{}.0", i + 1), x, co, stride);
    }
    classifier(&mut b, x, 10);
    b.finish()
}

/// ResNet-18 in its ImageNet layout.
pub(super) fn resnet18(seed: u64) -> Graph {
    let mut b = Builder::new("resnet18", seed);
    let x = b.input("input", &[1, 3, 224, 224]);
    let x = conv_relu(&mut b, "conv1", x, ConvSpec::new(64, 7).stride(2).pad(3));
    let mut x = b.max_pool("maxpool", x, Window::square(3, 2, 1));
    for (s, co) in [64, 128, 256, 512].into_iter().enumerate() {
        for i in 0..2 {
            let stride = if s > 0 && i == 0 { 2 } else { 1 };
            x = block(&mut b, &format!("stage{}.{i}", s + 1), x, co, stride);
        }
    }
    classifier(&mut b, x, 1000);
    b.finish()
}
