//! Single-stage detectors.

use super::{Builder, ConvSpec, Form, Graph, TensorId, conv_relu};
use crate::graph::Window;

/// Values of a box before its classes: centre, size, objectness.
const BOX: usize = 5;
/// Boxes at each place of a map.
const ANCHORS: usize = 3;
/// Sides of images are multiples of this: the coarser map's cells.
pub(super) const STEP: usize = 16;

fn conv_leaky(b: &mut Builder, name: &str, x: TensorId, spec: ConvSpec) -> TensorId {
    let y = b.conv(name, x, spec);
    b.leaky_relu(&format!("{name}.leaky"), y, 0.1)
}

/// Boxes of a map: sigmoid on centre, objectness and classes, sizes as they are.
fn head(b: &mut Builder, name: &str, x: TensorId, classes: usize) {
    let values = BOX + classes;
    let raw = b.conv(name, x, ConvSpec::new(ANCHORS * values, 1).gain(0.7));
    let [_, _, h, w] = *b.dims(raw) else {
        unreachable!("a convolution's result has four dimensions")
    };
    let dims = [1, ANCHORS, values, h, w];
    let raw = b.reshape(&format!("{name}.boxes"), raw, &dims);
    let centre = b.slice(&format!("{name}.centre"), raw, 2, 0, 2, 1);
    let size = b.slice(&format!("{name}.size"), raw, 2, 2, 2, 1);
    let rest = b.slice(&format!("{name}.scores"), raw, 2, 4, values - 4, 1);
    let centre = b.sigmoid(&format!("{name}.centre.sigmoid"), centre);
    let rest = b.sigmoid(&format!("{name}.scores.sigmoid"), rest);
    let y = b.concat(&format!("{name}.out"), &[centre, size, rest], 2);
    b.output(y);
}

/// Four pooled convolutions, then boxes at 10 x 10 and, by a route upward, at 20 x 20.
pub(super) fn yolo_tiny(seed: u64, form: Form) -> Graph {
    let classes = form.classes(10);
    let mut b = Builder::new("yolo-tiny", seed);
    let mut x = form.input(&mut b, [3, 160, 160]);
    let mut fine = x;
    for (i, co) in [16, 32, 64, 128].into_iter().enumerate() {
        let name = format!("conv{}", i + 1);
        fine = conv_leaky(&mut b, &name, x, ConvSpec::new(co, 3).pad(1));
        x = b.max_pool(&format!("pool{}", i + 1), fine, Window::square(2, 2, 0));
    }
    let x = conv_leaky(&mut b, "conv5", x, ConvSpec::new(256, 3).pad(1));
    let x = conv_leaky(&mut b, "conv6", x, ConvSpec::new(128, 1));
    let coarse = conv_leaky(&mut b, "coarse.conv", x, ConvSpec::new(256, 3).pad(1));
    head(&mut b, "coarse.head", coarse, classes);
    let up = conv_leaky(&mut b, "route.conv", x, ConvSpec::new(64, 1));
    let up = b.resize("route.up", up, 2);
    let joined = b.concat("route.concat", &[up, fine], 1);
    let joined = conv_leaky(&mut b, "fine.conv", joined, ConvSpec::new(128, 3).pad(1));
    head(&mut b, "fine.head", joined, classes);
    b.finish()
}

/// The same plan with strides in place of pools and channels in whole blocks of
/// 32, for images of 96 x 96: a fifth of the multiplications.
pub(super) fn yolo_32_64_128(seed: u64, form: Form) -> Graph {
    let classes = form.classes(6);
    let mut b = Builder::new("yolo-32-64-128", seed);
    let mut x = form.input(&mut b, [3, 96, 96]);
    let mut fine = x;
    for (i, co) in [32, 64, 128, 128].into_iter().enumerate() {
        fine = x;
        let spec = ConvSpec::new(co, 3).stride(2).pad(1);
        x = conv_relu(&mut b, &format!("conv{}", i + 1), x, spec);
    }
    let x = conv_relu(&mut b, "conv5", x, ConvSpec::new(128, 3).pad(1));
    head(&mut b, "coarse.head", x, classes);
    let up = conv_relu(&mut b, "route.conv", x, ConvSpec::new(64, 1));
    let up = b.resize("route.up", up, 2);
    let joined = b.concat("route.concat", &[up, fine], 1);
    let joined = conv_relu(&mut b, "fine.conv", joined, ConvSpec::new(128, 3).pad(1));
    head(&mut b, "fine.head", joined, classes);
    b.finish()
}
