//! From a node of the integer network to what the device is to do: weight
//! elements of `block` x `block`, biases with all rounding, maps of vectors.

use crate::fit::{self, DoesNotFit};
use crate::lowered::{LoweredConv, Tile};
use crate::map::{FMap, KernelWindow};
use crate::options::Sparsity;
use ndarray::{Array4, Ix4};
use std::borrow::Cow;
use std::collections::HashMap;
use vta_net::quant::{QConv, Shift};
use vta_net::sparse::{BLOCK, BlockMask, Weight};
use vta_program::isa::FieldRange;

/// A layer's mask in the form that the layer was compiled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerMask {
    /// Blocks that are in the program.
    pub mask: BlockMask,
    /// Whether anything could have been left out.
    pub sparse: bool,
}

impl LayerMask {
    /// Nothing of a layer is dropped.
    pub(crate) fn full(conv: &QConv) -> Self {
        Self {
            mask: BlockMask::full(conv.weight.mask_dims()),
            sparse: false,
        }
    }

    /// Whether anything is left out.
    pub(crate) fn drops(&self) -> bool {
        self.mask.count_kept() < self.mask.blocks()
    }

    /// Whether a block is in the program.
    fn keeps(&self, block: [usize; 4]) -> bool {
        !self.sparse || self.mask.get(block)
    }
}

/// Which 32x32 blocks of a layer are kept.
pub(crate) fn mask_of(conv: &QConv, sparsity: Sparsity) -> LayerMask {
    match conv.weight.mask() {
        Some(mask) if sparsity == Sparsity::Sparse => LayerMask {
            mask: mask.clone(),
            sparse: true,
        },
        _ => LayerMask::full(conv),
    }
}

/// The weights of a packed first layer: `[co, ci * kh * kw, 1, 1]`. Nothing of
/// them is dropped, so a mask keeps all. None where they are no whole array.
pub(crate) fn packed(weight: &Weight<i8, Ix4>) -> Option<Weight<i8, Ix4>> {
    let (co, ci, kh, kw) = weight.dim();
    let flat: Vec<i8> = weight.iter().copied().collect();
    let packed = Array4::from_shape_vec((co, ci * kh * kw, 1, 1), flat);
    let mut packed = Weight::from(packed.ok()?);
    if weight.mask().is_some() {
        packed.apply(BlockMask::full(packed.mask_dims())).ok()?;
    }
    Some(packed)
}

/// Index of a block, row by row.
fn mask_index(mask: &BlockMask, [co, ci, ky, kx]: [usize; 4]) -> usize {
    let [_, n, kh, kw] = mask.dims;
    ((co * n + ci) * kh + ky) * kw + kx
}

/// Weight elements that a layer has at least, without looking at a value.
pub(crate) fn least_elements(
    conv: &QConv,
    mask: &LayerMask,
    block: usize,
    is_met: impl Fn(u32, u32) -> bool,
) -> u64 {
    let (co, ci_g, kh, kw) = conv.weight.dim();
    // Constant kernels repeat elements.
    if conv.weight_name.is_empty() || co == 0 || ci_g == 0 || (conv.groups != 1 && mask.sparse) {
        return 0;
    }
    let co_g = co / conv.groups;
    let positions = (0u32..)
        .zip(0..kh)
        .flat_map(|ky| (0u32..).zip(0..kw).map(move |kx| (ky, kx)));
    let met = positions.filter(|((ky, _), (kx, _))| is_met(*ky, *kx));
    let all: u64 = (0..co.div_ceil(block))
        .map(|cob| {
            let (first, last) = (cob * block / co_g, ((cob + 1) * block).min(co) - 1);
            let (lo, hi) = (first * ci_g, (last / co_g + 1) * ci_g);
            (hi.div_ceil(block) - lo / block) as u64
        })
        .sum();
    if !mask.sparse {
        return met.count() as u64 * all;
    }
    let side = block.div_ceil(BLOCK);
    let [blocks_out, blocks_in, ..] = mask.mask.dims;
    let kept = |(ky, kx): (usize, usize), cob: usize, cib: usize| {
        let of = |b: usize, all: usize| b * block / BLOCK..(b * block / BLOCK + side).min(all);
        let mut outs = of(cob, blocks_out);
        outs.any(|o| of(cib, blocks_in).any(|i| mask.mask.get([o, i, ky, kx])))
    };
    met.map(|((_, ky), (_, kx))| {
        let outs = 0..co.div_ceil(block);
        let pairs = outs.flat_map(|o| (0..ci_g.div_ceil(block)).map(move |i| (o, i)));
        pairs.filter(|&(o, i)| kept((ky, kx), o, i)).count() as u64
    })
    .sum()
}

/// The values of a layer's weight elements.
pub(crate) struct Elements<'a> {
    conv: &'a QConv,
    mask: &'a LayerMask,
    block: usize,
    flat: Cow<'a, [i8]>,
}

impl<'a> Elements<'a> {
    /// Those of a convolution.
    pub(crate) fn new(conv: &'a QConv, mask: &'a LayerMask, block: usize) -> Self {
        let flat = match conv.weight.as_slice() {
            Some(flat) => Cow::Borrowed(flat),
            None => Cow::Owned(conv.weight.iter().copied().collect()),
        };
        Self {
            conv,
            mask,
            block,
            flat,
        }
    }

    /// Adds the bytes of the element that joins blocks `co` and `ci` at a kernel position.
    pub(crate) fn push(&self, [cob, cib, ky, kx]: [usize; 4], bytes: &mut Vec<u8>) {
        let (co, ci_g, kh, kw) = self.conv.weight.dim();
        let (block, co_g) = (self.block, co / self.conv.groups);
        let from = bytes.len();
        bytes.resize(from + block * block, 0);
        let element = &mut bytes[from..];
        let c0 = cib * block;
        for o in cob * block..(cob * block + block).min(co) {
            let first = o / co_g * ci_g;
            for c in c0.max(first)..(c0 + block).min(first + ci_g) {
                let local = c - first;
                if self.mask.keeps([o / BLOCK, local / BLOCK, ky, kx]) {
                    let w = self.flat[((o * ci_g + local) * kh + ky) * kw + kx];
                    element[(o - cob * block) * block + c - c0] = w.cast_unsigned();
                }
            }
        }
    }
}

/// The first block of the mask that a weight element has values of, where any is kept.
fn kept_block(conv: &QConv, mask: &LayerMask, block: usize, at: [usize; 4]) -> Option<usize> {
    let [cob, cib, ky, kx] = at;
    let (co, ci_g, ..) = conv.weight.dim();
    let (co_g, c0) = (co / conv.groups, cib * block);
    let mut before = None;
    for o in cob * block..(cob * block + block).min(co) {
        let first = o / co_g * ci_g;
        // Rows of one block and one group have the same blocks.
        if before.replace((o / BLOCK, first)) == Some((o / BLOCK, first)) {
            continue;
        }
        let (from, to) = (c0.max(first), (c0 + block).min(first + ci_g));
        if from >= to {
            continue;
        }
        for local in (from - first) / BLOCK..=(to - 1 - first) / BLOCK {
            let b = [o / BLOCK, local, ky, kx];
            if mask.keeps(b) {
                return Some(mask_index(&mask.mask, b));
            }
        }
    }
    None
}

/// Weight elements that are kept, and how many of them differ.
///
/// # Errors
/// More than can be counted.
fn tiles(
    conv: &QConv,
    blocks_in: u32,
    mask: &LayerMask,
    block: usize,
    is_met: impl Fn(u32, u32) -> bool,
) -> Result<(Vec<Tile>, u32), DoesNotFit> {
    let (co, ci_g, kh, kw) = conv.weight.dim();
    let co_g = co / conv.groups;
    let mut tiles = Vec::new();
    // Elements of a constant kernel, by what they hold: it repeats a few.
    let constant = conv.weight_name.is_empty();
    let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
    let elements = constant.then(|| Elements::new(conv, mask, block));
    let mut contents = 0;
    // Positions and blocks, as numbers of the hardware and as indices.
    for (tile_ky, ky) in (0u32..).zip(0..kh) {
        for (tile_kx, kx) in (0u32..).zip(0..kw) {
            if !is_met(tile_ky, tile_kx) {
                continue;
            }
            for (tile_co, cob) in (0u32..).zip(0..co.div_ceil(block)) {
                let outs = cob * block..(cob * block + block).min(co);
                // Input channels that the groups of these outputs read.
                let lo = outs.start / co_g * ci_g;
                let hi = ((outs.end - 1) / co_g + 1) * ci_g;
                let ins = lo / block..hi.div_ceil(block);
                let tile_ci = (0..blocks_in).skip(lo / block);
                for (tile_ci, cib) in tile_ci.zip(ins) {
                    let at = [cob, cib, ky, kx];
                    let Some(mask_block) = kept_block(conv, mask, block, at) else {
                        continue;
                    };
                    let next = fit::count("weight elements of a layer", contents)?;
                    let content = match &elements {
                        None => next,
                        Some(elements) => {
                            let mut bytes = Vec::new();
                            elements.push(at, &mut bytes);
                            *known.entry(bytes).or_insert(next)
                        }
                    };
                    contents += usize::from(content == next);
                    tiles.push(Tile {
                        co: tile_co,
                        ci: tile_ci,
                        ky: tile_ky,
                        kx: tile_kx,
                        content,
                        mask_block: fit::count("blocks of a mask", mask_block)?,
                    });
                }
            }
        }
    }
    Ok((tiles, fit::count("weight elements of a layer", contents)?))
}

/// Largest shift of an accumulator.
const MAX_SHIFT: u8 = 31;

/// Lowers a convolution.
///
/// # Errors
/// Sizes that are too large to compute with, a shift that is no shift of the device.
pub(crate) fn conv(
    layer: usize,
    conv: &QConv,
    mask: &LayerMask,
    (input, output, residual): (FMap, FMap, Option<FMap>),
    block: u32,
) -> Result<LoweredConv, DoesNotFit> {
    let bits = |field, value: u8, max: u8| match value <= max {
        true => Ok(()),
        false => Err(FieldRange {
            field,
            value: value.into(),
            min: 0,
            max: max.into(),
        }),
    };
    bits("post_shift", conv.post_shift, MAX_SHIFT)?;
    // The identity that adds the second operand has int8 elements.
    bits("residual_shift", conv.residual_shift, 6)?;
    match &conv.shift {
        Shift::Layer(s) => bits("shift", *s, MAX_SHIFT)?,
        Shift::Channel(all) => all.iter().try_for_each(|s| bits("shift", *s, MAX_SHIFT))?,
    }
    let slopes = conv.leaky.iter().flatten();
    slopes
        .copied()
        .try_for_each(|s| bits("slope", s, MAX_SHIFT))?;
    let lanes = (output.blocks * block) as usize;
    let half = |s: u8| if s == 0 { 0 } else { 1i32 << (s - 1) };
    let co = conv.weight.dim().0;
    let mut bias = vec![0i32; lanes];
    for (c, b) in bias.iter_mut().enumerate().take(co) {
        let s = conv.shift.of(c);
        let post = half(conv.post_shift).wrapping_shl(s.into());
        *b = conv.bias[c].wrapping_add(half(s)).wrapping_add(post);
    }
    let shifts = match &conv.shift {
        Shift::Layer(_) => None,
        Shift::Channel(s) => {
            let mut all = vec![0i32; lanes];
            all.iter_mut().zip(s).for_each(|(a, s)| *a = (*s).into());
            Some(all)
        }
    };
    let window = KernelWindow::new(&conv.window, &output)?;
    let met = |axis: usize, n: u32, len: u32| -> Vec<_> {
        let kernel = 0..window.kernel[axis];
        kernel.map(|k| window.valid(axis, n, len, k)).collect()
    };
    let met_rows = met(0, output.h, input.h);
    let met_cols = met(1, output.w, input.w);
    let is_met =
        |ky: u32, kx: u32| !met_rows[ky as usize].is_empty() && !met_cols[kx as usize].is_empty();
    let (tiles, contents) = tiles(conv, input.blocks, mask, block as usize, is_met)?;
    Ok(LoweredConv {
        layer,
        input,
        output,
        pool: None,
        residual: residual.map(|r| (r, conv.residual_shift)),
        window,
        tiles,
        contents,
        met_rows,
        met_cols,
        bias,
        shifts,
        shift: match &conv.shift {
            Shift::Layer(s) => *s,
            Shift::Channel(_) => 0,
        },
        leaky: conv.leaky.clone(),
        post_shift: conv.post_shift,
        clamp: conv.clamp,
    })
}
