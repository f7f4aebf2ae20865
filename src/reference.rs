//! A program against the integer reference, layer by layer.

use crate::{Error, Program};
use std::ops::Range;
use vta_net::quant::{QNet, reference::Reference};
use vta_program::program::Region;
use vta_tensor::host::Tensor;

/// Compares what a program left in DRAM with the integer reference.
#[derive(Debug)]
pub struct Comparer<'a> {
    program: &'a Program,
    net: &'a QNet,
    reference: Reference<'a>,
    /// The layer of each comparison, where it lies, and its tensor in the network.
    places: Vec<Place<'a>>,
}

#[derive(Debug)]
struct Place<'a> {
    layer: &'a str,
    region: &'a Region,
    tensor: usize,
}

/// How a sample compares.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Tensors that were compared.
    pub compared: usize,
    /// The first that differs, in the order of execution.
    pub first: Option<Difference>,
}

/// A difference of the program from the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The layer, or the output of the network.
    pub layer: String,
    /// The tensor.
    pub tensor: String,
    /// Index of the first element that differs, one number for each dimension.
    pub element: Vec<usize>,
    /// Number of elements that differ.
    pub elements: usize,
    /// What the program has there.
    pub program: f32,
    /// What the reference has there.
    pub reference: f32,
}

impl<'a> Comparer<'a> {
    /// Finds which layers can be compared: those whose tensor the network
    /// has, and whose place in DRAM no later layer writes to.
    ///
    /// # Errors
    /// The network breaks a rule.
    pub fn new(program: &'a Program, net: &'a QNet) -> Result<Self, Error> {
        let reference = Reference::new(net)?;
        let block = program.config.block;
        let layers = program.layers.iter().map(|l| (l.name.as_str(), &l.output));
        let outputs = program.outputs.iter().map(|r| ("output", r));
        let all: Vec<(&str, &Region)> = layers.chain(outputs).collect();
        let range = |r: &Region| -> Range<u64> {
            let from = u64::from(r.addr);
            from..from + r.bytes(block).unwrap_or(0)
        };
        let mut places = Vec::new();
        for (i, &(layer, region)) in all.iter().enumerate() {
            let mine = range(region);
            let overwritten = all[i + 1..].iter().any(|(_, later)| {
                let theirs = range(later);
                let overlap = mine.start < theirs.end && theirs.start < mine.end;
                overlap && later.tensor != region.tensor
            });
            let tensor = net.tensors.iter().position(|t| t.name == region.tensor);
            if let (false, Some(tensor)) = (overwritten, tensor) {
                places.push(Place {
                    layer,
                    region,
                    tensor,
                });
            }
        }
        Ok(Self {
            program,
            net,
            reference,
            places,
        })
    }

    /// Compares one sample with what DRAM holds after the program ran on it.
    ///
    /// # Errors
    /// The reference cannot be computed.
    pub fn compare(&self, sample: &[Tensor], dram: &[u8]) -> Result<Verdict, Error> {
        let trace = self.reference.trace(sample)?;
        let mut verdict = Verdict {
            compared: 0,
            first: None,
        };
        for place in &self.places {
            let Some(expected) = &trace[place.tensor] else {
                continue;
            };
            let found = place.region.read(dram, self.program.config.block)?;
            verdict.compared += 1;
            let dims = &self.net.tensors[place.tensor].dims;
            if let Some(d) = difference(place, dims, &found, expected) {
                verdict.first = Some(d);
                break;
            }
        }
        Ok(verdict)
    }
}

fn difference(
    place: &Place<'_>,
    dims: &[usize],
    found: &Tensor,
    expected: &Tensor,
) -> Option<Difference> {
    let (found, expected) = (flat(found), flat(expected));
    let at = |i: usize, all: &[f32]| all.get(i).copied().unwrap_or(f32::NAN);
    let differ = |i: &usize| at(*i, &found).to_bits() != at(*i, &expected).to_bits();
    let all = 0..found.len().max(expected.len());
    let first = all.clone().find(differ)?;
    Some(Difference {
        layer: place.layer.into(),
        tensor: place.region.tensor.clone(),
        element: index(first, dims),
        elements: all.filter(differ).count(),
        program: at(first, &found),
        reference: at(first, &expected),
    })
}

/// Elements row by row; an int8 is a float of the same value.
fn flat(tensor: &Tensor) -> Vec<f32> {
    match tensor {
        Tensor::F32(a) => a.iter().copied().collect(),
        Tensor::I8(a) => a.iter().map(|q| f32::from(*q)).collect(),
    }
}

/// The index of an element, one number for each dimension.
fn index(mut at: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (i, d) in index.iter_mut().zip(dims).rev() {
        *i = at % d.max(&1);
        at /= d.max(&1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_row_by_row() {
        assert_eq!(index(0, &[1, 2, 3]), [0, 0, 0]);
        assert_eq!(index(5, &[1, 2, 3]), [0, 1, 2]);
        assert_eq!(index(3, &[1, 2, 3]), [0, 1, 0]);
    }
}
