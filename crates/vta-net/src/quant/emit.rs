//! The integer network of a plan, for given exponents.

use super::calibrate::{Stats, judged};
use super::exponents::Groups;
use super::factors::Factors;
use super::net::{QConv, QNet, QNode, QOp, QTensorId, QType, Shift};
use super::plan::{Form, Kind, Linear, Plan, Step};
use super::scales::Exponents;
use super::weights::{self, PerChannel, Steps};
use crate::graph::TensorId;
use crate::names::Names;
use ndarray::Array4;
use vta_tensor::host::{Function, HostOp};

/// Float weights and bias of each step that has them.
pub(crate) type FloatWeights = Vec<Option<(Array4<f32>, Vec<f32>)>>;

/// Everything that does not change with exponents.
pub(crate) struct Emit<'a, 'g> {
    pub plan: &'a Plan<'g>,
    pub groups: &'a Groups,
    /// With the factors.
    pub weights: &'a FloatWeights,
    pub factors: &'a Factors,
    /// What was seen of each tensor, with the factors; weighs errors of weights.
    /// Without it all inputs weigh the same.
    pub seen: Option<&'a [Stats]>,
    pub per_channel: PerChannel,
    /// Exponents of weights that are not to be chosen.
    pub given: Option<&'a Exponents>,
}

/// A convolution of the integer network and the float values of its sums.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// Index of the node.
    pub node: usize,
    /// The graph's tensors, whose sum it is.
    pub before: Vec<TensorId>,
    /// By what its values are multiplied.
    pub factor: f32,
}

/// A network before its biases are corrected.
pub(crate) struct Emitted {
    pub net: QNet,
    pub links: Vec<Link>,
    /// The tensors by which it is judged, all float.
    pub judged: Vec<QTensorId>,
}

/// Integer tensors of the plan's, in both forms.
struct Ids {
    int8: Vec<Option<QTensorId>>,
    float: Vec<Option<QTensorId>>,
    names: Names,
    nodes: Names,
}

impl Emit<'_, '_> {
    /// The network, and how it is linked to the graph.
    pub fn net(&self, exponents: &[i32]) -> Emitted {
        let (plan, n) = (self.plan, self.plan.tensors.len());
        let mut net = QNet {
            name: plan.graph.name.clone(),
            ..QNet::default()
        };
        let mut ids = Ids {
            int8: vec![None; n],
            float: vec![None; n],
            // Names of the graph's own are theirs alone.
            names: Names::new(plan.tensors.iter().map(|t| &t.name)),
            nodes: Names::new(plan.steps.iter().map(|s| &s.name)),
        };
        for t in &plan.graph.inputs {
            let tensor = plan.tensor(*t);
            let id = net.add_tensor(&tensor.name, &tensor.dims, QType::Float);
            ids.float[t.0] = Some(id);
            net.inputs.push(id);
        }
        let mut links = Vec::new();
        for (step, weights) in plan.steps.iter().zip(self.weights) {
            let exponent = self.groups.exponent(exponents, step.output);
            let op = match &step.kind {
                Kind::Linear(linear) => {
                    let Some(weights) = weights else { continue };
                    let before = linear.befores();
                    links.push(Link {
                        node: net.nodes.len(),
                        before,
                        factor: self.factors.of(step.output),
                    });
                    QOp::Conv(self.conv(step, linear, weights, exponents))
                }
                Kind::MaxPool(window) => QOp::MaxPool(*window),
                Kind::Move(HostOp::Pad { pads, value }) => QOp::Host(HostOp::Pad {
                    pads: pads.clone(),
                    value: limit(value * self.factors.of(step.output), exponent).into(),
                }),
                Kind::Move(op) => QOp::Host(op.clone()),
                Kind::Table(functions) => {
                    let input = self.groups.exponent(exponents, step.inputs[0]);
                    let functions = self.with_factors(step, functions);
                    QOp::Host(HostOp::table(&functions, input, exponent))
                }
                Kind::Float(ops) => {
                    self.float(&mut net, &mut ids, step, ops, exponents);
                    continue;
                }
            };
            let inputs = step
                .inputs
                .iter()
                .map(|t| self.int8(&mut net, &mut ids, *t, exponents));
            let inputs = inputs.collect();
            // The conversions of operands came first.
            if let (QOp::Conv(_), Some(link)) = (&op, links.last_mut()) {
                link.node = net.nodes.len();
            }
            let output = self.add(&mut net, &mut ids, step.output, exponents);
            net.nodes.push(QNode {
                name: step.name.clone(),
                source: step.source.clone(),
                op,
                inputs,
                output,
                why: step.why.clone(),
            });
        }
        for t in &plan.graph.outputs {
            let id = self.as_float(&mut net, &mut ids, *t, exponents);
            net.outputs.push(id);
        }
        self.note(&mut net, &ids);
        let judged = judged(plan.graph);
        let judged = judged.iter().filter_map(|t| ids.float[t.0]).collect();
        Emitted { net, links, judged }
    }

    /// Writes down which tensors stand for which, and with what factors.
    fn note(&self, net: &mut QNet, ids: &Ids) {
        for (i, tensor) in self.plan.tensors.iter().enumerate() {
            let factor = self.factors.of(TensorId(i));
            if let Some(id) = ids.int8[i].filter(|_| factor != 1.) {
                net.factors.insert(id, factor);
            }
            // Others have other dimensions, or other limits.
            if tensor.like == TensorId(i) {
                let both = [ids.int8[i], ids.float[i]];
                let both = both.into_iter().flatten();
                net.values_of.extend(both.map(|id| (id, tensor.like)));
            }
        }
    }

    /// The tensor of a step's own result.
    fn add(&self, net: &mut QNet, ids: &mut Ids, t: TensorId, exponents: &[i32]) -> QTensorId {
        let tensor = self.plan.tensor(t);
        let exponent = self.groups.exponent(exponents, t);
        let (ty, list) = match tensor.form {
            Form::Int8 => (QType::Int8 { exponent }, &mut ids.int8),
            Form::Float => (QType::Float, &mut ids.float),
        };
        // A float output of the network has the graph's name.
        let name = if tensor.form == Form::Int8 && self.plan.graph.outputs.contains(&t) {
            ids.names.unique(format!("{}.int8", tensor.name))
        } else {
            tensor.name.clone()
        };
        let id = net.add_tensor(name, &tensor.dims, ty);
        list[t.0] = Some(id);
        id
    }

    /// A tensor in int8, converted if it is float.
    fn int8(&self, net: &mut QNet, ids: &mut Ids, t: TensorId, exponents: &[i32]) -> QTensorId {
        if let Some(id) = ids.int8[t.0] {
            return id;
        }
        let tensor = self.plan.tensor(t);
        let exponent = self.groups.exponent(exponents, t);
        let from = self.as_float(net, ids, t, exponents);
        let name = ids.names.unique(format!("{}.int8", tensor.name));
        let id = net.add_tensor(name, &tensor.dims, QType::Int8 { exponent });
        net.nodes.push(QNode {
            name: ids.nodes.unique(format!("{}.quantize", tensor.name)),
            source: "QuantizeLinear".into(),
            op: QOp::Host(HostOp::Quantize { exponent }),
            inputs: vec![from],
            output: id,
            why: "the device reads int8".into(),
        });
        ids.int8[t.0] = Some(id);
        id
    }

    /// A tensor in single precision, converted if it is int8.
    fn as_float(&self, net: &mut QNet, ids: &mut Ids, t: TensorId, exponents: &[i32]) -> QTensorId {
        if let Some(id) = ids.float[t.0] {
            return id;
        }
        let tensor = self.plan.tensor(t);
        let output = self.plan.graph.outputs.contains(&t);
        let name = if output || ids.int8[t.0].is_none() {
            tensor.name.clone()
        } else {
            ids.names.unique(format!("{}.float", tensor.name))
        };
        let id = net.add_tensor(name, &tensor.dims, QType::Float);
        if let Some(from) = ids.int8[t.0] {
            let exponent = self.groups.exponent(exponents, t);
            let why = if output {
                "results are float"
            } else {
                "a host operator reads float"
            };
            net.nodes.push(QNode {
                name: ids.nodes.unique(format!("{}.dequantize", tensor.name)),
                source: "DequantizeLinear".into(),
                op: QOp::Host(HostOp::Dequantize { exponent }),
                inputs: vec![from],
                output: id,
                why: why.into(),
            });
        }
        ids.float[t.0] = Some(id);
        id
    }

    /// Float operators, one after the other.
    fn float(&self, net: &mut QNet, ids: &mut Ids, step: &Step, ops: &[HostOp], exponents: &[i32]) {
        let inputs = step
            .inputs
            .iter()
            .map(|t| self.as_float(net, ids, *t, exponents));
        let mut inputs: Vec<QTensorId> = inputs.collect();
        for (i, op) in ops.iter().enumerate() {
            let last = i + 1 == ops.len();
            let (name, output) = if last {
                let output = self.add(net, ids, step.output, exponents);
                (step.name.clone(), output)
            } else {
                let operands: Vec<&[usize]> =
                    inputs.iter().map(|t| &net.tensor(*t).dims[..]).collect();
                let dims = op.dims(&operands).unwrap_or_default();
                let tensor = &self.plan.tensor(step.output).name;
                let name = ids.names.unique(format!("{tensor}.{i}"));
                let output = net.add_tensor(name, &dims, QType::Float);
                (ids.nodes.unique(format!("{}.{i}", step.name)), output)
            };
            net.nodes.push(QNode {
                name,
                source: step.source.clone(),
                op: QOp::Host(op.clone()),
                inputs,
                output,
                why: step.why.clone(),
            });
            inputs = vec![output];
        }
    }

    /// Functions of a tensor with its factor that give a tensor with its own.
    fn with_factors(&self, step: &Step, functions: &[Function]) -> Vec<Function> {
        let by = |value: f32| (value != 1.).then_some(Function::Mul { value });
        let mut all: Vec<Function> = Vec::new();
        all.extend(by(1. / self.factors.of(step.inputs[0])));
        all.extend(functions.iter().cloned());
        all.extend(by(self.factors.of(step.output)));
        all
    }

    fn conv(
        &self,
        step: &Step,
        linear: &Linear,
        (weight, bias): &(Array4<f32>, Vec<f32>),
        exponents: &[i32],
    ) -> QConv {
        let exponent = |t: TensorId| self.groups.exponent(exponents, t);
        let (input, output) = (exponent(step.inputs[0]), exponent(step.output));
        let residual = step.inputs.get(1).map(|t| exponent(*t));
        // The sum of both has the finer step of the two.
        let sum = residual.map_or(output, |r| output.min(r));
        let factor = self.factors.of(step.output);
        let (low, high) = (linear.clip.0 * factor, linear.clip.1 * factor);
        let mut conv = QConv {
            weight_name: linear.weight_name.clone(),
            weight: Array4::zeros((0, 0, 0, 0)).into(),
            bias: Vec::new(),
            window: linear.window,
            groups: linear.groups,
            shift: Shift::Layer(0),
            leaky: linear.leaky.clone(),
            residual_shift: residual.map_or(0, |r| (r - sum) as u8),
            post_shift: (output - sum) as u8,
            clamp: (limit(low, output), limit(high, output)),
        };
        let seen = self.seen.map(|seen| &seen[step.inputs[0].0]);
        let squares = seen.map_or_else(Vec::new, Stats::squares);
        let steps = Steps { input, sum, output };
        let given = self
            .given
            .map(|g| g.of_weight(&conv.weight_name, bias.len()));
        if let Some(Ok(exponents)) = given {
            weights::place(&mut conv, (weight, bias), steps, &exponents);
            return one_shift(conv);
        }
        weights::quantise(&mut conv, (weight, bias), steps, &squares, self.per_channel);
        one_shift(conv)
    }
}

/// Largest left shift of a second operand: the identity that adds it is in int8.
const MOST_RESIDUAL_SHIFT: u8 = 6;

/// A sum with two shifts as one with one: the second operand is added before both, where
/// it can be shifted as far to the left. That rounds once, and takes a cycle less.
fn one_shift(conv: QConv) -> QConv {
    match conv.shift {
        Shift::Layer(shift)
            if conv.post_shift > 0
                && conv.leaky.is_none()
                && conv.residual_shift + shift <= MOST_RESIDUAL_SHIFT
                && conv.post_shift + shift <= 31 =>
        {
            QConv {
                shift: Shift::Layer(0),
                residual_shift: conv.residual_shift + shift,
                post_shift: conv.post_shift + shift,
                ..conv
            }
        }
        _ => conv,
    }
}

/// A value in steps, limited to int8.
fn limit(value: f32, exponent: i32) -> i8 {
    (f64::from(value) / 2_f64.powi(exponent))
        .round()
        .clamp(-128., 127.) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_shifts_become_one_where_the_identity_is_in_int8() {
        let conv = |shift, leaky| QConv {
            weight_name: String::new(),
            weight: Array4::zeros((1, 1, 1, 1)).into(),
            bias: vec![0],
            window: crate::graph::Window::POINT,
            groups: 1,
            shift: Shift::Layer(shift),
            leaky,
            residual_shift: 1,
            post_shift: 2,
            clamp: (-128, 127),
        };
        let shifts = |c: &QConv| (c.shift.of(0), c.residual_shift, c.post_shift);
        assert_eq!(shifts(&one_shift(conv(5, None))), (0, 6, 7));
        assert_eq!(shifts(&one_shift(conv(6, None))), (6, 1, 2));
        assert_eq!(shifts(&one_shift(conv(5, Some(vec![3])))), (5, 1, 2));
        let shared = QConv {
            post_shift: 0,
            ..conv(5, None)
        };
        assert_eq!(shifts(&one_shift(shared)), (5, 1, 0));
    }
}
