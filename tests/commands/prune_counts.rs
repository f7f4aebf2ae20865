//! The mask's zeros, the compiler's blocks and the simulator's steps are the same numbers.

use std::collections::BTreeMap;
use vta::compiler::{Options, Sparsity, compile};
use vta::config::HwConfig;
use vta::graph::{Graph, zoo};
use vta::host::Tensor;
use vta::mem::Dram;
use vta::program::{Program, Step};
use vta::prune::{
    Allocation, AllocationRule, Blocks, Budget, Costs, Dense, Path, Profile, PruneLayer, Ranking,
    layers, weight,
};
use vta::quant::{Calibration, QOp, QuantOptions, quantise};
use vta::sparse::{self, Masks};
use vta::tsim;
use vta_test_support::network::{Sim, run};

/// Counts of a uniform density.
fn kept_at(graph: &Graph, density: f64) -> (Vec<PruneLayer>, Allocation) {
    let layers = layers(graph, &Dense::Ends, false, Ranking::MeanSquare).unwrap();
    let weights = layers
        .iter()
        .map(|l| weight(graph, &l.weight_name).unwrap());
    let weights: Vec<Vec<f32>> = weights.collect();
    let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let profiles = Profile::all(&layers, &views).unwrap();
    let rule = AllocationRule::Uniform;
    let path = Path::new(&layers, &profiles, &Costs::Blocks, &rule, 0.1).unwrap();
    let kept = path.allocate(&Budget::Fraction(density), 1.0).unwrap();
    (layers, kept)
}

/// `n` values from -1 to 1.
fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut s = seed | 1;
    let mut next = || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        (s >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// GEMM steps that the simulator counts.
fn gemm_steps(program: &Program, inputs: &[Tensor]) -> u64 {
    let c = &program.config;
    let mut dram = Dram::new(program.dram_image());
    for (region, value) in program.inputs.iter().zip(inputs) {
        region.write(dram.bytes_mut(), c.block, value).unwrap();
    }
    let mut steps = 0;
    for step in &program.steps {
        match step {
            Step::Host(h) => h.run(&mut dram, c.block).unwrap(),
            Step::Launch(l) => {
                let options = tsim::Options::default();
                let out = tsim::run(
                    c,
                    &mut dram,
                    l.insn_addr,
                    l.insn_count,
                    options,
                    &mut tsim::NoSink,
                )
                .unwrap();
                assert_eq!(out.status, tsim::Status::Ok);
                steps += out.stats.gemm_steps;
            }
        }
    }
    steps
}

/// Prunes by magnitude to a uniform density, by the projection.
fn pruned(graph: &mut Graph, density: f64) -> Masks {
    let (layers, allocation) = kept_at(graph, density);
    let mut masks = Masks::new();
    for (l, k) in layers
        .iter()
        .zip(&allocation.kept)
        .filter(|(l, _)| l.prunable())
    {
        let w = weight(graph, &l.weight_name).unwrap();
        let kept = l.blocks.top(&w, *k);
        masks.insert(l.weight_name.clone(), l.blocks.mask(&kept));
    }
    sparse::apply(graph, &masks).unwrap();
    masks
}

fn check(name: &str) {
    let mut graph = zoo::build(name, 5).unwrap();
    let masks = pruned(&mut graph, 0.4);
    // What is written is what readers see.
    let layers = sparse::layers(&graph);
    let masks = sparse::read(&sparse::write(&masks), &layers).unwrap();
    let calibration = Calibration::noise(&graph, 1, 1).unwrap();
    let net = quantise(&graph, &calibration, &QuantOptions::default()).unwrap();
    let config = HwConfig::default();
    let program = |sparsity| {
        let config = config.clone();
        compile(&net, &Options { config, sparsity }).unwrap()
    };
    let (dense, sparse) = (program(Sparsity::Dense), program(Sparsity::Sparse));
    let (mut dropped, mut skipped, mut saved) = (0u64, 0u64, 0u64);
    let mut kept_of = BTreeMap::new();
    for (d, s) in dense.layers.iter().zip(&sparse.layers) {
        assert_eq!((&d.name, d.kept, d.blocks), (&s.name, d.blocks, s.blocks));
        // Layers that the compiler adds have no weights of the network.
        let Some(node) = net.nodes.iter().find(|n| n.name == s.name) else {
            continue;
        };
        let QOp::Conv(conv) = &node.op else { continue };
        if !masks.contains_key(&conv.weight_name) {
            continue;
        }
        let mask = conv.weight.mask().expect("it was applied");
        assert_eq!(
            (s.kept, s.blocks),
            (mask.count_kept() as u64, mask.blocks() as u64),
            "{}",
            s.name
        );
        // Each dropped 32x32 block is up to four 16x16 tiles, and each tile a
        // step for each pixel of the output, but those whose input is padding.
        let dims = |t: vta::quant::QTensorId| match net.tensor(t).dims[..] {
            [_, _, h, w] => [h, w],
            _ => [1, 1],
        };
        let (from, to) = (dims(node.inputs[0]), dims(node.output));
        let w = &conv.window;
        let inside = |axis: usize, k: usize| {
            let at = move |o: usize| o * w.stride[axis] + k * w.dilation[axis];
            let real = w.pads[axis]..w.pads[axis] + from[axis];
            (0..to[axis]).filter(|o| real.contains(&at(*o))).count()
        };
        let (co, ci, kh, kw) = conv.weight.dim();
        let blocks = Blocks::new([co, ci, kh, kw], false, Ranking::Energy);
        assert_eq!(conv.groups, 1, "{name} has plain convolutions only");
        let tiles = |n: usize, block: usize| (n - block * 32).min(32).div_ceil(16);
        let [_, n_ci, ..] = blocks.mask_dims();
        for group in 0..blocks.groups() {
            let (row, column) = (group / (kh * kw) / n_ci, group / (kh * kw) % n_ci);
            if !mask.kept[group] {
                dropped += 1;
                let pixels = inside(0, group / kw % kh) * inside(1, group % kw);
                saved += (tiles(co, row) * tiles(ci, column) * pixels) as u64;
            }
        }
        skipped += s.blocks - s.kept;
        kept_of.insert(conv.weight_name.clone(), s.kept);
    }
    assert!(dropped > 0 && !kept_of.is_empty());
    assert_eq!(
        dropped, skipped,
        "{name}: blocks of the masks, blocks that the compiler skips"
    );
    let inputs: Vec<Tensor> = {
        let region = &dense.inputs[0];
        let n = region.dims.iter().product::<usize>();
        let values: Vec<f32> = values(n, 3);
        let array = ndarray::ArrayD::from_shape_vec(ndarray::IxDyn(&region.dims), values).unwrap();
        let value = Tensor::F32(array);
        vec![match region.exponent {
            Some(exponent) => vta::host::HostOp::Quantize { exponent }
                .run(&[&value])
                .unwrap(),
            None => value,
        }]
    };
    let difference = gemm_steps(&dense, &inputs) - gemm_steps(&sparse, &inputs);
    assert_eq!(
        difference, saved,
        "{name}: steps by the masks, steps that the simulator saves"
    );
    let (d, s) = (
        run(&dense, &inputs, Sim::Tsim),
        run(&sparse, &inputs, Sim::Tsim),
    );
    assert_eq!(d.outputs, s.outputs);
    assert!(s.cycles < d.cycles, "{} {}", s.cycles, d.cycles);
}

#[test]
fn masks_compiler_and_simulator_count_the_same_resnet8() {
    check("resnet8");
}

#[test]
fn masks_compiler_and_simulator_count_the_same_lenet5() {
    check("lenet5");
}
