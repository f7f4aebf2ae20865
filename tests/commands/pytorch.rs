//! The PyTorch snippet of `docs/masks.md`, as it is printed. It runs where
//! Python finds torch, safetensors and onnxscript.

use crate::support::command::{folder, vta};
use std::path::Path;
use std::process::Command;

/// A network whose second convolution has a block of zeros.
const MODEL: &str = "
import torch
torch.manual_seed(1)
nn = torch.nn
model = nn.Sequential(
    nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
    nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
with torch.no_grad():
    model[3].weight[:32, :32] = 0
";

#[test]
fn the_snippet_for_masks_works() {
    let python = |code: &str, at: &Path| {
        let run = Command::new("python3")
            .args(["-c", code])
            .current_dir(at)
            .output();
        run.is_ok_and(|r| r.status.success())
    };
    let dir = folder();
    let at = dir.path();
    if !python("import torch, safetensors, onnxscript", at) {
        println!("left out: no PyTorch here");
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/masks.md");
    let page = std::fs::read_to_string(page).expect("the page can be read");
    let snippet = page.split_once("```python\n").expect("it has a snippet").1;
    let snippet = snippet.split_once("```").expect("the snippet ends").0;
    assert!(
        python(&format!("{MODEL}\n{snippet}"), at),
        "the snippet runs"
    );
    let out = vta(
        at,
        &["compare", "model.onnx", "--masks", "model.safetensors"],
    );
    assert_eq!(out.code, 0, "{}", out.err);
    assert!(out.out.contains("outputs: equal"), "{}", out.out);
    let none = out.out.contains("no weight block is left out");
    assert!(!none, "{}", out.out);
}
