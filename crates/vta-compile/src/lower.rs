//! From a node of the integer network to what the device is to do: weight
//! elements of `block` x `block`, biases with all rounding, maps of vectors.

use crate::fit::{self, DoesNotFit};
use crate::lowered::{LoweredConv, Tile};
use crate::map::{FMap, KernelWindow};
use crate::options::Sparsity;
use ndarray::{Array4, Ix4};
use std::collections::HashMap;
use vta_net::quant::{QConv, Shift};
use vta_net::sparse::{BLOCK, BlockMask, Weight};
use vta_program::isa::FieldRange;

/// A layer's mask in the form that the layer was compiled with.
#[derive(Debug, Clone)]
pub(crate) struct LayerMask {
    /// Blocks that are in the program.
    pub mask: BlockMask,
    /// Whether anything could have been left out.
    pub sparse: bool,
}

/// Which 32x32 blocks of a layer are kept.
pub(crate) fn mask_of(conv: &QConv, sparsity: Sparsity) -> LayerMask {
    match conv.weight.mask() {
        Some(mask) if sparsity == Sparsity::Sparse => LayerMask {
            mask: mask.clone(),
            sparse: true,
        },
        _ => LayerMask {
            mask: BlockMask::full(conv.weight.mask_dims()),
            sparse: false,
        },
    }
}

/// Whether anything is left out of a layer.
pub(crate) fn drops(conv: &QConv, sparsity: Sparsity) -> bool {
    let mask = mask_of(conv, sparsity).mask;
    mask.count_kept() < mask.blocks()
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

/// Weight elements that are kept, and their bytes.
///
/// # Errors
/// More than can be counted.
fn tiles(
    conv: &QConv,
    blocks_in: u32,
    mask: &LayerMask,
    block: usize,
    is_met: impl Fn(u32, u32) -> bool,
) -> Result<(Vec<Tile>, Vec<i8>), DoesNotFit> {
    let (co, ci_g, kh, kw) = conv.weight.dim();
    let co_g = co / conv.groups;
    let mut tiles = Vec::new();
    let mut contents: Vec<i8> = Vec::new();
    let flat: Vec<i8> = conv.weight.iter().copied().collect();
    // Elements of a constant kernel, by what they hold: it repeats a few.
    let mut known: HashMap<Vec<i8>, u32> = HashMap::new();
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
                    let c0 = cib * block;
                    let mut kept = None;
                    let mut bytes = vec![0i8; block * block];
                    for o in outs.clone() {
                        let first = o / co_g * ci_g;
                        let from = c0.max(first);
                        let to = (c0 + block).min(first + ci_g);
                        for c in from..to {
                            let local = c - first;
                            let b = [o / BLOCK, local / BLOCK, ky, kx];
                            if !mask.sparse || mask.mask.get(b) {
                                kept.get_or_insert_with(|| mask_index(&mask.mask, b));
                                bytes[(o - cob * block) * block + c - c0] =
                                    flat[((o * ci_g + local) * kh + ky) * kw + kx];
                            }
                        }
                    }
                    let Some(mask_block) = kept else { continue };
                    let content = match known.get(&bytes) {
                        Some(&content) => content,
                        None => {
                            let n = contents.len() / (block * block);
                            contents.extend_from_slice(&bytes);
                            let content = fit::count("weight elements of a layer", n)?;
                            if conv.weight_name.is_empty() {
                                known.insert(bytes, content);
                            }
                            content
                        }
                    };
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
    Ok((tiles, contents))
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
    let mut lowered = LoweredConv {
        layer,
        input,
        output,
        pool: None,
        residual: residual.map(|r| (r, conv.residual_shift)),
        window: KernelWindow::new(&conv.window, &output)?,
        tiles: Vec::new(),
        contents: Vec::new(),
        bias,
        shifts,
        shift: match &conv.shift {
            Shift::Layer(s) => *s,
            Shift::Channel(_) => 0,
        },
        leaky: conv.leaky.clone(),
        post_shift: conv.post_shift,
        clamp: conv.clamp,
    };
    let met = |ky, kx| !lowered.rows_of(ky).is_empty() && !lowered.cols_of(kx).is_empty();
    let (tiles, contents) = tiles(conv, input.blocks, mask, block as usize, met)?;
    (lowered.tiles, lowered.contents) = (tiles, contents);
    Ok(lowered)
}
