//! Boxes around things in an image.

/// A box around a thing, in pixels of its image.
///
/// Edges, not pixels: the first pixel of an image goes from 0.0 to 1.0, so a
/// box around the whole image is `0, 0, width, height`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BBox {
    /// Index of the class.
    pub class: u16,
    /// Left edge.
    pub x0: f32,
    /// Upper edge.
    pub y0: f32,
    /// Right edge.
    pub x1: f32,
    /// Lower edge.
    pub y1: f32,
    /// Hard to see: neither missing nor finding it counts in an evaluation.
    pub difficult: bool,
}

/// The boxes of an image.
pub type Boxes = Vec<BBox>;

impl BBox {
    /// A box that is not difficult.
    pub fn new(class: u16, x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        Self {
            class,
            x0,
            y0,
            x1,
            y1,
            difficult: false,
        }
    }

    /// Width, 0 if the edges are the wrong way round.
    pub fn width(&self) -> f32 {
        (self.x1 - self.x0).max(0.0)
    }

    /// Height, 0 if the edges are the wrong way round.
    pub fn height(&self) -> f32 {
        (self.y1 - self.y0).max(0.0)
    }

    /// Area in pixels.
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// The part within an image of `width` x `height`.
    pub fn clipped(&self, width: f32, height: f32) -> Self {
        Self {
            x0: self.x0.clamp(0.0, width),
            y0: self.y0.clamp(0.0, height),
            x1: self.x1.clamp(0.0, width),
            y1: self.y1.clamp(0.0, height),
            ..*self
        }
    }

    /// Every edge times a factor, then moved.
    pub fn moved(&self, scale: [f32; 2], by: [f32; 2]) -> Self {
        Self {
            x0: self.x0 * scale[0] + by[0],
            y0: self.y0 * scale[1] + by[1],
            x1: self.x1 * scale[0] + by[0],
            y1: self.y1 * scale[1] + by[1],
            ..*self
        }
    }
}

/// Area of the intersection over that of the union, 0 to 1; classes do not matter.
pub fn iou(a: &BBox, b: &BBox) -> f32 {
    let width = a.x1.min(b.x1) - a.x0.max(b.x0);
    let height = a.y1.min(b.y1) - a.y0.max(b.y0);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let both = width * height;
    both / (a.area() + b.area() - both)
}
