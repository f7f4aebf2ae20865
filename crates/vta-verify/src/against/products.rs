//! The products of a convolution's sums: which weight element belongs to which
//! operand of which output.

use super::canonical::Linear;
use super::expr::Term;
use super::flaw::Flaw;
use super::memory::Memory;
use super::tensors::Tensors;
use std::collections::HashMap;
use std::ops::Range;
use vta_net::graph::Window;
use vta_net::quant::{Map, QConv};

/// A weight of `[co, ci / groups, kh, kw]` as elements of the device, against
/// what lies in DRAM.
#[derive(Debug)]
pub(super) struct Products {
    /// Row by row.
    weights: Vec<i8>,
    co: usize,
    /// Output and input channels of a group.
    group: [usize; 2],
    window: Window,
    input: Map,
    block: usize,
    /// For each plane of the operand its blocks: a tensor may be there twice.
    blocks_of: HashMap<u32, Vec<usize>>,
    /// For each output block the input blocks that its groups read, and its first element.
    bands: Vec<(Range<usize>, usize)>,
    /// Elements in which the network has more than zeros.
    needed: Vec<bool>,
    /// How many of them each output block has.
    needed_of: Vec<usize>,
    /// For each element, a place in DRAM that holds it.
    held: Vec<Option<u32>>,
    /// The number of the sum in which it was last seen.
    seen: Vec<u64>,
    sum: u64,
    /// How many elements with more than zeros it has so far.
    found: usize,
}

/// An element: output block, input block, kernel row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    ob: usize,
    ib: usize,
    kernel: [usize; 2],
}

impl Products {
    /// Of a convolution of a map with these planes.
    pub fn new(conv: &QConv, planes: &[u32], input: Map, block: usize) -> Self {
        let (co, ci_g, ..) = conv.weight.dim();
        let group = [(co / conv.groups.max(1)).max(1), ci_g];
        Self::of(conv, conv.window, group, planes, input, block)
    }

    /// Of the same convolution of what the host laid out: channel
    /// `(c * kh + ky) * kw + kx` is what kernel position (ky, kx) meets.
    pub fn of_im2col(conv: &QConv, planes: &[u32], input: Map, block: usize) -> Self {
        let (co, ci, kh, kw) = conv.weight.dim();
        let group = [co.max(1), ci * kh * kw];
        Self::of(conv, Window::POINT, group, planes, input, block)
    }

    fn of(
        conv: &QConv,
        window: Window,
        group: [usize; 2],
        planes: &[u32],
        input: Map,
        block: usize,
    ) -> Self {
        let co = conv.weight.dim().0;
        let [kh, kw] = window.kernel;
        let [co_g, ci_g] = group;
        let mut blocks_of: HashMap<u32, Vec<usize>> = HashMap::new();
        for (b, plane) in planes.iter().enumerate() {
            blocks_of.entry(*plane).or_default().push(b);
        }
        let mut bands = Vec::new();
        let mut elements = 0;
        for ob in 0..co.div_ceil(block) {
            let outs = ob * block..(ob * block + block).min(co);
            let first = outs.start / co_g * ci_g;
            let last = ((outs.end - 1) / co_g + 1) * ci_g;
            let ins = first / block..last.div_ceil(block);
            let count = ins.len() * kh * kw;
            bands.push((ins, elements));
            elements += count;
        }
        let mut products = Self {
            weights: conv.weight.iter().copied().collect(),
            co,
            group,
            window,
            input,
            block,
            blocks_of,
            needed_of: vec![0; bands.len()],
            bands,
            needed: vec![false; elements],
            held: vec![None; elements],
            seen: vec![0; elements],
            sum: 0,
            found: 0,
        };
        products.find_needed();
        products
    }

    fn find_needed(&mut self) {
        let [kh, kw] = self.window.kernel;
        let [co_g, ci_g] = self.group;
        let area = kh * kw;
        for (row, values) in self.weights.chunks_exact((ci_g * area).max(1)).enumerate() {
            let ob = row / self.block;
            let (band, first) = &self.bands[ob];
            for (local, kernel) in values.chunks_exact(area.max(1)).enumerate() {
                let ib = (row / co_g * ci_g + local) / self.block - band.start;
                let at = first + ib * area;
                for (k, w) in kernel.iter().enumerate() {
                    if *w != 0 && !self.needed[at + k] {
                        self.needed[at + k] = true;
                        self.needed_of[ob] += 1;
                    }
                }
            }
        }
    }

    /// Index of an element; none where no group joins its blocks.
    fn index(&self, at: At) -> Option<usize> {
        let (band, first) = &self.bands[at.ob];
        let [kh, kw] = self.window.kernel;
        let ib = at.ib.checked_sub(band.start).filter(|_| at.ib < band.end)?;
        Some(first + (ib * kh + at.kernel[0]) * kw + at.kernel[1])
    }

    /// The network's weight of an output channel and a channel of the operand.
    fn weight(&self, o: usize, c: usize, [ky, kx]: [usize; 2]) -> i8 {
        let [co_g, ci_g] = self.group;
        let [kh, kw] = self.window.kernel;
        let local = c.checked_sub(o / co_g * ci_g).filter(|l| *l < ci_g);
        local.map_or(0, |l| self.weights[((o * ci_g + l) * kh + ky) * kw + kx])
    }

    /// Whether an element in DRAM is the network's.
    fn compare(&self, at: At, element: &[u8]) -> Result<(), Flaw> {
        let block = self.block;
        let outs = at.ob * block..(at.ob * block + block).min(self.co);
        for (o, row) in outs.zip(element.chunks_exact(block)) {
            for (c, found) in (at.ib * block..).zip(row) {
                let (found, expected) = (found.cast_signed(), self.weight(o, c, at.kernel));
                if found != expected {
                    return Err(Flaw::Weight {
                        channel: o,
                        input: c,
                        kernel: at.kernel,
                        found,
                        expected,
                    });
                }
            }
        }
        Ok(())
    }

    /// The kernel position along an axis at which an output meets an input.
    fn kernel(&self, axis: usize, output: usize, input: usize) -> Option<usize> {
        let a = self.window.axis(axis);
        let offset = (input + a.before).checked_sub(output * a.stride)?;
        let k = offset / a.dilation.max(1);
        (offset.is_multiple_of(a.dilation.max(1)) && k < a.kernel).then_some(k)
    }

    /// The kernel position with which a pixel belongs to an output.
    fn position(&self, pixel: u32, [y, x]: [usize; 2]) -> Option<[usize; 2]> {
        let (iy, ix) = (pixel as usize / self.input.w, pixel as usize % self.input.w);
        Some([self.kernel(0, y, iy)?, self.kernel(1, x, ix)?])
    }

    /// Takes a product into the sum. One that belongs to several blocks of the
    /// operand goes where there is none yet: their elements are the same.
    ///
    /// # Errors
    /// Why it is none of the output's; nothing where it is of another pixel or tensor.
    fn take(
        &mut self,
        term: Term,
        (ob, y, x): (usize, usize, usize),
        memory: &Memory,
        tensors: &Tensors,
    ) -> Result<(), Option<Flaw>> {
        let kernel = self.position(term.inp.pixel, [y, x]).ok_or(None)?;
        let mut refused = None;
        for n in 0.. {
            let blocks = self.blocks_of.get(&term.inp.plane);
            let Some(&ib) = blocks.and_then(|b| b.get(n)) else {
                break;
            };
            let at = At { ob, ib, kernel };
            let Some(index) = self.index(at) else {
                continue;
            };
            if self.held[index] != Some(term.wgt) {
                let bytes = (self.block * self.block) as u64;
                let element = memory.image(u64::from(term.wgt) * bytes, bytes);
                if let Err(flaw) = self.compare(at, element) {
                    refused = refused.or(Some(flaw));
                    continue;
                }
                self.held[index] = Some(term.wgt);
            }
            if !self.needed[index] {
                return Ok(());
            }
            if self.seen[index] == self.sum {
                let of = tensors.words(term.inp);
                refused = refused.or(Some(Flaw::Twice { of, kernel }));
                continue;
            }
            self.seen[index] = self.sum;
            self.found += 1;
            return Ok(());
        }
        Err(refused)
    }

    /// Kernel positions along an axis that meet an input at an output.
    fn met(&self, axis: usize, output: usize) -> impl Iterator<Item = usize> {
        let a = self.window.axis(axis);
        let inputs = [self.input.h, self.input.w][axis];
        (0..a.kernel).filter(move |k| a.input(output, *k).is_some_and(|i| i < inputs))
    }

    /// Elements with more than zeros that an output needs.
    fn needed_at(&self, ob: usize, [y, x]: [usize; 2]) -> usize {
        let whole = [(0, y), (1, x)]
            .iter()
            .all(|&(axis, o)| self.met(axis, o).count() == self.window.kernel[axis]);
        if whole {
            return self.needed_of[ob];
        }
        let missing = self.elements_at(ob, [y, x]);
        missing.filter(|(i, _)| self.needed[*i]).count()
    }

    /// Elements that an output meets.
    fn elements_at(&self, ob: usize, [y, x]: [usize; 2]) -> impl Iterator<Item = (usize, At)> {
        let (band, _) = &self.bands[ob];
        let columns: Vec<usize> = self.met(1, x).collect();
        let rows: Vec<usize> = self.met(0, y).collect();
        band.clone().flat_map(move |ib| {
            let columns = columns.clone();
            let all = rows.clone().into_iter().flat_map(move |ky| {
                let row = columns.clone().into_iter();
                row.map(move |kx| At {
                    ob,
                    ib,
                    kernel: [ky, kx],
                })
            });
            all.filter_map(|at| Some((self.index(at)?, at)))
        })
    }

    /// Whether these are the products of an output: all that the network has,
    /// and only those. What is no product of it, or a wrong one, goes to `other`.
    ///
    /// # Errors
    /// The first product that is wrong or missing.
    pub fn check(
        &mut self,
        sum: &Linear,
        (ob, y, x): (usize, usize, usize),
        (memory, tensors): (&Memory, &Tensors),
        mut other: impl FnMut(Term, Option<Flaw>) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        self.sum += 1;
        self.found = 0;
        for term in sum.terms() {
            if let Err(flaw) = self.take(term, (ob, y, x), memory, tensors) {
                other(term, flaw)?;
            }
        }
        if self.found == self.needed_at(ob, [y, x]) {
            return Ok(());
        }
        let mut all = self.elements_at(ob, [y, x]);
        let missing = all.find(|(i, _)| self.needed[*i] && self.seen[*i] != self.sum);
        let Some((_, at)) = missing else {
            return Ok(());
        };
        let first = at.ib * self.block;
        let channels = self.group[1] * (self.co / self.group[0]).max(1);
        Err(Flaw::Missing {
            inputs: first..(first + self.block).min(channels),
            kernel: at.kernel,
        })
    }

    /// How many elements with more than zeros the sum had that was checked last.
    pub const fn found(&self) -> usize {
        self.found
    }
}
