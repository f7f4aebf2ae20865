//! Functions of single elements as nodes of the file: those that opset 13 has,
//! others taken apart.

use super::super::constant::ty;
use super::nodes::Nodes;
use super::{Writer, float};
use crate::graph::Function;

/// Writes a chain of functions of `x` as nodes, the last of which makes `output`.
pub(super) fn push(
    w: &mut Writer<'_>,
    name: &str,
    functions: &[Function],
    x: String,
    output: String,
) {
    let mut nodes = Nodes::new(w, name);
    nodes.chain(functions, x, Some(output));
}

impl Nodes<'_, '_> {
    fn scalar(&mut self, value: f32) -> String {
        let name = format!("{}.constant.{}", self.name, self.count);
        self.count += 1;
        self.w.floats(&name, &[], [&value])
    }

    fn chain(&mut self, functions: &[Function], x: String, output: Option<String>) -> String {
        let Some((last, first)) = functions.split_last() else {
            return match output {
                Some(output) => self.node("Identity", vec![x], Some(output), vec![]),
                None => x,
            };
        };
        let mut at = x;
        for f in first {
            at = self.function(f, at, None);
        }
        self.function(last, at, output)
    }

    fn with_scalar(&mut self, op: &str, x: String, value: f32, output: Option<String>) -> String {
        let scalar = self.scalar(value);
        self.node(op, vec![x, scalar], output, vec![])
    }

    /// A comparison, as 1 and 0.
    fn compare(&mut self, op: &str, x: String, value: f32, output: Option<String>) -> String {
        let is = self.with_scalar(op, x, value, None);
        self.cast(is, ty::FLOAT, output)
    }

    fn function(&mut self, f: &Function, x: String, output: Option<String>) -> String {
        match f {
            Function::Add { value } => self.with_scalar("Add", x, *value, output),
            Function::Mul { value } => self.with_scalar("Mul", x, *value, output),
            Function::Pow { exponent } => self.with_scalar("Pow", x, *exponent, output),
            Function::Clip { min, max } => {
                let (min, max) = (self.scalar(*min), self.scalar(*max));
                self.node("Clip", vec![x, min, max], output, vec![])
            }
            Function::Product { left, right } => self.pair("Mul", left, right, x, output),
            Function::Sum { left, right } => self.pair("Add", left, right, x, output),
            Function::Equal { value } => self.compare("Equal", x, *value, output),
            Function::Greater { value } => self.compare("Greater", x, *value, output),
            Function::Less { value } => self.compare("Less", x, *value, output),
            Function::IsNan | Function::IsInf { .. } => {
                let is = self.node(f.name(), vec![x], None, attributes(f));
                self.cast(is, ty::FLOAT, output)
            }
            // Values of networks are small: all whole numbers are in int32.
            Function::Trunc => {
                let whole = self.cast(x, ty::INT32, None);
                self.cast(whole, ty::FLOAT, output)
            }
            // Later than opset 13.
            Function::HardSwish => {
                let gate = [Function::HardSigmoid {
                    alpha: 1.0 / 6.0,
                    beta: 0.5,
                }];
                self.pair("Mul", &[], &gate, x, output)
            }
            Function::Swish { alpha } => {
                let gate = match alpha {
                    1.0 => vec![Function::Sigmoid],
                    alpha => vec![Function::Mul { value: *alpha }, Function::Sigmoid],
                };
                self.pair("Mul", &[], &gate, x, output)
            }
            Function::Mish => {
                let gate = [Function::Softplus, Function::Tanh];
                self.pair("Mul", &[], &gate, x, output)
            }
            Function::Gelu { tanh } => {
                let half = [Function::Mul { value: 0.5 }];
                let gate = match tanh {
                    false => vec![
                        Function::Mul {
                            value: std::f32::consts::FRAC_1_SQRT_2,
                        },
                        Function::Erf,
                        Function::Add { value: 1.0 },
                    ],
                    true => vec![
                        Function::Sum {
                            left: Vec::new(),
                            right: vec![
                                Function::Pow { exponent: 3.0 },
                                Function::Mul { value: 0.044_715 },
                            ],
                        },
                        Function::Mul { value: 0.797_884_6 },
                        Function::Tanh,
                        Function::Add { value: 1.0 },
                    ],
                };
                self.pair("Mul", &half, &gate, x, output)
            }
            f => {
                let attributes = attributes(f);
                self.node(f.name(), vec![x], output, attributes)
            }
        }
    }

    fn pair(
        &mut self,
        op: &str,
        left: &[Function],
        right: &[Function],
        x: String,
        output: Option<String>,
    ) -> String {
        let a = self.chain(left, x.clone(), None);
        let b = self.chain(right, x, None);
        self.node(op, vec![a, b], output, vec![])
    }
}

fn attributes(f: &Function) -> Vec<super::AttributeProto> {
    match f {
        Function::Celu { alpha }
        | Function::Elu { alpha }
        | Function::LeakyRelu { alpha }
        | Function::ThresholdedRelu { alpha } => vec![float("alpha", *alpha)],
        Function::HardSigmoid { alpha, beta } => {
            vec![float("alpha", *alpha), float("beta", *beta)]
        }
        Function::IsInf { negative, positive } => vec![
            super::int("detect_negative", (*negative).into()),
            super::int("detect_positive", (*positive).into()),
        ],
        Function::Shrink { bias, lambd } => vec![float("bias", *bias), float("lambd", *lambd)],
        Function::Selu { alpha, gamma } => vec![float("alpha", *alpha), float("gamma", *gamma)],
        _ => vec![],
    }
}
