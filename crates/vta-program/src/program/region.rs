//! Tensors in DRAM: reading and writing them.

use super::{Layout, Region};
use ndarray::{ArrayD, IxDyn};
use vta_tensor::host::{DType, MAX_ELEMENTS, MAX_EXPONENT, Tensor, elements};

/// A region that makes no sense, or a tensor that does not fit it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// No name.
    #[error("a tensor without a name")]
    NoName,
    /// Dimensions with a zero, or too many elements.
    #[error("{tensor}: {dims:?} has no elements or more than {MAX_ELEMENTS}")]
    Dims {
        /// Name of the tensor.
        tensor: String,
        /// Its dimensions.
        dims: Vec<usize>,
    },
    /// Blocked, but not what can be.
    #[error("{tensor}: {dtype} {dims:?} cannot be blocked; int8 [1, c, h, w] or [1, c] can")]
    NotBlocked {
        /// Name of the tensor.
        tensor: String,
        /// Its type.
        dtype: DType,
        /// Its dimensions.
        dims: Vec<usize>,
    },
    /// An exponent where there is none, or out of range.
    #[error("{tensor}: an exponent of {exponent} for {dtype}")]
    Exponent {
        /// Name of the tensor.
        tensor: String,
        /// Its type.
        dtype: DType,
        /// The exponent.
        exponent: i32,
    },
    /// Past the end of DRAM.
    #[error("{tensor}: {bytes} bytes at {addr} are outside the {dram_bytes} bytes of DRAM")]
    Range {
        /// Name of the tensor.
        tensor: String,
        /// Its byte address.
        addr: u32,
        /// Its length.
        bytes: u64,
        /// Bytes of DRAM.
        dram_bytes: u64,
    },
    /// A tensor to be written that is not what the region holds.
    #[error("{tensor}: {found_type} {found:?} is not {dtype} {dims:?}")]
    Differs {
        /// Name of the tensor.
        tensor: String,
        /// Type of the region.
        dtype: DType,
        /// Dimensions of the region.
        dims: Vec<usize>,
        /// Type of the value.
        found_type: DType,
        /// Dimensions of the value.
        found: Vec<usize>,
    },
}

/// Channels, and elements of a channel, of a blocked tensor.
fn blocked(dims: &[usize]) -> Option<(usize, usize)> {
    match *dims {
        [1, c] => Some((c, 1)),
        [1, c, h, w] => Some((c, h * w)),
        _ => None,
    }
}

impl Region {
    /// Bytes in DRAM, on a device with this block; none if the region makes no sense.
    pub fn bytes(&self, block: u32) -> Option<u64> {
        let n = elements(&self.dims)?;
        match self.layout {
            Layout::Plain => Some(n as u64 * self.dtype.bytes() as u64),
            Layout::Blocked => {
                let (c, area) = blocked(&self.dims)?;
                let block = (block as usize).max(1);
                Some(c.div_ceil(block) as u64 * area as u64 * block as u64)
            }
        }
    }

    /// Checks that the region makes sense and is inside DRAM.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, dram_bytes: u64, block: u32) -> Result<(), RegionError> {
        self.range(dram_bytes, block)?;
        let tensor = || self.tensor.clone();
        if self.tensor.is_empty() {
            return Err(RegionError::NoName);
        }
        match self.exponent {
            Some(e) if self.dtype == DType::F32 || !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&e) => {
                Err(RegionError::Exponent {
                    tensor: tensor(),
                    dtype: self.dtype,
                    exponent: e,
                })
            }
            _ => Ok(()),
        }
    }

    /// The bytes' place.
    fn range(&self, dram_bytes: u64, block: u32) -> Result<std::ops::Range<usize>, RegionError> {
        let tensor = || self.tensor.clone();
        if self.dims.contains(&0) || elements(&self.dims).is_none() {
            return Err(RegionError::Dims {
                tensor: tensor(),
                dims: self.dims.clone(),
            });
        }
        let fits = self.layout == Layout::Plain || self.dtype == DType::I8;
        let Some(bytes) = self.bytes(block).filter(|_| fits) else {
            return Err(RegionError::NotBlocked {
                tensor: tensor(),
                dtype: self.dtype,
                dims: self.dims.clone(),
            });
        };
        let end = u64::from(self.addr) + bytes;
        if end > dram_bytes {
            return Err(RegionError::Range {
                tensor: tensor(),
                addr: self.addr,
                bytes,
                dram_bytes,
            });
        }
        Ok(self.addr as usize..end as usize)
    }

    /// The tensor in a DRAM, on a device with this block.
    ///
    /// # Errors
    /// The region makes no sense, or is not inside the DRAM.
    pub fn read(&self, dram: &[u8], block: u32) -> Result<Tensor, RegionError> {
        let bytes = &dram[self.range(dram.len() as u64, block)?];
        let shape = IxDyn(&self.dims);
        let dims = |_| RegionError::Dims {
            tensor: self.tensor.clone(),
            dims: self.dims.clone(),
        };
        if self.dtype == DType::F32 {
            let words = bytes.chunks_exact(4);
            let flat = words.map(|w| f32::from_le_bytes(w.try_into().unwrap_or_default()));
            let array = ArrayD::from_shape_vec(shape, flat.collect());
            return array.map(Tensor::F32).map_err(dims);
        }
        let flat: Vec<i8> = match (self.layout, blocked(&self.dims)) {
            (Layout::Blocked, Some((c, area))) => {
                let block = block as usize;
                let mut flat = vec![0; c * area];
                let groups = flat.chunks_mut(block * area);
                for (channels, from) in groups.zip(bytes.chunks_exact(block * area)) {
                    for (lane, channel) in channels.chunks_exact_mut(area).enumerate() {
                        let lanes = from[lane..].iter().step_by(block);
                        for (to, from) in channel.iter_mut().zip(lanes) {
                            *to = *from as i8;
                        }
                    }
                }
                flat
            }
            _ => bytes.iter().map(|b| *b as i8).collect(),
        };
        ArrayD::from_shape_vec(shape, flat)
            .map(Tensor::I8)
            .map_err(dims)
    }

    /// Writes a tensor to a DRAM, on a device with this block. Bytes of a
    /// blocked region that belong to no channel become 0.
    ///
    /// # Errors
    /// The region makes no sense or is not inside the DRAM, or the tensor has
    /// another type or other dimensions.
    pub fn write(&self, dram: &mut [u8], block: u32, value: &Tensor) -> Result<(), RegionError> {
        let range = self.range(dram.len() as u64, block)?;
        let bytes = &mut dram[range];
        if value.dtype() != self.dtype || value.dims() != self.dims {
            return Err(RegionError::Differs {
                tensor: self.tensor.clone(),
                dtype: self.dtype,
                dims: self.dims.clone(),
                found_type: value.dtype(),
                found: value.dims().to_vec(),
            });
        }
        let values = match value {
            Tensor::F32(a) => {
                for (to, x) in bytes.chunks_exact_mut(4).zip(a) {
                    to.copy_from_slice(&x.to_le_bytes());
                }
                return Ok(());
            }
            Tensor::I8(a) => a.as_standard_layout(),
        };
        let flat = values.as_slice().unwrap_or_default();
        match (self.layout, blocked(&self.dims)) {
            (Layout::Blocked, Some((c, area))) => {
                let block = block as usize;
                if !c.is_multiple_of(block) {
                    bytes.fill(0);
                }
                let groups = bytes.chunks_exact_mut(block * area);
                for (to, channels) in groups.zip(flat.chunks(block * area)) {
                    for (lane, channel) in channels.chunks_exact(area).enumerate() {
                        let lanes = to[lane..].iter_mut().step_by(block);
                        for (to, from) in lanes.zip(channel) {
                            *to = *from as u8;
                        }
                    }
                }
            }
            _ => {
                for (to, x) in bytes.iter_mut().zip(flat) {
                    *to = *x as u8;
                }
            }
        }
        Ok(())
    }
}
