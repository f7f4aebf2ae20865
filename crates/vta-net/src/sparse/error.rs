//! What is wrong with masks.

/// Masks that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MaskError {
    /// Not a file in the `safetensors` format.
    #[error("not a mask file: {0}")]
    Format(String),
    /// One tensor of the file is described wrongly.
    #[error("mask {key}: {what}")]
    Entry {
        /// The key.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// A key that is no weight of the model.
    #[error("mask {key}: the model has no such weight")]
    Unknown {
        /// The key.
        key: String,
        /// The weight with the most similar name.
        nearest: Option<String>,
        /// All weights that can have masks.
        weights: Vec<String>,
    },
    /// A mask whose dimensions are not its layer's.
    #[error(
        "mask {key} is {}, but its weight {} needs {}",
        dims(found),
        dims(weight),
        dims(expected)
    )]
    Shape {
        /// The key.
        key: String,
        /// Dimensions in the file.
        found: Vec<usize>,
        /// Dimensions of the weight, `[co, ci / groups, kh, kw]`.
        weight: Vec<usize>,
        /// Dimensions that the mask must have.
        expected: Vec<usize>,
    },
    /// A value that is neither 0 nor 1.
    #[error("mask {key}: block {} is {value}, not 0 or 1", dims(block))]
    Value {
        /// The key.
        key: String,
        /// Where, in the mask's dimensions.
        block: Vec<usize>,
        /// The value.
        value: u8,
    },
    /// A density that is no fraction.
    #[error("density {0} is not from 0 to 1")]
    Density(f64),
}

impl MaskError {
    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Format(_) => Some("a mask file is safetensors; docs/masks.md says how to write one".into()),
            Self::Unknown {
                nearest: Some(name), ..
            } => Some(format!("did you mean {name}?")),
            Self::Unknown { weights, .. } if weights.is_empty() => {
                Some("the model has no layer that can have a mask".into())
            }
            Self::Unknown { weights, .. } => {
                let shown: Vec<&str> = weights.iter().take(20).map(String::as_str).collect();
                let more = if weights.len() > shown.len() { ", ..." } else { "" };
                Some(format!("its weights are {}{more}", shown.join(", ")))
            }
            Self::Shape { .. } => Some(
                "a mask has one value for each 32x32 block: output channels first, then input channels of a group, then kernel rows and columns".into(),
            ),
            Self::Entry { .. } | Self::Value { .. } | Self::Density(_) => None,
        }
    }
}

/// `[1, 2]`.
fn dims(dims: &[usize]) -> String {
    format!("{dims:?}")
}
