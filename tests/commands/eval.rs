//! `vta eval`, and programs with exponents that are given.

use crate::support::command::{ok, vta};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use vta::data::shapes::{Counts, classes};
use vta::data::{Normalise, to_array};
use vta::graph::{Graph, Op, onnx, zoo};
use vta::host::Tensor;
use vta::quant::{
    Calibration, Exponents, Method, QuantOptions, float, quantise, quantise_with,
    reference::Reference,
};
use vta::sparse::{self, Masks};

/// Images of the set that the tests measure with.
const IMAGES: usize = 40;

/// Exit code 2, and these words.
fn refused(dir: &Path, args: &[&str], words: &str) {
    let ran = vta(dir, args);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
    assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
}

fn best(t: &Tensor) -> u8 {
    let values: Vec<f32> = t.as_f32().expect("float").iter().copied().collect();
    let best = (0..values.len()).fold(0, |a, b| if values[b] > values[a] { b } else { a });
    best as u8
}

/// What is known of the folder.
struct Made {
    dir: TempDir,
    exponents: Exponents,
    masks: Masks,
    /// How many images the float network classifies as the integer reference does.
    agree: usize,
}

/// `net/` as `vta prune` writes it, and `data/`: images whose classes are what
/// the integer reference says with the network's exponents.
fn made() -> Made {
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    let mut graph = zoo::build("resnet-tiny", 7).expect("a network of the zoo");
    let masks = sparse::random(0.4, 3, &sparse::layers(&graph)).expect("a density");
    sparse::apply(&mut graph, &masks).expect("they fit");
    let counts = Counts {
        train: IMAGES,
        val: 1,
        test: 1,
    };
    let images = classes(5, counts).train;
    let input = |i: usize| {
        let array = to_array([&images[i].image], &Normalise::middle(3)).expect("one image");
        vec![Tensor::F32(array.into_dyn())]
    };
    let inputs: Vec<Vec<Tensor>> = (0..IMAGES).map(input).collect();
    let few = inputs[..4].to_vec();
    let quantised = |graph: &Graph| {
        let seen = Calibration::observe(graph, few.clone()).expect("images");
        let options = QuantOptions {
            method: Method::Mse,
            ..QuantOptions::default()
        };
        let net = quantise(graph, &seen, &options).expect("a network");
        let exponents = Exponents::of(&net);
        let net = quantise_with(graph, &exponents, None).expect("they fit");
        (exponents, net)
    };
    // Without what all images have in common they are of several classes.
    for _ in 0..3 {
        let (_, net) = quantised(&graph);
        let reference = Reference::new(&net).expect("it is sound");
        let outputs = reference.run_batch(&inputs).expect("it runs");
        for node in graph.nodes_mut() {
            let Op::Dense(d) = &mut node.op else { continue };
            for (c, bias) in d.bias.iter_mut().enumerate() {
                let logits = outputs
                    .iter()
                    .map(|o| o[0].as_f32().expect("float")[[0, c]]);
                *bias -= logits.sum::<f32>() / IMAGES as f32;
            }
        }
    }
    let (exponents, net) = quantised(&graph);
    let reference = Reference::new(&net).expect("it is sound");
    let (mut records, mut agree, mut seen) = (Vec::new(), 0, BTreeSet::new());
    for (i, sample) in images.iter().enumerate() {
        let class = best(&reference.run(&input(i)).expect("it runs")[0]);
        let in_floats = best(&float::run(&graph, &input(i)).expect("it runs")[0]);
        agree += usize::from(class == in_floats);
        seen.insert(class);
        records.push(class);
        (0..3).for_each(|c| records.extend(sample.image.plane(c)));
    }
    assert!(seen.len() > 3, "images are of several classes: {seen:?}");
    let at = |name: &str| dir.path().join(name);
    for name in ["net", "data"] {
        fs::create_dir(at(name)).expect("a folder");
    }
    let write = |name: &str, bytes: &[u8]| fs::write(at(name), bytes).expect("it can be written");
    write("data/train.bin", &records);
    write("data/test.bin", &records);
    write("net/model.onnx", &onnx::export(&graph));
    write("net/masks.safetensors", &sparse::write(&masks));
    write("net/quantisation.json", exponents.to_json().as_bytes());
    Made {
        dir,
        exponents,
        masks,
        agree,
    }
}

#[test]
fn the_device_says_what_the_reference_says() {
    let made = made();
    let d = made.dir.path();
    assert!(made.agree < IMAGES, "float and int8 are different networks");
    let args = ["eval", "net", "--data", "data", "--device", "--json"];
    let json = ok(d, &args).json();
    assert_eq!(json["images"], IMAGES);
    assert_eq!(json["device"]["score"], 1.0, "{json}");
    assert_eq!(json["float"]["score"], made.agree as f64 / IMAGES as f64);
    assert_eq!(json["metric"], "accuracy");
    // The same cycles as the two programs have elsewhere.
    let network = ["net/model.onnx", "--masks", "net/masks.safetensors"];
    let quantisation = ["--quantisation", "net/quantisation.json"];
    let compare = [&["compare"], &network[..], &quantisation, &["--json"]].concat();
    let compared = ok(d, &compare).json();
    for program in ["dense", "sparse"] {
        assert_eq!(json["cycles"][program], compared[program]["cycles"]);
    }
    assert!(json["cycles"]["speedup"].as_f64().expect("a number") > 1.2);
    assert!(!made.masks.is_empty());
    // A part of the images is the same part every time, on any number of threads.
    let text = |threads: &str| {
        let args = ["eval", "net", "--data", "data", "--device", "--limit", "25"];
        ok(d, &[&args[..], &["--threads", threads]].concat()).out
    };
    assert!(text("1").contains("device  accuracy 100.00 %, config de10"));
    assert!(text("1").contains("scales from net/quantisation.json"));
    assert_eq!(text("1"), text("3"));
}

#[test]
fn files_win_over_those_of_the_folder_and_without_any_images_choose() {
    let made = made();
    let d = made.dir.path();
    let mut other = made.exponents.clone();
    other.weights.values_mut().flatten().for_each(|e| *e -= 4);
    fs::write(d.join("other.json"), other.to_json()).expect("it can be written");
    let args = ["eval", "net", "--data", "data", "--device", "--json"];
    let json = ok(d, &[&args[..], &["--quantisation", "other.json"]].concat()).json();
    assert!(json["device"]["score"].as_f64().expect("a number") < 1.0);
    fs::remove_file(d.join("net/quantisation.json")).expect("it is there");
    let args = [
        "eval",
        "net",
        "--data",
        "data",
        "--device",
        "--calib-limit",
        "5",
    ];
    let text = ok(d, &args).out;
    assert!(
        text.contains("scales from 5 samples of data, train"),
        "{text}"
    );
    // An ONNX file has its zero blocks, also without masks.
    let args = [
        "eval",
        "net/model.onnx",
        "--data",
        "data",
        "--device",
        "--json",
    ];
    let json = ok(d, &args).json();
    assert!(json["cycles"]["speedup"].as_f64().expect("a number") > 1.2);
}

#[test]
fn without_the_device_only_the_float_network_runs() {
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    let args = [
        "eval",
        "resnet-tiny",
        "--data",
        "shapes-cls",
        "--limit",
        "20",
    ];
    let text = ok(dir.path(), &args).out;
    assert!(text.contains("shapes-cls, test: 20 images"), "{text}");
    assert!(text.contains("--device measures"), "{text}");
    assert!(!text.contains("cycles  "), "{text}");
    let val = [&args[..], &["--split", "val", "--json"]].concat();
    let json = ok(dir.path(), &val).json();
    assert_eq!(
        (&json["split"], &json["images"]),
        (&"val".into(), &20.into())
    );
    assert!(json.get("device").is_none());
}

#[test]
fn programs_are_compiled_with_the_exponents_that_are_given() {
    let made = made();
    let d = made.dir.path();
    let q = ["--quantisation", "net/quantisation.json"];
    let text = ok(
        d,
        &[&["compile", "net/model.onnx", "-o", "p.vta"], &q[..]].concat(),
    )
    .out;
    assert!(text.contains("scales from net/quantisation.json"), "{text}");
    let infer = [
        "infer",
        "net/model.onnx",
        "--random",
        "1",
        "--compare-reference",
    ];
    let text = ok(d, &[&infer[..], &q].concat()).out;
    assert!(text.contains("equal"), "{text}");
    refused(
        d,
        &[&["infer", "p.vta", "--random", "1"], &q[..]].concat(),
        "--quantisation needs a network",
    );
    refused(
        d,
        &[&["compile", "lenet5", "-o", "l.vta"], &q[..]].concat(),
        "the network has no tensor",
    );
    refused(
        d,
        &[
            &[
                "compile",
                "net/model.onnx",
                "-o",
                "l.vta",
                "--calib",
                "x.npy",
            ],
            &q[..],
        ]
        .concat(),
        "cannot be used with",
    );
    assert!(!d.join("l.vta").exists());
}

#[test]
fn what_is_missing_or_damaged_is_said() {
    let made = made();
    let d = made.dir.path();
    let eval = |more: &[&'static str]| -> Vec<&'static str> {
        let device = ["eval", "net", "--data", "data", "--device"];
        device.iter().chain(more).copied().collect()
    };
    let path = d.join("net/quantisation.json");
    let text = made.exponents.to_json();
    for (damaged, words) in [
        (
            text[..text.len() / 2].to_owned(),
            "net/quantisation.json: line",
        ),
        (text.replace("tensors", "tenors"), "unknown field `tenors`"),
        (
            text.replace("\"version\": 2", "\"version\": 9"),
            "version 9",
        ),
        (text.replacen(": -", ": -9999", 1), "out of range"),
        (
            text.replacen("\"input\"", "\"inpt\"", 1),
            "no tensor `inpt`",
        ),
    ] {
        assert_ne!(damaged, text);
        fs::write(&path, damaged).expect("it can be written");
        refused(d, &eval(&[]), words);
    }
    fs::write(&path, [0xff, 0xfe, 0x00]).expect("it can be written");
    refused(d, &eval(&[]), "net/quantisation.json");
    fs::write(&path, text).expect("it can be written");
    refused(
        d,
        &eval(&["--split", "val"]),
        "--split train or --split test has images",
    );
    refused(d, &eval(&["--masks", "nothing"]), "nothing");
    refused(d, &eval(&["--config", "nothing"]), "nothing");
    refused(
        d,
        &["eval", "net", "--data", "shape-cls"],
        "did you mean shapes-cls?",
    );
    refused(
        d,
        &["eval", "data", "--data", "data"],
        "there is no model.onnx in it",
    );
    refused(
        d,
        &["eval", "resnet", "--data", "data"],
        "no network of the zoo",
    );
    refused(
        d,
        &["eval", "lenet5", "--data", "data"],
        "its input is [1, 1, 28, 28]",
    );
    refused(d, &["eval", "net", "--data", "shapes-det"], "detector");
    refused(
        d,
        &["eval", "mobilenetv1-0.25", "--data", "data"],
        "too small for 10 classes",
    );
}

#[cfg(feature = "train")]
#[test]
fn detectors_are_measured_in_average_precision() {
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    let d = dir.path();
    let train = [
        "train",
        "yolo-32-64-128",
        "--data",
        "shapes-det",
        "-o",
        "net",
    ];
    let few = [
        "--epochs", "1", "--batch", "4", "--limit", "8", "--size", "64",
    ];
    let ran = vta(d, &[&train[..], &few].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let args = [
        "eval",
        "net",
        "--data",
        "shapes-det",
        "--device",
        "--limit",
        "6",
        "--json",
    ];
    let json = ok(d, &args).json();
    assert_eq!(json["metric"], "mAP@0.5");
    for what in ["float", "device"] {
        let score = json[what]["score"].as_f64().expect("a number");
        assert!((0.0..=1.0).contains(&score), "{json}");
    }
    refused(d, &["eval", "net", "--data", "shapes-cls"], "");
}
