//! Runs: they learn, stop and go on with the same bits; checkpoints; hooks.

use crate::values::tensor;
use burn_tensor::Tensor;
use vta_data::shapes::{Counts, classes};
use vta_data::{Dataset, Sample};
use vta_net::graph::{Builder, ConvSpec, Graph};
use vta_train::backend::{Cpu, CpuGrad};
use vta_train::{
    Checkpoint, CheckpointError, Classify, Hooks, Mask, Network, Rule, Schedule, Seen, Settings,
    StepContext, TrainError, Trainer,
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

/// What of a run is spoilt in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Spoil {
    Nothing,
    Gradient(f32),
    Weight,
    Statistic,
    Column,
}

/// Spoils something in the seventh step.
struct Spoiler {
    what: Spoil,
    step: u64,
}

const SPOILT: u64 = 6;

impl Hooks<Cpu, CpuGrad, u16> for Spoiler {
    fn gradients(
        &mut self,
        _: &Network<Cpu>,
        gradients: &mut [Option<Tensor<Cpu, 1>>],
        context: &StepContext,
    ) -> Result<(), TrainError> {
        if let (Spoil::Gradient(by), SPOILT) = (self.what, context.step) {
            for g in gradients.iter_mut().flatten() {
                *g = g.clone().mul_scalar(0.0).add_scalar(by);
            }
        }
        Ok(())
    }

    fn after(
        &mut self,
        network: &mut Network<Cpu>,
        context: &StepContext,
    ) -> Result<(), TrainError> {
        self.step = context.step;
        match self.what {
            Spoil::Weight if context.step == SPOILT => {
                let mut values = network.params()[0].values();
                values[5] = f32::NEG_INFINITY;
                let name = network.params()[0].name.clone();
                network.set(&name, values)
            }
            Spoil::Statistic if context.step == SPOILT => {
                let mut r = network.running()[1].clone();
                r.var[0] = f32::NAN;
                network.set_running(r)
            }
            _ => Ok(()),
        }
    }

    fn columns(&self) -> Vec<(String, f64)> {
        let spoilt = self.what == Spoil::Column && self.step >= SPOILT;
        vec![("column".into(), if spoilt { f64::NAN } else { 1.0 })]
    }
}

/// Whatever is not finite stops the run in its step, by name, and the state before goes on.
#[test]
fn what_is_not_finite_is_named_and_nothing_of_its_step_is_kept() {
    let set = data(36);
    let spoiler = |what| Spoiler { what, step: 0 };
    for (rule, what, want, step) in [
        (
            Rule::sgd(),
            Spoil::Gradient(f32::NAN),
            "a value of `a.weight` is NaN",
            7,
        ),
        (
            Rule::adamw(),
            Spoil::Gradient(f32::NAN),
            "a value of `a.weight` is NaN",
            7,
        ),
        // The square of such a gradient has no place in single precision, the step has.
        (
            Rule::adamw(),
            Spoil::Gradient(1e25),
            "the state of the optimiser is not finite",
            7,
        ),
        (
            Rule::sgd(),
            Spoil::Weight,
            "a value of `a.weight` is -inf",
            7,
        ),
        (
            Rule::sgd(),
            Spoil::Statistic,
            "a running statistic of `b` is not finite",
            7,
        ),
        // Columns are asked for at the end of an epoch.
        (Rule::sgd(), Spoil::Column, "the column is NaN", 8),
    ] {
        let mut run = start(&set, settings(rule), spoiler(what));
        let mut good = run.checkpoint();
        let e = loop {
            match run.step() {
                Ok(_) => good = run.checkpoint(),
                Err(e) => break e,
            }
        };
        let TrainError::Diverged {
            what: got,
            step: at,
            epoch,
            rate,
        } = &e
        else {
            panic!("{what:?}: {e}");
        };
        assert_eq!((got.as_str(), *at, *epoch), (want, step, 2), "{what:?}");
        let place = format!("in step {step} (epoch 2, learning rate {rate})");
        assert!(*rate > 0.0 && e.to_string().contains(&place), "{e}");
        assert!(e.help().is_some_and(|h| h.contains("lower learning rate")));
        assert_eq!(good.number("step").ok(), Some(step - 1));
        // What was good goes on, and ends as a run in which nothing was spoilt.
        let mut on = start(&set, settings(rule), spoiler(Spoil::Nothing));
        on.restore(&good).expect("a good state");
        finish(&mut on);
        let mut whole = start(&set, settings(rule), spoiler(Spoil::Nothing));
        finish(&mut whole);
        assert!(
            bits(&on.checkpoint()) == bits(&whole.checkpoint()),
            "{what:?}"
        );
    }
}

/// Weights that are finite, and are not after the normalisation is folded in.
#[test]
fn an_exported_network_is_finite_or_refused() {
    let mut network = Network::<Cpu>::normalised(&graph(), &Default::default()).expect("a network");
    assert!(network.to_finite_graph().is_ok());
    network.set("a.gamma", vec![3e38; 8]).expect("it fits");
    let mut r = network.running()[0].clone();
    r.var = vec![0.0; 8];
    network.set_running(r).expect("it fits");
    let e = network
        .to_finite_graph()
        .expect_err("it is too large")
        .to_string();
    assert!(e.starts_with("a weight or bias of `a` is"), "{e}");
    // Such a network has no loss either.
    let set = data(8);
    let task = Classify::new(&graph(), 10, 0.0).expect("a classifier");
    let e = vta_train::Task::measure(&task, &network, &set.train, 8);
    assert!(matches!(e, Err(TrainError::NotFinite(_))), "{e:?}");
}

/// All that makes another run is named; the same run goes on.
#[test]
fn what_differs_from_the_run_of_a_checkpoint_is_named() {
    let set = data(36);
    let mut run = start(&set, settings(Rule::sgd()), ());
    run.step().expect("a step");
    let c = run.checkpoint();
    let told = |run: &mut Run<'_, ()>| match run.restore(&c) {
        Ok(()) => String::new(),
        Err(e) => {
            assert!(
                matches!(e, TrainError::Checkpoint(CheckpointError::OtherRun(_))),
                "{e}"
            );
            e.to_string()
                .replace("the checkpoint is of another run: ", "")
        }
    };
    assert_eq!(told(&mut start(&set, settings(Rule::sgd()), ())), "");
    let s = || settings(Rule::sgd());
    for (other, want) in [
        (Settings { epochs: 8.0, ..s() }, "epochs was 4, is 8"),
        (Settings { batch: 9, ..s() }, "batch was 8, is 9"),
        (
            Settings { rate: 0.02, ..s() },
            "learning rate was 0.01, is 0.02",
        ),
        (
            Settings {
                warm_up: 0.5,
                ..s()
            },
            "warm-up was 0.05, is 0.5",
        ),
        (
            Settings {
                last_rate: 0.5,
                ..s()
            },
            "last learning rate was 0.01, is 0.5",
        ),
        (Settings { seed: 2, ..s() }, "seed was 1, is 2"),
        (
            Settings {
                statistics: 0.2,
                ..s()
            },
            "rate of running statistics was 0.1, is 0.2",
        ),
    ] {
        assert_eq!(told(&mut start(&set, other, ())), want);
    }
    let starts = |other, want: &str| {
        let got = told(&mut start(&set, other, ()));
        assert!(got.starts_with(want), "{got}");
    };
    starts(settings(Rule::adamw()), "optimiser was Sgd");
    let augment = Default::default();
    starts(Settings { augment, ..s() }, "random changes of images was");
    // One pixel of one image, one label, one image less; of those that are held out too.
    let mut other = set.clone();
    other.train[7].image.data_mut()[100] ^= 1;
    assert_eq!(
        told(&mut start(&other, s(), ())),
        "the training images changed"
    );
    let mut other = set.clone();
    other.train[35].label ^= 1;
    assert_eq!(
        told(&mut start(&other, s(), ())),
        "the training images changed"
    );
    let mut other = set.clone();
    other.train.pop();
    let want = "number of training images was 36, is 35; the training images changed";
    assert_eq!(told(&mut start(&other, s(), ())), want);
    let mut other = set.clone();
    other.val[0].image.data_mut()[0] ^= 1;
    assert_eq!(
        told(&mut start(&other, s(), ())),
        "the held-out images changed"
    );
    // Another network, another task, and what else a caller counts.
    let with = |graph: &Graph, smoothing| {
        let network = Network::normalised(graph, &Default::default()).expect("a network");
        let task = Classify::new(graph, 10, smoothing).expect("a classifier");
        Run::new(network, (task, ()), (&set.train, &set.val), s()).expect("a run")
    };
    assert_eq!(told(&mut with(&graph(), 0.1)), "");
    assert_eq!(told(&mut with(&graph(), 0.2)), "smoothing was 0.1, is 0.2");
    let mut other = graph();
    for node in other.nodes_mut() {
        if let vta_net::graph::Op::Conv(c) = &mut node.op {
            c.weight.update(|mut w| w[[0, 0, 0, 0]] += 1e-3);
            break;
        }
    }
    assert_eq!(told(&mut with(&other, 0.1)), "the network changed");
    let mut more = start(&set, s(), ());
    let mut identity = vta_train::Identity::default();
    identity.put("weather", "rain");
    more.identify(&identity);
    assert_eq!(told(&mut more), "weather was not there, is rain");
}

/// Every part of a checkpoint that is whole but says something else is refused or
/// is another state; nothing panics.
#[test]
fn parts_that_do_not_fit_are_refused() {
    let set = data(36);
    let mut run = start(&set, settings(Rule::sgd()), Pruner::default());
    for _ in 0..6 {
        run.step().expect("a step");
    }
    let c = run.checkpoint();
    let refused = |c: &Checkpoint, want: &str| {
        let mut run = start(&set, settings(Rule::sgd()), Pruner::default());
        let e = run.restore(c).expect_err(want).to_string();
        assert!(e.contains(want), "{e}, not {want}");
        assert_eq!(run.next(), 0);
    };
    for name in c.names() {
        let n = (0..100_000)
            .find(|n| c.get(name, *n).is_ok())
            .expect("its length");
        let mut bad = c.clone();
        bad.put(name, vec![0.5; n + 1]);
        refused(&bad, name);
        bad.put(name, vec![f32::INFINITY; n]);
        refused(&bad, "that is not finite");
    }
    for (name, value, want) in [
        ("step", 17, "after step 17 of 16"),
        ("step", u64::MAX, "of 16"),
        ("step", 7, "not of step 7"),
        ("epoch.images", 0, "not of step 6"),
        ("epoch.loss", f64::NAN.to_bits(), "not of step 6"),
        ("seconds", f64::INFINITY.to_bits(), "not of step 6"),
    ] {
        let mut bad = c.clone();
        bad.put_number(name, value);
        refused(&bad, want);
    }
    for text in ["", "{", "[]", "{\"epochs\": 4}"] {
        let mut bad = c.clone();
        bad.put_text("identity", text);
        refused(&bad, "does not say of which run it is");
    }
    let mut other = c;
    other.put_text("identity", "{}");
    refused(&other, "epochs was not there, is 4");
}
