//! Networks of several layers: residuals, concatenations and slices by
//! placement, pools, steps of the host in between.

use crate::cases::{Conv, Kept, Numbers};
use crate::layers::check;
use proptest::prelude::*;
use vta_compile::Sparsity;
use vta_net::graph::Window;
use vta_net::quant::{QNet, QOp, QTensorId};
use vta_tensor::host::HostOp;
use vta_test_support::nodes::{INT8, node};

fn dims(net: &QNet, t: QTensorId) -> [usize; 4] {
    net.tensor(t).dims.clone().try_into().expect("a map")
}

/// One of the tensors for which `f` holds.
fn pick(
    net: &QNet,
    n: &mut Numbers,
    there: &[QTensorId],
    f: impl Fn([usize; 4]) -> bool,
) -> Option<QTensorId> {
    let fit: Vec<_> = there.iter().filter(|t| f(dims(net, **t))).collect();
    (!fit.is_empty()).then(|| *fit[n.below(fit.len() as u64) as usize])
}

fn channels(n: &mut Numbers) -> usize {
    [8, 16, 32, 33, 48, 64][n.below(6) as usize]
}

/// A random network.
pub fn network(seed: u64, nodes: usize) -> QNet {
    let n = &mut Numbers(seed);
    let mut net = QNet::default();
    let size = [4 + n.below(14) as usize, 4 + n.below(14) as usize];
    let c = [3, 16, 40][n.below(3) as usize];
    let x = net.add_tensor("x", &[1, c, size[0], size[1]], INT8);
    net.inputs.push(x);
    let mut there = vec![x];
    for k in 0..nodes {
        let Some(x) = pick(&net, n, &there, |_| true) else {
            continue;
        };
        let [_, c, h, w] = dims(&net, x);
        let made = match n.below(10) {
            0..=3 => {
                let kernel = [1, 3, 3, 5][n.below(4) as usize];
                let s = 1 + n.below(2) as usize;
                let pad = kernel / 2;
                let mut conv = Conv {
                    co: channels(n),
                    ci: c,
                    groups: 1,
                    size: [h, w],
                    window: Window {
                        kernel: [kernel; 2],
                        stride: [s; 2],
                        dilation: [1; 2],
                        pads: [pad; 4],
                    },
                    residual: false,
                    leaky: None,
                    by_channel: n.below(4) == 0,
                    post_shift: 0,
                    kept: [
                        Kept::Share(1.0),
                        Kept::Share(0.5),
                        Kept::Share(0.2),
                        Kept::One,
                    ][n.below(4) as usize],
                    seed: n.next(),
                };
                if n.below(5) == 0 {
                    (conv.co, conv.groups) = (c, c);
                }
                let out = conv.out().expect("padding keeps a result");
                let other = pick(&net, n, &there, |d| d == out);
                conv.residual = other.is_some();
                let mut q = conv.qconv(&format!("w{k}"));
                // Without a mask, or the mask that its zeros make.
                if n.below(2) == 0 {
                    q.weight = q.weight.values().clone().into();
                    if n.below(2) == 0 {
                        q.weight.detect();
                    }
                }
                let inputs: Vec<_> = [x].into_iter().chain(other).collect();
                node(&mut net, QOp::Conv(q), &inputs, &out)
            }
            4 if h > 1 && w > 1 => {
                let window = Window {
                    kernel: [2, 2],
                    stride: [2, 2],
                    dilation: [1, 1],
                    pads: [0; 4],
                };
                node(&mut net, QOp::MaxPool(window), &[x], &[1, c, h / 2, w / 2])
            }
            5 | 6 => {
                let fits = |d: [usize; 4]| d[2..] == [h, w];
                let mut all = vec![x];
                all.extend(pick(&net, n, &there, fits));
                all.extend(pick(&net, n, &there, fits));
                let c = all.iter().map(|t| dims(&net, *t)[1]).sum();
                let op = QOp::Host(HostOp::Concat { axis: 1 });
                node(&mut net, op, &all, &[1, c, h, w])
            }
            7 if c > 1 => {
                let start = if c > 16 {
                    16
                } else {
                    n.below(c as u64) as usize
                };
                let len = 1 + n.below((c - start) as u64) as usize;
                let op = HostOp::Slice {
                    axis: 1,
                    start,
                    len,
                    step: 1,
                };
                node(&mut net, QOp::Host(op), &[x], &[1, len, h, w])
            }
            8 if c % 4 == 0 => {
                let (split, perm) = match n.below(2) {
                    0 => (vec![2, 2, c / 4, h, w], vec![2, 3, 0, 4, 1]),
                    _ => (vec![c / 4, 2, 2, h, w], vec![0, 3, 1, 4, 2]),
                };
                let dims = vec![1, c / 4, 2 * h, 2 * w];
                let op = HostOp::Rearrange { split, perm, dims };
                node(&mut net, QOp::Host(op), &[x], &[1, c / 4, 2 * h, 2 * w])
            }
            _ if h * w <= 200 => {
                let by = 1 << n.below(3);
                let factor = [2, by];
                let op = match n.below(3) {
                    0 => HostOp::Resize { factor },
                    m => HostOp::ResizeLinear {
                        factor,
                        half_pixel: m == 1,
                    },
                };
                node(&mut net, QOp::Host(op), &[x], &[1, c, 2 * h, by * w])
            }
            _ => continue,
        };
        there.push(made);
    }
    let read = |t: &QTensorId| net.nodes.iter().any(|m| m.inputs.contains(t));
    let mut outputs: Vec<_> = there.iter().copied().filter(|t| !read(t)).collect();
    if outputs.is_empty() || n.below(3) == 0 {
        outputs.push(there[there.len() / 2]);
    }
    outputs.sort();
    outputs.dedup();
    net.outputs = outputs;
    net
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn networks(seed in any::<u64>(), nodes in 1..12_usize, sparse in any::<bool>(), config in crate::layers::configs()) {
        let net = network(seed, nodes);
        let sparsity = if sparse { Sparsity::Sparse } else { Sparsity::Dense };
        check(&net, sparsity, config, seed);
    }
}
