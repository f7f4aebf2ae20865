//! Flex tensors as slices, and back.

use burn_flex::FlexTensor;
use burn_tensor::{Bytes, DType, Shape, TensorData};

/// A tensor whose elements lie one after the other.
pub(super) fn whole(t: FlexTensor) -> FlexTensor {
    t.to_contiguous()
}

/// The elements of what [`whole`] gave.
pub(super) fn slice(t: &FlexTensor) -> &[f32] {
    t.storage()
}

/// The elements, without a copy where nobody else has them.
pub(super) fn take(t: FlexTensor) -> Vec<f32> {
    let t = whole(t);
    let data: TensorData = t.into_data();
    data.into_vec().unwrap_or_default()
}

/// A tensor of given dimensions.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, dims: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData {
        bytes: Bytes::from_elems(values),
        shape: Shape::new(dims),
        dtype: DType::F32,
    })
}
