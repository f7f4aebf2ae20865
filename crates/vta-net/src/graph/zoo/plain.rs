//! Chains of convolutions.

use super::{Builder, ConvSpec, Form, Graph, classifier, conv_relu};
use crate::graph::Window;

/// LeNet-5 with ReLU and max pooling, the first convolution padded to keep 28 x 28.
pub(super) fn lenet5(seed: u64, form: Form) -> Graph {
    let mut b = Builder::new("lenet5", seed);
    let x = form.input(&mut b, [1, 28, 28]);
    let x = conv_relu(&mut b, "conv1", x, ConvSpec::new(6, 5).pad(2));
    let x = b.max_pool("pool1", x, Window::square(2, 2, 0));
    let x = conv_relu(&mut b, "conv2", x, ConvSpec::new(16, 5));
    let x = b.max_pool("pool2", x, Window::square(2, 2, 0));
    let x = b.flatten("flatten", x);
    let x = b.dense("fc1", x, 120, 1.0);
    let x = b.relu("fc1.relu", x);
    let x = b.dense("fc2", x, 84, 1.0);
    let x = b.relu("fc2.relu", x);
    let y = b.dense("fc3", x, form.classes(10), 0.7);
    b.output(y);
    b.finish()
}

/// VGG-11 for 32 x 32: five stages, each ended by a max pool.
pub(super) fn vgg11(seed: u64, form: Form) -> Graph {
    let mut b = Builder::new("vgg11", seed);
    let mut x = form.input(&mut b, [3, 32, 32]);
    let stages: [&[usize]; 5] = [&[64], &[128], &[256, 256], &[512, 512], &[512, 512]];
    for (s, stage) in stages.iter().enumerate() {
        for (i, co) in stage.iter().enumerate() {
            let name = format!("stage{}.conv{}", s + 1, i + 1);
            x = conv_relu(&mut b, &name, x, ConvSpec::new(*co, 3).pad(1));
        }
        x = b.max_pool(&format!("stage{}.pool", s + 1), x, Window::square(2, 2, 0));
    }
    classifier(&mut b, x, form.classes(10));
    b.finish()
}
