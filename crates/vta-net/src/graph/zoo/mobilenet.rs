//! Depthwise separable convolutions.

use super::{Builder, ConvSpec, Form, Graph, TensorId, classifier};

fn conv_relu6(b: &mut Builder, name: &str, x: TensorId, spec: ConvSpec) -> TensorId {
    let y = b.conv(name, x, spec);
    b.clip(&format!("{name}.relu6"), y, 0.0, 6.0)
}

/// MobileNetV1 of a quarter of the width, at 96 x 96, for two classes.
pub(super) fn mobilenet_v1(seed: u64, form: Form) -> Graph {
    let mut b = Builder::new("mobilenetv1-0.25", seed);
    let x = form.input(&mut b, [3, 96, 96]);
    let mut x = conv_relu6(&mut b, "conv1", x, ConvSpec::new(8, 3).stride(2).pad(1));
    let mut layers = vec![(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)];
    layers.extend([(128, 1); 5]);
    layers.extend([(256, 2), (256, 1)]);
    for (i, (co, stride)) in layers.into_iter().enumerate() {
        let c = b.dims(x)[1];
        let depthwise = ConvSpec::new(c, 3).stride(stride).pad(1).groups(c);
        x = conv_relu6(&mut b, &format!("block{}.depthwise", i + 1), x, depthwise);
        let pointwise = ConvSpec::new(co, 1);
        x = conv_relu6(&mut b, &format!("block{}.pointwise", i + 1), x, pointwise);
    }
    classifier(&mut b, x, form.classes(2));
    b.finish()
}
