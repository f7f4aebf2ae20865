//! Exponents that are given: read out of an integer network, or from `quantisation.json`.

use super::net::{QConv, QNet, QOp, QTensorId, QType};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use vta_tensor::host::HostOp;
use vta_tensor::printable::without_place;

/// The `format` of every file.
const FORMAT: &str = "vta-quantisation";
/// The version without factors.
const VERSION: u32 = 1;
/// The version with factors.
const WITH_FACTORS: u32 = 2;
/// What exponents of tensors may be.
const TENSORS: std::ops::RangeInclusive<i32> = -100..=100;
/// What exponents of weights may be: tensors' differences, and shifts of up to 31.
const WEIGHTS: std::ops::RangeInclusive<i32> = -231..=200;

/// The exponents of a network's int8 values: a value is a whole number times `2^exponent`.
///
/// A tensor that is not here is not rounded: the device has it only inside a
/// sum, or the host has it in single precision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exponents {
    /// Of inputs and results, by the graph's name of the tensor.
    pub tensors: BTreeMap<String, i32>,
    /// Of weights, by name: one for all, or one for each output channel.
    pub weights: BTreeMap<String, Vec<i32>>,
    /// By what tensors are multiplied before they are rounded, where it is not 1.
    pub factors: BTreeMap<String, f32>,
}

/// Why exponents cannot be read or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExponentsError {
    /// Not the JSON of exponents.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What was expected.
        what: String,
    },
    /// Something else, or another version.
    #[error(
        "format {format:?} version {version}, not {FORMAT:?} version {VERSION}, or {WITH_FACTORS} with factors"
    )]
    Format {
        /// Its format.
        format: String,
        /// Its version.
        version: u32,
    },
    /// An exponent that no network has.
    #[error("`{name}`: exponent {exponent} is out of range")]
    Range {
        /// The tensor or weight.
        name: String,
        /// Its exponent.
        exponent: i32,
    },
    /// A factor that no network has, or where there can be none: tensors of one group
    /// have the same, and those that the host converts have none.
    #[error("`{name}` cannot have a factor of {factor}")]
    Factor {
        /// The tensor.
        name: String,
        /// Its factor.
        factor: String,
    },
    /// A name that the network does not have.
    #[error("the network has no {what} `{name}`")]
    Unknown {
        /// `tensor` or `weight`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A tensor or weight that is rounded has no exponent.
    #[error("{what} `{name}` has no exponent")]
    Missing {
        /// `tensor` or `weight`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two tensors that are the same on the device have two exponents.
    #[error("tensors `{one}` and `{other}` must have the same exponent")]
    Apart {
        /// One of them.
        one: String,
        /// The other.
        other: String,
    },
    /// Neither one exponent nor one for each output channel.
    #[error("weight `{name}` has {got} exponents, not 1 or {channels}")]
    Channels {
        /// The weight.
        name: String,
        /// Its output channels.
        channels: usize,
        /// Exponents that are there.
        got: usize,
    },
    /// No shift gets from the sums of a layer to its result.
    #[error("node `{node}`: exponents {from} of its {what} and {to} of its sum are too far apart")]
    Shift {
        /// Name of the node.
        node: String,
        /// `products` or `second operand`.
        what: &'static str,
        /// Exponent of those.
        from: i64,
        /// Exponent of the sum.
        to: i64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    tensors: BTreeMap<String, i32>,
    weights: BTreeMap<String, Vec<i32>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    factors: BTreeMap<String, f32>,
}

/// The version of a file.
fn version(factors: &BTreeMap<String, f32>) -> u32 {
    if factors.is_empty() {
        VERSION
    } else {
        WITH_FACTORS
    }
}

impl Exponents {
    /// The exponents that a network was quantised with.
    ///
    /// Where two layers have the same weight, its exponent is the larger one of
    /// the two, as far as shifts of both allow.
    pub fn of(net: &QNet) -> Self {
        let mut out = Self::default();
        // The largest exponent that a weight may have.
        let mut most: BTreeMap<&str, i32> = BTreeMap::new();
        let names = names_of(net);
        for (tensor, name) in net.tensors.iter().zip(&names) {
            if let QType::Int8 { exponent } = tensor.ty {
                out.tensors.insert((*name).to_owned(), exponent);
            }
        }
        let factors = net.factors.iter();
        out.factors = factors.map(|(t, f)| (names[t.0].to_owned(), *f)).collect();
        let exponent = |t: QTensorId| match net.tensor(t).ty {
            QType::Int8 { exponent } => exponent,
            QType::Float => 0,
        };
        for node in &net.nodes {
            let QOp::Conv(conv) = &node.op else { continue };
            if conv.weight_name.is_empty() {
                continue;
            }
            let input = node.inputs.first().map_or(0, |t| exponent(*t));
            let coarsest = exponent(node.output) - i32::from(conv.post_shift) - input;
            let mut own = shifts(conv).map(|s| coarsest - s).collect::<Vec<_>>();
            let name = conv.weight_name.as_str();
            let most = most.entry(name).or_insert(coarsest);
            *most = coarsest.min(*most);
            if let Some(other) = out.weights.get(name) {
                for (i, e) in own.iter_mut().enumerate() {
                    let other = other.get(i).or(other.first()).copied();
                    *e = other.map_or(*e, |o| o.max(*e)).min(*most);
                }
            }
            if own.windows(2).all(|e| e[0] == e[1]) {
                own.truncate(1);
            }
            out.weights.insert(name.to_owned(), own);
        }
        out
    }

    /// The exponents as JSON text.
    pub fn to_json(&self) -> String {
        let file = File {
            format: FORMAT.into(),
            version: version(&self.factors),
            tensors: self.tensors.clone(),
            weights: self.weights.clone(),
            factors: self.factors.clone(),
        };
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }

    /// Reads JSON text.
    ///
    /// # Errors
    /// A text that is something else, an exponent that no network has.
    pub fn from_json(text: &str) -> Result<Self, ExponentsError> {
        let file: File = serde_json::from_str(text).map_err(|e| ExponentsError::Json {
            line: e.line(),
            column: e.column().max(1),
            what: without_place(&e.to_string(), e.line(), e.column()).into(),
        })?;
        if file.format != FORMAT || file.version != version(&file.factors) {
            let (format, version) = (file.format, file.version);
            return Err(ExponentsError::Format { format, version });
        }
        let tensors = file.tensors.iter().map(|(n, e)| (n, *e, &TENSORS));
        let weights = file.weights.iter();
        let weights = weights.flat_map(|(n, e)| e.iter().map(move |e| (n, *e, &WEIGHTS)));
        for (name, exponent, range) in tensors.chain(weights) {
            if !range.contains(&exponent) {
                let name = name.clone();
                return Err(ExponentsError::Range { name, exponent });
            }
        }
        let tame = |f: f32| (2_f32.powi(-20)..=2_f32.powi(20)).contains(&f);
        if let Some((name, factor)) = file.factors.iter().find(|(_, f)| !tame(**f)) {
            return Err(ExponentsError::Factor {
                name: name.clone(),
                factor: factor.to_string(),
            });
        }
        Ok(Self {
            tensors: file.tensors,
            weights: file.weights,
            factors: file.factors,
        })
    }

    /// A weight's exponents, one for each of its output channels.
    ///
    /// # Errors
    /// None, or another number of them.
    pub(super) fn of_weight(
        &self,
        name: &str,
        channels: usize,
    ) -> Result<Vec<i32>, ExponentsError> {
        let own = self.weights.get(name);
        let own = own.ok_or_else(|| ExponentsError::Missing {
            what: "weight",
            name: name.to_owned(),
        })?;
        match own[..] {
            [one] => Ok(vec![one; channels]),
            _ if own.len() == channels => Ok(own.clone()),
            _ => Err(ExponentsError::Channels {
                name: name.to_owned(),
                channels,
                got: own.len(),
            }),
        }
    }
}

/// The shift of each output channel.
fn shifts(conv: &QConv) -> impl Iterator<Item = i32> + '_ {
    (0..conv.bias.len()).map(|c| i32::from(conv.shift.of(c)))
}

/// The graph's name of each tensor that is int8: where a value exists in both forms,
/// the tensor in single precision has it.
fn names_of(net: &QNet) -> Vec<&str> {
    let outputs: BTreeSet<QTensorId> = net.outputs.iter().copied().collect();
    let mut other: Vec<Option<QTensorId>> = vec![None; net.tensors.len()];
    for n in &net.nodes {
        let pair = match n.op {
            QOp::Host(HostOp::Quantize { .. }) => n.inputs.first().map(|x| (n.output, *x)),
            QOp::Host(HostOp::Dequantize { .. }) if outputs.contains(&n.output) => {
                n.inputs.first().map(|x| (*x, n.output))
            }
            _ => None,
        };
        // The first says it.
        if let Some((t, named)) = pair {
            other[t.0].get_or_insert(named);
        }
    }
    let name = |(t, other): (usize, Option<QTensorId>)| {
        let t = other.unwrap_or(QTensorId(t));
        net.tensor(t).name.as_str()
    };
    other.into_iter().enumerate().map(name).collect()
}
