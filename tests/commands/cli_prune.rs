//! `vta prune` as a command.
use crate::support::command::{folder, ok, vta};
use serde_json::Value;
use std::path::Path;
use vta::config::HwConfig;
use vta::sparse::Masks;
use vta::{Calibration, Model};

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

/// Cycles of a network with masks, compiled from nothing.
fn compiled(model: &Model, masks: Masks, (calibration, config): (&Calibration, &HwConfig)) -> u64 {
    let masked = model.clone().mask(masks).expect("masks of this network");
    let net = masked.quantise(calibration).expect("it quantises");
    let program = net.compile(config).expect("it compiles");
    program.cycles().expect("it runs")
}

/// Cycles with each dropped block that could come back, compiled from nothing: layer, and cycles.
fn with_one_more(
    model: &Model,
    masks: &Masks,
    how: (&Calibration, &HwConfig),
) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for layer in model.mask_layers() {
        // Ends stay dense and have no mask.
        let Some(mask) = masks.get(&layer.weight_name) else {
            continue;
        };
        for block in mask.kept.iter_zeros() {
            let mut more = masks.clone();
            let mask = more.get_mut(&layer.weight_name).expect("a mask");
            mask.kept.set(block, true);
            all.push((layer.node.clone(), compiled(model, more, how)));
        }
    }
    all
}

/// What the report says of blocks to have back is what programs say that have them.
fn check_returns(cycles: u64, budget: u64, returns: &Value, more: &[(String, u64)]) {
    for (layer, with) in more {
        assert!(*with > budget, "{layer}: {with} of {budget}");
    }
    assert_eq!(returns["dropped"], more.len());
    assert_eq!(returns["asked"], more.len());
    let cheapest = more.iter().min_by_key(|(_, with)| *with);
    let (_, with) = cheapest.expect("blocks were dropped");
    assert_eq!(returns["cheapest"]["cycles"], with - cycles);
    let layer = &returns["cheapest"]["layer"];
    assert!(more.iter().any(|(l, c)| c == with && l == layer), "{layer}");
}

/// Simulated cycles are those that `compare` finds, and no dropped block fits any more.
#[test]
fn a_budget_of_cycles_is_met_to_the_cycle() {
    let dir = folder();
    let d = dir.path();
    let calibration = Calibration::default();
    for (name, config, part) in [
        ("resnet8", "small", 7),
        ("resnet8", "de10", 5),
        ("lenet5", "de10", 8),
    ] {
        let dense = ok(d, &["compare", name, "--config", config, "--json"]).json();
        let budget = dense["dense"]["cycles"].as_u64().unwrap() * part / 10;
        let n = budget.to_string();
        let out = format!("{name}-{config}");
        let prune = ["prune", name, "--one-shot", "--budget-cycles", &n];
        let how = ["--config", config, "-o", &out, "--json"];
        let json = ok(d, &[&prune[..], &how].concat()).json();
        let cycles = &json["cycles"];
        let simulated = cycles["simulated"].as_u64().unwrap();
        assert!(simulated <= budget, "{out}: {simulated} of {budget}");
        assert_eq!(cycles["met"], true);
        assert_eq!(cycles["budget"], budget);
        assert_eq!(cycles["free"], budget - simulated);
        assert_eq!(json["cost"], simulated as f64);
        let masks = format!("{out}/masks.safetensors");
        let network = format!("{out}/model.onnx");
        let compare = [
            "compare", &network, "--masks", &masks, "--config", config, "--json",
        ];
        let compared = ok(d, &compare).json();
        assert_eq!(compared["sparse"]["cycles"], simulated, "{out}");
        let model = Model::zoo(name, 1).unwrap();
        let masks = model.read_masks(d.join(masks)).unwrap();
        let hardware = HwConfig::built_in(config).unwrap();
        let more = with_one_more(&model, &masks, (&calibration, &hardware));
        check_returns(simulated, budget, &cycles["returns"], &more);
    }
}

/// Other rules keep their shape under such a budget, and tables only weigh.
#[test]
fn rates_and_tables_beside_a_budget_of_cycles() {
    let dir = folder();
    let d = dir.path();
    ok(
        d,
        &["cost", "resnet8", "--config", "small", "-o", "cost.json"],
    );
    let dense = ok(d, &["compare", "resnet8", "--config", "small", "--json"]).json();
    let budget = dense["dense"]["cycles"].as_u64().unwrap() * 7 / 10;
    let n = budget.to_string();
    let prune = |more: &[&str], out: &str| {
        let args = ["prune", "resnet8", "--one-shot", "--budget-cycles", &n];
        let json = ok(d, &[&args[..], more, &["-o", out, "--json"]].concat()).json();
        assert_eq!(json["cycles"]["met"], true, "{more:?}");
        json
    };
    // The table is made by the same questions on the way.
    let cost = ["--cost", "cost.json"];
    let (with, without) = (prune(&cost, "w"), prune(&["--config", "small"], "o"));
    assert_eq!(with["summary"], without["summary"]);
    // A table that is far off weighs otherwise, and the budget is met all the same.
    let text = std::fs::read_to_string(d.join("cost.json")).unwrap();
    let mut table: Value = serde_json::from_str(&text).unwrap();
    for point in table["layers"][0]["points"].as_array_mut().unwrap() {
        point[1] = (point[1].as_f64().unwrap() * 50.0).into();
    }
    std::fs::write(d.join("off.json"), table.to_string()).unwrap();
    let off = prune(&["--cost", "off.json"], "off");
    assert_ne!(with["summary"], off["summary"]);
    let uniform = prune(&["--config", "small", "--uniform"], "u");
    let returns = &uniform["cycles"]["returns"];
    assert_eq!(
        (&returns["dropped"], &returns["asked"]),
        (&1.into(), &1.into())
    );
    let simulated = uniform["cycles"]["simulated"].as_u64().unwrap();
    let next = returns["cheapest"]["cycles"].as_u64().unwrap();
    assert!(simulated <= budget && simulated + next > budget);
    // A rate beside it that already leaves fewer cycles decides alone; one that
    // leaves more has blocks moved.
    let rate = |rate: &str, out: &str| {
        let json = prune(&[&cost[..], &["--rate", rate]].concat(), out);
        json["summary"]["block_sparsity"].as_f64().unwrap()
    };
    assert!((0.75..0.77).contains(&rate("0.75", "r75")));
    assert!(rate("0.3", "r30") >= 0.3);
}

/// A network that is trained on a little, and a budget of six tenths of its cycles.
fn trained(d: &Path) -> u64 {
    let train = ["train", "resnet-tiny", "--epochs", "1", "-o", "dense"];
    ok(d, &[&train[..], &DATA].concat());
    let compare = ["compare", "dense/model.onnx", "--config", "small", "--json"];
    let dense = ok(d, &compare).json();
    dense["dense"]["cycles"].as_u64().unwrap() * 6 / 10
}

const DATA: [&str; 6] = ["--data", "shapes-cls", "--limit", "64", "--batch", "16"];

/// What was trained is what the named device runs: shifts of layers, not of
/// channels, so that cycles are those that masks were chosen by.
#[test]
fn training_meets_a_budget_of_cycles_of_the_named_device() {
    let dir = folder();
    let d = dir.path();
    let budget = trained(d);
    let n = budget.to_string();
    let prune = ["prune", "dense/model.onnx", "--budget-cycles", &n];
    let how = ["--epochs", "2", "--config", "small", "-o", "p", "--json"];
    let json = ok(d, &[&prune[..], &how, &DATA].concat()).json();
    let cycles = &json["training"]["cycles"];
    assert_eq!(cycles["met"], true, "{cycles}");
    let sparse = cycles["sparse"].as_u64().unwrap();
    assert_eq!(cycles["free"], budget - sparse);
    let with = ["--masks", "p/masks.safetensors"];
    let as_trained = ["--quantisation", "p/quantisation.json"];
    let compare = ["compare", "p/model.onnx", "--config", "small", "--json"];
    let compared = ok(d, &[&compare[..], &with, &as_trained].concat()).json();
    assert_eq!(compared["sparse"]["cycles"], cycles["sparse"]);
    let path = d.join("p/quantisation.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let exponents: Value = serde_json::from_str(&text).unwrap();
    for (name, e) in exponents["weights"].as_object().unwrap() {
        assert_eq!(e.as_array().map(Vec::len), Some(1), "{name}");
    }
    // Weights of blocks that are gone are zero: those of the dense network stand for them.
    let model = Model::open(d.join("dense/model.onnx")).unwrap();
    let masks = model.read_masks(d.join("p/masks.safetensors")).unwrap();
    let calibration = Calibration::read(&path).unwrap();
    let hardware = HwConfig::built_in("small").unwrap();
    let more = with_one_more(&model, &masks, (&calibration, &hardware));
    check_returns(sparse, budget, &cycles["returns"], &more);
}

/// Without rounding in training exponents are chosen afterwards, by images or by noise: the
/// budget is met with both.
#[test]
fn a_budget_of_cycles_is_met_without_rounding_in_training() {
    let dir = folder();
    let d = dir.path();
    let budget = trained(d);
    let n = budget.to_string();
    let prune = ["prune", "dense/model.onnx", "--budget-cycles", &n];
    let how = ["--epochs", "1", "--config", "small", "-o", "p", "--json"];
    let method = ["--without", "quantisation", "--method", "two-stage"];
    let json = ok(d, &[&prune[..], &how, &method, &DATA].concat()).json();
    let cycles = &json["training"]["cycles"];
    assert_eq!(cycles["met"], true, "{cycles}");
    let with = ["--masks", "p/masks.safetensors"];
    let compare = ["compare", "p/model.onnx", "--config", "small", "--json"];
    let compared = ok(d, &[&compare[..], &with].concat()).json();
    let by_noise = compared["sparse"]["cycles"].as_u64().unwrap();
    assert!(by_noise <= budget, "{by_noise} of {budget}");
    // Little is left: forms differ by some shifts.
    let sparse = cycles["sparse"].as_u64().unwrap();
    assert!(sparse > budget * 9 / 10, "{sparse} of {budget}");
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
