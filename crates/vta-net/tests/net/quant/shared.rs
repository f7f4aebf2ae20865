//! Trained networks, where `../shared` has them.

use super::zoo::distance;
use flate2::read::GzDecoder;
use ndarray::{ArrayD, IxDyn};
use std::io::Read;
use vta_net::quant::{Calibration, QuantOptions, float, quantise, reference::Reference};
use vta_tensor::host::Tensor;
use vta_test_support::models::{MODELS, bytes, model};

/// The first `n` images of CIFAR-10, rows of pixels of three values, and their labels.
fn cifar(part: &str, n: usize) -> Option<(Vec<Vec<Tensor>>, Vec<usize>)> {
    let file = bytes(&format!("data/cifar10/{part}.bin.gz"))?;
    let mut bytes = Vec::new();
    let read = GzDecoder::new(&file[..]).read_to_end(&mut bytes);
    read.expect("the data are whole");
    let image = |record: &[u8]| {
        let pixel = |i: IxDyn| f32::from(record[1 + (i[3] * 32 + i[1]) * 32 + i[2]]);
        let image = ArrayD::from_shape_fn(IxDyn(&[1, 32, 32, 3]), pixel);
        (vec![Tensor::F32(image)], usize::from(record[0]))
    };
    Some(bytes.chunks_exact(3073).take(n).map(image).unzip())
}

fn class(outputs: &[Tensor]) -> usize {
    let scores = outputs[0].as_f32().expect("float");
    let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.expect("a class").0
}

#[test]
fn every_model_becomes_an_integer_network() {
    for name in MODELS {
        let Some(graph) = model(name) else { return };
        let calibration = Calibration::noise(&graph, 1, 1).expect(name);
        let net = quantise(&graph, &calibration, &QuantOptions::default()).expect(name);
        let inputs = &calibration.samples()[0];
        let want = float::run(&graph, inputs).expect(name);
        let reference = Reference::new(&net).expect(name);
        let got = reference.run(inputs).expect(name);
        assert_eq!(want.len(), got.len());
        for (want, got) in want.iter().zip(&got) {
            let d = distance(want, got);
            assert!(d < 0.05, "{name}: {d}");
        }
    }
}

/// Of all 2,000 test images the float network has 75.75 % right; here a fifth is tried.
#[test]
fn int8_sees_what_float_sees() {
    let Some(graph) = model("resnet8_cifar10") else {
        return;
    };
    let (samples, _) = cifar("train", 64).expect("training images");
    let (images, labels) = cifar("test", 400).expect("test images");
    let calibration = Calibration::observe(&graph, samples).expect("it can be observed");
    let net = quantise(&graph, &calibration, &QuantOptions::default()).expect("quantised");
    let classes =
        |outputs: Vec<Vec<Tensor>>| -> Vec<usize> { outputs.iter().map(|o| class(o)).collect() };
    let want = classes(float::run_batch(&graph, &images).expect("float runs"));
    let reference = Reference::new(&net).expect("the network is sound");
    let got = classes(reference.run_batch(&images).expect("int8 runs"));
    let same = |a: &[usize], b: &[usize]| a.iter().zip(b).filter(|(a, b)| a == b).count();
    let (float, int8, agree) = (same(&want, &labels), same(&got, &labels), same(&want, &got));
    assert!(float >= 290, "float has {float} right");
    // One in a hundred of the images may be lost.
    assert!(int8 + 4 >= float, "float has {float} right, int8 {int8}");
    assert!(agree >= 380, "{agree} of 400 alike");
}
