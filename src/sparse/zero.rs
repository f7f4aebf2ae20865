//! Zero blocks of weights.

use super::{BLOCK, BlockMask, MaskError};
use ndarray::{Array4, s};

/// The blocks of a weight `[co, ci / groups, kh, kw]` that hold anything but zeros.
pub fn nonzero_blocks(weight: &Array4<i8>) -> BlockMask {
    let (co, ci, kh, kw) = weight.dim();
    let mut mask = BlockMask::full(BlockMask::dims_for([co, ci, kh, kw]));
    mask.kept.fill(false);
    for ((o, i, y, x), &w) in weight.indexed_iter() {
        if w != 0 {
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
    weight: &mut Array4<T>,
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
