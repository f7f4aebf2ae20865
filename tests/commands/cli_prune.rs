//! `vta prune` as a command.
use crate::support::command::{folder, ok, vta};
use serde_json::Value;

/// What the report says is what `compare` finds in the files.
#[test]
fn files_hold_what_the_report_says() {
    let dir = folder();
    let d = dir.path();
    let more: [&[&str]; 7] = [
        &["--rate", "0.6"],
        &["--rate", "0.6", "--budget-macs", "0.36"],
        &["--rate", "0.6", "--uniform", "--permute"],
        &["--budget-macs", "0.5"],
        // Most layers are one unit then.
        &["--budget-macs", "0.9", "--whole-kernel"],
        &["--rate", "0.5", "--weigh-by", "macs"],
        &["--rate", "0.3", "--keep-dense", "stage3.0.conv1,fc"],
    ];
    for (i, more) in more.into_iter().enumerate() {
        let out = format!("out{i}");
        let args = [
            &["prune", "resnet8", "--one-shot", "-o", &out, "--json"],
            more,
        ]
        .concat();
        let json = ok(d, &args).json();
        let text = std::fs::read_to_string(d.join(&out).join("report.json")).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["summary"], json["summary"]);
        let (model, masks) = (
            format!("{out}/model.onnx"),
            format!("{out}/masks.safetensors"),
        );
        let with = ok(d, &["compare", &model, "--masks", &masks, "--json"]).json();
        // Zeros in the model say the same as the masks.
        let zeros = ok(d, &["compare", &model, "--json"]).json();
        assert_eq!(with["outputs_equal"], true);
        assert_eq!(with["sparse"]["cycles"], zeros["sparse"]["cycles"]);
        let compared = with["layers"].as_array().unwrap();
        for l in json["summary"]["layers"].as_array().unwrap() {
            // The compiler cuts the three channels of the first convolution in its own way.
            if l["node"] == "conv1" {
                continue;
            }
            let found = compared.iter().find(|c| c["name"] == l["node"]).unwrap();
            for key in ["kept", "blocks", "macs", "kept_macs"] {
                assert_eq!(found[key], l[key], "{more:?} {} {key}", l["node"]);
            }
        }
        let s = &json["summary"];
        let number = |key: &str| s[key].as_f64().unwrap();
        match more {
            ["--budget-macs", part, ..] => {
                let part: f64 = part.parse().unwrap();
                assert!(number("kept_macs") <= part * number("macs"));
                assert!(number("kept_macs") < number("macs"));
            }
            [_, rate, ..] => {
                let rate: f64 = rate.parse().unwrap();
                let over = number("block_sparsity") - rate;
                assert!((0.0..0.012).contains(&over), "{more:?} {over}");
                if let Some(at) = more.iter().position(|a| *a == "--budget-macs") {
                    // Blocks move to where they need less; no more of them go.
                    let part: f64 = more[at + 1].parse().unwrap();
                    assert!(number("kept_macs") <= part * number("macs"));
                }
            }
            _ => unreachable!("every case says how far"),
        }
    }
}

/// Simulated cycles are below the budget, and are those that `compare` finds.
#[test]
fn a_budget_of_cycles_is_met_by_the_simulator() {
    let dir = folder();
    let d = dir.path();
    ok(
        d,
        &["cost", "resnet8", "--config", "small", "-o", "cost.json"],
    );
    let dense = ok(d, &["compare", "resnet8", "--config", "small", "--json"]).json();
    let budget = dense["dense"]["cycles"].as_u64().unwrap() * 7 / 10;
    let n = budget.to_string();
    let args = [
        "prune",
        "resnet8",
        "--one-shot",
        "--budget-cycles",
        &n,
        "--cost",
        "cost.json",
        "-o",
        "p",
        "--json",
    ];
    let cycles = ok(d, &args).json()["cycles"].clone();
    assert_eq!(cycles["met"], true);
    let compared = ok(
        d,
        &[
            "compare",
            "p/model.onnx",
            "--masks",
            "p/masks.safetensors",
            "--config",
            "small",
            "--json",
        ],
    )
    .json();
    assert_eq!(compared["sparse"]["cycles"], cycles["simulated"]);
    let simulated = cycles["simulated"].as_u64().unwrap();
    assert!(
        simulated <= budget && simulated > budget * 9 / 10,
        "{simulated} of {budget}"
    );
    // Uniform rates under the same budget; the table is made on the way.
    let args = [
        "prune",
        "resnet8",
        "--one-shot",
        "--budget-cycles",
        &n,
        "--config",
        "small",
        "--uniform",
        "-o",
        "u",
        "--json",
    ];
    assert_eq!(ok(d, &args).json()["cycles"]["met"], true);
    // A rate beside it that already leaves fewer cycles decides alone; one that
    // leaves more has blocks moved.
    let rate = |rate: &str, out: &str| {
        let args = ["prune", "resnet8", "--one-shot", "--rate", rate, "-o", out];
        let budget = ["--budget-cycles", &n, "--cost", "cost.json", "--json"];
        let json = ok(d, &[&args[..], &budget].concat()).json();
        assert_eq!(json["cycles"]["met"], true, "{rate}");
        json["summary"]["block_sparsity"].as_f64().unwrap()
    };
    assert!((0.75..0.77).contains(&rate("0.75", "r75")));
    assert!(cycles["predicted"].as_f64().unwrap() <= budget as f64);
    assert!(rate("0.3", "r30") >= 0.3);
    // What a dense layer becomes in the compiler does not disturb the table.
    let args = [
        "prune",
        "lenet5",
        "--one-shot",
        "--budget-cycles",
        "20000",
        "-o",
        "l",
        "--json",
    ];
    let ran = ok(d, &args).json();
    assert!(ran["cycles"]["simulated"].as_u64().is_some());
}

/// What was trained is what the named device runs: shifts of layers, not of
/// channels, so that cycles are those that masks were chosen by.
#[test]
fn training_meets_a_budget_of_cycles_of_the_named_device() {
    let dir = folder();
    let d = dir.path();
    let data = ["--data", "shapes-cls", "--limit", "64", "--batch", "16"];
    let train = ["train", "resnet-tiny", "--epochs", "1", "-o", "dense"];
    ok(d, &[&train[..], &data].concat());
    let small = ["--config", "small", "--json"];
    let compare = ["compare", "dense/model.onnx"];
    let dense = ok(d, &[&compare[..], &small].concat()).json();
    let budget = dense["dense"]["cycles"].as_u64().unwrap() * 6 / 10;
    let n = budget.to_string();
    let prune = ["prune", "dense/model.onnx", "--budget-cycles", &n];
    let how = ["--epochs", "2", "-o", "p"];
    let json = ok(d, &[&prune[..], &how, &data, &small].concat()).json();
    let cycles = &json["training"]["cycles"];
    assert_eq!(cycles["met"], true, "{cycles}");
    let sparse = cycles["sparse"].as_u64().unwrap();
    assert!(sparse > budget * 9 / 10, "{sparse} of {budget}");
    let predicted = cycles["predicted"].as_f64().unwrap();
    // A table: layers also wait for each other, on a small device more than on others.
    assert!((predicted / sparse as f64 - 1.0).abs() < 0.02, "{cycles}");
    let with = ["--masks", "p/masks.safetensors"];
    let as_trained = ["--quantisation", "p/quantisation.json"];
    let compare = ["compare", "p/model.onnx"];
    let compared = ok(d, &[&compare[..], &with, &as_trained, &small].concat()).json();
    assert_eq!(compared["sparse"]["cycles"], cycles["sparse"]);
    let text = std::fs::read_to_string(d.join("p/quantisation.json")).unwrap();
    let exponents: Value = serde_json::from_str(&text).unwrap();
    for (name, e) in exponents["weights"].as_object().unwrap() {
        assert_eq!(e.as_array().map(Vec::len), Some(1), "{name}");
    }
}

#[test]
fn rates_come_from_a_file() {
    let dir = folder();
    let d = dir.path();
    std::fs::write(
        d.join("rates.json"),
        r#"{ "stage3.0.conv2": 0.75, "stage1.0.conv1.weight": 0.4 }"#,
    )
    .unwrap();
    let args = [
        "prune",
        "resnet8",
        "--one-shot",
        "--rates",
        "rates.json",
        "-o",
        "p",
        "--json",
    ];
    let json = ok(d, &args).json();
    let kept: Vec<(u64, u64)> = json["summary"]["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (l["kept"].as_u64().unwrap(), l["blocks"].as_u64().unwrap()))
        .filter(|(k, b)| k < b)
        .collect();
    assert_eq!(kept, [(5, 9), (9, 36)]);
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let dir = folder();
    let d = dir.path();
    std::fs::write(d.join("rates.json"), r#"{ "conv9": 0.75 }"#).unwrap();
    std::fs::write(d.join("other.json"), "{}").unwrap();
    ok(
        d,
        &["cost", "lenet5", "--densities", "1,0", "-o", "lenet.json"],
    );
    for (more, words) in [
        (&[][..], "required"),
        (&["--rate", "1.5"], "1.5"),
        (&["--rate", "0.99"], "cannot be met"),
        (
            &["--budget-cycles", "10", "--budget-macs", "0.5"],
            "cannot be used with",
        ),
        (
            &["--rate", "0.5", "--rates", "rates.json"],
            "cannot be used with",
        ),
        (&["--rate", "0.5", "--config", "small"], "required"),
        (
            &["--budget-cycles", "10", "--cost", "lenet.json"],
            "has no cycles of weight",
        ),
        (
            &["--budget-cycles", "10", "--cost", "other.json"],
            "other.json: ",
        ),
        (
            &["--rates", "rates.json"],
            "rates.json: rate of conv9: the network has no such layer",
        ),
        (&["--rates", "none.json"], "none.json"),
        (
            &["--rate", "0.5", "--keep-dense", "x"],
            "x: the network has no such layer",
        ),
    ] {
        let args = [&["prune", "resnet8", "--one-shot", "-o", "p"], more].concat();
        let ran = vta(d, &args);
        assert_eq!(ran.code, 2, "{more:?}");
        assert!(ran.err.contains(words), "{more:?}: {}", ran.err);
        assert!(!d.join("p").exists(), "{more:?}");
    }
    let ran = vta(
        d,
        &[
            "prune",
            "resnet8",
            "--one-shot",
            "--rate",
            "0.5",
            "-o",
            "golden",
        ],
    );
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("golden"), "{}", ran.err);
}

/// The same seeds give the same files.
#[test]
fn results_are_the_same_each_time() {
    let dir = folder();
    let d = dir.path();
    for out in ["a", "b"] {
        ok(
            d,
            &[
                "prune",
                "resnet8",
                "--one-shot",
                "--rate",
                "0.6",
                "--permute",
                "-o",
                out,
            ],
        );
    }
    for name in ["model.onnx", "masks.safetensors", "report.json"] {
        let read = |out: &str| std::fs::read(d.join(out).join(name)).unwrap();
        assert_eq!(read("a"), read("b"), "{name}");
    }
}
