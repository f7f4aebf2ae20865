//! Proofs about an integer network: shapes fit, and no sum leaves int32.

use super::net::{QConv, QNet, QNode, QOp, QTensorId, QType};
use super::shape::Map;

/// A node of an integer network that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node `{node}`: {what}")]
pub struct NetError {
    /// Name of the node.
    pub node: String,
    /// The rule, and how it is broken.
    pub what: String,
}

/// Checks a whole network: operands come first, dimensions and types fit their
/// operators, every amount is in its range, and no sum of a convolution can leave int32.
///
/// # Errors
/// The first node that breaks a rule.
pub fn check(net: &QNet) -> Result<(), NetError> {
    let mut ready = vec![false; net.tensors.len()];
    for t in &net.inputs {
        *ready.get_mut(t.0).ok_or_else(|| missing("", *t))? = true;
    }
    for node in &net.nodes {
        for t in &node.inputs {
            if ready.get(t.0) != Some(&true) {
                return Err(missing(&node.name, *t));
            }
        }
        check_node(net, node).map_err(|what| NetError {
            node: node.name.clone(),
            what,
        })?;
        ready[node.output.0] = true;
    }
    match net.outputs.iter().find(|t| ready.get(t.0) != Some(&true)) {
        Some(t) => Err(missing("", *t)),
        None => Ok(()),
    }
}

fn missing(node: &str, t: QTensorId) -> NetError {
    NetError {
        node: node.to_owned(),
        what: format!("tensor {} is used before it is computed", t.0),
    }
}

fn check_node(net: &QNet, node: &QNode) -> Result<(), String> {
    if node.output.0 >= net.tensors.len() {
        return Err(format!("there is no tensor {}", node.output.0));
    }
    let operands = match &node.op {
        QOp::Conv(_) => 1..=2,
        QOp::MaxPool(_) => 1..=1,
        QOp::Host(_) => return Ok(()),
    };
    if !operands.contains(&node.inputs.len()) {
        return Err(format!("{} operands", node.inputs.len()));
    }
    let map = |t: QTensorId| -> Result<(Map, i32), String> {
        let tensor = net.tensor(t);
        let QType::Int8 { exponent } = tensor.ty else {
            return Err(format!("`{}` is not int8", tensor.name));
        };
        let map = Map::of(&tensor.dims)
            .filter(|m| m.c > 0 && m.plane() > 0)
            .ok_or_else(|| format!("`{}` has dimensions {:?}", tensor.name, tensor.dims))?;
        Ok((map, exponent))
    };
    let (input, e_in) = map(node.inputs[0])?;
    let (output, e_out) = map(node.output)?;
    let (channels, window) = match &node.op {
        QOp::Conv(conv) => {
            check_conv(conv, input)?;
            if let Some(&r) = node.inputs.get(1)
                && map(r)?.0 != output
            {
                return Err("the residual has not the dimensions of the output".into());
            }
            (conv.bias.len(), conv.window)
        }
        QOp::MaxPool(window) => {
            if e_in != e_out {
                return Err(format!("exponents {e_in} and {e_out} differ"));
            }
            (input.c, *window)
        }
        QOp::Host(_) => return Ok(()),
    };
    let [h, w] = window
        .output(input.h, input.w)
        .ok_or_else(|| format!("window {window:?} does not fit {}x{}", input.h, input.w))?;
    let expected = Map { c: channels, h, w };
    if output != expected {
        return Err(format!(
            "output is {output:?}, the window makes {expected:?}"
        ));
    }
    Ok(())
}

fn check_conv(conv: &QConv, input: Map) -> Result<(), String> {
    let (co, ci, kh, kw) = conv.weight.dim();
    if [kh, kw] != conv.window.kernel || conv.bias.len() != co {
        return Err("weight, bias and window do not fit".into());
    }
    if conv.groups == 0
        || ci.checked_mul(conv.groups) != Some(input.c)
        || !co.is_multiple_of(conv.groups)
    {
        return Err(format!(
            "{} input channels, {} groups of {ci}, {co} outputs",
            input.c, conv.groups
        ));
    }
    if let super::net::Shift::Channel(s) = &conv.shift
        && s.len() != co
    {
        return Err(format!("{} shifts for {co} channels", s.len()));
    }
    if conv.residual_shift > 6 || conv.post_shift > 31 || conv.clamp.0 > conv.clamp.1 {
        return Err("a shift or a limit is out of range".into());
    }
    if let Some(leaky) = &conv.leaky {
        let slope: u64 = leaky.iter().map(|&k| (1_u64 << 31) >> k.min(32)).sum();
        if leaky.iter().any(|&k| k == 0 || k > 31) || slope > 1 << 31 {
            return Err(format!("slope {leaky:?} is not between 0 and 1"));
        }
    }
    for c in 0..co {
        if conv.shift.of(c) > 31 {
            return Err(format!("channel {c} is shifted by {}", conv.shift.of(c)));
        }
        prove_range(conv, c)?;
    }
    Ok(())
}

/// Largest magnitude that any partial sum of a channel can have, in any order.
pub(crate) fn accumulator_bound(conv: &QConv, channel: usize) -> i64 {
    let shift = conv.shift.of(channel);
    let weights: i64 = conv
        .weight
        .index_axis(ndarray::Axis(0), channel)
        .iter()
        .map(|w| i64::from(*w).abs())
        .sum();
    let start =
        i64::from(conv.bias[channel]).abs() + half(shift) + (half(conv.post_shift) << shift);
    start + 128 * weights
}

fn prove_range(conv: &QConv, channel: usize) -> Result<(), String> {
    let most = i64::from(i32::MAX);
    let bound = accumulator_bound(conv, channel);
    // The leaky sum is at most as large as its argument, but each of its terms rounds down.
    let leaky = conv.leaky.as_ref().map_or(0, |l| l.len() as i64);
    let shifted = ((bound + leaky) >> conv.shift.of(channel)) + 1 + (128 << conv.residual_shift);
    let worst = (bound + leaky).max(shifted);
    if worst > most {
        return Err(format!(
            "sums of channel {channel} can reach {worst}, beyond int32"
        ));
    }
    Ok(())
}

const fn half(shift: u8) -> i64 {
    if shift == 0 { 0 } else { 1 << (shift - 1) }
}
