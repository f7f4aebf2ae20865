//! Trained models, where they are at hand.

use crate::permute::{kept_at, kept_energy};
use vta::graph::onnx;
use vta::prune::permute::{Effort, permute};

/// What an order of channels gains on trained networks (figures in `docs/decisions`).
#[test]
fn orders_gain_energy_on_trained_models() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/models");
    for name in [
        "resnet8_cifar10",
        "dscnn_kws",
        "autoencoder_toycar",
        "ultraface_rfb_320",
        "mnist",
    ] {
        let Ok(bytes) = std::fs::read(dir.join(format!("{name}.onnx"))) else {
            continue;
        };
        let g = onnx::import(&bytes, name).unwrap();
        for part in [0.4, 0.25] {
            let (layers, a) = kept_at(&g, part);
            if layers
                .iter()
                .zip(&a.kept)
                .all(|(l, k)| *k == l.blocks.units())
            {
                println!("{name}: nothing to drop");
                continue;
            }
            let mut h = g.clone();
            let start = std::time::Instant::now();
            let o = permute(&mut h, &layers, &a.kept, &Effort::default()).unwrap();
            println!(
                "{name} at {part}: {:.4} -> {:.4} ({:?})",
                o.before,
                o.after,
                start.elapsed()
            );
            assert!(o.after >= o.before);
            assert!((o.after - kept_energy(&h, &layers, &a.kept)).abs() < 1e-9);
        }
    }
}
