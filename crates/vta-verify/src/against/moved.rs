//! Depth to space and permutations of channels: each lane is one element of the operand.

use super::canonical::Linear;
use super::expr::Vector;
use super::flaw::Flaw;
use super::layer::{Layers, Place, Scene};
use vta_net::quant::Map;

/// What a `Rearrange` does.
#[derive(Clone, Copy)]
pub(super) struct Rearranged<'a> {
    pub split: &'a [usize],
    pub perm: &'a [usize],
}

impl Rearranged<'_> {
    /// Which element of the operand, counted row by row, an element of the result is.
    fn source(&self, mut at: usize) -> usize {
        let mut index = vec![0; self.split.len()];
        for &axis in self.perm.iter().rev() {
            let extent = self.split[axis];
            index[axis] = at % extent;
            at /= extent;
        }
        let pairs = index.iter().zip(self.split);
        pairs.fold(0, |sum, (i, extent)| sum * extent + i)
    }
}

impl Layers<'_> {
    /// Whether each lane of a sum is the element that belongs there.
    pub(super) fn rearranged(
        &self,
        how: Rearranged<'_>,
        sum: &Linear,
        (planes, from, to): (&[u32], Map, Map),
        (place, lanes): (Place, usize),
        scene: Scene<'_>,
    ) -> Result<(), Flaw> {
        if !sum.nested.is_empty() || sum.constant[..lanes].iter().any(|c| *c != 0) {
            return Err(Flaw::Moved(None));
        }
        let block = self.block;
        let bytes = (block * block) as u64;
        let expected = (0..lanes).map(|lane| {
            let channel = place.block * block + lane;
            let source = how.source((channel * to.h + place.y) * to.w + place.x);
            let (channel, pixel) = (source / from.plane(), source % from.plane());
            let plane = planes.get(channel / block).copied().unwrap_or(u32::MAX);
            let pixel = pixel as u32;
            (Vector { plane, pixel }, channel % block)
        });
        let expected: Vec<(Vector, usize)> = expected.collect();
        let mut found = vec![0_usize; lanes];
        for term in sum.terms() {
            let other = || Flaw::Moved(Some(scene.tensors.words(term.inp)));
            let element = scene.memory.image(u64::from(term.wgt) * bytes, bytes);
            if element.is_empty() {
                return Err(other());
            }
            for (lane, row) in element.chunks_exact(block).take(lanes).enumerate() {
                for (c, _) in row.iter().enumerate().filter(|(_, w)| **w != 0) {
                    if row[c] != 1 || expected[lane] != (term.inp, c) {
                        return Err(other());
                    }
                    found[lane] += 1;
                }
            }
        }
        match found.iter().all(|n| *n == 1) {
            true => Ok(()),
            false => Err(Flaw::Moved(None)),
        }
    }
}
