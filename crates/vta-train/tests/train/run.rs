//! Runs: they learn, stop and go on with the same bits; checkpoints; hooks.

use crate::values::tensor;
use burn_tensor::Tensor;
use vta_data::shapes::{Counts, classes};
use vta_data::{Dataset, Sample};
use vta_net::graph::{Builder, ConvSpec, Graph};
use vta_train::backend::{Cpu, CpuGrad};
use vta_train::{
    Checkpoint, Classify, Hooks, Mask, Network, Rule, Schedule, Seen, Settings, StepContext,
    TrainError, Trainer,
};

type Run<'a, H> = Trainer<'a, CpuGrad, Cpu, u16, Classify, H>;

fn data(train: usize) -> Dataset<u16> {
    let counts = Counts {
        train,
        val: 20,
        test: 0,
    };
    classes(1, counts)
}

/// Three convolutions, one beside another, and a dense layer.
fn graph() -> Graph {
    let mut b = Builder::new("small", 3);
    let x = b.input("input", &[1, 3, 32, 32]);
    let x = b.conv("a", x, ConvSpec::new(8, 3).stride(2).pad(1));
    let x = b.relu("a.relu", x);
    let y = b.conv("b", x, ConvSpec::new(8, 3).pad(1));
    let z = b.conv("c", x, ConvSpec::new(8, 1));
    let x = b.add("sum", y, z);
    let x = b.relu("sum.relu", x);
    let x = b.flatten("flat", x);
    let y = b.dense("fc", x, 10, 1.0);
    b.output(y);
    b.finish()
}

fn settings(rule: Rule) -> Settings {
    Settings {
        epochs: 4.0,
        batch: 8,
        rate: 0.01,
        rule,
        ..Settings::default()
    }
}

fn start<H: Hooks<Cpu, CpuGrad, u16>>(
    set: &Dataset<u16>,
    settings: Settings,
    hooks: H,
) -> Run<'_, H> {
    let graph = graph();
    let network = Network::normalised(&graph, &Default::default()).expect("it can be trained");
    let task = Classify::new(&graph, 10, 0.1).expect("a classifier");
    Run::new(network, (task, hooks), (&set.train, &set.val), settings).expect("it can start")
}

fn finish<H: Hooks<Cpu, CpuGrad, u16>>(run: &mut Run<'_, H>) {
    while !run.finished() {
        run.step().expect("a step");
    }
}

/// All of a checkpoint but time.
fn bits(c: &Checkpoint) -> Vec<u8> {
    let mut c = c.clone();
    c.put_number("seconds", 0);
    c.encode().expect("it can be written")
}

/// Fades a mask in, pulls a weight towards zero and counts.
#[derive(Debug, Default)]
struct Pruner {
    calls: u64,
}

impl Hooks<Cpu, CpuGrad, u16> for Pruner {
    fn before(
        &mut self,
        network: &mut Network<Cpu>,
        context: &StepContext,
    ) -> Result<(), TrainError> {
        let keep = (0..8 * 8 * 9)
            .map(|i| f32::from(u8::from(i % 3 > 0)))
            .collect();
        let eta = context.step as f32 / context.steps as f32;
        network.set_mask("b.weight", Some(Mask { keep, eta }))
    }

    fn loss(
        &mut self,
        seen: &Seen<'_, Cpu, CpuGrad, u16>,
        _: &StepContext,
    ) -> Result<Option<Tensor<CpuGrad, 1>>, TrainError> {
        let at = seen.network.find("c.weight").expect("a weight");
        Ok(Some(
            seen.leaves[at].clone().square().sum().mul_scalar(0.01),
        ))
    }

    fn gradients(
        &mut self,
        _: &Network<Cpu>,
        gradients: &mut [Option<Tensor<Cpu, 1>>],
        _: &StepContext,
    ) -> Result<(), TrainError> {
        for g in gradients.iter_mut().flatten() {
            *g = g.clone().mul_scalar(1.0 / (1.0 + self.calls as f32));
        }
        Ok(())
    }

    fn after(&mut self, _: &mut Network<Cpu>, _: &StepContext) -> Result<(), TrainError> {
        self.calls += 1;
        Ok(())
    }

    fn columns(&self) -> Vec<(String, f64)> {
        vec![("calls".into(), self.calls as f64)]
    }

    fn save(&self, to: &mut Checkpoint) {
        to.put_number("hooks/calls", self.calls);
    }

    fn load(&mut self, from: &Checkpoint, _: &mut Network<Cpu>) -> Result<(), TrainError> {
        self.calls = from.number("hooks/calls")?;
        Ok(())
    }
}

#[test]
fn a_run_that_stops_goes_on_with_the_same_bits() {
    let set = data(36);
    for rule in [Rule::sgd(), Rule::adamw()] {
        let mut whole = start(&set, settings(rule), Pruner::default());
        finish(&mut whole);
        let want = bits(&whole.checkpoint());
        // Within an epoch, at its end, before the first step and after the last.
        for stop in [0, 3, 4, 9, 16] {
            let mut first = start(&set, settings(rule), Pruner::default());
            while first.next() < stop {
                first.step().expect("a step");
            }
            let file = first.checkpoint().encode().expect("it can be written");
            let mut second = start(&set, settings(rule), Pruner::default());
            let c = Checkpoint::decode(&file).expect("a checkpoint");
            second.restore(&c).expect("of the same run");
            assert_eq!(second.next(), stop);
            finish(&mut second);
            assert!(bits(&second.checkpoint()) == want, "{rule:?}, {stop}");
            if stop < 16 {
                let (a, b) = (whole.network().to_graph(), second.network().to_graph());
                assert_eq!(a, b);
            }
        }
        assert_eq!(whole.hooks().calls, 16);
    }
}

#[test]
fn a_network_learns() {
    let set = data(400);
    let settings = Settings {
        epochs: 6.0,
        batch: 32,
        rate: 0.02,
        augment: Default::default(),
        ..Settings::default()
    };
    let mut run = start(&set, settings, ());
    let before = run.measure(&set.train).expect("they fit");
    let mut rows = Vec::new();
    while !run.finished() {
        rows.extend(run.step().expect("a step").row);
    }
    let after = run.measure(&set.train).expect("they fit");
    assert!(before.score < 0.3, "{before:?}");
    assert!(after.score > 0.6, "{after:?}");
    assert_eq!(rows.len(), 6);
    assert!(rows[5].loss < 0.8 * rows[0].loss, "{rows:?}");
    // What is exported does what was measured.
    let graph = run.network().to_graph();
    let plain = Network::<Cpu>::new(&graph, &Default::default()).expect("it can be trained");
    let task: &Classify = run.task();
    let exported = vta_train::Task::measure(task, &plain, &set.train, 32).expect("they fit");
    assert!(
        (exported.loss - after.loss).abs() < 1e-4,
        "{exported:?} {after:?}"
    );
}

#[test]
fn damaged_checkpoints_are_refused() {
    let set = data(16);
    let mut run = start(&set, settings(Rule::sgd()), ());
    run.step().expect("a step");
    let file = run.checkpoint().encode().expect("it can be written");
    for i in (0..file.len()).step_by(file.len() / 97) {
        let mut bad = file.clone();
        bad[i] ^= 0x10;
        let e = Checkpoint::decode(&bad).expect_err("it was changed");
        assert!(matches!(e, TrainError::Checkpoint(_)), "{i}: {e}");
        assert!(Checkpoint::decode(&file[..i]).is_err(), "cut at {i}");
    }
    // Whole, but of another run.
    let c = Checkpoint::decode(&file).expect("a checkpoint");
    let other = Settings {
        rate: 0.02,
        ..settings(Rule::sgd())
    };
    let e = start(&set, other, ())
        .restore(&c)
        .expect_err("another rate");
    assert!(
        e.to_string()
            .ends_with("of another run: learning rate was 0.01, is 0.02"),
        "{e}"
    );
    let mut short = c.clone();
    short.put("param/b.weight", vec![0.0; 3]);
    let e = start(&set, settings(Rule::sgd()), ()).restore(&short);
    assert!(e.expect_err("3 values").to_string().contains("b.weight"));
    let e = start(&set, settings(Rule::sgd()), ()).restore(&Checkpoint::default());
    assert!(e.is_err());
}

/// The last epoch may be a part of one: its images are counted, and its end is measured.
#[test]
fn a_run_may_end_within_an_epoch() {
    let set = data(68);
    let settings = Settings {
        epochs: 1.5,
        ..settings(Rule::sgd())
    };
    let mut run = start(&set, settings, ());
    let mut rows = Vec::new();
    while !run.finished() {
        rows.extend(run.step().expect("a step").row);
    }
    // Batches of 8: four images of each epoch are left out.
    assert_eq!((run.batches(), run.steps(), run.next()), (8, 12, 12));
    let seen: Vec<_> = rows.iter().map(|r| (r.epoch, r.step, r.images)).collect();
    assert_eq!(seen, [(1, 8, 64), (2, 12, 96)]);
    assert!(rows.iter().all(|r| r.held_out.is_some()));
    assert!(run.step().is_err());
}

#[test]
fn bad_requests_and_divergence_are_errors() {
    let set = data(16);
    let none: &[Sample<u16>] = &[];
    let network = Network::<Cpu>::normalised(&graph(), &Default::default()).expect("a network");
    let task = Classify::new(&graph(), 10, 0.0).expect("a classifier");
    let e = Run::new(
        network.clone(),
        (task, ()),
        (none, none),
        settings(Rule::sgd()),
    );
    assert!(e.is_err());
    let zero = Settings {
        epochs: 0.0,
        ..settings(Rule::sgd())
    };
    let e = Run::new(network, (task, ()), (&set.train, none), zero);
    assert!(e.is_err());
    assert!(Classify::new(&graph(), 11, 0.0).is_err());
    let wild = Settings {
        rate: 1e30,
        warm_up: 0.0,
        ..settings(Rule::sgd())
    };
    let mut run = start(&set, wild, ());
    let e = (0..8).find_map(|_| run.step().err());
    assert!(matches!(e, Some(TrainError::Diverged { .. })), "{e:?}");
}

#[test]
fn rules_and_schedule_follow_their_formulas() {
    let s = Schedule {
        peak: 2.0,
        warm_up: 4,
        steps: 15,
        last: 0.1,
    };
    assert_eq!([s.at(0), s.at(3), s.at(4)], [0.5, 2.0, 2.0]);
    assert!((s.at(9) - 1.1).abs() < 1e-12 && (s.at(14) - 0.2).abs() < 1e-12);
    for rule in [Rule::sgd(), Rule::adamw()] {
        let mut network = Network::<Cpu>::new(&graph(), &Default::default()).expect("a network");
        let mut optimiser = vta_train::Optimiser::new(rule, &network);
        let i = network.find("c.weight").expect("a weight");
        let mut w: Vec<f64> = network.params()[i]
            .values()
            .iter()
            .map(|w| f64::from(*w))
            .collect();
        let (mut m, mut v) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        for step in 0..3u64 {
            let g: Vec<f32> = (0..w.len())
                .map(|k| (k as f32 - 90.0) * 0.01 * (step + 1) as f32)
                .collect();
            let mut all = vec![None; network.params().len()];
            all[i] = Some(tensor::<Cpu, 1>(g.clone(), [g.len()]));
            optimiser.step(&mut network, all, 0.1, step);
            for k in 0..w.len() {
                let g = f64::from(g[k]);
                match rule {
                    Rule::Sgd { momentum, decay } => {
                        m[k] = momentum * m[k] + g + decay * w[k];
                        w[k] -= 0.1 * m[k];
                    }
                    Rule::AdamW {
                        beta1,
                        beta2,
                        decay,
                    } => {
                        m[k] = beta1 * m[k] + (1.0 - beta1) * g;
                        v[k] = beta2 * v[k] + (1.0 - beta2) * g * g;
                        let t = (step + 1) as i32;
                        let root = (v[k] / (1.0 - beta2.powi(t))).sqrt() + 1e-8;
                        w[k] -= 0.1 * (decay * w[k] + m[k] / (1.0 - beta1.powi(t)) / root);
                    }
                }
            }
        }
        for (a, b) in network.params()[i].values().iter().zip(&w) {
            assert!((f64::from(*a) - b).abs() < 1e-4, "{rule:?}: {a} {b}");
        }
    }
}
