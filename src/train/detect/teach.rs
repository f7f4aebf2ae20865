//! What a detector learns from another one, beside the labels.
//!
//! [`foreground`] says where on a feature map a student should be most like its
//! teacher; [`outputs`] is the loss between what both find.

use super::loss::{cross_entropy, focal, values};
use super::{BEFORE, Detector, OBJECT};
use crate::data::Boxes;
use crate::train::TrainError;
use crate::train::backend::{Kernels, floats};
use crate::train::network::Pass;
use burn::tensor::{Tensor, TensorData};
use ndarray::Array3;

/// Weights `[n, rows, columns]` of the places of a feature map, for labels in
/// pixels of images of `image` (height, width).
///
/// A place within boxes has 1 / (places of the smallest of them), so that a
/// small box counts as much as a large one; all other places have `background`
/// / (number of them). So each box that overlaps no other has a sum of 1, and
/// what is around them one of `background`. A place belongs to a box that
/// covers any part of it; boxes without area or beyond the image have none.
///
/// These are the weights of focal-and-global distillation (Yang et al., 2022)
/// without its attention.
pub fn foreground(
    labels: &[Boxes],
    image: [usize; 2],
    (rows, columns): (usize, usize),
    background: f32,
) -> Array3<f32> {
    let mut all = Array3::zeros((labels.len(), rows, columns));
    for (boxes, mut map) in labels.iter().zip(all.outer_iter_mut()) {
        for b in boxes {
            let b = b.clipped(image[1] as f32, image[0] as f32);
            if b.area().is_nan() || b.area() <= 0.0 {
                continue;
            }
            let y = range(b.y0, b.y1, rows as f32 / image[0] as f32, rows);
            let x = range(b.x0, b.x1, columns as f32 / image[1] as f32, columns);
            let weight = 1.0 / (y.len() * x.len()).max(1) as f32;
            for row in y {
                for column in x.clone() {
                    let w = &mut map[[row, column]];
                    *w = weight.max(*w);
                }
            }
        }
        let rest = map.iter().filter(|w| **w == 0.0).count().max(1) as f32;
        map.mapv_inplace(|w| if w > 0.0 { w } else { background / rest });
    }
    all
}

/// The places that a range of pixels covers a part of.
fn range(from: f32, to: f32, scale: f32, n: usize) -> std::ops::Range<usize> {
    let low = (from * scale).floor().max(0.0) as usize;
    let high = (to * scale).ceil().max(0.0) as usize;
    low.min(n)..high.min(n)
}

/// The loss between the outputs of a student, with gradients, and those of its
/// teacher, without, for the same images; 0 where both are the same.
///
/// With the teacher's objectness `o` of each place, over the sum of all `o`:
///
/// - objectness: as in the loss of [`Detect`](super::Detect), with `o` as target;
/// - boxes: `o` times the squared distances of `2 sx`, `2 sy` (in cells), `tw` and `th`;
/// - classes: `o` times the divergence of the student's scores from the
///   teacher's, each class by itself.
///
/// # Errors
/// Outputs of another detector or of another number of images.
pub fn outputs<A: Kernels, B: Kernels>(
    detector: &Detector,
    student: &Pass<A>,
    teacher: &Pass<B>,
    device: &A::Device,
) -> Result<Tensor<A, 1>, TrainError> {
    let n = student.outputs().first().map_or(0, |o| o.dims()[0]);
    let student = detector.outputs(student, n)?;
    let teacher = detector.outputs(teacher, n)?;
    let mut loss: Tensor<A, 1> = Tensor::zeros([1], device);
    let mut sum = 0.0;
    for (s, t) in student.into_iter().zip(teacher) {
        let [_, a, v, h, w] = s.dims();
        let dims = [n, a, v, h, w];
        let t: Tensor<A, 5> = Tensor::from_data(TensorData::new(floats(t), dims), device);
        let part = |x: &Tensor<A, 5>, from: usize, to: usize| {
            x.clone().slice([0..n, 0..a, from..to, 0..h, 0..w])
        };
        let sure = part(&t, OBJECT, OBJECT + 1);
        sum += floats(sure.clone())
            .iter()
            .map(|o| f64::from(*o))
            .sum::<f64>();
        let flat = |x: &Tensor<A, 5>| part(x, OBJECT, OBJECT + 1).reshape([n * a * h * w]);
        let object = focal(flat(&s), flat(&t)).sum();
        // Centres count as offsets in cells, sizes as logarithms.
        let scale = values(vec![2.0, 2.0, 1.0, 1.0], device).reshape([1, 1, 4, 1, 1]);
        let apart = (part(&s, 0, OBJECT) - part(&t, 0, OBJECT)) * scale;
        let boxes = (apart.square() * sure.clone()).sum();
        let (s, t) = (part(&s, BEFORE, v), part(&t, BEFORE, v));
        let classes = cross_entropy(s, t.clone()) - cross_entropy(t.clone(), t);
        let classes = (classes * sure).sum();
        loss = loss + object + boxes + classes;
    }
    Ok(loss / (sum.max(1.0) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::BBox;

    #[test]
    fn weights_by_hand() {
        // 8 x 8 pixels on 4 x 4 places: one box of 2 x 2 places, one of 1 within it.
        let labels = vec![
            vec![
                BBox::new(0, 0.0, 0.0, 4.0, 4.0),
                BBox::new(0, 2.5, 2.5, 3.5, 3.5),
            ],
            vec![],
            vec![BBox::new(0, 3.0, 3.0, 3.0, 5.0)],
        ];
        let w = foreground(&labels, [8, 8], (4, 4), 0.5);
        let rest = 0.5 / 12.0;
        for (at, weight) in w.index_axis(ndarray::Axis(0), 0).indexed_iter() {
            let want = match at {
                (1, 1) => 1.0,
                (0 | 1, 0 | 1) => 0.25,
                _ => rest,
            };
            assert_eq!(*weight, want, "{at:?}");
        }
        for image in [1, 2] {
            let w = w.index_axis(ndarray::Axis(0), image);
            assert!(w.iter().all(|w| *w == 0.5 / 16.0), "{image}");
        }
    }
}
