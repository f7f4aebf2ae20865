//! Images a second of training: `cargo bench --bench train [NETWORK [BATCH [STEPS]]]`.
//!
//! Prints each step's time and the rate of the fastest and of the middle one,
//! since neighbours on the machine slow some steps down.

#[cfg(feature = "prune")]
fn main() {
    use std::time::Instant;
    use vta::data::{Augment, Loader, Normalise, shapes};
    use vta::graph::zoo;
    use vta::train::backend::CpuGrad;
    use vta::train::{Classify, Network, Settings, Trainer};

    let mut args = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let name = args.next().unwrap_or_else(|| "resnet-32-64-128".into());
    let mut number = |usual: usize| args.next().and_then(|a| a.parse().ok()).unwrap_or(usual);
    let (batch, steps) = (number(64), number(12));
    let counts = shapes::Counts {
        train: batch * steps,
        val: 0,
        test: 0,
    };
    let data = shapes::classes(1, counts);
    let graph = zoo::build(&name, 1).expect("a network of the zoo");
    let network = Network::normalised(&graph, &Default::default()).expect("it can be trained");
    let task = Classify::new(&graph, data.classes.len(), 0.0).expect("10 classes");
    let normalise = Normalise::of(data.train.iter().map(|s| &s.image)).expect("images");
    let loader = Loader::training(&data.train, batch, normalise, Augment::small_images(), 1);
    let settings = Settings {
        epochs: 1,
        ..Settings::default()
    };
    let mut run =
        Trainer::<CpuGrad, _, _>::new(network, task, loader, None, settings).expect("a run");
    let mut times = Vec::new();
    for i in 0..steps {
        let begin = Instant::now();
        let step = run.advance(&mut ()).expect("a step");
        let seconds = begin.elapsed().as_secs_f64();
        println!("step {i}: {:.1} ms, loss {:.4}", 1e3 * seconds, step.loss);
        times.push(seconds);
    }
    times.sort_by(f64::total_cmp);
    let rate = |seconds: f64| batch as f64 / seconds;
    println!(
        "{name}, batch {batch}: {:.0} images/s at best, {:.0} in the middle",
        rate(times[0]),
        rate(times[times.len() / 2])
    );
}

#[cfg(not(feature = "prune"))]
fn main() {
    println!("training needs the feature `prune`");
}
