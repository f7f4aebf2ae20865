//! Whose weights lie where, and which of them are pruned.

use vta_program::program::{Layer, Program, WeightMap};

/// A weight element of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    /// Index of the layer.
    pub layer: u32,
    /// The element in the layer's weights.
    pub element: u32,
}

/// The weights of all layers.
#[derive(Debug)]
pub(super) struct Weights<'a> {
    layers: &'a [Layer],
    /// First byte, first byte after, layer; in order.
    ranges: Vec<(u64, u64, u32)>,
    element_bytes: u64,
}

impl<'a> Weights<'a> {
    pub fn new(program: &'a Program) -> Self {
        let element_bytes = u64::from(program.config.wgt_bytes());
        let maps = (0..).zip(&program.layers);
        let maps = maps.filter_map(|(i, l)| l.weights.as_ref().map(|w| (i, w)));
        let ranges = maps.map(|(i, w)| {
            let from = u64::from(w.addr);
            (from, from + u64::from(w.count) * element_bytes, i)
        });
        let mut ranges: Vec<_> = ranges.collect();
        ranges.sort_unstable();
        Self {
            layers: &program.layers,
            ranges,
            element_bytes,
        }
    }

    fn map(&self, layer: u32) -> Option<&'a WeightMap> {
        self.layers[layer as usize].weights.as_ref()
    }

    /// The layer that the element at a byte address is of.
    pub fn owner(&self, addr: u64) -> Option<Owner> {
        let below = self.ranges.partition_point(|r| r.0 <= addr);
        let range = self.ranges[..below].iter().rev().find(|r| addr < r.1)?;
        Some(Owner {
            layer: range.2,
            element: ((addr - range.0) / self.element_bytes) as u32,
        })
    }

    /// The element of this layer at a byte address.
    pub fn own(&self, layer: u32, addr: u64) -> Option<Owner> {
        let w = self.map(layer)?;
        let offset = addr.checked_sub(w.addr.into())? / self.element_bytes;
        (offset < w.count.into()).then_some(Owner {
            layer,
            element: offset as u32,
        })
    }

    /// The block of an element, if it is pruned.
    pub fn pruned(&self, of: Owner) -> Option<u32> {
        let w = self.map(of.layer)?;
        let block = *w.block_of.get(of.element as usize)?;
        let digit = w.mask.as_bytes().get(block as usize)?;
        (*digit != b'1').then_some(block)
    }

    /// Whether the layer has a mask.
    pub fn masked(&self, layer: u32) -> bool {
        self.map(layer).is_some_and(|w| !w.mask.is_empty())
    }

    /// Name of a layer.
    pub fn name(&self, layer: u32) -> String {
        self.layers[layer as usize].name.clone()
    }
}
