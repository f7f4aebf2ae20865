//! Trained models, where they are at hand.

use crate::permute::{kept_at, kept_energy};
use vta_prune::permute::{Effort, permute};
use vta_test_support::models::{MODELS, model};

/// What an order of channels gains on trained networks (figures in `docs/decisions`).
#[test]
fn orders_gain_energy_on_trained_models() {
    for name in MODELS {
        let Some(g) = model(name) else { return };
        for part in [0.4, 0.25] {
            let (layers, a) = kept_at(&g, part);
            if layers
                .iter()
                .zip(&a.kept)
                .all(|(l, k)| *k == l.blocks.groups())
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
