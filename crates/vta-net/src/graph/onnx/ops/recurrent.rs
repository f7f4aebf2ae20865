//! `RNN`, `GRU` and `LSTM`: each direction is a step of the host.

use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value};
use crate::graph::{HostOp, Op, TensorId};
use ndarray::ArrayD;
use vta_tensor::host::{Cell, Recurrent};

/// What must be as it is by default.
fn check(n: &OnnxNode<'_>) -> Res<()> {
    let other = |what: &str| Err(Fault::form(format!("attribute {what} is not supported")));
    let default: &[&str] = match n.op() {
        "RNN" => &["Tanh"],
        "GRU" => &["Sigmoid", "Tanh"],
        _ => &["Sigmoid", "Tanh", "Tanh"],
    };
    if let Some(functions) = n.strings("activations")? {
        let mut all = functions
            .iter()
            .map(String::as_str)
            .zip(default.iter().cycle());
        if all.any(|(f, d)| f != *d) {
            return other("activations");
        }
    }
    if n.has("clip") {
        return other("clip");
    }
    if n.int("input_forget", 0)? != 0 {
        return other("input_forget");
    }
    if n.optional(7).is_some() {
        return Err(n.fault(
            7,
            super::super::error::Problem::Form("peepholes are not supported".into()),
        ));
    }
    Ok(())
}

/// The values of a direction in a constant of all.
fn direction(values: &ArrayD<f32>, at: usize, directions: usize) -> Vec<f32> {
    let each = values.len() / directions;
    values.iter().skip(at * each).take(each).copied().collect()
}

pub(super) fn recurrent(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    check(n)?;
    let mut x = n.tensor(0)?;
    let batched = n.int("layout", 0)? != 0;
    if batched {
        x = im.step(
            n,
            Op::Transpose {
                perm: vec![1, 0, 2],
            },
            &[x],
        )?;
    }
    let [steps, batch, input] = *im.dims(x) else {
        return Err(Fault::value("the operand's dimensions", im.dims(x)));
    };
    if let Some(lengths) = n.optional_ints(4)?
        && lengths.iter().any(|l| *l != steps as i64)
    {
        return Err(Fault::form(
            "sequence_lens below the number of steps is not supported",
        ));
    }
    let reversed: &[bool] = match n.string("direction", "forward")?.as_str() {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return Err(super::unsupported("direction", other)),
    };
    let count = reversed.len();
    let (weight, recurrence) = (im.weights(n, 1)?, im.weights(n, 2)?);
    let hidden = match *recurrence.shape() {
        [d, _, hidden] if d == count => hidden,
        ref other => return Err(Fault::value("the dimensions of the recurrence", other)),
    };
    let cell = match n.op() {
        "RNN" => Cell::Rnn,
        "GRU" => Cell::Gru {
            linear_before_reset: n.int("linear_before_reset", 0)? != 0,
        },
        _ => Cell::Lstm { state: false },
    };
    let rows = cell.gates() * hidden;
    let bias = match n.optional(3) {
        Some(_) => im.weights(n, 3)?,
        None => ArrayD::zeros(vec![count, 2 * rows]),
    };
    let sizes = [
        (&weight, rows * input),
        (&recurrence, rows * hidden),
        (&bias, 2 * rows),
    ];
    if let Some((c, _)) = sizes.iter().find(|(c, each)| c.len() != count * each) {
        return Err(Fault::value("the dimensions of its weights", c.shape()));
    }
    let mut all: [Vec<TensorId>; 3] = Default::default();
    for (at, &reverse) in reversed.iter().enumerate() {
        let biases = direction(&bias, at, count);
        let layer = |cell| {
            Op::Host(HostOp::Recurrent(Box::new(Recurrent {
                cell,
                hidden,
                input,
                reverse,
                weight: direction(&weight, at, count),
                recurrence: direction(&recurrence, at, count),
                bias: biases[..rows].to_vec(),
                recurrence_bias: biases[rows..].to_vec(),
            })))
        };
        let operands = operands(im, n, x, (at, count), [batch, hidden])?;
        let y = im.step(n, layer(cell), &operands)?;
        all[0].push(im.step_to(n, Op::Reshape, &[y], Some(&[steps, 1, batch, hidden]))?);
        if !n.output(1).is_empty() {
            let start = if reverse { 0 } else { steps - 1 };
            let last = Op::Slice {
                axis: 0,
                start,
                step: 1,
            };
            all[1].push(im.step_to(n, last, &[y], Some(&[1, batch, hidden]))?);
        }
        if !n.output(2).is_empty() {
            all[2].push(im.step(n, layer(Cell::Lstm { state: true }), &operands)?);
        }
    }
    for (i, parts) in all.into_iter().enumerate() {
        if n.output(i).is_empty() {
            continue;
        }
        let axis = usize::from(i == 0);
        let mut y = match parts[..] {
            [] => continue,
            [one] => one,
            _ => im.step(n, Op::Concat { axis }, &parts)?,
        };
        if batched {
            let perm = if i == 0 {
                vec![2, 0, 1, 3]
            } else {
                vec![1, 0, 2]
            };
            y = im.step(n, Op::Transpose { perm }, &[y])?;
        }
        im.bind(n, i, Value::Tensor(y));
    }
    Ok(())
}

/// The input, and the states at the start where they are given.
fn operands(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    (at, count): (usize, usize),
    [batch, hidden]: [usize; 2],
) -> Res<Vec<TensorId>> {
    let batched = n.int("layout", 0)? != 0;
    let mut out = vec![x];
    let states: &[usize] = if n.op() == "LSTM" { &[5, 6] } else { &[5] };
    if states.iter().all(|i| n.optional(*i).is_none()) {
        return Ok(out);
    }
    for &i in states {
        let all = match n.optional(i) {
            Some(_) if batched => {
                let state = im.tensor_of(n, i)?;
                im.step(
                    n,
                    Op::Transpose {
                        perm: vec![1, 0, 2],
                    },
                    &[state],
                )?
            }
            Some(_) => im.tensor_of(n, i)?,
            None => {
                let zeros = HostOp::Constant {
                    dims: vec![count, batch, hidden],
                    values: vec![0.0; count * batch * hidden],
                };
                im.step(n, Op::Host(zeros), &[])?
            }
        };
        if im.dims(all) != [count, batch, hidden] {
            return Err(Fault::value("the dimensions of a state", im.dims(all)));
        }
        let part = Op::Slice {
            axis: 0,
            start: at,
            step: 1,
        };
        let one = match count {
            1 => all,
            _ => im.step_to(n, part, &[all], Some(&[1, batch, hidden]))?,
        };
        out.push(one);
    }
    Ok(out)
}
