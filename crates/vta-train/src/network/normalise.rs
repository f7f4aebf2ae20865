//! Batch normalisation for a network that was trained before and had its own folded in.

use super::forward::Mode;
use super::{EPSILON, Network, Value};
use crate::TrainError;
use crate::backend::{Kernels, floats};
use crate::kernels::norm::{Planes, statistics};
use vta_net::graph::{Graph, Op, TensorId};

impl<B: Kernels> Network<B> {
    /// The graph's function, with a batch normalisation behind each convolution
    /// that [`Network::normalised`] gives one, which changes nothing: its statistics are those of the convolution's
    /// results over these batches, and `gamma` and `beta` undo it.
    ///
    /// # Errors
    /// As [`Network::new`]; no batches, or batches that do not fit the input.
    pub fn renormalised(
        graph: &Graph,
        batches: &[Value<B>],
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        let mut plain = Self::new(graph, device)?;
        let mut network = Self::normalised(graph, device)?;
        if batches.is_empty() {
            let what = "statistics of a network need at least one batch";
            return Err(TrainError::Request(what.into()));
        }
        let convs: Vec<(String, TensorId, Vec<f32>)> = graph
            .nodes()
            .filter_map(|n| match &n.op {
                Op::Conv(c) if network.find(&format!("{}.gamma", n.name)).is_some() => {
                    Some((n.name.clone(), n.output, c.bias.to_vec()))
                }
                _ => None,
            })
            .collect();
        plain.keep(convs.iter().map(|c| c.1));
        // (weight, mean, variance about it) of each convolution, joined batch by batch.
        let mut all: Vec<(f64, Vec<f64>, Vec<f64>)> = Vec::new();
        for batch in batches {
            let pass = plain.forward(&plain.plain(), batch.clone(), Mode::Folded)?;
            for (i, (_, t, bias)) in convs.iter().enumerate() {
                let Some(value) = pass.get(*t) else { continue };
                let dims = value.dims();
                let planes = Planes {
                    n: dims[0],
                    channels: bias.len(),
                    pixels: dims[2] * dims[3],
                };
                let s = statistics(planes, &floats(value.flat()));
                if all.len() <= i {
                    all.push((0.0, vec![0.0; bias.len()], vec![0.0; bias.len()]));
                }
                join(&mut all[i], planes.count() as f64, &s.mean, &s.var);
            }
        }
        for ((name, _, bias), (_, mean, var)) in convs.iter().zip(&all) {
            let narrow = |v: &[f64]| -> Vec<f32> { v.iter().map(|x| *x as f32).collect() };
            let (mean, var) = (narrow(mean), narrow(var));
            let gamma = var.iter().map(|v| (v + EPSILON).sqrt()).collect();
            network.set(&format!("{name}.gamma"), gamma)?;
            network.set(&format!("{name}.beta"), mean.clone())?;
            // The convolution's own bias is gone: its results are lower by it.
            let mean = mean.iter().zip(bias).map(|(m, b)| m - b).collect();
            network.set_running(super::Running {
                node: name.clone(),
                mean,
                var,
            })?;
        }
        Ok(network)
    }
}

/// Mean and variance of two sets together.
fn join(total: &mut (f64, Vec<f64>, Vec<f64>), n: f64, mean: &[f32], var: &[f32]) {
    let (m, means, vars) = total;
    let all = *m + n;
    let channels = means.iter_mut().zip(vars.iter_mut());
    for ((tm, tv), (bm, bv)) in channels.zip(mean.iter().zip(var)) {
        let (bm, bv) = (f64::from(*bm), f64::from(*bv));
        let apart = bm - *tm;
        *tv = (*tv * *m + bv * n + apart * apart * *m * n / all) / all;
        *tm += apart * n / all;
    }
    *m = all;
}
