//! The hardware's golden cases, through the command.

use std::process::Command;

/// Runs `vta golden` on a folder of the repository; everything must agree.
fn hardware_agrees(folder: &str, at_least: u64) {
    let output = Command::new(env!("CARGO_BIN_EXE_vta"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["golden", folder, "--json"])
        .output()
        .expect("the built command starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let json: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    let families = json["families"].as_array().expect("families are listed");
    let sum = |key: &str| families.iter().filter_map(|f| f[key].as_u64()).sum::<u64>();
    let runs = sum("cases");
    assert_eq!(sum("passed"), runs);
    assert!(runs >= at_least, "only {runs} runs");
}

#[test]
fn committed_cases_agree_with_the_hardware() {
    hardware_agrees("tests/golden", 500);
}

/// The whole set, where it lies beside the repository.
#[test]
fn all_cases_agree_with_the_hardware() {
    if let Some(folder) = vta_test_support::shared("golden") {
        hardware_agrees(folder.to_str().expect("UTF-8"), 1600);
    }
}
