//! `vta prune --data` as a command: stop, go on, refuse; boxes; the table; the demo.

use crate::support::command::{folder, ok, vta};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Records of CIFAR: stripes whose direction and colour follow the class.
pub fn cifar(dir: &Path) {
    let record = |i: usize| {
        let class = i % 10;
        let mut bytes = vec![class as u8];
        for plane in 0..3 {
            for y in 0..32 {
                for x in 0..32 {
                    let at = if class < 5 { x } else { y } / (1 + class % 5);
                    let light = (at + plane * class + i).is_multiple_of(2);
                    bytes.push(if light { 200 } else { 40 });
                }
            }
        }
        bytes
    };
    fs::create_dir(dir.join("data")).expect("a folder");
    for (name, n) in [("data_batch_1.bin", 40), ("test_batch.bin", 20)] {
        let bytes: Vec<u8> = (0..n).flat_map(record).collect();
        fs::write(dir.join("data").join(name), bytes).expect("records");
    }
}

/// A network that was trained with them, in the folder `dense`.
pub fn dense(dir: &Path) {
    cifar(dir);
    let args = ["train", "resnet-tiny", "--data", "data", "--batch", "8"];
    ok(
        dir,
        &[&args[..], &["--epochs", "1", "-o", "dense"]].concat(),
    );
}

const PRUNE: [&str; 10] = [
    "prune",
    "dense/model.onnx",
    "--data",
    "data",
    "--batch",
    "8",
    "--rate",
    "0.6",
    "--epochs",
    "2",
];

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn stopping_changes_nothing_and_numbers_agree() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    let all = ["--with", "temporal", "--permute"];
    let prune = |more: &[&str]| vta(d, &[&PRUNE[..], &all, more].concat());
    assert_eq!(prune(&["-o", "whole"]).code, 0);
    let ran = prune(&["-o", "parts", "--stop-after", "1"]);
    assert!(
        ran.out.contains("stopped after step 5 of 10"),
        "{}",
        ran.out
    );
    let ran = prune(&["-o", "parts"]);
    assert_eq!((ran.code, ran.err.contains("--resume")), (2, true));
    let ran = prune(&["-o", "parts", "--resume", "--method", "two-stage"]);
    assert_eq!(ran.code, 2);
    let want = "--method was one_stage, is two_stage";
    assert!(ran.err.contains(want), "{}", ran.err);
    assert_eq!(prune(&["-o", "parts", "--resume"]).code, 0);
    for name in ["model.onnx", "masks.safetensors", "quantisation.json"] {
        let of = |run: &str| fs::read(d.join(run).join(name)).expect("it was written");
        assert!(of("whole") == of("parts"), "{name}");
    }
    // Blocks of the masks are those of the report, and of the programs.
    let report = json(&d.join("whole/report.json"));
    let summary = &report["summary"];
    assert_eq!(report["method"]["temporal"], true);
    assert_eq!(report["method"]["permutation"], true);
    let sparsity = summary["block_sparsity"].as_f64().expect("a number");
    assert!((sparsity - 0.6).abs() < 0.02, "{sparsity}");
    let eval = ok(
        d,
        &["eval", "whole", "--data", "data", "--device", "--json"],
    )
    .json();
    assert_eq!(eval["device"]["score"], report["training"]["device"]);
    assert_eq!(eval["float"]["score"], report["training"]["float"]);
    assert_eq!(
        eval["cycles"]["sparse"],
        report["training"]["cycles"]["sparse"]
    );
    let compare = [
        "compare",
        "whole/model.onnx",
        "--masks",
        "whole/masks.safetensors",
        "--quantisation",
        "whole/quantisation.json",
        "--json",
    ];
    let compare = ok(d, &compare).json();
    for layer in summary["layers"].as_array().expect("layers") {
        // The compiler makes other blocks of the first convolution's few channels.
        if layer["keep_dense"] == "" {
            let all = compare["layers"].as_array().expect("layers");
            let same = all.iter().find(|l| l["name"] == layer["node"]);
            let same = same.expect("the layer");
            assert_eq!(same["kept"], layer["kept"], "{layer}");
            assert_eq!(same["kept_macs"], layer["kept_macs"], "{layer}");
        }
    }
    // Curves are a picture.
    let svg = fs::read_to_string(d.join("whole/curves.svg")).expect("curves");
    assert!(svg.contains("blocks gone") && svg.ends_with("</svg>\n"));
}

/// Teachers of a run follow its length, unless a file or an option says otherwise.
#[test]
fn long_runs_are_taught_in_every_step() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    fs::write(
        d.join("lengths.json"),
        "{\"lengths\": {\"quantised\": 0.2}}",
    )
    .expect("a file");
    // The key of before is read too.
    for key in ["distillation", "teaching"] {
        let text = format!("{{\"{key}\": {{\"spatial_outputs\": 0.3}}}}");
        fs::write(d.join(format!("{key}.json")), text).expect("a file");
    }
    let runs: [(&str, &str, &[&str], [f64; 3]); 6] = [
        ("short", "9", &[], [4.0, 4.0, 0.1]),
        ("long", "10", &[], [1.0, 2.0, 2.0]),
        ("rarely", "10", &["--teach-every", "3"], [3.0, 2.0, 2.0]),
        (
            "lengths",
            "10",
            &["--plan", "lengths.json"],
            [1.0, 2.0, 2.0],
        ),
        (
            "weights",
            "10",
            &["--plan", "distillation.json"],
            [4.0, 4.0, 0.3],
        ),
        (
            "before",
            "10",
            &["--plan", "teaching.json"],
            [4.0, 4.0, 0.3],
        ),
    ];
    for (name, epochs, more, want) in runs {
        let few = ["--limit", "16", "--batch", "16", "--epochs", epochs];
        let args = ["prune", "dense/model.onnx", "--data", "data", "--rate"];
        let args = [&args[..], &["0.6", "-o", name], &few, more].concat();
        ok(d, &args);
        let report = json(&d.join(name).join("report.json"));
        let weights = &report["plan"]["distillation"];
        let got = ["every", "temperature", "spatial_outputs"].map(|k| weights[k].as_f64());
        assert_eq!(got, want.map(Some), "{name}");
    }
}

#[test]
fn what_cannot_be_is_told() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    let refused = |args: &[&str], want: &str| {
        let ran = vta(d, args);
        assert_eq!(ran.code, 2, "{args:?}");
        assert!(ran.err.contains(want), "{args:?}: {}", ran.err);
    };
    let zoo = ["prune", "resnet-tiny", "--data", "data", "--rate", "0.5"];
    refused(&[&zoo[..], &["-o", "p"]].concat(), "vta train");
    let model = ["prune", "dense/model.onnx", "--rate", "0.5", "-o", "p"];
    refused(&model, "--one-shot");
    refused(&[&model[..], &["--data", "nothing"]].concat(), "nothing");
    let both = ["--data", "data", "--one-shot"];
    refused(&[&model[..], &both].concat(), "cannot be used with");
    refused(
        &[&model[..], &["--data", "shapes-det"]].concat(),
        "detector of 6",
    );
    fs::write(d.join("plan.json"), "{\"lengths\": {\"sparsify\": 2.0}}").expect("a file");
    let plan = ["--data", "data", "--plan", "plan.json"];
    refused(&[&model[..], &plan].concat(), "sparsify");
    fs::write(d.join("plan.json"), "{\"lenghts\": {}}").expect("a file");
    refused(&[&model[..], &plan].concat(), "lenghts");
    // Rows of the table drop the same part of the blocks, in ways of their own.
    let table = ["--data", "data", "--ablation"];
    for more in ["--uniform", "--permute"] {
        refused(
            &[&model[..], &table, &[more]].concat(),
            "cannot be used with",
        );
    }
    let macs = [
        "prune",
        "dense/model.onnx",
        "--budget-macs",
        "0.5",
        "-o",
        "p",
    ];
    refused(&[&macs[..], &table].concat(), "cannot be used with");
    let few = [
        "prune",
        "dense/model.onnx",
        "--data",
        "data",
        "--budget-cycles",
        "10",
        "-o",
        "p",
    ];
    refused(&few, "cycles");
}

#[test]
fn detectors_are_pruned() {
    let dir = folder();
    let d = dir.path();
    let data = ["--data", "shapes-det", "--limit", "16", "--batch", "8"];
    let train = ["train", "yolo-32-64-128", "--epochs", "1", "-o", "dense"];
    ok(d, &[&train[..], &data].concat());
    let prune = [
        "prune",
        "dense/model.onnx",
        "--epochs",
        "1",
        "--rate",
        "0.5",
    ];
    let ran = ok(d, &[&prune[..], &data, &["-o", "pruned"]].concat());
    assert!(
        ran.out.contains("mAP@0.5 of 500 test images"),
        "{}",
        ran.out
    );
    assert_eq!(
        fs::read(d.join("dense/detector.json")).expect("written"),
        fs::read(d.join("pruned/detector.json")).expect("written")
    );
}

#[test]
fn the_table_has_all_rows_and_goes_on() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    let args = [
        "prune",
        "dense/model.onnx",
        "--data",
        "data",
        "--batch",
        "8",
        "--rate",
        "0.5",
        "--epochs",
        "1",
        "--ablation",
        "--seeds",
        "2",
        "-o",
        "table",
        "--json",
    ];
    let table = ok(d, &args).json();
    let rows = table["rows"].as_array().expect("rows");
    let names: Vec<&str> = rows.iter().filter_map(|r| r["row"].as_str()).collect();
    assert_eq!(names[..3], ["dense", "one-shot", "two-stage"]);
    let runs = |name: &str| {
        let row = rows.iter().find(|r| r["row"] == name).expect("a row");
        row["runs"].as_array().expect("runs").clone()
    };
    assert_eq!((runs("two-stage").len(), runs("temporal").len()), (2, 1));
    assert_eq!(runs("dense")[0]["sparsity"], 0.0);
    let mean = |name: &str, key: &str| {
        let runs = runs(name);
        let values = runs.iter().filter_map(|r| r[key].as_f64());
        values.sum::<f64>() / runs.len() as f64
    };
    for (row, key) in [("cycles", "cycles"), ("macs", "macs")] {
        let (uniform, less) = (mean("uniform", key), mean(row, key));
        assert!(less <= 0.95 * uniform, "{less} of {uniform} {key}");
    }
    let gone = |name| mean(name, "sparsity");
    assert!((gone("macs") - gone("uniform")).abs() < 0.05);
    // One run that is gone is made again, with the same numbers; others stay.
    fs::remove_file(d.join("table/full/seed-2/result.json")).expect("there");
    let again = ok(d, &args).json();
    let scores = |t: &Value| -> Vec<Value> {
        let rows = t["rows"].as_array().expect("rows").clone();
        rows.iter().map(|r| r["runs"][0]["float"].clone()).collect()
    };
    assert_eq!(scores(&table), scores(&again));
    assert!(d.join("table/ablation.txt").exists());
    // A row alone comes with those that it is measured by; what is there stays.
    let alone = [&args[..], &["--rows", "short"]].concat();
    fs::remove_file(d.join("table/macs/seed-1/result.json")).expect("there");
    fs::remove_file(d.join("table/macs/seed-2/result.json")).expect("there");
    let short = ok(d, &alone).json();
    let short = short["rows"].as_array().expect("rows");
    assert_eq!(short.len(), rows.len() - 1);
    assert!(short.iter().all(|r| r["row"] != "macs"));
    // The folder is of one table.
    let other = args.map(|a| if a == "0.5" { "0.6" } else { a });
    let ran = vta(d, &other);
    assert_eq!(ran.code, 2);
    let (err, want) = (
        ran.err,
        "budget was 0.5 of the blocks, is 0.4 of the blocks",
    );
    assert!(err.contains(want), "{err}");
}

#[test]
fn the_demo_goes_all_the_way() {
    let dir = folder();
    let d = dir.path();
    let args = ["demo", "--limit", "64", "--epochs", "1", "--json"];
    let first = ok(d, &args).json();
    assert_eq!(first["commands"].as_array().map(Vec::len), Some(4));
    assert!(
        first["speedup"].as_f64().is_some_and(|s| s > 1.8),
        "{first}"
    );
    let again = ok(d, &args).json();
    assert_eq!(first["pruned"], again["pruned"]);
}
