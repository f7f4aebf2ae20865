//! Functions of two elements, named after ONNX's operators.

use serde::{Deserialize, Serialize};

/// A function of two elements, in single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pairwise {
    /// The quotient of integers, its fraction cut off.
    DivInteger,
    /// The larger.
    Max,
    /// The smaller.
    Min,
    /// The remainder of a division, with the sign of the divisor or (`fmod`) of the dividend.
    Mod {
        /// Whether it has the sign of the dividend.
        fmod: bool,
    },
    /// The first to the power of the second.
    Pow,
}

impl Pairwise {
    /// ONNX's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DivInteger => "Div",
            Self::Max => "Max",
            Self::Min => "Min",
            Self::Mod { .. } => "Mod",
            Self::Pow => "Pow",
        }
    }

    /// The value for two elements.
    pub fn of(self, a: f32, b: f32) -> f32 {
        match self {
            // Of integers below 2^24 no quotient is rounded up to a whole number.
            Self::DivInteger => (a / b).trunc(),
            Self::Max => a.max(b),
            Self::Min => a.min(b),
            Self::Mod { fmod: true } => a % b,
            Self::Mod { fmod: false } => {
                let rest = a % b;
                if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
                    rest + b
                } else {
                    rest
                }
            }
            Self::Pow => libm::powf(a, b),
        }
    }
}
