//! Runs an integer network layer by layer over samples, and moves each layer's
//! bias so that its sums have the mean that they have in the float network.

use super::calibrate::Calibration;
use super::check::accumulator_bound;
use super::emit::Link;
use super::error::QuantError;
use super::net::{QConv, QNet, QOp, QTensorId, QType};
use super::reference::{RunError, Step, Values, finish_all, shaped};
use rayon::prelude::*;
use vta_tensor::host::Tensor;

/// Corrects biases on the first samples, or runs them only; the result has the
/// tensors `judged` for each of them.
///
/// # Errors
/// As those of the integer reference.
pub(crate) fn correct(
    net: &mut QNet,
    links: &[Link],
    judged: &[QTensorId],
    calibration: &Calibration,
    samples: usize,
) -> Result<Vec<Vec<Tensor>>, QuantError> {
    let inputs = &calibration.samples[..samples.min(calibration.samples.len())];
    let mut all: Vec<Values> = inputs
        .iter()
        .map(|s| Values::new(net, s))
        .collect::<Result<_, _>>()?;
    // Where each tensor is read for the last time.
    let mut last = vec![0; net.tensors.len()];
    for (i, node) in net.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|t| last[t.0] = i);
    }
    judged.iter().for_each(|t| last[t.0] = usize::MAX);
    let mut links = links.iter().peekable();
    for i in 0..net.nodes.len() {
        let link = links.next_if(|l| l.node == i);
        let node = net.nodes[i].clone();
        let step = Step::of(net, &node)?;
        let values: Vec<Tensor> = match (&step, link) {
            (Step::Conv(plan), Some(link)) => {
                let sums = all
                    .par_iter()
                    .map(|v| Ok(plan.sums(&v.ints(net, node.inputs[0])?)));
                let sums: Vec<Vec<i32>> = sums.collect::<Result<_, RunError>>()?;
                let mut conv = plan.conv.clone();
                if let QType::Int8 { exponent } = net.tensor(node.output).ty {
                    let wants = link.means(calibration, inputs.len());
                    shift_means(&mut conv, &sums, exponent, &wants);
                }
                let finished = all.par_iter().zip(&sums).map(|(v, sums)| {
                    let residual = v.residual(net, &node)?;
                    shaped(net, &node, finish_all(&conv, sums, residual.as_deref()))
                });
                let finished = finished.collect::<Result<_, RunError>>()?;
                net.nodes[i].op = QOp::Conv(conv);
                finished
            }
            _ => {
                let values = all.par_iter().map(|v| step.run(net, &node, v));
                values.collect::<Result<_, RunError>>()?
            }
        };
        for (all, value) in all.iter_mut().zip(values) {
            all.put(net, node.output, value)?;
            let done = node.inputs.iter().filter(|t| last[t.0] == i);
            done.for_each(|t| all.0[t.0] = None);
        }
    }
    let values = |all: &Values| -> Result<Vec<Tensor>, RunError> {
        let judged = judged.iter().map(|t| all.get(net, *t).cloned());
        judged.collect()
    };
    Ok(all.iter().map(values).collect::<Result<_, _>>()?)
}

impl Link {
    /// The mean that each channel's sums should have, on the first samples.
    fn means(&self, calibration: &Calibration, samples: usize) -> Vec<f64> {
        let parts = self.before.iter();
        let parts = parts.map(|t| calibration.tensors[t.0].means(samples));
        let sum = parts.reduce(|mut all, one| {
            all.iter_mut().zip(one).for_each(|(a, b)| *a += b);
            all
        });
        let factor = f64::from(self.factor);
        sum.unwrap_or_default().iter().map(|m| m * factor).collect()
    }
}

/// Moves biases by the difference of the means, in whole steps of the sums.
fn shift_means(conv: &mut QConv, sums: &[Vec<i32>], output: i32, wants: &[f64]) {
    if wants.len() != conv.bias.len() {
        return;
    }
    let plane = sums.first().map_or(0, Vec::len) / wants.len();
    if plane == 0 {
        return;
    }
    for (c, want) in wants.iter().enumerate() {
        let total: i64 = sums
            .iter()
            .flat_map(|s| &s[c * plane..(c + 1) * plane])
            .map(|s| i64::from(*s))
            .sum();
        let mean = total as f64 / (plane * sums.len()) as f64;
        let step = 2_f64.powi(output - i32::from(conv.post_shift) - i32::from(conv.shift.of(c)));
        let bias = (want / step - mean).round();
        let before = conv.bias[c];
        // A mean that is out of reach belongs to a broken layer, not to a biased one.
        if bias.abs() <= f64::from(1 << 29) {
            conv.bias[c] = bias as i32;
            if accumulator_bound(conv, c) > i64::from(i32::MAX / 2) {
                conv.bias[c] = before;
            }
        }
    }
}
