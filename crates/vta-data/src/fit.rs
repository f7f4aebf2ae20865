//! How an image of any size becomes one of the size of a network's input.

use super::{BBox, Fault, Image, Label, resize};

/// How images of a reader get the size that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// As they are; all must have the same size.
    Exact,
    /// To height and width, not minding the aspect.
    Stretch(usize, usize),
    /// The whole image within height and width, the rest filled with a value.
    Letterbox(usize, usize, u8),
    /// The largest window in the middle with the aspect of height and width.
    Crop(usize, usize),
}

impl Fit {
    /// Height and width that come out; none where images stay as they are.
    pub const fn size(&self) -> Option<[usize; 2]> {
        match *self {
            Self::Exact => None,
            Self::Stretch(h, w) | Self::Letterbox(h, w, _) | Self::Crop(h, w) => Some([h, w]),
        }
    }

    /// The image with its label in the new size.
    ///
    /// # Errors
    /// A size without pixels, or with too many.
    pub fn apply<L: Label>(&self, image: Image, label: &mut L) -> Result<Image, Fault> {
        let [_, h, w] = image.dims();
        let ratio = |to: usize, from: usize| to as f32 / from as f32;
        match *self {
            Self::Exact => Ok(image),
            Self::Stretch(height, width) => {
                let out = resize(&image, height, width)?;
                let size = [width as f32, height as f32];
                label.moved([ratio(width, w), ratio(height, h)], [0.0; 2], size);
                Ok(out)
            }
            Self::Letterbox(height, width, fill) => {
                let frame = Letterbox::new(h, w, height, width)?;
                let out = frame.apply(&image, fill)?;
                let size = [width as f32, height as f32];
                label.moved(frame.scale(), frame.offset(), size);
                Ok(out)
            }
            Self::Crop(height, width) => {
                Image::check(image.channels(), height, width)?;
                // The window: as wide or as high as the image.
                let (wh, ww) = match w * height >= h * width {
                    true => (h, (width * h / height).max(1)),
                    false => ((height * w / width).max(1), w),
                };
                let (top, left) = ((h - wh) / 2, (w - ww) / 2);
                let cut = image.window(top as i64, left as i64, wh, ww, 0)?;
                let out = resize(&cut, height, width)?;
                let scale = [ratio(width, ww), ratio(height, wh)];
                let by = [-(left as f32) * scale[0], -(top as f32) * scale[1]];
                label.moved(scale, by, [width as f32, height as f32]);
                Ok(out)
            }
        }
    }
}

/// A whole image within a frame of another aspect, in the middle of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Letterbox {
    /// Height and width of the image.
    from: [usize; 2],
    /// Height and width of the frame.
    to: [usize; 2],
    /// Height and width of the image in the frame.
    inner: [usize; 2],
}

impl Letterbox {
    /// An image of `h` x `w` in a frame of `height` x `width`.
    ///
    /// # Errors
    /// A size without pixels, or with too many.
    pub fn new(h: usize, w: usize, height: usize, width: usize) -> Result<Self, Fault> {
        Image::check(1, h, w)?;
        Image::check(1, height, width)?;
        // Rounded to whole pixels, halves up.
        let round = |n: usize, of: usize| ((2 * n + of) / (2 * of)).max(1);
        let inner = match width * h <= height * w {
            true => [round(h * width, w).min(height), width],
            false => [height, round(w * height, h).min(width)],
        };
        let (from, to) = ([h, w], [height, width]);
        Ok(Self { from, to, inner })
    }

    /// Factors from the image to the frame, for x and y.
    ///
    /// They differ a little, as the image has whole pixels in the frame.
    pub fn scale(&self) -> [f32; 2] {
        let ratio = |i: usize| self.inner[i] as f32 / self.from[i] as f32;
        [ratio(1), ratio(0)]
    }

    /// Where the image starts in the frame, x and y in whole pixels.
    pub fn offset(&self) -> [f32; 2] {
        let gap = |i: usize| ((self.to[i] - self.inner[i]) / 2) as f32;
        [gap(1), gap(0)]
    }

    /// The image in its frame.
    ///
    /// # Errors
    /// The image has another size than was said.
    pub fn apply(&self, image: &Image, fill: u8) -> Result<Image, Fault> {
        let [channels, h, w] = image.dims();
        if [h, w] != self.from {
            return Err(Fault::Size {
                got: image.dims(),
                why: "the letterbox is for",
                want: [channels, self.from[0], self.from[1]],
            });
        }
        let inner = resize(image, self.inner[0], self.inner[1])?;
        let [left, top] = self.offset();
        inner.window(-(top as i64), -(left as i64), self.to[0], self.to[1], fill)
    }

    /// A box of the image, in the frame.
    pub fn forward(&self, b: &BBox) -> BBox {
        b.moved(self.scale(), self.offset())
    }

    /// A box of the frame, in the image and clipped to it.
    pub fn back(&self, b: &BBox) -> BBox {
        let ([sx, sy], [x, y]) = (self.scale(), self.offset());
        let out = BBox {
            x0: (b.x0 - x) / sx,
            y0: (b.y0 - y) / sy,
            x1: (b.x1 - x) / sx,
            y1: (b.y1 - y) / sy,
            ..*b
        };
        out.clipped(self.from[1] as f32, self.from[0] as f32)
    }
}
