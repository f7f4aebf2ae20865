//! What a question for cycles costs: new masks of all layers of ResNet-18, and one layer's.
//! `RAYON_NUM_THREADS=1` asks it of one core.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use vta::config::HwConfig;
use vta::sparse::Masks;
use vta::{Calibration, CycleCounter, Model};

/// A counter that was asked these masks, and the masks.
fn asked(density: f64) -> (Model, CycleCounter, Masks) {
    let model = Model::zoo("resnet18", 1).expect("a network of the zoo");
    let mut counter = model
        .cycle_counter(&Calibration::default(), &HwConfig::default())
        .expect("it quantises");
    let masks = model.random_masks(density, 1).expect("a density");
    counter.count(&masks).expect("it fits");
    (model, counter, masks)
}

fn questions(c: &mut Criterion) {
    let mut group = c.benchmark_group("cycles of resnet18");
    group.sample_size(10);
    for density in [0.25, 0.5] {
        let (model, mut counter, masks) = asked(density);
        let mut seed = 1;
        group.bench_function(format!("all layers at {density}"), |b| {
            let new = || {
                seed += 1;
                model.random_masks(density, seed).expect("a density")
            };
            let count = |masks: Masks| black_box(counter.count(&masks).expect("it fits").total);
            b.iter_batched(new, count, BatchSize::PerIteration);
        });
        counter.count(&masks).expect("it fits");
        // A layer at the beginning, in the middle and at the end.
        for weight in ["stage1.0.conv1", "stage2.1.conv1", "stage4.1.conv2"] {
            let found = masks.keys().find(|w| w.starts_with(weight));
            let key = found.expect("a layer of ResNet-18").clone();
            let mut next = masks.clone();
            let mut block = 0;
            group.bench_function(format!("{weight} at {density}"), |b| {
                b.iter(|| {
                    let mask = next.get_mut(&key).expect("its mask");
                    let kept = mask.kept[block];
                    mask.kept.set(block, !kept);
                    block = (block + 1) % mask.blocks();
                    black_box(counter.count(&next).expect("it fits").total)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, questions);
criterion_main!(benches);
