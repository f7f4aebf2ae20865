//! Images a second of training: `cargo run --release --example train_speed [seconds]`.
//!
//! Steps of `resnet-32-64-128` with batches of 64 images of 3 x 32 x 32, batch
//! normalisation, momentum and augmentation, as `vta train` makes them.

use std::time::Instant;
use vta::data::shapes::{Counts, classes};
use vta::graph::zoo;
use vta::train::backend::{Cpu, CpuGrad};
use vta::train::{Classify, Network, Settings, TrainError, Trainer};

fn main() -> Result<(), TrainError> {
    let seconds = std::env::args().nth(1).and_then(|s| s.parse().ok());
    let seconds: f64 = seconds.unwrap_or(20.0);
    let counts = Counts {
        train: 640,
        val: 0,
        test: 0,
    };
    let set = classes(1, counts);
    let Some(graph) = zoo::build("resnet-32-64-128", 1) else {
        return Err(TrainError::Unknown {
            name: "resnet-32-64-128".into(),
        });
    };
    let network = Network::<Cpu>::normalised(&graph, &Default::default())?;
    let weights: usize = network.params().iter().map(|p| p.values().len()).sum();
    let task = Classify::new(&graph, set.classes.len(), 0.0)?;
    let settings = Settings {
        epochs: 1e6,
        ..Settings::default()
    };
    let batch = settings.batch;
    let data = (&set.train[..], &set.val[..]);
    let mut trainer = Trainer::<CpuGrad, _, _, _, _>::new(network, (task, ()), data, settings)?;
    trainer.step()?;
    let (start, mut best, mut steps) = (Instant::now(), f64::INFINITY, 0);
    while start.elapsed().as_secs_f64() < seconds {
        let step = Instant::now();
        trainer.step()?;
        best = best.min(step.elapsed().as_secs_f64());
        steps += 1;
    }
    let mean = start.elapsed().as_secs_f64() / f64::from(steps);
    let rate = |seconds: f64| batch as f64 / seconds;
    println!(
        "{weights} parameters, {} threads",
        rayon::current_num_threads()
    );
    println!("{steps} steps of {batch} images");
    println!(
        "images a second: {:.0} (best step {:.0})",
        rate(mean),
        rate(best)
    );
    Ok(())
}
