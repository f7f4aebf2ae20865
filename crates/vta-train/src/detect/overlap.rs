//! Overlap of boxes, with gradients.

use crate::backend::Kernels;
use burn_tensor::Tensor;

/// Intersection over union of boxes, given by centre and size of each axis, with
/// boxes given by `x0, y0, x1, y1`; and the squared distance of their centres
/// over that of the outermost corners of both.
pub(super) fn overlap<K: Kernels>(
    x: (Tensor<K, 1>, Tensor<K, 1>),
    y: (Tensor<K, 1>, Tensor<K, 1>),
    truth: [Tensor<K, 1>; 4],
) -> (Tensor<K, 1>, Tensor<K, 1>) {
    let [x0, y0, x1, y1] = truth;
    let x = axis(x, x0, x1);
    let y = axis(y, y0, y1);
    let both = x.both * y.both;
    let all = x.size * y.size + x.truth * y.truth - both.clone();
    let far = (x.apart.square() + y.apart.square()) / (x.around.square() + y.around.square());
    (both / all, far)
}

/// Two ranges of an axis.
struct Axis<K: Kernels> {
    size: Tensor<K, 1>,
    truth: Tensor<K, 1>,
    /// Length of what they share.
    both: Tensor<K, 1>,
    /// Distance of their middles.
    apart: Tensor<K, 1>,
    /// From the first to the last of their ends.
    around: Tensor<K, 1>,
}

fn axis<K: Kernels>(
    (middle, size): (Tensor<K, 1>, Tensor<K, 1>),
    from: Tensor<K, 1>,
    to: Tensor<K, 1>,
) -> Axis<K> {
    let half = size.clone() * 0.5;
    let (low, high) = (middle.clone() - half.clone(), middle.clone() + half);
    let both = high.clone().min_pair(to.clone()) - low.clone().max_pair(from.clone());
    let around = high.max_pair(to.clone()) - low.min_pair(from.clone());
    Axis {
        size,
        truth: to.clone() - from.clone(),
        both: both.clamp_min(0.0),
        apart: middle - (from + to) * 0.5,
        around,
    }
}
