//! How a program differs from its network.

use crate::names::InsnAt;
use std::fmt;
use std::ops::Range;

/// A vector of outputs that is not what the network says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layer {layer}, {}, launch {}, {at}: {flaw}", self.element(), at.launch)]
pub struct Mismatch {
    /// Name of the node.
    pub layer: String,
    /// Channels of the vector, as many as the tensor has.
    pub channels: Range<usize>,
    /// Row.
    pub y: usize,
    /// Column.
    pub x: usize,
    /// The store.
    pub at: InsnAt,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl Mismatch {
    /// The element that is wrong, or the vector where all of it is.
    fn element(&self) -> String {
        let (y, x) = (self.y, self.x);
        match self.flaw.channel() {
            Some(c) => format!("output [{c}, {y}, {x}]"),
            None => format!(
                "outputs [{}..{}, {y}, {x}]",
                self.channels.start, self.channels.end
            ),
        }
    }
}

/// An element of a tensor, or a vector of them, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// Channels of a pixel of a tensor.
    Pixel {
        /// Name of the tensor.
        tensor: String,
        /// The channels.
        channels: Range<usize>,
        /// Row.
        y: usize,
        /// Column.
        x: usize,
    },
    /// Bytes of a tensor that is no map.
    Tensor(String),
    /// Bytes that no step of the program wrote.
    Unwritten,
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixel {
                tensor,
                channels,
                y,
                x,
            } => write!(
                f,
                "{tensor}[{}..{}, {y}, {x}]",
                channels.start, channels.end
            ),
            Self::Tensor(name) => write!(f, "bytes of {name}"),
            Self::Unwritten => f.write_str("bytes that are no tensor's"),
        }
    }
}

/// What is wrong with an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// A product with a weight that is not the network's.
    Weight {
        /// Output channel.
        channel: usize,
        /// Input channel, of the operand that the layer reads.
        input: usize,
        /// Row and column in the kernel.
        kernel: [usize; 2],
        /// The weight in DRAM.
        found: i8,
        /// The network's.
        expected: i8,
    },
    /// A product that is not of this output.
    Stray(Operand),
    /// A product that is there more than once.
    Twice {
        /// The operand.
        of: Operand,
        /// Row and column in the kernel.
        kernel: [usize; 2],
    },
    /// Products of a kept block that are missing.
    Missing {
        /// Input channels.
        inputs: Range<usize>,
        /// Row and column in the kernel.
        kernel: [usize; 2],
    },
    /// A value that is not the sum's start.
    Bias {
        /// Output channel.
        channel: usize,
        /// The program's, with the rounding of all shifts.
        found: i32,
        /// The network's.
        expected: i32,
    },
    /// Another shift.
    Shift {
        /// Output channel.
        channel: usize,
        /// The program's.
        found: u8,
        /// The network's.
        expected: u8,
    },
    /// Other limits.
    Limits {
        /// The program's.
        found: (i32, i32),
        /// The network's.
        expected: (i32, i32),
    },
    /// Another slope below zero: shifts of its terms.
    Slope {
        /// The program's.
        found: Vec<u8>,
        /// The network's.
        expected: Vec<u8>,
    },
    /// The second operand of a sum is missing, or is another.
    Residual(Option<Operand>),
    /// A value that is not in the window of a pool.
    OutsideWindow(Option<Operand>),
    /// A position of a pool's window that is not compared.
    NotCompared {
        /// Row.
        y: usize,
        /// Column.
        x: usize,
    },
    /// Not the element of the operand that belongs there.
    Moved(Option<Operand>),
    /// An input that has another share of a mean.
    Share {
        /// The input.
        of: Operand,
        /// The program's: parts of how many.
        found: (i64, i64),
        /// The network's.
        expected: (i64, i64),
    },
    /// Arithmetic that is not the layer's.
    Arithmetic(&'static str),
}

impl Flaw {
    /// The channel, where it is one.
    const fn channel(&self) -> Option<usize> {
        match self {
            Self::Weight { channel, .. }
            | Self::Bias { channel, .. }
            | Self::Shift { channel, .. } => Some(*channel),
            _ => None,
        }
    }
}

fn operand(of: Option<&Operand>) -> String {
    of.map_or_else(|| "something else".into(), ToString::to_string)
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weight {
                input,
                kernel: [ky, kx],
                found,
                expected,
                ..
            } => write!(
                f,
                "the weight of input channel {input} at kernel [{ky}, {kx}] is {found}, the network's is {expected}"
            ),
            Self::Stray(of) => write!(f, "a product with {of} does not belong to it"),
            Self::Twice {
                of,
                kernel: [ky, kx],
            } => write!(
                f,
                "the product with {of} at kernel [{ky}, {kx}] is there twice"
            ),
            Self::Missing {
                inputs,
                kernel: [ky, kx],
            } => write!(
                f,
                "products of input channels {}..{} at kernel [{ky}, {kx}] are missing",
                inputs.start, inputs.end
            ),
            Self::Bias {
                found, expected, ..
            } => write!(
                f,
                "the sum starts from {found}, the network's bias with its rounding is {expected}"
            ),
            Self::Shift {
                found, expected, ..
            } => write!(f, "shifted by {found}, by the network {expected}"),
            Self::Limits { found, expected } => write!(
                f,
                "limited to {}..={}, by the network to {}..={}",
                found.0, found.1, expected.0, expected.1
            ),
            Self::Slope { found, expected } => {
                write!(
                    f,
                    "the slope below zero has shifts {found:?}, the network's {expected:?}"
                )
            }
            Self::Residual(None) => f.write_str("the second operand is not added once"),
            Self::Residual(Some(of)) => {
                write!(f, "{of} is added, which is not the second operand there")
            }
            Self::OutsideWindow(of) => write!(
                f,
                "compares {}, which is not in the window",
                operand(of.as_ref())
            ),
            Self::NotCompared { y, x } => {
                write!(f, "row {y}, column {x} of the window is not compared")
            }
            Self::Moved(of) => write!(
                f,
                "holds {}, which does not belong there",
                operand(of.as_ref())
            ),
            Self::Share {
                of,
                found,
                expected,
            } => write!(
                f,
                "{of} has {} of {} parts, by the network {} of {}",
                found.0, found.1, expected.0, expected.1
            ),
            Self::Arithmetic(what) => f.write_str(what),
        }
    }
}
