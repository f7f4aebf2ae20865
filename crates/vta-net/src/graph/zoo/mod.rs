//! Networks built in code, with weights drawn from a seed.
//!
//! BatchNorms are taken as folded: every convolution has a bias. Residual
//! branches end with a small gain, so that values keep their scale with depth
//! for inputs of about unit variance.

mod detector;
mod mobilenet;
mod plain;
mod resnet;

use super::{Builder, ConvSpec, Graph, TensorId};

/// Names of the networks.
pub const NAMES: &[&str] = &[
    "lenet5",
    "resnet8",
    "resnet-tiny",
    "resnet-32-64-128",
    "resnet-64-128-256",
    "resnet18",
    "mobilenetv1-0.25",
    "vgg11",
    "yolo-tiny",
    "yolo-32-64-128",
];

/// Builds a network; none when no network has the name.
///
/// | name | input | output |
/// | --- | --- | --- |
/// | `lenet5` | `[1, 1, 28, 28]` | 10 logits |
/// | `resnet8` | `[1, 3, 32, 32]` | 10 logits; the layers of MLPerf Tiny's |
/// | `resnet-tiny` | `[1, 3, 32, 32]` | 10 logits; channels in whole blocks of 32, quick to train |
/// | `resnet-32-64-128` | `[1, 3, 32, 32]` | 10 logits; the same layers on maps of twice the size |
/// | `resnet-64-128-256` | `[1, 3, 32, 32]` | 10 logits; the same with twice the channels |
/// | `resnet18` | `[1, 3, 224, 224]` | 1000 logits |
/// | `mobilenetv1-0.25` | `[1, 3, 96, 96]` | 2 logits; the layers of MLPerf Tiny's visual wake words |
/// | `vgg11` | `[1, 3, 32, 32]` | 10 logits |
/// | `yolo-tiny` | `[1, 3, 160, 160]` | two maps of boxes: `[1, 3, 15, 10, 10]` and `[1, 3, 15, 20, 20]` |
/// | `yolo-32-64-128` | `[1, 3, 96, 96]` | `[1, 3, 11, 6, 6]` and `[1, 3, 11, 12, 12]`; channels in whole blocks of 32, quick to train |
pub fn build(name: &str, seed: u64) -> Option<Graph> {
    build_as(name, seed, Form::default())
}

/// Builds a network with another form; none when no network has the name.
///
/// # Panics
/// Images whose sides do not suit ([`sides`]).
pub fn build_as(name: &str, seed: u64, form: Form) -> Option<Graph> {
    Some(match name {
        "lenet5" => plain::lenet5(seed, form),
        "resnet8" => resnet::resnet8(seed, form),
        "resnet-tiny" => resnet::resnet_tiny(seed, form),
        "resnet-32-64-128" => resnet::resnet_32_64_128(seed, form),
        "resnet-64-128-256" => resnet::resnet_64_128_256(seed, form),
        "resnet18" => resnet::resnet18(seed, form),
        "mobilenetv1-0.25" => mobilenet::mobilenet_v1(seed, form),
        "vgg11" => plain::vgg11(seed, form),
        "yolo-tiny" => detector::yolo_tiny(seed, form),
        "yolo-32-64-128" => detector::yolo_32_64_128(seed, form),
        _ => return None,
    })
}

/// Which sides a network's images may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// Least height and width.
    pub least: [usize; 2],
    /// Both are multiples of this.
    pub step: usize,
}

impl Sides {
    /// Whether an image of so many rows and columns suits.
    pub fn suit(&self, height: usize, width: usize) -> bool {
        let one = |n: usize, least: usize| n >= least && n.is_multiple_of(self.step);
        one(height, self.least[0]) && one(width, self.least[1])
    }
}

/// The sides that images of a network may have, for [`Form::image`]; none when
/// no network has the name.
pub fn sides(name: &str) -> Option<Sides> {
    if name.starts_with("yolo-") {
        let step = detector::STEP;
        return NAMES.contains(&name).then_some(Sides {
            least: [step; 2],
            step,
        });
    }
    // Smaller images than the usual ones may be smaller than windows.
    let usual = build(name, 0)?;
    match usual.tensor(*usual.inputs.first()?).dims[..] {
        [_, _, h, w] => Some(Sides {
            least: [h, w],
            step: 1,
        }),
        _ => None,
    }
}

/// Size of a network's images, and its classes; none is the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form {
    /// Channels, height, width.
    pub image: Option<[usize; 3]>,
    /// Classes.
    pub classes: Option<usize>,
}

impl Form {
    fn input(self, b: &mut Builder, usual: [usize; 3]) -> TensorId {
        let [c, h, w] = self.image.unwrap_or(usual);
        b.input("input", &[1, c, h, w])
    }

    fn classes(self, usual: usize) -> usize {
        self.classes.unwrap_or(usual)
    }
}

/// Convolution and ReLU.
fn conv_relu(b: &mut Builder, name: &str, x: TensorId, spec: ConvSpec) -> TensorId {
    let y = b.conv(name, x, spec);
    b.relu(&format!("{name}.relu"), y)
}

/// Mean of each map, and a dense layer to logits.
fn classifier(b: &mut Builder, x: TensorId, classes: usize) {
    let x = b.global_average_pool("pool", x);
    let x = b.flatten("flatten", x);
    // No ReLU follows: half the variance of He's.
    let y = b.dense("fc", x, classes, 0.7);
    b.output(y);
}
