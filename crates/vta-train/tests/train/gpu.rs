//! The GPU against the CPU: operators, and gradients of whole networks.
//!
//! Needs a GPU, or Vulkan in software: `cargo test -p vta-train --features wgpu gpu`.

use crate::operators::{NORMS, cases, run_own, run_own_norm};
use crate::values::{distance, random, tensor};
use burn_autodiff::Autodiff;
use burn_tensor::activation::log_softmax;
use burn_wgpu::Wgpu;
use vta_net::graph::zoo;
use vta_train::backend::{Cpu, CpuGrad, Kernels, floats};
use vta_train::kernels::fake::Grid;
use vta_train::{Mode, Network};

type Gpu = Wgpu;
type GpuGrad = Autodiff<Wgpu>;

#[test]
fn convolutions_agree() {
    for (i, c) in cases().iter().enumerate() {
        let both = run_own::<CpuGrad>(c).into_iter().zip(run_own::<GpuGrad>(c));
        for (what, (a, b)) in ["y", "dx", "dw", "db"].iter().zip(both) {
            let d = distance(&a, &b);
            assert!(d < 1e-4, "case {i}, {what}: {d}");
        }
    }
}

#[test]
fn normalisations_agree() {
    for norm in NORMS {
        let both = run_own_norm::<CpuGrad>(norm).into_iter();
        for (i, (a, b)) in both.zip(run_own_norm::<GpuGrad>(norm)).enumerate() {
            let d = distance(&a, &b);
            assert!(d < 1e-4, "{norm:?}, {i}: {d}");
        }
    }
}

#[test]
fn rounding_agrees() {
    // A quarter of a step and its multiples: halves, and ends of the grids.
    let x: Vec<f32> = (-1200..1200).map(|i| i as f32 / 16.0).collect();
    for grid in [Grid::result(-2), Grid::weight(-1), Grid::input(0)] {
        let n = x.len();
        let cpu = Cpu::fake_quantise(tensor(x.clone(), [n]), &[grid]);
        let gpu = Gpu::fake_quantise(tensor(x.clone(), [n]), &[grid]);
        assert_eq!(floats(cpu), floats(gpu), "{grid:?}");
    }
}

/// The loss of some images and its gradients, by names of parameters.
macro_rules! gradients {
    ($plain:ty, $grad:ty, $name:expr) => {{
        let graph = zoo::build($name, 1).expect("a network of the zoo");
        let network = Network::<$plain>::normalised(&graph, &Default::default());
        let network = network.expect("the network can be trained");
        let dims = &graph.tensor(graph.inputs[0]).dims;
        let dims = [6, dims[1], dims[2], dims[3]];
        let x = tensor::<$grad, 4>(random(dims.iter().product(), 7), dims);
        let leaves = network.leaves();
        let pass = network.forward(&leaves, x, Mode::Batch).expect("a pass");
        let y = pass.logits().expect("the network has an output");
        let loss = log_softmax(y, 1).slice([0..6, 0..1]).sum().neg();
        let grads = loss.backward();
        let of = network.params().iter().zip(&leaves).map(|(p, leaf)| {
            let g = leaf.grad(&grads).map(floats);
            (p.name.clone(), g.expect("a parameter has a gradient"))
        });
        let mut all: Vec<(String, Vec<f32>)> = of.collect();
        all.push(("loss".into(), floats(loss)));
        all
    }};
}

/// Small networks: in deep ones a value next to 0 is cut by one ReLU and not by
/// the other, and all gradients before it differ.
#[test]
fn gradients_of_networks_agree() {
    for name in ["lenet5", "resnet-tiny"] {
        let cpu = gradients!(Cpu, CpuGrad, name);
        let gpu = gradients!(Gpu, GpuGrad, name);
        for ((what, a), (_, b)) in cpu.iter().zip(&gpu) {
            let d = distance(a, b);
            assert!(d < 1e-3, "{name}, {what}: {d}");
        }
    }
}
