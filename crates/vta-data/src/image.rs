//! Images: planes of bytes.

use super::Fault;

/// Largest number of pixels of an image that is read.
pub const MAX_PIXELS: u64 = 1 << 26;

/// An image of `channels` planes of `height` rows of `width` bytes.
///
/// One plane is grey, three are red, green and blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<u8>,
}

impl Image {
    /// An image of one value.
    ///
    /// # Errors
    /// No pixels, or more than [`MAX_PIXELS`](Image::MAX_PIXELS).
    pub fn filled(channels: usize, height: usize, width: usize, value: u8) -> Result<Self, Fault> {
        let n = Self::check(channels, height, width)?;
        Ok(Self {
            channels,
            height,
            width,
            data: vec![value; n],
        })
    }

    /// An image of its planes, one after the other.
    ///
    /// # Errors
    /// No pixels, too many of them, or another number of bytes than `channels * height * width`.
    pub fn new(channels: usize, height: usize, width: usize, data: Vec<u8>) -> Result<Self, Fault> {
        let n = Self::check(channels, height, width)?;
        if data.len() != n {
            return Err(Fault::Length {
                got: data.len() as u64,
                want: format!("{width}x{height} pixels of {channels} channels are {n}"),
            });
        }
        Ok(Self {
            channels,
            height,
            width,
            data,
        })
    }

    /// An image of pixels, each with its channels side by side.
    ///
    /// # Errors
    /// As [`Image::new`].
    pub fn from_pixels(
        channels: usize,
        height: usize,
        width: usize,
        pixels: &[u8],
    ) -> Result<Self, Fault> {
        let n = Self::check(channels, height, width)?;
        if pixels.len() != n || channels == 1 {
            return Self::new(channels, height, width, pixels.to_vec());
        }
        let mut data = Vec::with_capacity(n);
        for c in 0..channels {
            data.extend(pixels.iter().skip(c).step_by(channels));
        }
        Self::new(channels, height, width, data)
    }

    /// Largest number of pixels of an image.
    pub const MAX_PIXELS: u64 = MAX_PIXELS;

    /// The number of bytes of an image of this size, if it is one that is ever held.
    pub(super) fn check(channels: usize, height: usize, width: usize) -> Result<usize, Fault> {
        let pixels = (height as u64).saturating_mul(width as u64);
        if pixels == 0 || pixels > MAX_PIXELS || !(1..=4).contains(&channels) {
            return Err(Fault::Dims {
                width: width as u64,
                height: height as u64,
                channels: channels as u64,
            });
        }
        Ok(channels * height * width)
    }

    /// Number of planes.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Channels, height, width.
    pub fn dims(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// All bytes, plane after plane, row after row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All bytes, to change them.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// One plane.
    pub fn plane(&self, channel: usize) -> &[u8] {
        let n = self.height * self.width;
        &self.data[channel * n..(channel + 1) * n]
    }

    /// One plane, to change it.
    pub fn plane_mut(&mut self, channel: usize) -> &mut [u8] {
        let n = self.height * self.width;
        &mut self.data[channel * n..(channel + 1) * n]
    }

    /// Pixels with their channels side by side.
    pub fn pixels(&self) -> Vec<u8> {
        let n = self.height * self.width;
        let mut out = vec![0; self.data.len()];
        for (c, plane) in self.data.chunks_exact(n).enumerate() {
            for (pixel, value) in out.chunks_exact_mut(self.channels).zip(plane) {
                pixel[c] = *value;
            }
        }
        out
    }

    /// The image with 1 channel (grey: 0.299 red, 0.587 green, 0.114 blue) or 3.
    ///
    /// # Errors
    /// Another number of channels.
    pub fn to_channels(self, channels: usize) -> Result<Self, Fault> {
        let (h, w) = (self.height, self.width);
        match (self.channels, channels) {
            (a, b) if a == b => Ok(self),
            (1, 3) => Self::new(3, h, w, self.data.repeat(3)),
            (3, 1) => {
                let rgb = self.plane(0).iter().zip(self.plane(1)).zip(self.plane(2));
                let grey = rgb.map(|((r, g), b)| {
                    let sum = 299 * u32::from(*r) + 587 * u32::from(*g) + 114 * u32::from(*b);
                    ((sum + 500) / 1000) as u8
                });
                Self::new(1, h, w, grey.collect())
            }
            (a, b) => Err(Fault::Request(format!(
                "an image of {a} channels cannot become one of {b}"
            ))),
        }
    }

    /// Mirrors left and right.
    pub fn flip_horizontal(&mut self) {
        for row in self.data.chunks_exact_mut(self.width) {
            row.reverse();
        }
    }

    /// Mirrors top and bottom.
    pub fn flip_vertical(&mut self) {
        let (h, w) = (self.height, self.width);
        for plane in self.data.chunks_exact_mut(h * w) {
            for y in 0..h / 2 {
                let (top, bottom) = plane.split_at_mut((h - 1 - y) * w);
                top[y * w..(y + 1) * w].swap_with_slice(&mut bottom[..w]);
            }
        }
    }

    /// A window of `height` x `width` whose first pixel is row `top`, column
    /// `left` of the image; what lies outside the image is `fill`.
    ///
    /// # Errors
    /// No pixels, or too many.
    pub fn window(
        &self,
        top: i64,
        left: i64,
        height: usize,
        width: usize,
        fill: u8,
    ) -> Result<Self, Fault> {
        let mut out = Self::filled(self.channels, height, width, fill)?;
        // Columns of the window that lie in the image.
        let first = (-left).clamp(0, width as i64) as usize;
        let last = (self.width as i64 - left).clamp(first as i64, width as i64) as usize;
        for c in 0..self.channels {
            for y in 0..height {
                let from = y as i64 + top;
                if from < 0 || from >= self.height as i64 || first == last {
                    continue;
                }
                let start = (c * self.height + from as usize) * self.width;
                let start = (start as i64 + left + first as i64) as usize;
                let row = (c * height + y) * width;
                out.data[row + first..row + last]
                    .copy_from_slice(&self.data[start..start + last - first]);
            }
        }
        Ok(out)
    }
}
