//! Weights and biases of a layer in integers.

use super::calibrate::covering;
use super::check::accumulator_bound;
use super::net::{QConv, Shift};
use ndarray::{Array4, ArrayView3, Axis};

/// When output channels have shifts of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PerChannel {
    /// In layers where the expected error of the output falls by more than a
    /// fifth: a shift by a register takes one more cycle a vector.
    #[default]
    Auto,
    /// In no layer.
    Never,
    /// In every layer.
    Always,
}

/// Fraction of the error that must stay for a layer to keep one shift.
const PAYS: f64 = 0.8;

/// Exponents around a layer: what weights may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    /// Of the input.
    pub input: i32,
    /// Of the sum after its shift.
    pub sum: i32,
    /// Of the output.
    pub output: i32,
}

impl Steps {
    /// The largest exponent of weights: a shift of 0.
    const fn coarsest(self) -> i32 {
        self.sum - self.input
    }
}

/// The smallest exponent that holds every weight of a layer; none if all are zero.
pub(super) fn needed(weight: &Array4<f32>) -> Option<i32> {
    exponent(weight.iter())
}

fn exponent<'a>(weights: impl Iterator<Item = &'a f32>) -> Option<i32> {
    let most = weights.fold(0_f32, |m, w| m.max(w.abs()));
    (most > 0.).then(|| covering(most))
}

/// An exponent for each channel, and the expected squared error of their sums.
struct Choice {
    exponents: Vec<i32>,
    error: f64,
}

/// Fills in weight, bias and shift of a convolution whose other parts are there.
///
/// `squares` is the mean square of each input channel, for weighing errors.
pub(super) fn quantise(
    conv: &mut QConv,
    (weight, bias): (&Array4<f32>, &[f32]),
    steps: Steps,
    squares: &[f64],
    per_channel: PerChannel,
) {
    let choice = choose(conv.groups, weight, steps, squares, per_channel);
    let uniform = choice.exponents.windows(2).all(|e| e[0] == e[1]);
    let mut exponents = choice.exponents;
    loop {
        place(conv, (weight, bias), steps, &exponents);
        // Sums that could leave int32 get larger steps, if there are any.
        let channels = 0..exponents.len();
        let wide = |c: &usize| {
            accumulator_bound(conv, *c) > i64::from(i32::MAX / 2)
                && exponents[*c] < steps.coarsest()
        };
        let wide: Vec<usize> = channels.filter(wide).collect();
        if wide.is_empty() {
            return;
        }
        if uniform {
            exponents.iter_mut().for_each(|e| *e += 1);
        } else {
            wide.iter().for_each(|c| exponents[*c] += 1);
        }
    }
}

/// Fills in weight, bias and shift with these exponents, one for each channel.
pub(super) fn place(
    conv: &mut QConv,
    (weight, bias): (&Array4<f32>, &[f32]),
    steps: Steps,
    exponents: &[i32],
) {
    let uniform = exponents.windows(2).all(|e| e[0] == e[1]);
    let shifts = exponents.iter().map(|e| (steps.coarsest() - e) as u8);
    conv.shift = match exponents.first() {
        Some(e) if uniform => Shift::Layer((steps.coarsest() - e) as u8),
        _ => Shift::Channel(shifts.collect()),
    };
    let mut steps_of = Array4::zeros(weight.dim());
    let channels = steps_of.outer_iter_mut().zip(weight.outer_iter());
    for ((mut to, from), e) in channels.zip(exponents) {
        let scale = 2_f64.powi(-e);
        let coarse = exponent(from.iter()).is_some_and(|finest| *e > finest);
        if conv.weight_name.is_empty() && coarse {
            let steps = spread(from.iter().map(|w| f64::from(*w) * scale));
            to.iter_mut().zip(steps).for_each(|(q, w)| *q = w);
        } else {
            to.zip_mut_with(&from, |q, w| *q = round(f64::from(*w) * scale));
        }
    }
    conv.weight = steps_of.into();
    let scaled = bias.iter().zip(exponents);
    conv.bias = scaled.map(|(b, e)| start(*b, steps.input + e)).collect();
}

/// A bias in steps of `2^exponent`; beyond a quarter of int32 it is cut off, where
/// every output is at its limit.
pub(super) fn start(bias: f32, exponent: i32) -> i32 {
    let most = f64::from(1 << 29);
    (f64::from(bias) / 2_f64.powi(exponent))
        .round()
        .clamp(-most, most) as i32
}

/// Weights of a mean in steps, so rounded that each sum of them from the first on is
/// the nearest one: a mean of very many values has weights of few steps, or its sums
/// would leave int32, and each by itself would be rounded the same way.
fn spread(weights: impl Iterator<Item = f64>) -> impl Iterator<Item = i8> {
    let mut exact = 0.;
    let mut given = 0.;
    weights.map(move |w| {
        exact += w;
        let steps = round(exact - given);
        given += f64::from(steps);
        steps
    })
}

/// The nearest step, halves away from zero. A call of `f64::round` takes much longer.
fn round(steps: f64) -> i8 {
    let steps = steps.clamp(-127., 127.);
    let whole = steps as i32;
    let rest = steps - f64::from(whole);
    (whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5)) as i8
}

fn choose(
    groups: usize,
    weight: &Array4<f32>,
    steps: Steps,
    squares: &[f64],
    per_channel: PerChannel,
) -> Choice {
    let most = needed(weight);
    let channels: Vec<_> = weight.axis_iter(Axis(0)).collect();
    let (co, ci) = (channels.len(), weight.dim().1);
    let outputs = (co / groups.max(1)).max(1);
    let within = |e: i32| e.clamp(steps.coarsest() - 31, steps.coarsest());
    // Zeros have any exponent; a shift of 8 leaves their bias some bits.
    let layer = within(most.unwrap_or(steps.coarsest() - 8));
    let error = |c: usize, e: i32| {
        let first = c / outputs * ci;
        let squares = squares.get(first..first + ci);
        channel_error(channels[c], e, squares)
    };
    let of_layer = [layer, within(layer - 1)].map(|e| Choice {
        exponents: vec![e; co],
        error: (0..co).map(|c| error(c, e)).sum(),
    });
    let [a, b] = of_layer;
    let layer = if b.error < a.error { b } else { a };
    if per_channel == PerChannel::Never || co == 1 {
        return layer;
    }
    let mut own = Choice {
        exponents: Vec::new(),
        error: 0.,
    };
    for (c, weights) in channels.iter().enumerate() {
        let Some(e) = exponent(weights.iter()) else {
            own.exponents.push(layer.exponents[c]);
            continue;
        };
        let (e, finer) = (within(e), within(e - 1));
        let (a, b) = (error(c, e), error(c, finer));
        own.exponents.push(if b < a { finer } else { e });
        own.error += a.min(b);
    }
    // Rounding of the output is there in any case.
    let rounding = co as f64 * 4_f64.powi(steps.output) / 12.;
    let pays = own.error + rounding < PAYS * (layer.error + rounding);
    if per_channel == PerChannel::Always || pays {
        own
    } else {
        layer
    }
}

/// Expected squared error of a channel's sum: errors of weights times mean squares of inputs.
fn channel_error(weights: ArrayView3<'_, f32>, exponent: i32, squares: Option<&[f64]>) -> f64 {
    let step = 2_f32.powi(exponent);
    let scale = 1. / step;
    // Adding it leaves no bits for fractions; a call of `round` takes much longer.
    const ROUND: f32 = 12_582_912.;
    let mut total = 0.;
    for (i, weights) in weights.outer_iter().enumerate() {
        let sum: f32 = weights
            .iter()
            .map(|w| {
                let q = (w * scale).clamp(-127., 127.) + ROUND - ROUND;
                let d = q * step - w;
                d * d
            })
            .sum();
        total += f64::from(sum) * squares.map_or(1., |s| s[i]);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_rounded_as_reals_are() {
        let near = [
            0.49999997, 0.5, 0.5000001, 1.5, 2.5, 126.5, 126.49999, 127.4, 1e30, 1e-30,
        ];
        let all = (-2_000..2_000).map(|n| f64::from(n) / 16.).chain(near);
        for s in all
            .flat_map(|s| [s, -s])
            .chain([f64::NAN, 0.49999999999999994])
        {
            assert_eq!(round(s), s.round().clamp(-127., 127.) as i8, "{s}");
        }
    }

    /// A mean of a million values has eight steps a weight, or nine: together as many as they should be.
    #[test]
    fn sums_of_spread_weights_are_right() {
        for n in [3_u32, 49, 65_536, 360_000, 1_000_000, 20_000_000] {
            let of_one = f64::from(1 << 23) / f64::from(n);
            let of_one = of_one.min(100.);
            let steps = spread((0..n).map(|_| of_one));
            let (mut sum, mut exact) = (0_i64, 0.);
            for w in steps {
                sum += i64::from(w);
                exact += of_one;
                assert!((sum as f64 - exact).abs() <= 0.5 + 1e-6, "{n}");
            }
        }
    }
}
