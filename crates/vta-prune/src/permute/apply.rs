//! A network with its channels in another order.

use super::Pools;
use ndarray::{Array1, Axis};
use vta_net::graph::{Constant, Conv, Graph, Op};

impl Pools {
    /// Puts channels in other orders: in each pool, place `i` takes the
    /// channel that was at place `orders[pool][i]`. Values of the network stay.
    ///
    /// # Panics
    /// An order that is no permutation of its pool, or a network that the
    /// pools are not of.
    pub fn apply(&self, graph: &mut Graph, orders: &[Vec<usize>]) {
        let infos: Vec<Vec<usize>> = graph.tensors().iter().map(|t| t.dims.clone()).collect();
        for node in graph.nodes_mut() {
            let sources = |t: vta_net::graph::TensorId| {
                let n = infos[t.0].get(self.dims[t.0]).copied().unwrap_or(0);
                self.sources(t, n, orders)
            };
            let Some(&x) = node.inputs.first() else {
                continue;
            };
            let dim = self.dims[x.0];
            match &mut node.op {
                Op::Conv(c) if dim == 1 => conv(c, &sources(x), &sources(node.output)),
                Op::Dense(d) if dim + 1 == infos[x.0].len() => {
                    let (rows, columns) = (sources(node.output), sources(x));
                    let weight = d.weight.select(Axis(0), &rows).select(Axis(1), &columns);
                    d.weight = weight.into();
                    d.bias = d.bias.select(Axis(0), &rows);
                }
                Op::Scale { scale, shift } if dim == 1 => {
                    let channels = sources(x);
                    let select = |a: &Array1<f32>| a.select(Axis(0), &channels);
                    (*scale, *shift) = (select(scale), select(shift));
                }
                Op::AddConst(c) | Op::MulConst(c) => {
                    constant(c, infos[x.0].len(), dim, &sources(x));
                }
                _ => {}
            }
        }
    }
}

fn conv(c: &mut Conv, columns: &[usize], rows: &[usize]) {
    let (co, ci, ..) = c.weight.dim();
    let per_group = co / c.groups.max(1);
    // In another order, blocks are others: a mask would say nothing of them.
    let mut weight = c.weight.values().clone();
    for (to, from) in rows.iter().enumerate() {
        // Columns are counted within the group of the row. A channel of a
        // depthwise convolution takes its row with it.
        let first = to / per_group.max(1) * ci;
        for column in 0..ci {
            let source = match c.groups > 1 && ci == 1 {
                true => 0,
                false => columns[first + column] - first,
            };
            let mut place = weight.slice_mut(ndarray::s![to, column, .., ..]);
            place.assign(&c.weight.slice(ndarray::s![*from, source, .., ..]));
        }
    }
    c.weight = weight.into();
    c.bias = c.bias.select(Axis(0), rows);
}

/// A constant operand that has a value for each channel.
fn constant(c: &mut Constant, rank: usize, dim: usize, channels: &[usize]) {
    // Dimensions are aligned at the end.
    let Some(axis) = (dim + c.values.ndim()).checked_sub(rank) else {
        return;
    };
    if c.values.shape().get(axis) == Some(&channels.len()) {
        c.values = c.values.select(Axis(axis), channels);
    }
}
