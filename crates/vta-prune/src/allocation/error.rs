//! What is wrong with a sparsity allocation.

/// A sparsity allocation or a budget that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AllocationError {
    /// A budget below what the floors of the layers cost.
    #[error(
        "a budget of {budget:.0} {unit} cannot be met: with every layer at its least it is {least:.0}"
    )]
    Least {
        /// The budget.
        budget: f64,
        /// The least that is possible.
        least: f64,
        /// What is counted.
        unit: &'static str,
    },
    /// A budget that is no number, or negative.
    #[error("a budget of {0} makes no sense")]
    Budget(f64),
    /// A layer that the table of cycles does not have.
    #[error("layer {layer}: the cost table has no cycles of weight {weight_name}")]
    NoCycles {
        /// The layer.
        layer: String,
        /// Its weight.
        weight_name: String,
    },
    /// A layer of which the table has another number of blocks.
    #[error("layer {layer}: the cost table has {got} blocks, the layer {want}")]
    OtherBlocks {
        /// The layer.
        layer: String,
        /// Blocks of the layer.
        want: u64,
        /// Blocks in the table.
        got: u64,
    },
    /// A text that is no table of sparsities.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What was expected.
        what: String,
    },
    /// A rate of a layer that the network does not have.
    #[error("rate of {name}: the network has no such layer")]
    Unknown {
        /// The name.
        name: String,
        /// The layers that it has.
        layers: Vec<String>,
    },
    /// A layer with two rates, one by its node, one by its weight.
    #[error("rate of {name}: its layer has one already")]
    Twice {
        /// The second name.
        name: String,
    },
    /// A rate of a layer that stays dense.
    #[error("rate of {name}: the layer stays dense ({why})")]
    StaysDense {
        /// The name.
        name: String,
        /// Why.
        why: String,
    },
    /// A rate that is no fraction.
    #[error("rate of {name}: {rate} is not from 0 to 1")]
    Rate {
        /// The layer.
        name: String,
        /// The rate.
        rate: f64,
    },
}

impl AllocationError {
    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Least { .. } => {
                Some("layers keep a tenth of their blocks, and some stay dense; --floor and --keep-dense change that".into())
            }
            Self::NoCycles { .. } | Self::OtherBlocks { .. } => {
                Some("the table is of another network; `vta cost MODEL -o FILE` makes one".into())
            }
            Self::Unknown { layers, .. } => Some(format!("its layers are {}", layers.join(", "))),
            Self::Json { .. } => {
                Some("rates are a JSON object: the name of a layer, and what fraction of its blocks is dropped".into())
            }
            Self::Budget(_) | Self::Rate { .. } | Self::StaysDense { .. } | Self::Twice { .. } => None,
        }
    }
}
