//! Functions of single elements, with gradients.

use crate::backend::Kernels;
use burn_tensor::{Tensor, activation};
use vta_net::graph::Function;

/// A chain of functions.
pub(super) fn chain<K: Kernels>(functions: &[Function], x: Tensor<K, 1>) -> Tensor<K, 1> {
    functions.iter().fold(x, |x, f| function(f, x))
}

/// x, or `alpha * (exp(x) - 1)` below zero.
fn elu<K: Kernels>(x: Tensor<K, 1>, alpha: f32) -> Tensor<K, 1> {
    let below = (x.clone().clamp_max(0.0).exp() - 1.0) * alpha;
    activation::relu(x) + below
}

fn function<K: Kernels>(f: &Function, x: Tensor<K, 1>) -> Tensor<K, 1> {
    match f {
        Function::Abs => x.abs(),
        Function::Add { value } => x + *value,
        Function::Ceil => x.ceil(),
        Function::Celu { alpha } => {
            let below = ((x.clone() / *alpha).clamp_max(0.0).exp() - 1.0) * *alpha;
            activation::relu(x) + below
        }
        Function::Clip { min, max } => x.clamp(*min, *max),
        Function::Cos => x.cos(),
        Function::Elu { alpha } => elu(x, *alpha),
        Function::Erf => x.erf(),
        Function::Exp => x.exp(),
        Function::Floor => x.floor(),
        Function::Gelu { tanh: false } => {
            let gate = (x.clone() * std::f32::consts::FRAC_1_SQRT_2).erf() + 1.0;
            x * gate * 0.5
        }
        Function::Gelu { tanh: true } => {
            let cube = x.clone() * x.clone() * x.clone();
            // sqrt(2 / pi)
            let inner = (x.clone() + cube * 0.044_715) * 0.797_884_6;
            x * (inner.tanh() + 1.0) * 0.5
        }
        Function::HardSigmoid { alpha, beta } => (x * *alpha + *beta).clamp(0.0, 1.0),
        Function::HardSwish => {
            let gate = (x.clone() / 6.0 + 0.5).clamp(0.0, 1.0);
            x * gate
        }
        Function::LeakyRelu { alpha } => activation::leaky_relu(x, f64::from(*alpha)),
        Function::Log => x.log(),
        Function::Mish => {
            let gate = activation::softplus(x.clone(), 1.0).tanh();
            x * gate
        }
        Function::Mul { value } => x * *value,
        Function::Pow { exponent } => x.powf_scalar(*exponent),
        Function::Reciprocal => x.recip(),
        Function::Round => x.round(),
        Function::Selu { alpha, gamma } => elu(x, *alpha) * *gamma,
        Function::Sigmoid => activation::sigmoid(x),
        Function::Sign => x.sign(),
        Function::Sin => x.sin(),
        Function::Softplus => activation::softplus(x, 1.0),
        Function::Softsign => x.clone() / (x.abs() + 1.0),
        Function::Sqrt => x.sqrt(),
        Function::Swish { alpha } => {
            let gate = activation::sigmoid(x.clone() * *alpha);
            x * gate
        }
        Function::Tanh => x.tanh(),
        Function::ThresholdedRelu { alpha } => {
            let kept = x.clone().greater_elem(*alpha).float();
            x * kept
        }
        Function::Acos => x.acos(),
        Function::Acosh => x.acosh(),
        Function::Asin => x.asin(),
        Function::Asinh => x.asinh(),
        Function::Atan => x.atan(),
        Function::Atanh => x.atanh(),
        Function::Cosh => x.cosh(),
        Function::Sinh => x.sinh(),
        Function::Tan => x.tan(),
        Function::Trunc => x.trunc(),
        Function::IsNan => x.is_nan().float(),
        Function::IsInf { negative, positive } => {
            let infinite = x.clone().is_inf().float();
            let above = x.greater_elem(0.0).float();
            let counts = match (negative, positive) {
                (true, true) => above.ones_like(),
                (true, false) => above.neg() + 1.0,
                (false, true) => above,
                (false, false) => above.zeros_like(),
            };
            infinite * counts
        }
        Function::Equal { value } => x.equal_elem(*value).float(),
        Function::Greater { value } => x.greater_elem(*value).float(),
        Function::Less { value } => x.lower_elem(*value).float(),
        Function::Shrink { bias, lambd } => {
            let below = x.clone().lower_elem(-*lambd).float();
            let above = x.clone().greater_elem(*lambd).float();
            (x.clone() + *bias) * below + (x - *bias) * above
        }
        Function::Product { left, right } => chain(left, x.clone()) * chain(right, x),
        Function::Sum { left, right } => chain(left, x.clone()) + chain(right, x),
    }
}
