//! Inputs that once failed: names that collide, configurations that wrapped, nothing to run.

use crate::support::command::{folder, vta};
use std::fs;

/// A program without a launch is bad input, not proven.
#[test]
fn nothing_to_run_is_bad_input() {
    let dir = folder();
    fs::write(dir.path().join("empty.vta"), "").expect("it can be written");
    fs::write(dir.path().join("comment.vtasm"), "# only words\n").expect("it can be written");
    for file in ["empty.vta", "comment.vtasm"] {
        for command in ["check", "run", "profile", "info"] {
            let ran = vta(dir.path(), &[command, file]);
            assert_eq!(ran.code, 2, "{command} {file}: {}{}", ran.out, ran.err);
            let said = format!("error: {file}: there is nothing in it to run");
            assert!(ran.err.starts_with(&said), "{command}: {}", ran.err);
        }
    }
}

/// What a run would keep is bounded before it is allocated.
#[test]
fn outputs_that_nobody_can_keep_are_refused() {
    let dir = folder();
    let outputs = "  .output 0 bytes=0x40000000\n".repeat(5);
    let text = format!(".dram 0x40000000\n.launch main\n{outputs}  finish\n");
    fs::write(dir.path().join("bomb.vtasm"), text).expect("it can be written");
    for arguments in [
        &["run", "bomb.vtasm"][..],
        &["compare", "bomb.vtasm", "bomb.vtasm"],
    ] {
        let ran = vta(dir.path(), arguments);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("5368709120 bytes together"), "{}", ran.err);
    }
}

/// Names that the compiler makes up are nobody's: `compile` proves what `infer` computes.
#[test]
fn made_up_names_collide_with_none() {
    let Some(cases) = vta_test_support::shared("cases/robust") else {
        return;
    };
    let dir = folder();
    for name in ["two_dense_on_rows", "packname", "output_twice"] {
        let model = cases.join(format!("{name}.onnx"));
        let model = model.to_str().expect("a path in UTF-8");
        let ran = vta(dir.path(), &["compile", model, "-o", "x.vta", "--verify"]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.err);
        let infer = ["infer", model, "--random", "1", "--compare-reference"];
        let ran = vta(dir.path(), &infer);
        assert_eq!(ran.code, 0, "{name}: {}{}", ran.out, ran.err);
        let ran = vta(dir.path(), &["infer", "x.vta", "--random", "1"]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.err);
    }
}

/// Sizes do not wrap on configurations at the edge: right values, proven.
#[test]
fn edges_of_configurations_are_right() {
    let Some(cases) = vta_test_support::shared("cases/robust") else {
        return;
    };
    let dir = folder();
    for name in ["out64", "inflight"] {
        let config = cases.join(format!("{name}.json"));
        let config = config.to_str().expect("a path in UTF-8");
        let infer = ["infer", "resnet8", "--config", config, "--random", "1"];
        let ran = vta(dir.path(), &[&infer[..], &["--compare-reference"]].concat());
        assert_eq!(ran.code, 0, "{name}: {}{}", ran.out, ran.err);
        let compile = ["compile", "resnet8", "--config", config, "-o", "x.vta"];
        let ran = vta(dir.path(), &[&compile[..], &["--verify"]].concat());
        assert_eq!(ran.code, 0, "{name}: {}", ran.err);
    }
}
