//! Recurrent layers, as ONNX's `RNN`, `GRU` and `LSTM` of opset 14 with the
//! functions that they have by default.

use super::function::sigmoid;
use super::moving::from_vec;
use super::text;
use ndarray::ArrayD;
use serde::{Deserialize, Serialize};

/// What is computed in each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// tanh of a sum.
    Rnn,
    /// Gates z, r, h.
    Gru {
        /// Whether the reset gate acts behind the product with the recurrence.
        linear_before_reset: bool,
    },
    /// Gates i, o, f, c.
    Lstm {
        /// Whether the result is the cells' state behind the last step, `[1, batch, hidden]`,
        /// not what the layer gives out.
        state: bool,
    },
}

impl Cell {
    /// ONNX's name of the operator.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rnn => "RNN",
            Self::Gru { .. } => "GRU",
            Self::Lstm { .. } => "LSTM",
        }
    }

    /// Rows of weights for each element of the state.
    pub const fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru { .. } => 3,
            Self::Lstm { .. } => 4,
        }
    }

    /// Whether it takes so many operands, and how many it takes.
    pub(super) const fn operands(self, found: usize) -> (bool, &'static str) {
        match self {
            Self::Lstm { .. } => (matches!(found, 1 | 3), "1 or 3"),
            _ => (matches!(found, 1 | 2), "1 or 2"),
        }
    }
}

/// A recurrent layer in one direction, from `[steps, batch, input]` to
/// `[steps, batch, hidden]` (a cell state alone is `[1, batch, hidden]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrent {
    /// What a step computes.
    pub cell: Cell,
    /// Elements of the state.
    pub hidden: usize,
    /// Elements of a step's input.
    pub input: usize,
    /// Whether the last step comes first.
    pub reverse: bool,
    /// `[gates * hidden, input]`.
    #[serde(with = "text::numbers")]
    pub weight: Vec<f32>,
    /// `[gates * hidden, hidden]`.
    #[serde(with = "text::numbers")]
    pub recurrence: Vec<f32>,
    /// `[gates * hidden]`, of the input's product.
    #[serde(with = "text::numbers")]
    pub bias: Vec<f32>,
    /// `[gates * hidden]`, of the recurrence's product.
    #[serde(with = "text::numbers")]
    pub recurrence_bias: Vec<f32>,
}

impl Recurrent {
    pub(super) fn dims(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let Self { hidden, input, .. } = *self;
        let [steps, batch, width] = *inputs[0] else {
            return Err(format!("{:?} is not [steps, batch, input]", inputs[0]));
        };
        let rows = self.cell.gates().checked_mul(hidden);
        let sized = |len: usize, each: usize| rows.and_then(|r| r.checked_mul(each)) == Some(len);
        if width != input
            || hidden == 0
            || !sized(self.weight.len(), input)
            || !sized(self.recurrence.len(), hidden)
            || !sized(self.bias.len(), 1)
            || !sized(self.recurrence_bias.len(), 1)
        {
            return Err(format!(
                "weights of {input} inputs and {hidden} states for {:?}",
                inputs[0]
            ));
        }
        let mut states = inputs[1..].iter();
        if let Some(state) = states.find(|d| d.iter().product::<usize>() != batch * hidden) {
            return Err(format!("a state of {state:?} for {hidden} elements"));
        }
        Ok(match self.cell {
            Cell::Lstm { state: true } => vec![1, batch, hidden],
            _ => vec![steps, batch, hidden],
        })
    }

    pub(super) fn run(&self, x: &ArrayD<f32>, state: &[&ArrayD<f32>]) -> ArrayD<f32> {
        let Self { hidden, input, .. } = *self;
        let (steps, batch) = (x.shape()[0], x.shape()[1]);
        let x: Vec<f32> = x.iter().copied().collect();
        let given = |i: usize| match state.get(i) {
            Some(s) => s.iter().copied().collect(),
            None => vec![0.0; batch * hidden],
        };
        let (starts, mut cells): (Vec<f32>, Vec<f32>) = (given(0), given(1));
        let mut out = vec![0.0; steps * batch * hidden];
        let each = starts
            .chunks_exact(hidden)
            .zip(cells.chunks_exact_mut(hidden));
        for (b, (h, c)) in each.enumerate() {
            let mut h = h.to_vec();
            for step in 0..steps {
                let at = if self.reverse { steps - 1 - step } else { step };
                let at = at * batch + b;
                let from_input = product(&self.weight, &x[at * input..][..input], &self.bias);
                h = self.step(&from_input, &h, c);
                out[at * hidden..][..hidden].copy_from_slice(&h);
            }
        }
        match self.cell {
            Cell::Lstm { state: true } => from_vec(&[1, batch, hidden], cells),
            _ => from_vec(&[steps, batch, hidden], out),
        }
    }

    fn step(&self, x: &[f32], h: &[f32], c: &mut [f32]) -> Vec<f32> {
        let n = self.hidden;
        let r = product(&self.recurrence, h, &self.recurrence_bias);
        match self.cell {
            Cell::Rnn => (0..n).map(|i| libm::tanhf(x[i] + r[i])).collect(),
            Cell::Gru {
                linear_before_reset,
            } => {
                let gate = |g: usize, i: usize| sigmoid(x[g * n + i] + r[g * n + i]);
                let reset: Vec<f32> = (0..n).map(|i| gate(1, i)).collect();
                let rest: Vec<f32> = if linear_before_reset {
                    (0..n).map(|i| reset[i] * r[2 * n + i]).collect()
                } else {
                    let h: Vec<f32> = h.iter().zip(&reset).map(|(h, r)| h * r).collect();
                    let rows = &self.recurrence[2 * n * n..];
                    product(rows, &h, &self.recurrence_bias[2 * n..])
                };
                let new = |i: usize| libm::tanhf(x[2 * n + i] + rest[i]);
                let mix = |i: usize| {
                    let z = gate(0, i);
                    (1.0 - z) * new(i) + z * h[i]
                };
                (0..n).map(mix).collect()
            }
            Cell::Lstm { .. } => {
                let gate = |g: usize, i: usize| x[g * n + i] + r[g * n + i];
                let mut out = Vec::with_capacity(n);
                for (i, c) in c.iter_mut().enumerate() {
                    let new = sigmoid(gate(0, i)) * libm::tanhf(gate(3, i));
                    *c = sigmoid(gate(2, i)) * *c + new;
                    out.push(sigmoid(gate(1, i)) * libm::tanhf(*c));
                }
                out
            }
        }
    }
}

/// A matrix, row by row, times a vector, plus another.
fn product(matrix: &[f32], x: &[f32], plus: &[f32]) -> Vec<f32> {
    let rows = matrix.chunks_exact(x.len()).zip(plus);
    rows.map(|(row, b)| row.iter().zip(x).fold(*b, |s, (w, x)| s + w * x))
        .collect()
}
