//! Zero blocks of weights: found, and made by masks.

use super::{BLOCK, BlockMask, MaskError, Masks, layers};
use crate::graph::{Graph, Op};
use ndarray::{ArrayView4, ArrayViewMut4, Axis, s};

/// The blocks of a weight `[co, ci / groups, kh, kw]` that hold anything but zeros.
pub fn nonzero_blocks<T: Default + PartialEq>(weight: ArrayView4<'_, T>) -> BlockMask {
    let (co, ci, kh, kw) = weight.dim();
    let zero = T::default();
    let mut mask = BlockMask::full(BlockMask::dims_for([co, ci, kh, kw]));
    mask.kept.fill(false);
    for ((o, i, y, x), w) in weight.indexed_iter() {
        if *w != zero {
            mask.set([o / BLOCK, i / BLOCK, y, x], true);
        }
    }
    mask
}

/// Sets what a mask drops to zero.
///
/// # Errors
/// The mask is of another weight; `key` names it.
pub fn zero_dropped<T: Clone + Default>(
    mut weight: ArrayViewMut4<'_, T>,
    mask: &BlockMask,
    key: &str,
) -> Result<(), MaskError> {
    let (co, ci, kh, kw) = weight.dim();
    let expected = BlockMask::dims_for([co, ci, kh, kw]);
    if mask.dims != expected {
        return Err(MaskError::Shape {
            key: key.into(),
            found: mask.dims.to_vec(),
            weight: vec![co, ci, kh, kw],
            expected: expected.to_vec(),
        });
    }
    let [n_co, n_ci, ..] = mask.dims;
    for o in 0..n_co {
        for i in 0..n_ci {
            let rows = o * BLOCK..(o * BLOCK + BLOCK).min(co);
            let columns = i * BLOCK..(i * BLOCK + BLOCK).min(ci);
            for y in 0..kh {
                for x in 0..kw {
                    if !mask.get([o, i, y, x]) {
                        let mut block = weight.slice_mut(s![rows.clone(), columns.clone(), y, x]);
                        block.fill(T::default());
                    }
                }
            }
        }
    }
    Ok(())
}

/// Sets what masks drop to zero in a network's weights; weights without a
/// mask stay as they are.
///
/// # Errors
/// A mask that no layer has, or of other dimensions.
pub fn apply(graph: &mut Graph, masks: &Masks) -> Result<(), MaskError> {
    super::check(masks, &layers(graph))?;
    for node in graph.nodes_mut() {
        match &mut node.op {
            Op::Conv(c) => {
                if let Some(mask) = masks.get(&c.weight_name) {
                    zero_dropped(c.weight.view_mut(), mask, &c.weight_name)?;
                }
            }
            Op::Dense(d) => {
                if let Some(mask) = masks.get(&d.weight_name) {
                    let weight = d
                        .weight
                        .view_mut()
                        .insert_axis(Axis(2))
                        .insert_axis(Axis(3));
                    zero_dropped(weight, mask, &d.weight_name)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
