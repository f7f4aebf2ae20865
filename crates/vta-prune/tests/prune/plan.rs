//! What happens when.

use proptest::prelude::*;
use vta_prune::{Method, Phase, Plan, PruneError, Recipe, Settings, Step};

/// The lengths of `pruning.md`'s first plan: whole numbers of epochs in runs of 20.
fn lengths() -> Settings {
    Settings {
        warm_up: 0.1,
        sparsify: 0.5,
        fade: 1.0,
        quantised: 0.3,
        ..Settings::default()
    }
}

fn of_epochs(
    method: Method,
    settings: Settings,
    epochs: u32,
    steps: u32,
) -> Result<Plan, PruneError> {
    Plan::new(method, settings, u64::from(epochs * steps), steps)
}

fn plan(method: Method, epochs: u32, steps: u32) -> Plan {
    of_epochs(method, lengths(), epochs, steps).unwrap()
}

fn all(plan: &Plan) -> Vec<Step> {
    (0..plan.steps()).map(|s| plan.step(s)).collect()
}

const RECIPES: [Recipe; 4] = [
    Recipe::Dense,
    Recipe::OneShot,
    Recipe::TwoStage,
    Recipe::OneStage,
];

/// Blocks go in six updates at least, where there are so many steps.
#[test]
fn short_runs_have_updates_enough() {
    let of = |epochs, steps| {
        let method = Method::plain(Recipe::OneStage);
        let plan = of_epochs(method, Settings::default(), epochs, steps).unwrap();
        let updates = all(&plan).iter().filter(|s| s.update_masks).count();
        updates - 1
    };
    // 30 % of 160 steps are 48: one in eight. Of ten epochs: a quarter of each.
    assert_eq!(of(2, 80), 6);
    assert_eq!(of(10, 80), 12);
    assert_eq!(of(1, 10), 3);
    let none = Settings {
        least_updates: 0,
        ..Settings::default()
    };
    let e = of_epochs(Method::full(), none, 2, 80).unwrap_err();
    assert!(e.to_string().contains("mask updates"), "{e}");
}

#[test]
fn one_stage_has_its_phases() {
    let plan = plan(Method::full(), 20, 40);
    let steps = all(&plan);
    let count = |p: Phase| steps.iter().filter(|s| s.phase == p).count();
    assert_eq!(
        [
            count(Phase::WarmUp),
            count(Phase::Sparsify),
            count(Phase::Frozen)
        ],
        [80, 400, 320]
    );
    // Four mask updates an epoch over ten epochs, and the last one that freezes.
    let updates: Vec<usize> = (0..800).filter(|i| steps[*i].update_masks).collect();
    assert_eq!(updates.len(), 41);
    assert_eq!(updates[..3], [80, 90, 100]);
    assert_eq!((updates[40], steps[480].freeze), (480, true));
    // AllocationRule until four fifths of the phase, where the budget is reached; then they stay.
    let allocations: Vec<usize> = (0..800).filter(|i| steps[*i].update_allocation).collect();
    assert_eq!(
        (allocations[0], allocations[allocations.len() - 1]),
        (80, 400)
    );
    assert_eq!(
        (steps[80].tau, steps[390].tau, steps[400].tau),
        (0.0, 310.0 / 320.0, 1.0)
    );
    assert_eq!(
        (
            steps[80].eta,
            steps[280].eta,
            steps[479].eta,
            steps[480].eta
        ),
        (0.0, 0.5, 399.0 / 400.0, 1.0)
    );
    assert_eq!(
        (steps[79].rho, steps[80].rho, steps[480].rho),
        (0.0, 1e-4, 0.0)
    );
    assert!((steps[280].rho - 1e-4 * 1000f64.sqrt()).abs() < 1e-9);
    assert_eq!(steps[281].rho, steps[280].rho, "rho moves with the masks");
    assert_eq!((steps[559].quantise, steps[560].quantise), (false, true));
    assert_eq!(
        (steps[80].teachers, steps[120].teachers, steps[160].teachers),
        (0.0, 0.5, 1.0)
    );
    assert!(steps.iter().all(|s| !s.reset_duals && s.schedule == 0));
    // The temporal teacher: before each update of masks, then before each epoch.
    let frozen = |i: usize| i > 480 && i.is_multiple_of(40);
    for (i, s) in steps.iter().enumerate() {
        assert_eq!(s.snapshot, s.update_masks || frozen(i), "{i}");
    }
    assert!(steps.iter().all(|s| s.span == 800));
}

/// What is left of the rest is `(1 - part)^fade`.
#[test]
fn masks_fade_in() {
    let of = |fade: f64| {
        let settings = Settings { fade, ..lengths() };
        let plan = of_epochs(Method::plain(Recipe::OneStage), settings, 20, 40).unwrap();
        [80, 280, 479, 480].map(|step| plan.step(step).eta)
    };
    assert_eq!(of(1.0), [0.0, 0.5, 1.0 - 1.0 / 400.0, 1.0]);
    assert_eq!(of(3.0)[1], 0.875);
    assert_eq!(of(0.0), [0.0, 0.0, 0.0, 1.0]);
    let bad = Settings {
        fade: -1.0,
        ..lengths()
    };
    assert!(of_epochs(Method::full(), bad, 1, 1).is_err());
}

#[test]
fn two_stages_start_their_learning_rate_anew() {
    let plan = plan(Method::plain(Recipe::TwoStage), 20, 40);
    let steps = all(&plan);
    let schedule = |at: usize| (steps[at].schedule, steps[at].span);
    assert_eq!([0, 319].map(schedule), [(0, 320); 2]);
    assert_eq!([320, 560, 799].map(schedule), [(320, 480); 3]);
    // Four rounds of rho, duals anew at each; the cut is by the weights alone.
    let resets: Vec<usize> = (0..800).filter(|i| steps[*i].reset_duals).collect();
    assert_eq!(resets, [0, 80, 160, 240, 320]);
    let rhos: Vec<f64> = resets[..4].iter().map(|i| steps[*i].rho).collect();
    for (rho, want) in rhos.iter().zip([1e-4, 1e-3, 1e-2, 1e-1]) {
        assert!((rho / want - 1.0).abs() < 1e-12, "{rho} {want}");
    }
    // One update an epoch; the forward pass is dense until the cut.
    let updates: Vec<usize> = (0..800).filter(|i| steps[*i].update_masks).collect();
    assert_eq!(updates, [0, 40, 80, 120, 160, 200, 240, 280, 320]);
    assert!(
        steps[..320]
            .iter()
            .all(|s| s.eta == 0.0 && s.tau == 1.0 && !s.freeze)
    );
    assert!(steps[320].freeze && steps[320..].iter().all(|s| s.eta == 1.0 && s.rho == 0.0));
    assert!(
        steps
            .iter()
            .all(|s| !s.quantise && !s.snapshot && s.teachers == 0.0)
    );
}

#[test]
fn one_shot_cuts_at_once_and_dense_never() {
    let steps = all(&plan(Method::plain(Recipe::OneShot), 3, 7));
    assert!(steps[0].freeze && steps[0].update_allocation && steps[0].tau == 1.0);
    assert!(
        steps[1..]
            .iter()
            .all(|s| !s.update_masks && s.eta == 1.0 && s.rho == 0.0)
    );
    let steps = all(&plan(Method::plain(Recipe::Dense), 3, 7));
    assert!(
        steps
            .iter()
            .all(|s| s.phase == Phase::WarmUp && !s.update_masks && s.eta == 0.0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the lengths: all see the same number of steps, masks are frozen
    /// exactly once, at the full budget, and sparsities are allocated for it.
    #[test]
    fn every_run_ends_pruned(recipe in 1usize..4, length in 1u64..400, steps in 1u32..30, flags: [bool; 5],
        warm_up in 0.0..0.5f64, sparsify in 0.0..0.5f64, settled in 0.0..1.0f64, first in 0.0..1.0f64) {
        let [temporal, spatial, adaptive, permutation, quantisation] = flags;
        let recipe = RECIPES[recipe];
        let method = Method { recipe, temporal, spatial, adaptive, permutation, quantisation };
        let settings = Settings { warm_up, sparsify, settled, first_stage: first, ..Settings::default() };
        let plan = Plan::new(method, settings, length, steps).unwrap();
        prop_assert_eq!(plan.steps(), length);
        let all = all(&plan);
        prop_assert_eq!(all.iter().filter(|s| s.freeze).count(), 1);
        let freeze = all.iter().position(|s| s.freeze).unwrap();
        prop_assert_eq!(all[freeze].tau, 1.0);
        let last = all.iter().rposition(|s| s.update_allocation);
        prop_assert!(last.is_some_and(|l| l <= freeze && all[l].tau == 1.0));
        prop_assert!(all[freeze..].iter().all(|s| s.eta == 1.0 && s.phase == Phase::Frozen && s.rho == 0.0));
        prop_assert!(all[freeze + 1..].iter().all(|s| !s.update_masks && !s.update_allocation));
        for two in all.windows(2) {
            prop_assert!(two[0].eta <= two[1].eta && two[0].tau <= two[1].tau);
            prop_assert!(two[0].teachers <= two[1].teachers && two[0].quantise <= two[1].quantise);
            prop_assert!(two[1].rho >= two[0].rho || two[1].phase == Phase::Frozen);
            prop_assert!(two[1].schedule == two[0].schedule && two[1].span == two[0].span
                || two[1].schedule == two[0].schedule + two[0].span);
        }
        for (step, s) in all.iter().enumerate() {
            let schedule = s.schedule..s.schedule + s.span;
            prop_assert!(schedule.contains(&(step as u64)) && schedule.end <= plan.steps());
            prop_assert!(!s.update_allocation || s.update_masks);
            prop_assert!(!s.reset_duals || s.update_masks || recipe == Recipe::TwoStage);
            prop_assert!((0.0..=0.1 + 1e-9).contains(&s.rho));
        }
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }
}

#[test]
fn plans_that_cannot_be_are_refused() {
    let refused = |settings: Settings, epochs, steps, words: &str| {
        let e = of_epochs(Method::full(), settings, epochs, steps)
            .unwrap_err()
            .to_string();
        assert!(e.contains(words), "{e}");
    };
    let d = Settings::default();
    refused(d, 0, 1, "there are no steps");
    assert!(Plan::new(Method::full(), d, 1, 0).is_err());
    refused(
        Settings {
            warm_up: 0.7,
            sparsify: 0.6,
            ..d
        },
        1,
        1,
        "warm-up and sparsify phase is 1.2",
    );
    refused(
        Settings {
            quantised: f64::NAN,
            ..d
        },
        1,
        1,
        "quantised part is NaN",
    );
    refused(
        Settings {
            rho: [0.1, 0.01],
            ..d
        },
        1,
        1,
        "rho from 0.1 to 0.01",
    );
}
