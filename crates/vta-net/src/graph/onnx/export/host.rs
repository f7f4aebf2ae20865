//! Operators of the host alone as nodes of the file; those that opset 13 has
//! not are written as others.

use super::super::constant::ty;
use super::nodes::Nodes;
use super::{Writer, float, int, ints, string};
use crate::graph::TensorId;
use vta_tensor::host::{Cell, HostOp, Pairwise, Recurrent, Reduction};

/// Writes an operator as nodes, the last of which makes `output`.
pub(super) fn push(
    w: &mut Writer<'_>,
    name: &str,
    op: &HostOp,
    inputs: &[TensorId],
    output: String,
) {
    let operands = inputs.iter().map(|t| w.graph.tensor(*t).name.clone());
    let operands: Vec<String> = operands.collect();
    let dims: Vec<Vec<usize>> = inputs.iter().map(|t| w.dims(*t).to_vec()).collect();
    let mut nodes = Nodes::new(w, name);
    nodes.operator(op, operands, &dims, output);
}

impl Nodes<'_, '_> {
    fn ints(&mut self, what: &str, values: &[usize]) -> String {
        self.w.ints(&format!("{}.{what}", self.name), values)
    }

    fn floats(&mut self, what: &str, dims: &[usize], values: &[f32]) -> String {
        self.w
            .floats(&format!("{}.{what}", self.name), dims, values)
    }

    fn operator(&mut self, op: &HostOp, mut x: Vec<String>, dims: &[Vec<usize>], output: String) {
        let axis_of = |axis: usize| vec![int("axis", axis)];
        match op {
            HostOp::Constant { dims, values } => {
                let value = self.floats("value", dims, values);
                self.node("Identity", vec![value], Some(output), vec![]);
            }
            HostOp::Gather { axis, indices } => {
                x.push(self.ints("indices", indices));
                self.node("Gather", x, Some(output), axis_of(*axis));
            }
            HostOp::Rearrange { split, perm, dims } => {
                x.push(self.ints("split", split));
                let y = self.node("Reshape", x, None, vec![]);
                let y = self.node("Transpose", vec![y], None, vec![ints("perm", perm)]);
                let to = self.ints("dims", dims);
                self.node("Reshape", vec![y, to], Some(output), vec![]);
            }
            HostOp::ResizeLinear { factor, half_pixel } => {
                let scales = [1.0, 1.0, factor[0] as f32, factor[1] as f32];
                x.push(String::new());
                x.push(self.floats("scales", &[4], &scales));
                let coordinates = match half_pixel {
                    true => "half_pixel",
                    false => "asymmetric",
                };
                let attributes = vec![
                    string("mode", "linear"),
                    string("coordinate_transformation_mode", coordinates),
                ];
                self.node("Resize", x, Some(output), attributes);
            }
            HostOp::Interpolate {
                axis,
                taps,
                indices,
                weights,
            } => {
                // As a product with a matrix: the axis goes to the end.
                let (extent, rank) = (dims[0][*axis], dims[0].len());
                let out = indices.len() / taps;
                let mut matrix = vec![0.0; extent * out];
                for (k, (i, weight)) in indices.iter().zip(weights).enumerate() {
                    matrix[i * out + k / taps] += weight;
                }
                let mut perm: Vec<usize> = (0..rank).collect();
                perm.swap(*axis, rank - 1);
                let turn = || vec![ints("perm", &perm)];
                let matrix = self.floats("weights", &[extent, out], &matrix);
                let y = self.node("Transpose", x, None, turn());
                let y = self.node("MatMul", vec![y, matrix], None, vec![]);
                self.node("Transpose", vec![y], Some(output), turn());
            }
            HostOp::Normalize { axes, epsilon } => {
                let over = || vec![ints("axes", axes), int("keepdims", 1)];
                let mean = self.node("ReduceMean", x.clone(), None, over());
                let d = self.node("Sub", vec![x.remove(0), mean], None, vec![]);
                let square = self.node("Mul", vec![d.clone(), d.clone()], None, vec![]);
                let variance = self.node("ReduceMean", vec![square], None, over());
                let epsilon = self.floats("epsilon", &[], &[*epsilon]);
                let sum = self.node("Add", vec![variance, epsilon], None, vec![]);
                let deviation = self.node("Sqrt", vec![sum], None, vec![]);
                self.node("Div", vec![d, deviation], Some(output), vec![]);
            }
            HostOp::Reduce { reduction, axes } => {
                let mut attributes = vec![int("keepdims", 1)];
                if *reduction == Reduction::Sum || self.w.opset >= 18 {
                    x.push(self.ints("axes", axes));
                } else {
                    attributes.push(ints("axes", axes));
                }
                self.node(reduction.name(), x, Some(output), attributes);
            }
            HostOp::ArgMax {
                axis,
                select_last_index,
            } => {
                let mut attributes = axis_of(*axis);
                attributes.push(int("keepdims", 1));
                attributes.push(int("select_last_index", (*select_last_index).into()));
                let y = self.node("ArgMax", x, None, attributes);
                self.cast(y, ty::FLOAT, Some(output));
            }
            HostOp::TopK {
                axis,
                k,
                largest,
                indices,
            } => self.top_k(x, (*axis, *k, *largest), *indices, output),
            HostOp::Where => {
                let condition = self.cast(x[0].clone(), ty::BOOL, None);
                x[0] = condition;
                self.node("Where", x, Some(output), vec![]);
            }
            HostOp::Take { axis } | HostOp::GatherElements { axis } => {
                x[1] = self.cast(x[1].clone(), ty::INT64, None);
                self.node(op.name(), x, Some(output), axis_of(*axis));
            }
            HostOp::GatherNd { batch_dims } => {
                x[1] = self.cast(x[1].clone(), ty::INT64, None);
                let attributes = vec![int("batch_dims", *batch_dims)];
                self.node("GatherND", x, Some(output), attributes);
            }
            HostOp::Pairwise {
                function: Pairwise::DivInteger,
            } => {
                let whole = x.into_iter().map(|x| self.cast(x, ty::INT32, None));
                let whole: Vec<String> = whole.collect();
                let y = self.node("Div", whole, None, vec![]);
                self.cast(y, ty::FLOAT, Some(output));
            }
            HostOp::Pairwise { function } => {
                let attributes = match function {
                    Pairwise::Mod { fmod } => vec![int("fmod", (*fmod).into())],
                    _ => vec![],
                };
                self.node(function.name(), x, Some(output), attributes);
            }
            HostOp::Lrn {
                size,
                alpha,
                beta,
                bias,
            } => {
                let attributes = vec![
                    int("size", *size),
                    float("alpha", *alpha),
                    float("beta", *beta),
                    float("bias", *bias),
                ];
                self.node("LRN", x, Some(output), attributes);
            }
            HostOp::LogSoftmax { axis } => {
                self.node("LogSoftmax", x, Some(output), axis_of(*axis));
            }
            HostOp::Recurrent(r) => self.recurrent(r, x, [dims[0][0], dims[0][1]], output),
            // Operators that the graph has by other names, or has not at all.
            other => {
                self.node(other.name(), x, Some(output), vec![]);
            }
        }
    }

    fn top_k(
        &mut self,
        mut x: Vec<String>,
        (axis, k, largest): (usize, usize, bool),
        indices: bool,
        output: String,
    ) {
        x.push(self.ints("k", &[k]));
        let attributes = vec![int("axis", axis), int("largest", largest.into())];
        let name = format!("{}.top", self.name);
        let other = self.w.names.fresh(&name);
        if indices {
            let found = self.w.names.fresh(&name);
            self.w
                .push_all(&name, "TopK", x, vec![other, found.clone()], attributes);
            self.cast(found, ty::FLOAT, Some(output));
        } else {
            self.w
                .push_all(self.name, "TopK", x, vec![output, other], attributes);
        }
    }

    /// A direction of its own.
    fn recurrent(
        &mut self,
        r: &Recurrent,
        x: Vec<String>,
        [steps, batch]: [usize; 2],
        output: String,
    ) {
        let rows = r.cell.gates() * r.hidden;
        let mut operands = x.into_iter();
        let both = [r.bias.as_slice(), &r.recurrence_bias].concat();
        let mut input = vec![
            operands.next().unwrap_or_default(),
            self.floats("weight", &[1, rows, r.input], &r.weight),
            self.floats("recurrence", &[1, rows, r.hidden], &r.recurrence),
            self.floats("bias", &[1, 2 * rows], &both),
            String::new(),
        ];
        let state: Vec<String> = operands.collect();
        for s in state {
            let to = self.ints("state", &[1, batch, r.hidden]);
            input.push(self.node("Reshape", vec![s, to], None, vec![]));
        }
        if input.len() == 5 {
            input.pop();
        }
        let mut attributes = vec![int("hidden_size", r.hidden)];
        if r.reverse {
            attributes.push(string("direction", "reverse"));
        }
        if let Cell::Gru {
            linear_before_reset,
        } = r.cell
        {
            attributes.push(int("linear_before_reset", linear_before_reset.into()));
        }
        let name = format!("{}.{}", self.name, self.count);
        self.count += 1;
        let y = self.w.names.fresh(&name);
        let (outputs, rows) = match r.cell {
            Cell::Lstm { state: true } => (vec![String::new(), String::new(), y.clone()], 1),
            _ => (vec![y.clone()], steps),
        };
        self.w
            .push_all(&name, r.cell.name(), input, outputs, attributes);
        let to = self.ints("rows", &[rows, batch, r.hidden]);
        self.node("Reshape", vec![y, to], Some(output), vec![]);
    }
}
