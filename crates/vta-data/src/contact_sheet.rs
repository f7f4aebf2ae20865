//! Contact sheets: many images in one.

use super::{Boxes, Fault, Image, Sample};

/// Pixels between images.
const GAP: usize = 2;
/// Colours of boxes, by class.
const COLOURS: [[u8; 3]; 6] = [
    [255, 64, 64],
    [64, 255, 64],
    [80, 128, 255],
    [255, 255, 64],
    [255, 64, 255],
    [64, 255, 255],
];

/// Images of the same size in rows of `columns`, in colour.
///
/// # Errors
/// No images, images of different sizes, more pixels than an image can have.
pub fn contact_sheet<'a>(
    images: impl IntoIterator<Item = &'a Image>,
    columns: usize,
) -> Result<Image, Fault> {
    let images: Vec<&Image> = images.into_iter().collect();
    let first = images.first().ok_or(Fault::Empty("images"))?;
    let [_, h, w] = first.dims();
    let columns = columns.clamp(1, images.len());
    let rows = images.len().div_ceil(columns);
    let side = |n: usize, of: usize| n * (of + GAP) + GAP;
    let mut out = Image::filled(3, side(rows, h), side(columns, w), 255)?;
    let width = out.width();
    for (i, image) in images.iter().enumerate() {
        let image = (*image).clone().to_channels(3)?;
        if image.dims()[1..] != [h, w] {
            return Err(Fault::Size {
                got: image.dims(),
                why: "the first of the contact sheet is",
                want: first.dims(),
            });
        }
        let (top, left) = (side(i / columns, h), side(i % columns, w));
        for c in 0..3 {
            for (y, row) in image.plane(c).chunks_exact(w).enumerate() {
                let at = (top + y) * width + left;
                out.plane_mut(c)[at..at + w].copy_from_slice(row);
            }
        }
    }
    Ok(out)
}

/// The same with boxes drawn, in a colour for each class.
///
/// # Errors
/// As [`contact_sheet`].
pub fn contact_sheet_of_boxes(samples: &[Sample<Boxes>], columns: usize) -> Result<Image, Fault> {
    let drawn = samples.iter().map(|s| {
        let mut image = s.image.clone().to_channels(3)?;
        let (h, w) = (image.height(), image.width());
        for b in &s.label {
            let b = b.clipped(w as f32, h as f32);
            let (x0, y0) = (b.x0 as usize, b.y0 as usize);
            let last = |edge: f32, n: usize| (edge.ceil() as usize).clamp(1, n) - 1;
            let (x1, y1) = (last(b.x1, w), last(b.y1, h));
            let colour = COLOURS[usize::from(b.class) % COLOURS.len()];
            for (c, v) in colour.into_iter().enumerate() {
                let plane = image.plane_mut(c);
                for y in y0.min(y1)..=y1 {
                    let (left, right) = (x0.min(x1), x1);
                    if y == y0 || y == y1 {
                        plane[y * w + left..=y * w + right].fill(v);
                    }
                    (plane[y * w + left], plane[y * w + right]) = (v, v);
                }
            }
        }
        Ok(image)
    });
    let drawn: Vec<Image> = drawn.collect::<Result<_, Fault>>()?;
    contact_sheet(&drawn, columns)
}
