//! The state of one layer against its definition.

use crate::blocks::{small, values};
use proptest::prelude::*;
use vta_prune::{Admm, Blocks, Ranking};

fn norms(blocks: &Blocks, w: &[f32]) -> Vec<f64> {
    blocks.energies(w).iter().map(|e| e.sqrt()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Several updates, against `Z`, `U` and `M` kept apart in plain arrays.
    #[test]
    fn updates_follow_the_definition(dims in small(), whole: bool, seed: u64) {
        let blocks = Blocks::new(dims, whole, Ranking::MeanSquare);
        let mut w = values(blocks.len(), seed);
        let mut state = Admm::new(blocks, &w);
        prop_assert_eq!(state.projection(), w.clone());
        prop_assert_eq!(state.penalty(&w), 0.0);
        let mut u = vec![0f32; w.len()];
        let mut rho = 0f32;
        for (round, next) in [1e-3f32, 1e-3, 0.1, 1e-2].into_iter().enumerate() {
            let k = blocks.groups().saturating_sub(round).max(1);
            state.set_rho(next);
            if rho > 0.0 {
                let by = f64::from(rho) / f64::from(next);
                u.iter_mut().for_each(|u| *u = (f64::from(*u) * by) as f32);
            }
            rho = next;
            state.update(&w, k);
            let sum: Vec<f32> = u.iter().zip(&w).map(|(u, w)| u + w).collect();
            let kept = blocks.top(&sum, k);
            let mut z = sum.clone();
            blocks.project(&mut z, &kept);
            for ((u, z), sum) in u.iter_mut().zip(&z).zip(&sum) {
                *u = sum - z;
            }
            let (of_u, of_w) = (blocks.energies(&u), blocks.energies(&w));
            let mut scales = vec![1f64; kept.len()];
            for group in 0..kept.len() {
                if of_u[group] > of_w[group] {
                    scales[group] = (of_w[group] / of_u[group]).sqrt();
                }
            }
            let unit_index: Vec<usize> = (0..kept.len()).collect();
            let mut group_of = vec![0; w.len()];
            for i in &unit_index {
                let mut only = vec![false; kept.len()];
                only[*i] = true;
                for (at, f) in blocks.spread(&only, 1.0, 0.0).iter().enumerate() {
                    if *f == 1.0 {
                        group_of[at] = *i;
                    }
                }
            }
            for (at, u) in u.iter_mut().enumerate() {
                let scale = scales[group_of[at]];
                if scale != 1.0 {
                    *u = (f64::from(*u) * scale) as f32;
                }
            }
            prop_assert_eq!(state.kept(), &kept[..]);
            prop_assert_eq!(state.projection(), z.clone());
            prop_assert_eq!(state.duals(), u.clone());
            let longer = norms(&blocks, &u).into_iter().zip(norms(&blocks, &w));
            prop_assert!(longer.into_iter().all(|(u, w)| u <= w * (1.0 + 1e-6)));
            // The penalty and its gradient.
            w = w.iter().zip(values(w.len(), seed ^ 99)).map(|(w, d)| w * 0.7 + d * 0.2).collect();
            let by_hand: f64 = w.iter().zip(&z).zip(&u)
                .map(|((w, z), u)| (f64::from(*w) - f64::from(z - u)).powi(2)).sum::<f64>() * 0.5 * f64::from(rho);
            prop_assert!((state.penalty(&w) - by_hand).abs() <= 1e-9 * by_hand.max(1e-9));
            let mut gradient = vec![1f32; w.len()];
            state.add_gradient(&w, &mut gradient);
            for i in 0..w.len() {
                prop_assert!((gradient[i] - 1.0 - rho * (w[i] - z[i] + u[i])).abs() < 1e-6);
            }
        }
    }

    /// What is written is read back, to the bit.
    #[test]
    fn a_state_round_trips(dims in small(), seed: u64) {
        let blocks = Blocks::new(dims, false, Ranking::MeanSquare);
        let w: Vec<f32> = values(blocks.len(), seed).iter().map(|x| x / 3.0 + 1e-7).collect();
        let mut state = Admm::new(blocks, &w);
        state.set_rho(1e-4 / 3.0);
        state.update(&w, blocks.groups() / 2);
        state.update(&w, blocks.groups() / 2);
        let text = serde_json::to_string(&state).unwrap();
        let read: Admm = serde_json::from_str(&text).unwrap();
        let bits = |s: &Admm| s.target().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read), bits(&state));
        prop_assert_eq!(read, state);
    }
}

/// The gradient is that of the penalty, by finite differences.
#[test]
fn the_gradient_is_the_slope_of_the_penalty() {
    let blocks = Blocks::new([40, 33, 1, 1], false, Ranking::MeanSquare);
    let mut w = values(blocks.len(), 5);
    let mut state = Admm::new(blocks, &w);
    state.set_rho(0.5);
    state.update(&w, 2);
    state.update(&w, 2);
    w.iter_mut()
        .enumerate()
        .for_each(|(i, w)| *w += (i % 5) as f32 * 0.25);
    let mut gradient = vec![0.0; w.len()];
    state.add_gradient(&w, &mut gradient);
    for at in [0, 31, 33, 700, w.len() - 1] {
        let mut moved = |by: f32| {
            let old = w[at];
            w[at] += by;
            let p = state.penalty(&w);
            w[at] = old;
            p
        };
        // A square's central difference is exact; the step is a power of two.
        let slope = (moved(0.125) - moved(-0.125)) / 0.25;
        assert!((slope - f64::from(gradient[at])).abs() < 1e-5, "{at}");
    }
}

#[test]
fn pulled_weights_reach_the_projection() {
    let blocks = Blocks::new([64, 64, 1, 1], false, Ranking::MeanSquare);
    let mut w = values(blocks.len(), 3);
    let mut state = Admm::new(blocks, &w);
    state.set_rho(0.1);
    for step in 0..3000 {
        // As in training, weights follow more often than masks change.
        if step % 100 == 0 {
            state.update(&w, 2);
        }
        let mut gradient = vec![0.0; w.len()];
        state.add_gradient(&w, &mut gradient);
        w.iter_mut().zip(&gradient).for_each(|(w, g)| *w -= 0.5 * g);
    }
    let mut z = w.clone();
    blocks.project(&mut z, state.kept());
    let (all, kept): (f64, f64) = (
        blocks.energies(&w).iter().sum(),
        blocks.energies(&z).iter().sum(),
    );
    assert!(kept / all > 0.999, "{kept} of {all}");
}
