//! Operators that only move elements. Dimensions were checked before.

use super::Tensor;
use ndarray::{ArrayD, Axis, Slice, SliceInfoElem};

/// Elements row by row, in these dimensions.
pub(super) fn reshape<T: Copy>(a: &ArrayD<T>, dims: &[usize]) -> ArrayD<T> {
    let flat: Vec<T> = a.iter().copied().collect();
    from_vec(dims, flat)
}

/// An array of elements in order of memory; there are as many as the dimensions say.
pub(super) fn from_vec<T>(dims: &[usize], flat: Vec<T>) -> ArrayD<T> {
    match ArrayD::from_shape_vec(dims, flat) {
        Ok(a) => a,
        Err(e) => unreachable!("the dimensions were checked: {e}"),
    }
}

pub(super) fn transpose<T: Copy>(a: &ArrayD<T>, perm: &[usize]) -> ArrayD<T> {
    let view = a.view().permuted_axes(perm.to_vec());
    view.as_standard_layout().into_owned()
}

pub(super) fn slice<T: Copy>(
    a: &ArrayD<T>,
    axis: usize,
    start: usize,
    step: usize,
    dims: &[usize],
) -> ArrayD<T> {
    let end = start + (dims[axis] - 1) * step + 1;
    let range = Slice::new(start as isize, Some(end as isize), step as isize);
    let view = a.slice_axis(Axis(axis), range);
    view.as_standard_layout().into_owned()
}

pub(super) fn concat(inputs: &[&Tensor], axis: usize, dims: &[usize]) -> Tensor {
    /// Each operand's rows of one outer index, one operand after the other.
    fn join<T: Copy>(parts: &[&ArrayD<T>], axis: usize, dims: &[usize]) -> ArrayD<T> {
        let outer: usize = dims[..axis].iter().product();
        let parts: Vec<(usize, Vec<T>)> = parts
            .iter()
            .map(|a| (a.len() / outer, a.iter().copied().collect()))
            .collect();
        let mut flat = Vec::with_capacity(dims.iter().product());
        for i in 0..outer {
            for (row, part) in &parts {
                flat.extend_from_slice(&part[i * row..(i + 1) * row]);
            }
        }
        from_vec(dims, flat)
    }
    match inputs[0] {
        Tensor::I8(_) => {
            let parts: Vec<_> = inputs.iter().filter_map(|t| t.as_i8()).collect();
            Tensor::I8(join(&parts, axis, dims))
        }
        Tensor::F32(_) => {
            let parts: Vec<_> = inputs.iter().filter_map(|t| t.as_f32()).collect();
            Tensor::F32(join(&parts, axis, dims))
        }
    }
}

pub(super) fn resize<T: Copy>(a: &ArrayD<T>, factor: [usize; 2], dims: &[usize]) -> ArrayD<T> {
    let mut flat = Vec::with_capacity(dims.iter().product());
    for channel in a.index_axis(Axis(0), 0).outer_iter() {
        for row in channel.outer_iter() {
            let wide = row.iter().flat_map(|&x| std::iter::repeat_n(x, factor[1]));
            let wide: Vec<T> = wide.collect();
            for _ in 0..factor[0] {
                flat.extend_from_slice(&wide);
            }
        }
    }
    from_vec(dims, flat)
}

pub(super) fn pad<T: Copy>(
    a: &ArrayD<T>,
    pads: &[(usize, usize)],
    value: T,
    dims: &[usize],
) -> ArrayD<T> {
    let mut out = ArrayD::from_elem(dims, value);
    let inside: Vec<SliceInfoElem> = pads
        .iter()
        .zip(a.shape())
        .map(|(&(before, _), &extent)| {
            let end = (before + extent) as isize;
            (before as isize..end).into()
        })
        .collect();
    out.slice_mut(inside.as_slice()).assign(a);
    out
}
