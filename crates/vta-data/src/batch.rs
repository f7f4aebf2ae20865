//! Images as arrays of floats.

use super::{Fault, Image};
use ndarray::Array4;

/// How bytes become floats: `(value - mean) * scale`, one of each a channel, value 0 to 255.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalise {
    /// What is subtracted from each channel.
    pub mean: Vec<f32>,
    /// What each channel is then multiplied by.
    pub scale: Vec<f32>,
}

impl Normalise {
    /// 0 to 255 becomes 0 to 1 in each of `channels` channels.
    pub fn unit(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            scale: vec![1.0 / 255.0; channels],
        }
    }

    /// As networks are trained: `(v - 128) / 64` in each of `channels` channels.
    ///
    /// The grid of int8 with exponent -6 has exactly these values, so nothing is
    /// lost on the device; 0, with which convolutions pad, is the middle value.
    pub fn middle(channels: usize) -> Self {
        Self {
            mean: vec![128.0; channels],
            scale: vec![1.0 / 64.0; channels],
        }
    }

    /// To mean 0 and variance 1 over all pixels of these images, channel by channel.
    ///
    /// Sums are integers, so the order of the images does not matter. A channel
    /// of one value only is not scaled.
    ///
    /// # Errors
    /// No images, or images with different numbers of channels.
    pub fn of<'a>(images: impl IntoIterator<Item = &'a Image>) -> Result<Self, Fault> {
        // (sum, sum of squares) of each channel.
        let mut sums: Vec<(u64, u128)> = Vec::new();
        let mut n = 0u64;
        for image in images {
            if n == 0 {
                sums = vec![(0, 0); image.channels()];
            }
            same_channels(sums.len(), image)?;
            n += (image.height() * image.width()) as u64;
            for (c, sum) in sums.iter_mut().enumerate() {
                let plane = image.plane(c);
                sum.0 += plane.iter().map(|v| u64::from(*v)).sum::<u64>();
                sum.1 += u128::from(plane.iter().map(|v| u64::from(*v).pow(2)).sum::<u64>());
            }
        }
        if n == 0 {
            return Err(Fault::Empty("images"));
        }
        let mean = sums.iter().map(|s| s.0 as f64 / n as f64);
        let scale = sums.iter().map(|(sum, squares)| {
            // n^2 times the variance, exactly.
            let n = u128::from(n);
            let v = n * squares - u128::from(*sum).pow(2);
            match v {
                0 => 1.0,
                v => (n as f64 / (v as f64).sqrt()) as f32,
            }
        });
        Ok(Self {
            mean: mean.map(|m| m as f32).collect(),
            scale: scale.collect(),
        })
    }
}

fn same_channels(channels: usize, image: &Image) -> Result<(), Fault> {
    if channels == image.channels() {
        return Ok(());
    }
    let got = image.channels();
    Err(Fault::Request(format!(
        "an image of {got} channels where {channels} are expected"
    )))
}

/// Images as an array `[n, channels, height, width]`.
///
/// # Errors
/// No images, images of different sizes, another number of channels than `normalise` has.
pub fn to_array<'a>(
    images: impl IntoIterator<Item = &'a Image>,
    normalise: &Normalise,
) -> Result<Array4<f32>, Fault> {
    let images: Vec<&Image> = images.into_iter().collect();
    let first = images.first().ok_or(Fault::Empty("images"))?;
    let [c, h, w] = first.dims();
    for numbers in [&normalise.mean, &normalise.scale] {
        same_channels(numbers.len(), first)?;
    }
    let mut out = Vec::with_capacity(images.len() * c * h * w);
    for image in &images {
        if image.dims() != first.dims() {
            return Err(Fault::Size {
                got: image.dims(),
                why: "others of its batch are",
                want: first.dims(),
            });
        }
        for c in 0..c {
            let (mean, scale) = (normalise.mean[c], normalise.scale[c]);
            let values = image.plane(c).iter();
            out.extend(values.map(|v| (f32::from(*v) - mean) * scale));
        }
    }
    Array4::from_shape_vec((images.len(), c, h, w), out).map_err(|e| Fault::Request(e.to_string()))
}
