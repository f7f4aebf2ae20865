//! Convolutions and dense layers in single precision.

use crate::graph::{Conv, Dense};
use crate::kernels::conv::{self, Geometry};
use crate::kernels::depthwise;
use crate::kernels::matrix::{Layout, product};
use crate::quant::shape::Map;
use std::borrow::Cow;

use super::Value;

/// A convolution of one map; none where the parts do not fit.
pub(super) fn conv(c: &Conv, x: &Value) -> Option<Value> {
    let input = Map::of(x.shape())?;
    let (co, ci, kh, kw) = c.weight.dim();
    let x = super::slice(x);
    let dims = [1, input.c, input.h, input.w];
    let g = Geometry::new(dims, [co, ci, kh, kw], c.window, c.groups)?;
    if c.bias.len() != co || x.len() != input.c * input.plane() {
        return None;
    }
    let weight = c.weight.as_standard_layout();
    let (weight, bias) = (weight.as_slice()?, bias(&c.bias));
    let y = if depthwise::is_depthwise(&g) {
        depthwise::forward(&g, &x, weight, &bias)
    } else {
        conv::forward(&g, &x, weight, Some(&bias))
    };
    super::shaped(&[1, co, g.output[0], g.output[1]], y)
}

/// A dense layer over the last dimension.
pub(super) fn dense(d: &Dense, x: &Value) -> Option<Value> {
    let (out, inputs) = d.weight.dim();
    let (last, rows) = x.shape().split_last()?;
    if *last != inputs || d.bias.len() != out {
        return None;
    }
    let n: usize = rows.iter().product();
    let (weight, bias) = (d.weight.as_standard_layout(), bias(&d.bias));
    let mut y = bias.repeat(n);
    let weights = Layout::by_rows(out, inputs, inputs);
    product(
        (&mut y, Layout::by_rows(n, out, out)),
        (&super::slice(x), Layout::by_rows(n, inputs, inputs)),
        (weight.as_slice()?, weights.transposed()),
        true,
    );
    let mut dims = rows.to_vec();
    dims.push(out);
    super::shaped(&dims, y)
}

fn bias(bias: &ndarray::Array1<f32>) -> Cow<'_, [f32]> {
    match bias.as_slice() {
        Some(s) => s.into(),
        None => bias.to_vec().into(),
    }
}
