//! Functions of single elements, named after ONNX's operators.

use super::arithmetic::{dequantise, power, quantise};
use super::{HostOp, text};
use serde::{Deserialize, Serialize};

/// A function of one element, in single precision.
///
/// Where ONNX has the operator, it is that of opset 24. Exponentials and the
/// like are those of `libm`, so values are the same on every machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Function {
    /// |x|.
    Abs,
    /// x + value.
    Add {
        /// The value.
        #[serde(with = "text::number")]
        value: f32,
    },
    /// The least whole number that is not less.
    Ceil,
    /// max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0).
    Celu {
        /// The scale.
        #[serde(with = "text::number")]
        alpha: f32,
    },
    /// x between two bounds.
    Clip {
        /// Lower bound.
        #[serde(with = "text::number")]
        min: f32,
        /// Upper bound.
        #[serde(with = "text::number")]
        max: f32,
    },
    /// cos(x).
    Cos,
    /// x, or `alpha * (exp(x) - 1)` below zero.
    Elu {
        /// The scale.
        #[serde(with = "text::number")]
        alpha: f32,
    },
    /// The error function.
    Erf,
    /// exp(x).
    Exp,
    /// The largest whole number that is not more.
    Floor,
    /// x / 2 * (1 + erf(x / sqrt 2)), or its form with tanh.
    Gelu {
        /// Whether it is the form with tanh.
        tanh: bool,
    },
    /// max(0, min(1, alpha * x + beta)).
    HardSigmoid {
        /// The slope.
        #[serde(with = "text::number")]
        alpha: f32,
        /// The value at 0.
        #[serde(with = "text::number")]
        beta: f32,
    },
    /// x * max(0, min(1, x / 6 + 0.5)).
    HardSwish,
    /// x, or `alpha * x` below zero.
    LeakyRelu {
        /// Slope below zero.
        #[serde(with = "text::number")]
        alpha: f32,
    },
    /// ln(x).
    Log,
    /// x * tanh(softplus(x)).
    Mish,
    /// x * value.
    Mul {
        /// The value.
        #[serde(with = "text::number")]
        value: f32,
    },
    /// x to a power.
    Pow {
        /// The exponent.
        #[serde(with = "text::number")]
        exponent: f32,
    },
    /// 1 / x.
    Reciprocal,
    /// The nearest whole number, halves to even.
    Round,
    /// gamma * (x, or `alpha * (exp(x) - 1)` below zero).
    Selu {
        /// The scale below zero.
        #[serde(with = "text::number")]
        alpha: f32,
        /// The scale.
        #[serde(with = "text::number")]
        gamma: f32,
    },
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// -1, 0 or 1.
    Sign,
    /// sin(x).
    Sin,
    /// ln(1 + exp(x)).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// The square root.
    Sqrt,
    /// x * sigmoid(alpha * x); SiLU where alpha is 1.
    Swish {
        /// The factor.
        #[serde(with = "text::number")]
        alpha: f32,
    },
    /// tanh(x).
    Tanh,
    /// x, or 0 where it is not above alpha.
    ThresholdedRelu {
        /// The threshold.
        #[serde(with = "text::number")]
        alpha: f32,
    },
    /// The inverse of cos.
    Acos,
    /// The inverse of cosh.
    Acosh,
    /// The inverse of sin.
    Asin,
    /// The inverse of sinh.
    Asinh,
    /// The inverse of tan.
    Atan,
    /// The inverse of tanh.
    Atanh,
    /// cosh(x).
    Cosh,
    /// sinh(x).
    Sinh,
    /// tan(x).
    Tan,
    /// The whole part: what a `Cast` to integers leaves.
    Trunc,
    /// 1 where x is not a number, else 0.
    IsNan,
    /// 1 where x is infinite, else 0.
    IsInf {
        /// Whether minus infinity counts.
        negative: bool,
        /// Whether infinity counts.
        positive: bool,
    },
    /// 1 where x is the value, else 0.
    Equal {
        /// The value.
        #[serde(with = "text::number")]
        value: f32,
    },
    /// 1 where x is more than the value, else 0.
    Greater {
        /// The value.
        #[serde(with = "text::number")]
        value: f32,
    },
    /// 1 where x is less than the value, else 0.
    Less {
        /// The value.
        #[serde(with = "text::number")]
        value: f32,
    },
    /// x + bias below -lambd, x - bias above lambd, 0 between.
    Shrink {
        /// How far values move towards 0.
        #[serde(with = "text::number")]
        bias: f32,
        /// The bound.
        #[serde(with = "text::number")]
        lambd: f32,
    },
    /// The product of two chains of functions of x; an empty chain is x.
    Product {
        /// One after the other.
        left: Vec<Function>,
        /// One after the other.
        right: Vec<Function>,
    },
    /// The sum of two chains of functions of x; an empty chain is x.
    Sum {
        /// One after the other.
        left: Vec<Function>,
        /// One after the other.
        right: Vec<Function>,
    },
}

/// Most functions in a chain, those inside of products and sums included.
pub const MAX_FUNCTIONS: usize = 256;

/// Products and sums in each other.
const MAX_LEVELS: usize = 32;

pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

/// ln(1 + exp(x)), without leaving single precision.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + libm::log1pf(libm::expf(-x.abs()))
}

/// 1 or 0.
fn truth(is: bool) -> f32 {
    f32::from(u8::from(is))
}

fn elu(x: f32, alpha: f32) -> f32 {
    if x < 0.0 { alpha * libm::expm1f(x) } else { x }
}

/// A chain of functions of one element.
pub(super) fn chain(functions: &[Function], x: f32) -> f32 {
    functions.iter().fold(x, |x, f| f.of(x))
}

impl HostOp {
    /// Functions of single elements as a table, from steps of `2^from` to steps
    /// of `2^to`: what `Dequantize`, the functions and `Quantize` give.
    pub fn table(functions: &[Function], from: i32, to: i32) -> Self {
        let (step, inverse) = (power(from), power(-to));
        let value = |q| quantise(chain(functions, dequantise(q, step)), inverse);
        Self::Table {
            values: (i8::MIN..=i8::MAX).map(value).collect(),
        }
    }
}

impl Function {
    /// ONNX's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Abs => "Abs",
            Self::Add { .. } | Self::Sum { .. } => "Add",
            Self::Ceil => "Ceil",
            Self::Celu { .. } => "Celu",
            Self::Clip { .. } => "Clip",
            Self::Cos => "Cos",
            Self::Elu { .. } => "Elu",
            Self::Erf => "Erf",
            Self::Exp => "Exp",
            Self::Floor => "Floor",
            Self::Gelu { .. } => "Gelu",
            Self::HardSigmoid { .. } => "HardSigmoid",
            Self::HardSwish => "HardSwish",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Log => "Log",
            Self::Mish => "Mish",
            Self::Mul { .. } | Self::Product { .. } => "Mul",
            Self::Pow { .. } => "Pow",
            Self::Reciprocal => "Reciprocal",
            Self::Round => "Round",
            Self::Selu { .. } => "Selu",
            Self::Sigmoid => "Sigmoid",
            Self::Sign => "Sign",
            Self::Sin => "Sin",
            Self::Softplus => "Softplus",
            Self::Softsign => "Softsign",
            Self::Sqrt => "Sqrt",
            Self::Swish { .. } => "Swish",
            Self::Tanh => "Tanh",
            Self::ThresholdedRelu { .. } => "ThresholdedRelu",
            Self::Acos => "Acos",
            Self::Acosh => "Acosh",
            Self::Asin => "Asin",
            Self::Asinh => "Asinh",
            Self::Atan => "Atan",
            Self::Atanh => "Atanh",
            Self::Cosh => "Cosh",
            Self::Sinh => "Sinh",
            Self::Tan => "Tan",
            Self::Trunc => "Trunc",
            Self::IsNan => "IsNaN",
            Self::IsInf { .. } => "IsInf",
            Self::Equal { .. } => "Equal",
            Self::Greater { .. } => "Greater",
            Self::Less { .. } => "Less",
            Self::Shrink { .. } => "Shrink",
        }
    }

    /// The value for an element.
    pub fn of(&self, x: f32) -> f32 {
        match self {
            Self::Abs => x.abs(),
            Self::Add { value } => x + value,
            Self::Ceil => x.ceil(),
            Self::Celu { alpha } => x.max(0.0) + (alpha * libm::expm1f(x / alpha)).min(0.0),
            Self::Clip { min, max } => x.max(*min).min(*max),
            Self::Cos => libm::cosf(x),
            Self::Elu { alpha } => elu(x, *alpha),
            Self::Erf => libm::erff(x),
            Self::Exp => libm::expf(x),
            Self::Floor => x.floor(),
            Self::Gelu { tanh: false } => {
                0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
            }
            Self::Gelu { tanh: true } => {
                // sqrt(2 / pi)
                let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + libm::tanhf(inner))
            }
            Self::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::LeakyRelu { alpha } => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            Self::Log => libm::logf(x),
            Self::Mish => x * libm::tanhf(softplus(x)),
            Self::Mul { value } => x * value,
            Self::Pow { exponent } => libm::powf(x, *exponent),
            Self::Reciprocal => x.recip(),
            Self::Round => x.round_ties_even(),
            Self::Selu { alpha, gamma } => gamma * elu(x, *alpha),
            Self::Sigmoid => sigmoid(x),
            Self::Sign => {
                if x == 0.0 {
                    0.0
                } else {
                    x.signum()
                }
            }
            Self::Sin => libm::sinf(x),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Sqrt => x.sqrt(),
            Self::Swish { alpha } => x * sigmoid(alpha * x),
            Self::Tanh => libm::tanhf(x),
            Self::ThresholdedRelu { alpha } => {
                if x > *alpha {
                    x
                } else {
                    0.0
                }
            }
            Self::Acos => libm::acosf(x),
            Self::Acosh => libm::acoshf(x),
            Self::Asin => libm::asinf(x),
            Self::Asinh => libm::asinhf(x),
            Self::Atan => libm::atanf(x),
            Self::Atanh => libm::atanhf(x),
            Self::Cosh => libm::coshf(x),
            Self::Sinh => libm::sinhf(x),
            Self::Tan => libm::tanf(x),
            Self::Trunc => x.trunc(),
            Self::IsNan => truth(x.is_nan()),
            Self::IsInf { negative, positive } => {
                let counts = if x < 0.0 { *negative } else { *positive };
                truth(x.is_infinite() && counts)
            }
            Self::Equal { value } => truth(x == *value),
            Self::Greater { value } => truth(x > *value),
            Self::Less { value } => truth(x < *value),
            Self::Shrink { bias, lambd } => {
                if x < -lambd {
                    x + bias
                } else if x > *lambd {
                    x - bias
                } else {
                    0.0
                }
            }
            Self::Product { left, right } => chain(left, x) * chain(right, x),
            Self::Sum { left, right } => chain(left, x) + chain(right, x),
        }
    }

    /// How many functions it is made of, itself included; none beyond
    /// [`MAX_FUNCTIONS`], or where they are too deep in each other.
    pub fn count(&self) -> Option<usize> {
        fn of(f: &Function, level: usize) -> Option<usize> {
            let inner = match f {
                Function::Product { left, right } | Function::Sum { left, right } => {
                    if level == MAX_LEVELS {
                        return None;
                    }
                    let mut all = left.iter().chain(right);
                    all.try_fold(0usize, |n, f| Some(n + of(f, level + 1)?))?
                }
                _ => 0,
            };
            Some(inner + 1).filter(|n| *n <= MAX_FUNCTIONS)
        }
        of(self, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Function as F;

    /// Values in double precision at -2, -0.5 and 1.5.
    #[test]
    fn functions_are_those_of_onnx() {
        let near = |f: F, expected: [f32; 3]| {
            for (x, e) in [-2.0, -0.5, 1.5].into_iter().zip(expected) {
                let got = f.of(x);
                assert!(
                    (got - e).abs() < 2e-6,
                    "{} of {x}: {got}, not {e}",
                    f.name()
                );
            }
        };
        near(F::Tanh, [-0.964_027_6, -0.462_117_16, 0.905_148_3]);
        near(F::Erf, [-0.995_322_3, -0.520_499_9, 0.966_105_1]);
        near(F::Sigmoid, [0.119_202_92, 0.377_540_67, 0.817_574_5]);
        near(
            F::Swish { alpha: 1.0 },
            [-0.238_405_84, -0.188_770_33, 1.226_361_8],
        );
        near(F::HardSwish, [-0.333_333_34, -0.208_333_33, 1.125]);
        near(
            F::HardSigmoid {
                alpha: 0.2,
                beta: 0.5,
            },
            [0.1, 0.4, 0.8],
        );
        near(
            F::Gelu { tanh: false },
            [-0.045_500_26, -0.154_268_77, 1.399_789_2],
        );
        near(
            F::Gelu { tanh: true },
            [-0.045_402_306, -0.154_286, 1.399_572],
        );
        near(F::Mish, [-0.252_501_5, -0.220_743_78, 1.403_378_3]);
        near(F::Softplus, [0.126_928, 0.474_077, 1.701_413_4]);
        near(F::Softsign, [-0.666_666_7, -0.333_333_34, 0.6]);
        near(F::Elu { alpha: 1.0 }, [-0.864_664_7, -0.393_469_33, 1.5]);
        near(F::Celu { alpha: 2.0 }, [-1.264_241_1, -0.442_398_43, 1.5]);
        near(F::Round, [-2.0, -0.0, 2.0]);
    }

    #[test]
    fn chains_of_x_are_made_of_themselves() {
        // GELU as exporters write it.
        let erf = vec![
            F::Mul {
                value: std::f32::consts::FRAC_1_SQRT_2,
            },
            F::Erf,
            F::Add { value: 1.0 },
        ];
        let gelu = F::Product {
            left: Vec::new(),
            right: erf,
        };
        for x in [-3.0f32, -0.7, 0.0, 0.4, 2.5] {
            let expected = F::Gelu { tanh: false }.of(x);
            assert!((0.5 * gelu.of(x) - expected).abs() < 1e-6, "{x}");
        }
        assert_eq!(gelu.count(), Some(4));
        let mut deep = F::Abs;
        for _ in 0..40 {
            deep = F::Sum {
                left: vec![deep],
                right: Vec::new(),
            };
        }
        assert_eq!(deep.count(), None);
    }
}
