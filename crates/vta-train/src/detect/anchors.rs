//! Anchors: sizes that boxes of a data set often have.

use crate::TrainError;
use vta_data::BBox;

/// Rounds of moving the anchors at most.
const ROUNDS: usize = 100;

/// Area of the intersection over that of the union of two boxes with one corner in common.
pub(super) fn alike(a: [f32; 2], b: [f32; 2]) -> f32 {
    let both = a[0].min(b[0]) * a[1].min(b[1]);
    both / (a[0] * a[1] + b[0] * b[1] - both)
}

/// `n` sizes (width, height) that boxes have, by increasing area: the means of
/// groups of boxes that overlap each other most (k-means from equal parts of
/// the boxes by area), rounded to hundredths of a pixel.
///
/// # Errors
/// No box with an area.
pub fn anchors<'a>(
    boxes: impl IntoIterator<Item = &'a BBox>,
    n: usize,
) -> Result<Vec<[f32; 2]>, TrainError> {
    let area = |a: &[f32; 2]| a[0] * a[1];
    let sizes = boxes.into_iter().map(|b| [b.width(), b.height()]);
    let mut sizes: Vec<[f32; 2]> = sizes
        .filter(|s| area(s) > 0.0 && area(s).is_finite())
        .collect();
    if sizes.is_empty() {
        return Err(TrainError::Request("there are no boxes to learn".into()));
    }
    let by_area = |a: &[f32; 2], b: &[f32; 2]| {
        let areas = area(a).total_cmp(&area(b));
        areas.then(a[0].total_cmp(&b[0]))
    };
    sizes.sort_by(by_area);
    // The middle of each of n equal parts.
    let middle = |i: usize| sizes[(2 * i + 1) * sizes.len() / (2 * n)];
    let mut centres: Vec<[f32; 2]> = (0..n).map(middle).collect();
    let mut groups = vec![usize::MAX; sizes.len()];
    for _ in 0..ROUNDS {
        let next: Vec<usize> = sizes.iter().map(|s| nearest(&centres, *s)).collect();
        if next == groups {
            break;
        }
        groups = next;
        for (g, centre) in centres.iter_mut().enumerate() {
            let mut sums = [0.0f64; 3];
            for (s, _) in sizes.iter().zip(&groups).filter(|(_, at)| **at == g) {
                sums[0] += f64::from(s[0]);
                sums[1] += f64::from(s[1]);
                sums[2] += 1.0;
            }
            if sums[2] > 0.0 {
                *centre = [0, 1].map(|i| (sums[i] / sums[2]) as f32);
            }
        }
    }
    let hundredths = |v: f32| ((f64::from(v) * 100.0).round().max(1.0) / 100.0) as f32;
    let mut centres: Vec<[f32; 2]> = centres.iter().map(|c| c.map(hundredths)).collect();
    centres.sort_by(by_area);
    Ok(centres)
}

/// The first of the centres that overlap a size most.
fn nearest(centres: &[[f32; 2]], size: [f32; 2]) -> usize {
    let mut best = (0, -1.0);
    for (i, c) in centres.iter().enumerate() {
        let much = alike(*c, size);
        if much > best.1 {
            best = (i, much);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(side: f32) -> BBox {
        BBox::new(0, 1.0, 1.0, 1.0 + side, 1.0 + side)
    }

    #[test]
    fn groups_of_sizes_are_found() {
        let sides = [10.0, 11.0, 12.0, 40.0, 42.0, 80.0];
        let boxes: Vec<BBox> = sides.iter().map(|s| square(*s)).collect();
        let found = anchors(&boxes, 3).expect("there are boxes");
        assert_eq!(found, [[11.0; 2], [41.0; 2], [80.0; 2]]);
        // The order of the boxes does not matter.
        let found = anchors(boxes.iter().rev(), 3).expect("there are boxes");
        assert_eq!(found, [[11.0; 2], [41.0; 2], [80.0; 2]]);
    }

    #[test]
    fn few_boxes_and_none() {
        assert_eq!(
            anchors(&[square(7.0)], 2).expect("a box"),
            [[7.0; 2], [7.0; 2]]
        );
        assert!(anchors(&[], 2).is_err());
        assert!(anchors(&[square(0.0)], 2).is_err(), "no area");
    }
}
