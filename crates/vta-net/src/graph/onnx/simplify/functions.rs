//! Functions of one tensor that exporters write as several nodes become one.
//!
//! `x * sigmoid(x)`, `x * clip(x + 3, 0, 6) / 6`, `x * (1 + erf(x / sqrt 2)) / 2`
//! and the like: a chain goes through tensors that one node reads, and comes
//! together where both operands of a product or a sum are chains of one tensor.

use super::Pass;
use crate::graph::{Constant, Function, Op, TensorId};
use vta_tensor::host::MAX_FUNCTIONS;

/// A tensor as functions of another.
#[derive(Clone)]
struct Chain {
    root: TensorId,
    functions: Vec<Function>,
}

/// The only value of a constant.
fn scalar(c: &Constant) -> Option<f32> {
    c.values
        .iter()
        .next()
        .copied()
        .filter(|_| c.values.len() == 1)
}

/// The functions of an operator with one operand.
fn functions(op: &Op) -> Option<Vec<Function>> {
    Some(vec![match op {
        Op::Elementwise(functions) => return Some(functions.clone()),
        Op::Sigmoid => Function::Sigmoid,
        Op::Relu => Function::Clip {
            min: 0.0,
            max: f32::MAX,
        },
        Op::Clip { min, max } => Function::Clip {
            min: *min,
            max: *max,
        },
        Op::LeakyRelu { alpha } => Function::LeakyRelu { alpha: *alpha },
        Op::AddConst(c) => Function::Add { value: scalar(c)? },
        Op::MulConst(c) => Function::Mul { value: scalar(c)? },
        _ => return None,
    }])
}

/// Whether the device does it, behind a layer or alone.
fn on_device(f: &Function) -> bool {
    match f {
        Function::Clip { .. }
        | Function::LeakyRelu { .. }
        | Function::Add { .. }
        | Function::Mul { .. } => true,
        Function::Sum { left, right } => left.iter().chain(right).all(on_device),
        _ => false,
    }
}

impl Pass {
    /// Puts functions of one tensor together; their nodes are left unread.
    pub(super) fn merge_functions(&mut self) {
        let mut chains: Vec<Option<Chain>> = vec![None; self.builder.tensors.len()];
        for i in 0..self.builder.nodes.len() {
            if self.gone[i] {
                continue;
            }
            let Some(chain) = self.chain(i, &chains) else {
                continue;
            };
            let output = self.builder.nodes[i].output;
            chains[output.0] = Some(chain);
        }
        for i in (0..self.builder.nodes.len()).filter(|i| !self.gone[*i]) {
            let output = self.builder.nodes[i].output;
            let Some(chain) = &chains[output.0] else {
                continue;
            };
            // One that goes on is a part of its reader's.
            let reader = self.readers.only(output);
            let part = reader.and_then(|r| chains[self.builder.nodes[r].output.0].as_ref());
            if part.is_some_and(|p| p.root == chain.root) || chain.functions.iter().all(on_device) {
                continue;
            }
            let (root, merged) = (chain.root, named(chain.functions.clone()));
            let node = &mut self.builder.nodes[i];
            node.op = match merged.as_slice() {
                [Function::Sigmoid] => Op::Sigmoid,
                _ => Op::Elementwise(merged),
            };
            node.inputs = vec![root];
        }
    }

    /// A node's result as functions of a tensor.
    fn chain(&self, i: usize, chains: &[Option<Chain>]) -> Option<Chain> {
        let node = &self.builder.nodes[i];
        let of = |t: TensorId| {
            let chain = chains[t.0]
                .clone()
                .filter(|_| self.readers.only(t).is_some());
            chain.unwrap_or(Chain {
                root: t,
                functions: Vec::new(),
            })
        };
        let chain = match (&node.op, node.inputs.as_slice()) {
            (Op::Add | Op::Mul, [a, b]) => {
                let (a, b) = (of(*a), of(*b));
                if a.root != b.root {
                    return None;
                }
                let (left, right) = (a.functions, b.functions);
                let function = match node.op {
                    Op::Mul => Function::Product { left, right },
                    _ => Function::Sum { left, right },
                };
                Chain {
                    root: a.root,
                    functions: vec![function],
                }
            }
            (op, [x]) => {
                let functions = functions(op)?;
                let mut chain = of(*x);
                // What a layer before it does is left to the layer.
                let starts = chain.functions.is_empty();
                let alone = self.readers.only(*x).is_some();
                if starts && alone && functions.iter().all(on_device) {
                    return None;
                }
                chain.functions.extend(functions);
                chain
            }
            _ => return None,
        };
        let same = self.dims(chain.root) == self.dims(node.output);
        let mut counted = chain.functions.iter();
        let count = counted.try_fold(0, |n, f| Some(n + f.count()?));
        (same && count.is_some_and(|n| n <= MAX_FUNCTIONS)).then_some(chain)
    }
}

/// Whether two numbers are one, as exporters round it.
fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 * b.abs()
}

/// A chain with the names that ONNX has for parts of it.
fn named(functions: Vec<Function>) -> Vec<Function> {
    let mut out: Vec<Function> = Vec::with_capacity(functions.len());
    for f in functions {
        let f = match f {
            Function::Product { left, right } => product(named(left), named(right)),
            Function::Sum { left, right } => Function::Sum {
                left: named(left),
                right: named(right),
            },
            f => f,
        };
        out.push(f);
        while let Some((taken, f)) = tail(&out) {
            out.truncate(out.len() - taken);
            out.push(f);
        }
    }
    out
}

/// The last functions of a chain under one name: how many they are, and which it is.
fn tail(chain: &[Function]) -> Option<(usize, Function)> {
    use Function::{Add, Clip, HardSigmoid, Mul};
    match chain {
        [.., Add { value }, Clip { min, max }, Mul { value: by }]
            if near(*value, 3.0) && *min == 0.0 && near(*max, 6.0) && near(*by, 1.0 / 6.0) =>
        {
            let (alpha, beta) = (1.0 / 6.0, 0.5);
            Some((3, HardSigmoid { alpha, beta }))
        }
        [.., Function::Product { left, right }, Mul { value }] => {
            let one = match (left.as_slice(), right.as_slice()) {
                ([], gate) | (gate, []) => gate,
                _ => return None,
            };
            match one {
                [Add { value: shift }, Clip { min, max }]
                    if near(*shift, 3.0)
                        && *min == 0.0
                        && near(*max, 6.0)
                        && near(*value, 1.0 / 6.0) =>
                {
                    Some((2, Function::HardSwish))
                }
                gate if near(*value, 0.5) => gelu(gate).map(|f| (2, f)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// GELU without its factor of a half: `1 + erf(x / sqrt 2)` or the form with tanh.
fn gelu(gate: &[Function]) -> Option<Function> {
    use Function::{Add, Erf, Gelu, Mul, Pow, Sum, Tanh};
    match gate {
        [Mul { value }, Erf, Add { value: one }]
            if near(*value, std::f32::consts::FRAC_1_SQRT_2) && near(*one, 1.0) =>
        {
            Some(Gelu { tanh: false })
        }
        [Sum { left, right }, Mul { value }, Tanh, Add { value: one }]
            if near(*value, 0.797_884_6) && near(*one, 1.0) =>
        {
            let cube = match (left.as_slice(), right.as_slice()) {
                ([], cube) | (cube, []) => cube,
                _ => return None,
            };
            match cube {
                [Pow { exponent }, Mul { value }]
                    if *exponent == 3.0 && near(*value, 0.044_715) =>
                {
                    Some(Gelu { tanh: true })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// A product under its name, if it has one.
fn product(left: Vec<Function>, right: Vec<Function>) -> Function {
    use Function::{HardSigmoid, HardSwish, Mish, Mul, Sigmoid, Softplus, Swish, Tanh};
    let gate = match (left.as_slice(), right.as_slice()) {
        ([], gate) | (gate, []) => gate,
        ([Mul { value }], gate) | (gate, [Mul { value }]) if near(*value, 0.5) => {
            return match gelu(gate) {
                Some(f) => f,
                None => Function::Product { left, right },
            };
        }
        _ => return Function::Product { left, right },
    };
    match gate {
        [Sigmoid] => Swish { alpha: 1.0 },
        [Mul { value }, Sigmoid] => Swish { alpha: *value },
        [HardSigmoid { alpha, beta }] if near(*alpha, 1.0 / 6.0) && near(*beta, 0.5) => HardSwish,
        [Softplus, Tanh] => Mish,
        _ => Function::Product { left, right },
    }
}
