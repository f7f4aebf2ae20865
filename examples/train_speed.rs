//! Images a second of training: `cargo run --release --features train --example
//! train_speed [seconds [kept]]`.
//!
//! Steps of `resnet-32-64-128` with batches of 64 images of 3 x 32 x 32, batch
//! normalisation, momentum and augmentation, as `vta train` makes them. With `kept`,
//! from 0 to 1, as in a phase of pruning with frozen masks: only so many of the
//! blocks of each convolution but the first are left.

use std::time::Instant;
use vta::data::shapes::{Counts, classes};
use vta::graph::zoo;
use vta::train::backend::{Cpu, CpuGrad};
use vta::train::{Classify, Mask, Network, Settings, TrainError, Trainer};

fn main() -> Result<(), TrainError> {
    let number = |n| std::env::args().nth(n).and_then(|s| s.parse().ok());
    let seconds: f64 = number(1).unwrap_or(20.0);
    let kept: f64 = number(2).unwrap_or(1.0);
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
    let mut network = Network::<Cpu>::normalised(&graph, &Default::default())?;
    if kept < 1.0 {
        drop_blocks(&mut network, kept)?;
    }
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

/// Leaves a share of the 32x32 blocks of each convolution but the first, spread evenly.
fn drop_blocks(network: &mut Network<Cpu>, kept: f64) -> Result<(), TrainError> {
    let weights = network.params().iter().filter(|p| p.dims.len() == 4);
    let weights: Vec<_> = weights.map(|p| (p.name.clone(), p.dims.clone())).collect();
    for (name, dims) in weights.into_iter().skip(1) {
        let (inputs, positions) = (dims[1], dims[2] * dims[3]);
        let keep = |i: usize| {
            let (o, rest) = (i / (inputs * positions), i % (inputs * positions));
            let block = o / 32 * inputs.div_ceil(32) + rest / positions / 32;
            let block = (block * positions + rest % positions) as f64;
            let more = ((block + 1.0) * kept).floor() > (block * kept).floor();
            f32::from(u8::from(more))
        };
        let keep = (0..dims.iter().product()).map(keep).collect();
        network.set_mask(&name, Some(Mask { keep, eta: 1.0 }))?;
    }
    Ok(())
}
