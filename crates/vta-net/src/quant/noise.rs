//! Where an integer network loses accuracy: signal and noise of each of its tensors.

use super::error::QuantError;
use super::float;
use super::net::{QNet, QTensorId};
use super::reference::Reference;
use crate::graph::{Graph, TensorId};
use ndarray::{ArrayD, Axis};
use rayon::prelude::*;
use std::collections::BTreeMap;
use vta_tensor::host::Tensor;

/// How far the result of a node is from the float network's.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// Name of the node.
    pub node: String,
    /// Sums for each channel: dimension 1 of a map, else the last dimension.
    channels: Vec<Power>,
}

/// Sums of squares.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Power {
    /// Of the float network's values.
    signal: f64,
    /// Of the differences.
    noise: f64,
}

impl Power {
    fn add(&mut self, other: Self) {
        self.signal += other.signal;
        self.noise += other.noise;
    }

    fn decibels(self) -> f64 {
        10. * (self.signal / self.noise).log10()
    }
}

impl Noise {
    /// Signal to noise in decibels; infinite without noise.
    pub fn decibels(&self) -> f64 {
        let mut all = Power::default();
        self.channels.iter().for_each(|c| all.add(*c));
        match all.noise {
            0. => f64::INFINITY,
            _ => all.decibels(),
        }
    }

    /// The channel with the least signal to noise, and that; none without noise.
    /// Channels that are all zeros in the float network have no signal and do not count.
    pub fn worst(&self) -> Option<(usize, f64)> {
        let heard = self.channels.iter().enumerate();
        let heard = heard.filter(|(_, c)| c.signal > 0. && c.noise > 0.);
        let all = heard.map(|(i, c)| (i, c.decibels()));
        all.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Signal and noise of each node whose result the float network has as well, in the
/// order of execution, over some samples.
///
/// # Errors
/// A network of another graph, samples that do not fit.
pub fn noise(graph: &Graph, net: &QNet, samples: &[Vec<Tensor>]) -> Result<Vec<Noise>, QuantError> {
    let reference = Reference::new(net)?;
    let of: BTreeMap<TensorId, Vec<QTensorId>> =
        net.values_of
            .iter()
            .fold(BTreeMap::new(), |mut of, (q, t)| {
                of.entry(*t).or_insert_with(Vec::new).push(*q);
                of
            });
    let one = |sample: &Vec<Tensor>| -> Result<BTreeMap<QTensorId, Vec<Power>>, QuantError> {
        let ints = reference.trace(sample)?;
        let mut powers = BTreeMap::new();
        float::walk(graph, sample, &[], |t, want| {
            for q in of.get(&t).into_iter().flatten() {
                if let Some(got) = &ints[q.0] {
                    powers.insert(*q, channels(want, got, net.step(*q).unwrap_or(1.)));
                }
            }
            Ok::<_, QuantError>(())
        })?;
        Ok(powers)
    };
    let parts: Vec<Result<_, QuantError>> = samples.par_iter().map(one).collect();
    let mut all: BTreeMap<QTensorId, Vec<Power>> = BTreeMap::new();
    for part in parts {
        for (q, powers) in part? {
            let sums = all
                .entry(q)
                .or_insert_with(|| vec![Power::default(); powers.len()]);
            sums.iter_mut().zip(powers).for_each(|(sum, p)| sum.add(p));
        }
    }
    let nodes = net.nodes.iter().filter_map(|n| {
        Some(Noise {
            node: n.name.clone(),
            channels: all.remove(&n.output)?,
        })
    });
    Ok(nodes.collect())
}

/// Signal and noise of each channel.
fn channels(want: &ArrayD<f32>, got: &Tensor, step: f64) -> Vec<Power> {
    if want.shape() != got.dims() || want.ndim() == 0 {
        return Vec::new();
    }
    let axis = Axis(if want.ndim() == 4 { 1 } else { want.ndim() - 1 });
    let sums = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
        let mut power = Power::default();
        for (want, got) in pairs {
            power.signal += want * want;
            power.noise += (got - want) * (got - want);
        }
        power
    };
    let wants = want
        .axis_iter(axis)
        .map(|w| w.into_iter().map(|x| f64::from(*x)));
    match got {
        Tensor::I8(got) => {
            let gots = got.axis_iter(axis);
            let gots = gots.map(|g| g.into_iter().map(|q| f64::from(*q) * step));
            wants.zip(gots).map(|(w, g)| sums(&mut w.zip(g))).collect()
        }
        Tensor::F32(got) => {
            let gots = got.axis_iter(axis);
            let gots = gots.map(|g| g.into_iter().map(|x| f64::from(*x)));
            wants.zip(gots).map(|(w, g)| sums(&mut w.zip(g))).collect()
        }
    }
}
