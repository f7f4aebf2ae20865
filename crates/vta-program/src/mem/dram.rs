//! The DRAM image: bytes from physical address 0.

/// An access past the end of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes at address {addr} are outside the DRAM image of {image_bytes} bytes")]
pub struct OutOfRange {
    /// First byte.
    pub addr: u64,
    /// Length of the access.
    pub bytes: u64,
    /// Length of the image.
    pub image_bytes: u64,
}

/// DRAM from physical address 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dram(Vec<u8>);

impl Dram {
    /// A DRAM with these bytes.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// All bytes, to write to.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The bytes, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Overwrites the whole image, keeping its length.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn reset_to(&mut self, bytes: &[u8]) {
        self.0.copy_from_slice(bytes);
    }

    fn range(&self, addr: u64, bytes: u64) -> Result<std::ops::Range<usize>, OutOfRange> {
        let image_bytes = self.0.len() as u64;
        match addr.checked_add(bytes) {
            Some(end) if end <= image_bytes => Ok(addr as usize..end as usize),
            _ => Err(OutOfRange {
                addr,
                bytes,
                image_bytes,
            }),
        }
    }

    /// Bytes at an address.
    ///
    /// # Errors
    /// The access leaves the image.
    #[inline]
    pub fn read(&self, addr: u64, bytes: u64) -> Result<&[u8], OutOfRange> {
        let r = self.range(addr, bytes)?;
        Ok(&self.0[r])
    }

    /// Bytes at an address, to write to.
    ///
    /// # Errors
    /// The access leaves the image.
    #[inline]
    pub fn write(&mut self, addr: u64, bytes: u64) -> Result<&mut [u8], OutOfRange> {
        let r = self.range(addr, bytes)?;
        Ok(&mut self.0[r])
    }

    /// An instruction word.
    ///
    /// # Errors
    /// The access leaves the image.
    #[inline]
    pub fn word128(&self, addr: u64) -> Result<u128, OutOfRange> {
        let mut w = [0; 16];
        w.copy_from_slice(self.read(addr, 16)?);
        Ok(u128::from_le_bytes(w))
    }
}
