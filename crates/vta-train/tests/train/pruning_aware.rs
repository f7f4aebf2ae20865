//! Runs of pruning: phases reach the network, what is dropped is zero, teachers
//! teach, a stopped run goes on with the same bits.

use burn_tensor::{Tensor, TensorData};
use vta_data::Dataset;
use vta_data::shapes::{Counts, classes};
use vta_net::graph::{Builder, ConvSpec, Graph, Op};
use vta_net::quant::{self, Calibration, QuantOptions};
use vta_prune::{
    AllocationRule, Budget, Costs, Dense, Method, Plan, PruneLayer, Pruner, Ranking, Recipe,
    Target, layers, weight,
};
use vta_train::backend::{Cpu, CpuGrad, floats};
use vta_train::pruning_aware::{
    DistillationWeights, PruneRun, attention, distance, features, soft_outputs, unit,
};
use vta_train::{Checkpoint, Classify, Network, Settings, Trainer};

type Run<'a> = Trainer<'a, CpuGrad, Cpu, u16, Classify, PruneRun<'a, Cpu, Classify>>;

fn data() -> Dataset<u16> {
    let counts = Counts {
        train: 40,
        val: 0,
        test: 20,
    };
    classes(3, counts)
}

/// Layers of 2 x 1, 2 x 2 and 1 x 2 blocks at a position, the last with partial ones.
fn graph() -> Graph {
    let mut b = Builder::new("small", 3);
    let x = b.input("input", &[1, 3, 32, 32]);
    let x = b.conv("a", x, ConvSpec::new(32, 3).stride(2).pad(1));
    let x = b.relu("a.relu", x);
    let x = b.conv("b", x, ConvSpec::new(64, 3).stride(2).pad(1));
    let x = b.relu("b.relu", x);
    let y = b.conv("c", x, ConvSpec::new(64, 1));
    let x = b.add("sum", x, y);
    let x = b.relu("sum.relu", x);
    let x = b.conv("d", x, ConvSpec::new(40, 3).stride(2).pad(1));
    let x = b.relu("d.relu", x);
    let x = b.flatten("flat", x);
    let y = b.dense("fc", x, 10, 1.0);
    b.output(y);
    b.finish()
}

fn all_layers(graph: &Graph) -> Vec<PruneLayer> {
    layers(graph, &Dense::Ends, false, Ranking::MeanSquare).expect("layers")
}

fn start<'a>(set: &'a Dataset<u16>, method: Method, distillation: DistillationWeights) -> Run<'a> {
    let graph = graph();
    let layers = all_layers(&graph);
    let weights: Vec<Vec<f32>> = layers
        .iter()
        .map(|l| weight(&graph, &l.weight_name).expect("a weight"))
        .collect();
    let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let plan = Plan::new(method, Default::default(), 20, 5).expect("a plan");
    let rule = match method.adaptive {
        true => AllocationRule::Lamp,
        false => AllocationRule::Uniform,
    };
    let budget = Budget::Fraction(0.4);
    let target = Target::new(rule, Costs::Blocks, budget);
    let pruner = Pruner::new(layers, plan, target, &views).expect("a pruner");
    let mut network = Network::normalised(&graph, &Default::default()).expect("a network");
    let task = Classify::new(&graph, 10, 0.0).expect("a classifier");
    let calibrate = Box::new(|g: &Graph| {
        let seen = Calibration::noise(g, 1, 2)?;
        let net = quant::quantise(g, &seen, &QuantOptions::default())?;
        Ok(quant::Exponents::of(&net))
    });
    let hooks =
        PruneRun::new(pruner, &mut network, task, distillation, calibrate).expect("known layers");
    let settings = Settings {
        epochs: 4.0,
        batch: 8,
        rate: 0.01,
        ..Settings::default()
    };
    Run::new(network, (task, hooks), (&set.train, &[]), settings).expect("a run")
}

fn finish(run: &mut Run<'_>) {
    while !run.finished() {
        run.step().expect("a step");
    }
}

fn bits(c: &Checkpoint) -> Vec<u8> {
    let mut c = c.clone();
    c.put_number("seconds", 0);
    c.encode().expect("it can be written")
}

/// What masks drop is zero in the exported network, and nothing else is; the
/// budget is met within one block.
#[test]
fn the_exported_network_has_zeros_where_masks_say_so() {
    for recipe in [Recipe::OneShot, Recipe::TwoStage, Recipe::OneStage] {
        let set = data();
        let mut run = start(&set, Method::plain(recipe), DistillationWeights::default());
        finish(&mut run);
        let (network, hooks) = run.into_parts();
        let graph = network.to_graph();
        let masks = hooks.pruner().masks();
        let (mut kept, mut all) = (0, 0);
        for node in graph.nodes() {
            let Op::Conv(c) = &node.op else { continue };
            let Some(mask) = masks.get(&c.weight_name) else {
                continue;
            };
            kept += mask.count_kept();
            all += mask.blocks();
            for ((o, i, h, w), v) in c.weight.indexed_iter() {
                let is_kept = mask.get([o / 32, i / 32, h, w]);
                assert_eq!(*v != 0.0, is_kept, "{} {recipe:?}", node.name);
            }
        }
        let want = 0.4 * all as f64;
        assert!(
            kept as f64 <= want && kept as f64 > want - 1.0,
            "{kept} of {all}"
        );
        assert!((hooks.pruner().sparsity() - (1.0 - kept as f64 / all as f64)).abs() < 1e-12);
    }
}

/// At every step of a full run: stop, write a checkpoint, read it, go on.
#[test]
fn a_stopped_run_goes_on_with_the_same_bits() {
    let set = data();
    let method = Method {
        permutation: false,
        ..Method::full()
    };
    let mut whole = start(&set, method, DistillationWeights::default());
    finish(&mut whole);
    let want = bits(&whole.checkpoint());
    for stop in [1, 3, 8, 12, 15, 19] {
        let mut run = start(&set, method, DistillationWeights::default());
        for _ in 0..stop {
            run.step().expect("a step");
        }
        let c = Checkpoint::decode(&run.checkpoint().encode().expect("it can be written"))
            .expect("a checkpoint");
        let mut again = start(&set, method, DistillationWeights::default());
        again.restore(&c).expect("the same run");
        assert_eq!(bits(&again.checkpoint()), bits(&c), "stopped after {stop}");
        finish(&mut again);
        assert!(bits(&again.checkpoint()) == want, "stopped after {stop}");
    }
    assert!(whole.hooks().exponents().is_some(), "it was quantised");
}

/// A checkpoint of another method or of other weights is refused, by name.
#[test]
fn another_run_is_refused() {
    let set = data();
    let (method, weights) = (
        Method::plain(Recipe::OneStage),
        DistillationWeights::default(),
    );
    let mut run = start(&set, method, weights);
    run.step().expect("a step");
    let c = run.checkpoint();
    let told = |method, weights| {
        let e = start(&set, method, weights).restore(&c).err();
        e.map_or_else(String::new, |e| e.to_string())
    };
    assert_eq!(told(method, weights), "");
    let other = Method::plain(Recipe::TwoStage);
    let want = "the checkpoint is of another run: method.recipe was one_stage, is two_stage";
    assert_eq!(told(other, weights), want);
    let other = DistillationWeights {
        every: 7,
        temperature: 1.5,
        ..weights
    };
    let want = "the checkpoint is of another run: distillation.every was 4, is 7; \
                distillation.temperature was 4.0, is 1.5";
    assert_eq!(told(method, other), want);
}

/// A state of pruning that is whole but not one of this network's layers is an error.
#[test]
fn states_that_do_not_fit_are_errors() {
    use serde_json::{Value, json};
    let set = data();
    let (method, weights) = (Method::full(), DistillationWeights::default());
    let mut run = start(&set, method, weights);
    for _ in 0..7 {
        run.step().expect("a step");
    }
    let c = run.checkpoint();
    let pruner = c.text("hooks/pruner").expect("a state");
    let pruner: Value = serde_json::from_str(pruner).expect("JSON");
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut bad = pruner.clone();
        change(&mut bad);
        assert_ne!(bad, pruner);
        let mut c = c.clone();
        c.put_text("hooks/pruner", bad.to_string());
        let e = start(&set, method, weights).restore(&c);
        e.expect_err("it does not fit").to_string()
    };
    let list = |v: &mut Value, path: &str, change: &dyn Fn(&mut Vec<Value>)| {
        let found = v.pointer_mut(path).and_then(Value::as_array_mut);
        change(found.unwrap_or_else(|| panic!("{path}")));
    };
    let removed = |path: &'static str| refused(&move |v| list(v, path, &|l| drop(l.pop())));
    for (path, want) in [
        ("/states", "layers are given"),
        ("/allocation/kept", "layers are given"),
        ("/states/1/kept", "other blocks"),
        ("/layers", "another plan"),
    ] {
        let e = removed(path);
        assert!(e.contains(want), "{path}: {e}");
    }
    for (path, value, want) in [
        (
            "/allocation/kept/1",
            json!(1_000_000),
            "more blocks than it has",
        ),
        ("/states/1/rho", json!(-1.0), "other blocks"),
        ("/states/1/blocks/weight/0", json!(1), "other blocks"),
        ("/plan/steps", json!(21), "another plan"),
        ("/target/floor", json!(0.2), "another plan"),
        ("/target", json!(null), "broken pruner"),
    ] {
        let e = refused(&move |v| {
            *v.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value.clone();
        });
        assert!(e.contains(want), "{path}: {e}");
    }
    for (name, text) in [("hooks/exponents", "{"), ("hooks/pruner", "")] {
        let mut bad = c.clone();
        bad.put_text(name, text);
        assert!(
            start(&set, method, weights).restore(&bad).is_err(),
            "{name}"
        );
    }
}

/// Learning rates of two stages: each rises from its start and falls to its end.
#[test]
fn two_stages_have_two_learning_rates() {
    let set = data();
    let mut run = start(
        &set,
        Method::plain(Recipe::TwoStage),
        DistillationWeights::default(),
    );
    let mut rates = Vec::new();
    while !run.finished() {
        rates.push(run.step().expect("a step").context.rate);
    }
    // 40 % of 20 steps are the first stage.
    assert!(rates[7] < 0.2 * rates[0], "{rates:?}");
    assert!(rates[8] > 5.0 * rates[7], "{rates:?}");
    assert!(rates[19] < 0.2 * rates[8], "{rates:?}");
}

/// The penalty pulls: with a large rho weights that are to go shrink while the
/// forward pass is dense yet.
#[test]
fn the_penalty_pulls_blocks_to_zero() {
    let set = data();
    let mut run = start(
        &set,
        Method::plain(Recipe::TwoStage),
        DistillationWeights::default(),
    );
    let norm = |run: &Run<'_>| -> f64 {
        let (pruner, network) = (run.hooks().pruner(), run.network());
        let mut sum = 0.0;
        for (i, l) in pruner
            .layers()
            .iter()
            .enumerate()
            .filter(|(_, l)| l.prunable())
        {
            let at = network.find(&l.weight_name).expect("a weight");
            let w = network.params()[at].values();
            let state = pruner.state(i);
            let gone = l.blocks.spread(state.kept(), 0.0, 1.0);
            sum += w
                .iter()
                .zip(gone)
                .map(|(w, g)| f64::from(w * w * g))
                .sum::<f64>();
        }
        sum
    };
    // The last round, with rho = 0.1, has begun.
    for _ in 0..6 {
        run.step().expect("a step");
    }
    let before = norm(&run);
    run.step().expect("a step");
    let pulled = run.hooks().pruner().rho();
    assert!((pulled - 0.1).abs() < 1e-6, "{pulled}");
    assert!(before > 0.0);
}

/// A student that is its own teacher has nothing to learn; another has, and the
/// gradient leads to the teacher.
#[test]
fn distances_to_a_teacher() {
    let values = |seed: u64, n: usize| crate::values::random(n, seed);
    let logits: Tensor<CpuGrad, 2> =
        Tensor::from_data(TensorData::new(values(1, 20), [4, 5]), &Default::default());
    let teacher: Tensor<Cpu, 2> = logits.clone().inner();
    let same = soft_outputs(logits.clone(), teacher.clone(), 4.0);
    assert!(floats(same)[0].abs() < 1e-5);
    // Against a sum by hand: T^2 mean over rows of sum p (log p - log q).
    let other: Tensor<Cpu, 2> =
        Tensor::from_data(TensorData::new(values(2, 20), [4, 5]), &Default::default());
    let soft = |v: &[f32]| -> Vec<f64> {
        let e: Vec<f64> = v.iter().map(|x| (f64::from(*x) / 4.0).exp()).collect();
        let sum: f64 = e.iter().sum();
        e.iter().map(|x| x / sum).collect()
    };
    let (s, t) = (floats(logits.clone()), floats(other.clone()));
    let want: f64 = s
        .chunks(5)
        .zip(t.chunks(5))
        .map(|(s, t)| {
            let pairs = soft(s).into_iter().zip(soft(t));
            pairs.map(|(q, p)| p * (p.ln() - q.ln())).sum::<f64>()
        })
        .sum::<f64>()
        * 16.0
        / 4.0;
    let got = floats(soft_outputs(logits, other, 4.0))[0];
    assert!((f64::from(got) - want).abs() < 1e-4, "{got} {want}");
}

/// Maps as rows of length 1, whatever their scale; weights of places count.
#[test]
fn maps_are_compared_without_their_scale() {
    let values = crate::values::random(2 * 3 * 4, 5);
    let map = |by: f32| -> Tensor<CpuGrad, 4> {
        let v: Vec<f32> = values.iter().map(|x| x * by).collect();
        Tensor::from_data(TensorData::new(v, [2, 3, 2, 2]), &Default::default())
    };
    let length = |rows: Vec<f32>| {
        rows.chunks(rows.len() / 2)
            .map(|r| r.iter().map(|x| x * x).sum::<f32>())
            .collect::<Vec<_>>()
    };
    for rows in [floats(attention(map(1.0))), floats(unit(map(3.0)))] {
        for l in length(rows) {
            assert!((l - 1.0).abs() < 1e-5, "{l}");
        }
    }
    let zero = |t: Tensor<CpuGrad, 1>| floats(t)[0];
    assert!(
        zero(distance(
            attention(map(1.0)),
            attention(map(7.0)).inner(),
            None
        )) < 1e-8
    );
    // Signs are lost in attention, not in the map itself.
    assert!(
        zero(distance(
            attention(map(1.0)),
            attention(map(-1.0)).inner(),
            None
        )) < 1e-8
    );
    let opposite = zero(distance(unit(map(1.0)), unit(map(-1.0)).inner(), None));
    assert!((opposite - 4.0).abs() < 1e-5, "{opposite}");
    let none = Tensor::<Cpu, 2>::zeros([2, 12], &Default::default());
    assert_eq!(
        zero(distance(
            unit(map(1.0)),
            unit(map(-1.0)).inner(),
            Some(none)
        )),
        0.0
    );
}

/// Where stages end: the last activation of each size, not outputs.
#[test]
fn compared_maps_are_the_ends_of_stages() {
    let graph = graph();
    let names: Vec<&str> = features(&graph)
        .into_iter()
        .map(|t| graph.tensor(t).name.as_str())
        .collect();
    assert_eq!(names, ["a.relu", "sum.relu", "d.relu"]);
}

fn column(run: &Run<'_>, name: &str) -> f64 {
    use vta_train::Hooks;
    let columns = Hooks::<Cpu, CpuGrad, u16>::columns(run.hooks());
    columns.iter().find(|c| c.0 == name).expect("a column").1
}

/// The temporal teacher sees a batch as the student does: where it was taken it has
/// nothing to say, though running statistics are far from those of the batch.
#[test]
fn the_temporal_teacher_is_the_student_of_before() {
    let set = data();
    let method = Method {
        temporal: true,
        ..Method::plain(Recipe::OneStage)
    };
    let weights = DistillationWeights {
        temporal_outputs: 1.0,
        temporal_maps: 1.0,
        every: 1,
        ..DistillationWeights::default()
    };
    let mut run = start(&set, method, weights);
    // Masks freeze before the 7th of 20 steps; an epoch has 5.
    let losses: Vec<f64> = (0..20)
        .map(|_| {
            run.step().expect("a step");
            column(&run, "temporal")
        })
        .collect();
    for (i, loss) in losses.iter().enumerate().skip(7) {
        match i % 5 {
            0 => assert!(loss.abs() < 1e-5, "{i}: {loss}"),
            _ => assert!(*loss > 1e-4, "{i}: {loss}"),
        }
    }
}

/// A student that only has teachers comes nearer to the dense network.
#[test]
fn the_dense_network_teaches() {
    let set = data();
    let method = Method {
        spatial: true,
        temporal: true,
        ..Method::plain(Recipe::OneStage)
    };
    let mut run = start(&set, method, DistillationWeights::default());
    finish(&mut run);
    assert!(column(&run, "spatial") > 0.0);
    assert!(column(&run, "temporal") > 0.0);
    assert!((column(&run, "sparsity") - 0.6).abs() < 0.05);
    // Asked in one of three steps: not in the last, which is the 20th.
    let rarely = DistillationWeights {
        every: 20,
        ..DistillationWeights::default()
    };
    let mut run = start(&set, method, rarely);
    finish(&mut run);
    assert_eq!(column(&run, "spatial"), 0.0);
}
