//! How near programs come to what the hardware allows. Cycles are exact and
//! the same on every machine, so they can be asserted.

use crate::support::command::{folder, vta};
use serde_json::Value;

fn compared(model: &str, density: &str) -> Value {
    let dir = folder();
    let args = [
        "compare",
        model,
        "--density",
        density,
        "--seed",
        "1",
        "--json",
    ];
    let ran = vta(dir.path(), &args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json = ran.json();
    assert_eq!(json["outputs_equal"], true);
    json
}

fn number(v: &Value) -> u64 {
    v.as_u64().expect("a number")
}

/// From the second convolution stage to the last convolution.
fn stages(json: &Value, side: &str) -> u64 {
    let layers = json["layers"].as_array().expect("layers");
    let named = |l: &&Value| l["name"].as_str().is_some_and(|n| n.starts_with("stage"));
    let cycles = layers
        .iter()
        .filter(named)
        .map(|l| number(&l[side]["cycles"]));
    cycles.sum()
}

/// Every 3x3 layer with at least 64 channels against the larger of its floors.
fn near_floors(json: &Value, is_3x3: impl Fn(&str) -> bool) {
    let mut seen = 0;
    for l in json["layers"].as_array().expect("layers") {
        let name = l["name"].as_str().expect("a name");
        if !is_3x3(name) {
            continue;
        }
        for side in ["dense", "sparse"] {
            let [cycles, compute, memory] =
                ["cycles", "compute_floor", "memory_floor"].map(|k| number(&l[side][k]));
            let floor = compute.max(memory);
            let spare = if floor >= 50_000 { 0 } else { 2_000 };
            assert!(
                cycles >= floor * 98 / 100,
                "{name} {side}: {cycles} are below the floor {floor}"
            );
            assert!(
                cycles <= floor * 115 / 100 + spare,
                "{name} {side}: {cycles}, floor {floor}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 14, "{seen}");
}

fn resnet18(density: &str) -> Value {
    let json = compared("resnet18", density);
    near_floors(&json, |n| {
        n.starts_with("stage") && !n.ends_with("downsample")
    });
    let layers = json["layers"].as_array().expect("layers");
    for side in ["dense", "sparse"] {
        let sum: u64 = layers.iter().map(|l| number(&l[side]["cycles"])).sum();
        assert_eq!(
            sum,
            number(&json[side]["cycles"]),
            "layers sum to the total"
        );
    }
    json
}

#[test]
fn resnet18_at_a_quarter() {
    let json = resnet18("0.25");
    assert!(
        stages(&json, "dense") <= 6_750_000,
        "{}",
        stages(&json, "dense")
    );
    assert!(
        stages(&json, "sparse") <= 2_100_000,
        "{}",
        stages(&json, "sparse")
    );
}

#[test]
fn resnet18_at_half() {
    resnet18("0.5");
}

#[test]
fn resnet18_at_three_quarters() {
    resnet18("0.75");
}

#[test]
fn vgg11_where_weights_are_the_limit() {
    for density in ["0.25", "0.5"] {
        let json = compared("vgg11", density);
        near_floors(&json, |n| {
            n.contains(".conv") && !n.contains("pack") && n != "stage1.conv1"
        });
    }
}
