//! `vta check`.

use crate::support::command::vta;
use std::fs;
use vta_test_support::root;

fn source(path: &str) -> String {
    fs::read_to_string(root().join("programs").join(path)).expect("the program is there")
}

#[test]
fn the_command_tells_findings_and_proofs() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    fs::write(d.join("good.vtasm"), source("kernels/gemm.vtasm")).unwrap();
    fs::write(
        d.join("bad.vtasm"),
        source("hazards/race_load_compute.vtasm"),
    )
    .unwrap();
    let ran = vta(d, &["check", "good.vtasm"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.starts_with("proven\n") && ran.out.contains("GEMM steps"),
        "{}",
        ran.out
    );
    let json = vta(d, &["check", "good.vtasm", "--json"]).json();
    assert_eq!(
        (&json["ok"], &json["schema_version"]),
        (&true.into(), &1.into())
    );
    assert_eq!(
        json["proven"]["most_tokens"][0],
        serde_json::json!(["load to compute", 1])
    );
    let ran = vta(d, &["check", "bad.vtasm"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.starts_with("2 findings\n"), "{}", ran.out);
    let ran = vta(d, &["check", "bad.vtasm", "--json"]);
    assert_eq!(ran.code, 3);
    let json = ran.json();
    assert_eq!((&json["ok"], &json["count"]), (&false.into(), &2.into()));
    assert_eq!(json["findings"][1]["kind"], "race");
    assert_eq!(vta(d, &["check", "nothing.vtasm"]).code, 2);
}
