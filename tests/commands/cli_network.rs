//! Sessions with networks: compile, run, infer, compare; and what is refused.

use crate::support::command::{Ran, ok, vta};
use ndarray::{Array, ArrayD, IxDyn};
use ndarray_npy::{ReadNpyExt, write_npy};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room for temporary files")
}

/// Exit code 2, these words, and nothing left behind.
fn refused(dir: &Path, args: &[&str], words: &str) -> Ran {
    let before = fs::read_dir(dir).unwrap().count();
    let ran = vta(dir, args);
    assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
    assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
    assert_eq!(ran.out, "", "{args:?}");
    assert_eq!(fs::read_dir(dir).unwrap().count(), before, "{args:?}");
    ran
}

fn sum(layers: &Value, side: &str, key: &str) -> u64 {
    let layers = layers.as_array().unwrap();
    layers.iter().map(|l| l[side][key].as_u64().unwrap()).sum()
}

#[test]
fn a_network_is_compiled_run_and_asked() {
    let dir = folder();
    let d = dir.path();
    let out = [
        "compile",
        "lenet5",
        "-o",
        "lenet5.vta",
        "--verify",
        "--json",
    ];
    let compiled = ok(d, &out).json();
    assert_eq!(compiled["verified"], true);
    assert_eq!(compiled["config"], "de10");
    assert_eq!(
        compiled["calibration"].as_str().unwrap().split(' ').next(),
        Some("noise")
    );
    let layers = compiled["layers"].as_array().unwrap();
    for l in layers {
        match l["on"].as_str().unwrap() {
            // What takes nothing says why: placed, or in the tile of another.
            "device" => assert!(l["compute_floor"] != 0 || l["why"] != "", "{l}"),
            "host" => assert_ne!(l["why"], "", "{l}"),
            other => panic!("{other}"),
        }
    }
    ok(d, &["check", "lenet5.vta"]);
    let run = ok(d, &["run", "lenet5.vta", "--json"]).json();
    let asked = ok(d, &["infer", "lenet5.vta", "--random", "1", "--json"]).json();
    assert_eq!(run["status"], "ok");
    // Cycles do not depend on what the inputs are.
    assert_eq!(run["cycles"], asked["cycles"]);
    let values = asked["outputs"][0][0]["values"].as_array().unwrap();
    assert_eq!(values.len(), 10);
    // The same from the network itself.
    let again = ok(d, &["infer", "lenet5", "--random", "1", "--json"]).json();
    assert_eq!(
        again["outputs"][0][0]["values"],
        asked["outputs"][0][0]["values"]
    );
    assert_eq!(again["cycles"], asked["cycles"]);
}

#[test]
fn the_program_equals_the_reference_and_is_near_the_float_network() {
    let dir = folder();
    for model in ["lenet5", "resnet8"] {
        for more in [
            &[][..],
            &["--density", "0.5"],
            &["--dense"],
            &["--config", "small"],
        ] {
            let args = [
                &[
                    "infer",
                    model,
                    "--random",
                    "3",
                    "--limit",
                    "3",
                    "--compare-reference",
                    "--float",
                    "--json",
                ],
                more,
            ];
            let json = ok(dir.path(), &args.concat()).json();
            assert_eq!(json["reference"]["equal"], true, "{model} {more:?}");
            // Every layer is compared: at least one tensor for each that the compiler reports.
            assert!(
                json["reference"]["tensors"].as_u64().unwrap() >= 8,
                "{json}"
            );
            assert!(
                json["float_error"].as_f64().unwrap() < 0.3,
                "{model} {more:?}: {json}"
            );
            assert!(json["accuracy"].is_null());
            assert_eq!(json["classes"].as_array().unwrap().len(), 3);
        }
    }
}

#[test]
fn threads_and_simulators_give_the_same_values() {
    let dir = folder();
    let base = ["infer", "lenet5", "--random", "5", "--limit", "4", "--json"];
    let first = ok(dir.path(), &base).json();
    for more in [
        &["--threads", "1"][..],
        &["--threads", "3"],
        &["--sim", "fsim"],
    ] {
        let json = ok(dir.path(), &[&base[..], more].concat()).json();
        assert_eq!(json["outputs"], first["outputs"], "{more:?}");
    }
    let fsim = ok(dir.path(), &[&base[..], &["--sim", "fsim"]].concat()).json();
    assert!(fsim["cycles"].is_null());
}

#[test]
fn dense_and_sparse_are_compared() {
    let dir = folder();
    let d = dir.path();
    let args = [
        "compare",
        "resnet8",
        "--density",
        "0.25",
        "--seed",
        "1",
        "--verify",
        "--json",
    ];
    let json = ok(d, &args).json();
    assert_eq!(json["outputs_equal"], true);
    let layers = &json["layers"];
    for side in ["dense", "sparse"] {
        let whole = json[side]["cycles"].as_u64().unwrap();
        assert_eq!(
            sum(layers, side, "cycles"),
            whole,
            "layers sum to the total"
        );
        let steps = json[side]["gemm_steps"].as_u64().unwrap();
        assert_eq!(sum(layers, side, "gemm_steps"), steps);
        let (read, all) = (
            sum(layers, side, "bytes_read"),
            json[side]["bytes_read"].as_u64().unwrap(),
        );
        // What belongs to no layer: the finish and what fetch reads past it.
        assert!(read <= all && all - read < 512, "{side}: {read} of {all}");
        assert_eq!(
            sum(layers, side, "bytes_written"),
            json[side]["bytes_written"].as_u64().unwrap()
        );
    }
    let (mut first, mut blocks, mut masked) = (true, 0, 0);
    for l in layers.as_array().unwrap() {
        let (n, kept) = (l["blocks"].as_u64().unwrap(), l["kept"].as_u64().unwrap());
        if l["on"] == "host" {
            assert_eq!(
                (&l["dense"]["cycles"], &l["sparse"]["cycles"]),
                (&json!(0), &json!(0))
            );
            continue;
        }
        let floor = l["sparse"]["compute_floor"].as_u64().unwrap();
        assert!(l["sparse"]["cycles"].as_u64().unwrap() >= floor, "{l}");
        if n == 0 {
            continue;
        }
        if first || l["op"] == "Gemm" {
            assert_eq!(
                kept, n,
                "the first convolution and the last dense layer stay dense: {l}"
            );
            first = false;
            continue;
        }
        assert_eq!(kept, (0.25 * n as f64).round() as u64, "{l}");
        blocks += n;
        masked += 1;
        // All blocks of these layers are whole: what is kept is exactly their part of the work.
        if l["name"].as_str().unwrap().starts_with("stage3") {
            let macs = l["macs"].as_u64().unwrap() * kept / n;
            assert_eq!(l["kept_macs"].as_u64().unwrap(), macs, "{l}");
        }
    }
    assert!(
        masked >= 8 && blocks > 80,
        "{masked} layers, {blocks} blocks"
    );
    assert!(
        json["speedup"].as_f64().unwrap() > 1.3,
        "{}",
        json["speedup"]
    );
    // The same seed again, and another one.
    let again = ok(d, &args).json();
    assert_eq!(again["layers"], json["layers"]);
    let text = ok(d, &args[..7]).out;
    assert!(text.ends_with("outputs: equal\n"), "{text}");
}

#[test]
fn a_network_without_zero_blocks_says_so() {
    let dir = folder();
    let ran = ok(dir.path(), &["compare", "lenet5"]);
    assert!(
        ran.out.contains("no weight block is left out"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("--density 0.25"));
    let json = ok(dir.path(), &["compare", "lenet5", "--json"]).json();
    assert_eq!(json["outputs_equal"], true);
}

/// Masks of a density, as a file, give the same program; and so do the zeros
/// of the network alone, where it is written as ONNX.
#[test]
fn masks_from_a_file_and_from_a_density_are_the_same() {
    let dir = folder();
    let d = dir.path();
    let density = ["--density", "0.3", "--seed", "9"];
    let save = [
        "compile",
        "resnet8",
        "-o",
        "a.vta",
        "--save-masks",
        "m.safetensors",
    ];
    ok(d, &[&save[..], &density].concat());
    ok(
        d,
        &[
            "compile",
            "resnet8",
            "-o",
            "b.vta",
            "--masks",
            "m.safetensors",
        ],
    );
    let read = |name: &str| fs::read(d.join(name)).unwrap();
    assert_eq!(read("a.vta"), read("b.vta"));
    ok(
        d,
        &[
            "compile",
            "resnet8",
            "-o",
            "c.vta",
            "--density",
            "0.3",
            "--seed",
            "10",
        ],
    );
    assert_ne!(read("a.vta"), read("c.vta"));
    let masks = fs::read(d.join("m.safetensors")).unwrap();
    fs::write(d.join("cut.safetensors"), &masks[..masks.len() - 1]).unwrap();
    refused(
        d,
        &[
            "compile",
            "resnet8",
            "-o",
            "d.vta",
            "--masks",
            "cut.safetensors",
        ],
        "cut.safetensors: mask ",
    );
    // Masks of another network.
    let ran = refused(
        d,
        &["compare", "lenet5", "--masks", "m.safetensors"],
        "the model has no such weight",
    );
    assert!(ran.err.contains("help: "), "{}", ran.err);
}

#[test]
fn onnx_files_of_the_zoo_are_the_zoo() {
    let dir = folder();
    let d = dir.path();
    let zoo = ok(d, &["zoo", "--json"]).json();
    assert_eq!(
        zoo["zoo"].as_array().unwrap().len(),
        vta::graph::zoo::NAMES.len()
    );
    ok(
        d,
        &["zoo", "lenet5", "--out", "lenet5.onnx", "--zoo-seed", "4"],
    );
    let infer = |model: &[&str]| {
        let more = ["--random", "2", "--limit", "2", "--json"];
        ok(d, &[&["infer"], model, &more].concat()).json()
    };
    let (file, zoo) = (
        infer(&["lenet5.onnx"]),
        infer(&["lenet5", "--zoo-seed", "4"]),
    );
    assert_eq!(file["outputs"], zoo["outputs"]);
    assert_eq!(file["cycles"], zoo["cycles"]);
    let other = infer(&["lenet5"]);
    assert_ne!(other["outputs"], zoo["outputs"]);
    let bytes = fs::read(d.join("lenet5.onnx")).unwrap();
    fs::write(d.join("cut.onnx"), &bytes[..bytes.len() / 2]).unwrap();
    refused(
        d,
        &["compile", "cut.onnx", "-o", "x.vta"],
        "cut.onnx: no ONNX model, or a truncated one",
    );
}

/// The same images as an array, as raw floats and as CIFAR records.
#[test]
fn samples_come_in_several_formats() {
    let dir = folder();
    let d = dir.path();
    let pixel = |n: usize, at: usize| ((n * 31 + at * 7) % 256) as u8;
    let (mut records, mut floats) = (Vec::new(), Vec::new());
    for n in 0..3 {
        records.push(n as u8 * 3);
        for at in 0..3072 {
            records.push(pixel(n, at));
            floats.push(f32::from(pixel(n, at)));
        }
    }
    fs::write(d.join("x.bin"), &records).unwrap();
    crate::support::golden::pack(&d.join("x.bin.gz"), &records);
    let raw: Vec<u8> = floats.iter().flat_map(|f| f.to_le_bytes()).collect();
    fs::write(d.join("x.raw"), raw).unwrap();
    let array = Array::from_shape_vec((3, 3, 32, 32), floats).unwrap();
    write_npy(d.join("x.npy"), &array).unwrap();
    write_npy(d.join("bytes.npy"), &array.mapv(|x| x as u8)).unwrap();
    write_npy(d.join("one.npy"), &array.index_axis(ndarray::Axis(0), 0)).unwrap();
    let scaled = ["--mean", "128", "--scale", "0.015625", "--json"];
    let infer = |input: &[&str]| {
        ok(
            d,
            &[&["infer", "resnet8", "--input"], input, &scaled].concat(),
        )
        .json()
    };
    let first = infer(&["x.npy"]);
    assert_eq!(first["samples"], 3);
    for other in ["x.raw", "x.bin", "x.bin.gz", "bytes.npy"] {
        let json = infer(&[other]);
        assert_eq!(json["outputs"], first["outputs"], "{other}");
        assert_eq!(
            json["accuracy"].is_number(),
            other.starts_with("x.bin"),
            "{other}"
        );
    }
    let classes = first["classes"].as_array().unwrap();
    let right = (0..3).filter(|n| classes[*n] == json!(n * 3)).count();
    assert_eq!(infer(&["x.bin"])["correct"], json!(right));
    let calibrated = ["--calib", "x.npy", "one.npy", "--limit", "1"];
    let one = infer(&[&["one.npy"][..], &calibrated].concat());
    assert_eq!(one["samples"], 1);
    assert_eq!(infer(&["x.bin", "x.bin", "--limit", "5"])["samples"], 5);
    // A number for each channel: the last changes the outcome.
    let per_channel = [
        "infer",
        "resnet8",
        "--input",
        "x.npy",
        "--mean",
        "128,128,128",
        "--scale",
        "0.015625",
        "--json",
    ];
    assert_eq!(ok(d, &per_channel).json()["outputs"], first["outputs"]);
    // Outputs as an array.
    let out = ["infer", "resnet8", "--input", "x.npy", "--out", "y.npy"];
    ok(d, &[&out[..], &scaled].concat());
    let y = ArrayD::<f32>::read_npy(fs::File::open(d.join("y.npy")).unwrap()).unwrap();
    assert_eq!(y.shape(), [3, 10]);
    let values = first["outputs"][2][0]["values"].as_array().unwrap();
    assert_eq!(f64::from(y[[2, 9]]), values[9].as_f64().unwrap());
}

#[test]
fn samples_that_do_not_fit_are_refused() {
    let dir = folder();
    let d = dir.path();
    let infer = |file: &str, more: &[&str], words: &str| {
        refused(
            d,
            &[&["infer", "lenet5", "--input", file], more].concat(),
            words,
        );
    };
    infer("none.npy", &[], "none.npy: No such file");
    fs::write(d.join("x.txt"), "1 2 3").unwrap();
    infer("x.txt", &[], "x.txt: not a name of samples");
    fs::write(d.join("x.raw"), [0; 100]).unwrap();
    infer(
        "x.raw",
        &[],
        "x.raw: 100 bytes are no multiple of 3136, what input [1, 1, 28, 28] takes",
    );
    fs::write(d.join("x.npy"), "no array").unwrap();
    infer("x.npy", &[], "x.npy: not a .npy array");
    write_npy(
        d.join("wide.npy"),
        &ArrayD::<f32>::zeros(IxDyn(&[1, 1, 28, 29])),
    )
    .unwrap();
    infer(
        "wide.npy",
        &[],
        "wide.npy: [1, 1, 28, 29] is no array of samples for input [1, 1, 28, 28]",
    );
    write_npy(
        d.join("empty.npy"),
        &ArrayD::<f32>::zeros(IxDyn(&[0, 1, 28, 28])),
    )
    .unwrap();
    infer("empty.npy", &[], "empty.npy: there are no samples");
    write_npy(
        d.join("nan.npy"),
        &ArrayD::from_elem(IxDyn(&[1, 1, 28, 28]), f32::NAN),
    )
    .unwrap();
    infer(
        "nan.npy",
        &[],
        "nan.npy: a value for input is not a finite number",
    );
    fs::write(d.join("x.bin"), [0; 3073]).unwrap();
    infer("x.bin", &[], "x.bin: CIFAR images are");
    write_npy(
        d.join("good.npy"),
        &ArrayD::<f32>::zeros(IxDyn(&[2, 1, 28, 28])),
    )
    .unwrap();
    infer(
        "good.npy",
        &["--mean", "1,2"],
        "good.npy: --mean has 2 numbers",
    );
    refused(d, &["infer", "lenet5"], "required");
    refused(
        d,
        &["infer", "lenet5", "--random", "1", "--input", "good.npy"],
        "cannot be used with",
    );
    refused(
        d,
        &["infer", "resnet8", "--input", "x.bin", "--limit", "0"],
        "not a number from 1",
    );
    fs::write(d.join("cut.bin"), [0; 3000]).unwrap();
    refused(
        d,
        &["infer", "resnet8", "--input", "cut.bin"],
        "cut.bin: 3000 bytes are no CIFAR records",
    );
    fs::write(d.join("cut.bin.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    refused(
        d,
        &["infer", "resnet8", "--input", "cut.bin.gz"],
        "cut.bin.gz: ",
    );
}

#[test]
fn networks_and_options_that_make_no_sense_are_refused() {
    let dir = folder();
    let d = dir.path();
    let ran = refused(
        d,
        &["compile", "resnet9", "-o", "x.vta"],
        "resnet9: no such file, and no network of the zoo",
    );
    assert!(
        ran.err
            .contains("help: did you mean resnet8? The zoo has lenet5, resnet8"),
        "{}",
        ran.err
    );
    refused(
        d,
        &["compile", "mobilenetv1-0.5", "-o", "x.vta"],
        "did you mean mobilenetv1-0.25?",
    );
    let ran = refused(d, &["compare", "none.onnx"], "none.onnx: No such file");
    assert!(ran.err.contains("vta zoo"), "{}", ran.err);
    for density in ["1.5", "-0.1", "nan", "a"] {
        let args = ["compare", "lenet5", &format!("--density={density}")];
        refused(d, &args, "not a number from 0 to 1");
    }
    refused(d, &["compare", "lenet5", "--seed", "1"], "--density");
    refused(
        d,
        &["compare", "lenet5", "--density", "0.5", "--masks", "m"],
        "cannot be used with",
    );
    refused(
        d,
        &["compare", "lenet5", "--masks", "m.safetensors"],
        "m.safetensors: No such file",
    );
    refused(d, &["compile", "lenet5"], "--out");
    refused(
        d,
        &["compile", "lenet5", "-o", "no/such/x.vta"],
        "No such file",
    );
    refused(
        d,
        &["compile", "lenet5", "-o", "x.vta", "--config", "de-10"],
        "not a built-in configuration",
    );
    refused(d, &["zoo", "lenet4"], "did you mean lenet5?");
    ok(d, &["compile", "lenet5", "-o", "x.vta"]);
    refused(
        d,
        &["compare", "x.vta"],
        "x.vta: one program has nothing to be compared with",
    );
    refused(
        d,
        &["compare", "x.vta", "x.vta", "--density", "0.5"],
        "cannot be used with",
    );
    refused(d, &["compile", "x.vta", "-o", "y.vta"], "x.vta: ");
    let reference = ["infer", "x.vta", "--random", "1", "--compare-reference"];
    refused(
        d,
        &reference,
        "--compare-reference needs a network, x.vta is a program",
    );
    let ran = ok(d, &["compare", "x.vta", "x.vta"]);
    assert!(
        ran.out.contains("speed-up of B over A: 1.00"),
        "{}",
        ran.out
    );
}

/// A program that asks for too few cycles: exit code 3, and why.
#[test]
fn a_network_that_does_not_end_in_time_says_so() {
    let dir = folder();
    for args in [
        &["infer", "lenet5", "--random", "1"][..],
        &["compare", "lenet5", "--density", "0.5"],
    ] {
        let ran = vta(dir.path(), &[args, &["--max-cycles", "1000"]].concat());
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("ends with hang in launch"), "{}", ran.err);
    }
}

/// Grouped, depthwise, dilated and strided convolutions, odd channel counts,
/// a dense layer behind a flattened map; masks also for layers that a density
/// leaves alone.
#[test]
fn layers_of_all_kinds_are_sparse() {
    use vta::graph::{Builder, ConvSpec, onnx};
    use vta::sparse;
    let dir = folder();
    let d = dir.path();
    let mut b = Builder::new("kinds", 5);
    let mut x = b.input("x", &[1, 40, 9, 9]);
    for (name, spec) in [
        ("first", ConvSpec::new(72, 3).pad(1)),
        ("grouped", ConvSpec::new(100, 3).pad(1).groups(2)),
        (
            "depthwise",
            ConvSpec::new(100, 3).pad(1).stride(2).groups(100),
        ),
        ("wide", ConvSpec::new(33, 5).pad(2)),
        ("dilated", ConvSpec::new(70, 3).pad(2).dilation(2)),
        ("point", ConvSpec::new(17, 1)),
    ] {
        x = b.conv(name, x, spec);
        x = b.relu(&format!("{name}.relu"), x);
    }
    x = b.flatten("flatten", x);
    x = b.dense("hidden", x, 50, 1.0);
    x = b.dense("last", x, 40, 1.0);
    b.output(x);
    let graph = b.finish();
    fs::write(d.join("kinds.onnx"), onnx::export(&graph)).unwrap();
    let layers = sparse::layers(&graph);
    // Every layer gets a mask, also those that a density leaves alone.
    let named: Vec<_> = layers
        .into_iter()
        .map(|l| sparse::MaskLayer {
            keep_dense: "",
            ..l
        })
        .collect();
    for (density, seed) in [(0.5, 1), (0.3, 2), (0.0, 3)] {
        let masks = sparse::random(density, seed, &named).unwrap();
        assert_eq!(masks.len(), 8);
        fs::write(d.join("m.safetensors"), sparse::write(&masks)).unwrap();
        let masked = ["--masks", "m.safetensors", "--verify", "--json"];
        let json = ok(d, &[&["compare", "kinds.onnx"], &masked[..]].concat()).json();
        assert_eq!(json["outputs_equal"], true);
        let mut seen = 0;
        for l in json["layers"].as_array().unwrap() {
            let name = l["name"].as_str().unwrap();
            if let Some(mask) = masks.get(&format!("{name}.weight")) {
                let found = (l["blocks"].as_u64().unwrap(), l["kept"].as_u64().unwrap());
                let expected = (mask.blocks() as u64, mask.count_kept() as u64);
                assert_eq!(found, expected, "{name} at {density}");
                seen += 1;
            }
        }
        assert_eq!(seen, 8);
        let infer = [
            "infer",
            "kinds.onnx",
            "--random",
            "1",
            "--limit",
            "2",
            "--compare-reference",
        ];
        let infer = [&infer[..], &["--masks", "m.safetensors", "--json"]].concat();
        assert_eq!(ok(d, &infer).json()["reference"]["equal"], true);
    }
}

#[test]
fn costs_of_layers_predict_another_density() {
    let dir = folder();
    let d = dir.path();
    let args = [
        "cost", "resnet8", "--check", "0.4", "-o", "c.json", "--json",
    ];
    let said = ok(d, &args).json();
    let text = std::fs::read_to_string(d.join("c.json")).expect("the table is written");
    let table = vta::cost::CostTable::from_json(&text).expect("it is a table");
    assert_eq!(table.layers.len(), 8);
    for l in &table.layers {
        let cycles: Vec<f64> = (0..=l.blocks).map(|k| l.cycles(k)).collect();
        assert!(cycles.is_sorted(), "{}: {cycles:?}", l.name);
        assert!(cycles[0] < cycles[l.blocks as usize], "{}", l.name);
    }
    let number = |k: &str| said["check"][k].as_f64().expect("a number");
    let off = number("predicted") / number("simulated") - 1.0;
    assert!(off.abs() < 0.1, "{off}");
}

#[test]
fn samples_are_timed_once_and_all_get_the_same_bytes() {
    let dir = folder();
    let d = dir.path();
    let asked = |more: &[&str]| {
        let mut args = vec![
            "infer", "resnet8", "--random", "2", "--limit", "4", "--json",
        ];
        args.extend(more);
        ok(d, &args).json()
    };
    let (once, all) = (asked(&[]), asked(&["--time-all"]));
    assert_eq!(once["timed_samples"], 1);
    assert_eq!(all["timed_samples"], 4);
    for key in ["cycles", "outputs"] {
        assert_eq!(once[key], all[key], "{key}");
    }
}
