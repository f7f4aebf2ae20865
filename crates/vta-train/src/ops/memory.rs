//! Buffers as the memory of tensors.

use crate::kernels::Buffer;
use burn_flex::FlexTensor;
use burn_std::{AllocationController, AllocationProperty, Bytes};
use burn_tensor::{DType, Shape, TensorData};
use std::mem::MaybeUninit;

/// A buffer that a tensor owns.
struct Memory(Buffer);

impl AllocationController for Memory {
    fn alloc_align(&self) -> usize {
        64
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let (at, bytes) = (self.0.as_mut_ptr(), self.0.bytes());
        // SAFETY: the buffer has so many bytes and is borrowed exclusively; the caller
        // writes no uninitialised ones.
        unsafe { std::slice::from_raw_parts_mut(at.cast(), bytes) }
    }

    fn memory(&self) -> &[MaybeUninit<u8>] {
        let (at, bytes) = (self.0.as_ptr(), self.0.bytes());
        // SAFETY: the buffer has so many bytes.
        unsafe { std::slice::from_raw_parts(at.cast(), bytes) }
    }

    fn duplicate(&self) -> Option<Box<dyn AllocationController>> {
        Some(Box::new(Self(Buffer::from(&self.0[..]))))
    }
}

/// A tensor of given dimensions.
pub(super) fn owning<const D: usize>(values: Buffer, dims: [usize; D]) -> FlexTensor {
    let len = size_of_val(&values[..]);
    // SAFETY: all of a buffer is initialised, and it has so many bytes.
    let bytes = unsafe { Bytes::from_controller(Box::new(Memory(values)), len) };
    FlexTensor::from_data(TensorData {
        bytes,
        shape: Shape::new(dims),
        dtype: DType::F32,
    })
}
