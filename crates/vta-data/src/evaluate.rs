//! Average precision of detections, as in Pascal VOC.

use super::{BBox, Boxes, iou};

/// A box that a detector found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Where, and of which class.
    pub bbox: BBox,
    /// How sure it is.
    pub score: f32,
}

/// How the area under precision over recall is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApRule {
    /// The area under the curve whose precision is the best at this recall or
    /// more: VOC from 2010 on.
    #[default]
    AllPoints,
    /// The mean of that precision at the recalls 0, 0.1 to 1: VOC 2007.
    ElevenPoints,
}

/// Average precision of each class, and their mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Of each class; none where there is nothing to find.
    pub classes: Vec<Option<f64>>,
    /// Mean over the classes in which there is something to find (mAP); 0 if there is none.
    pub mean: f64,
}

/// Compares detections with what is there, image by image.
///
/// As the development kit of Pascal VOC does: detections of a class, best score
/// first over all images, each take the box of their image that they overlap
/// most. If that is at least `overlap`, the detection is right the first time
/// and wrong every further time; a difficult box counts neither way. Below
/// it the detection is wrong. Precision is over the detections so far, recall
/// over the boxes that are not difficult. Equal scores count in the order of
/// images and detections; a score that is no number is dropped. Images without
/// a partner in the other list have no detections, or nothing to find.
pub fn evaluate(
    truth: &[Boxes],
    found: &[Vec<Detection>],
    classes: usize,
    overlap: f32,
    rule: ApRule,
) -> Evaluation {
    let aps: Vec<Option<f64>> = (0..classes)
        .map(|class| one_class(truth, found, class, overlap, rule))
        .collect();
    let known: Vec<f64> = aps.iter().copied().flatten().collect();
    let mean = match known.len() {
        0 => 0.0,
        n => known.iter().sum::<f64>() / n as f64,
    };
    Evaluation { classes: aps, mean }
}

fn one_class(
    truth: &[Boxes],
    found: &[Vec<Detection>],
    class: usize,
    overlap: f32,
    rule: ApRule,
) -> Option<f64> {
    let of_class = |b: &BBox| usize::from(b.class) == class;
    let truth: Vec<Vec<&BBox>> = truth
        .iter()
        .map(|boxes| boxes.iter().filter(|b| of_class(b)).collect())
        .collect();
    let all = truth.iter().flatten().filter(|b| !b.difficult).count();
    if all == 0 {
        return None;
    }
    let mut sorted: Vec<(usize, &Detection)> = found
        .iter()
        .enumerate()
        .flat_map(|(image, ds)| ds.iter().map(move |d| (image, d)))
        .filter(|(_, d)| of_class(&d.bbox) && !d.score.is_nan())
        .collect();
    sorted.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
    let mut taken: Vec<Vec<bool>> = truth.iter().map(|b| vec![false; b.len()]).collect();
    let (mut right, mut wrong) = (0u64, 0u64);
    // Recall and precision after each detection.
    let mut curve = Vec::with_capacity(sorted.len());
    for (image, d) in sorted {
        match best(truth.get(image), &d.bbox) {
            Some((at, much)) if much >= overlap => {
                if truth[image][at].difficult {
                    continue;
                }
                match std::mem::replace(&mut taken[image][at], true) {
                    false => right += 1,
                    true => wrong += 1,
                }
            }
            _ => wrong += 1,
        }
        let precision = right as f64 / (right + wrong) as f64;
        curve.push((right as f64 / all as f64, precision));
    }
    Some(match rule {
        ApRule::AllPoints => all_points(curve),
        ApRule::ElevenPoints => eleven_points(&curve),
    })
}

/// The box that overlaps most, the first of equals.
fn best(boxes: Option<&Vec<&BBox>>, d: &BBox) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (i, b) in boxes?.iter().enumerate() {
        let much = iou(b, d);
        if best.is_none_or(|(_, most)| much > most) {
            best = Some((i, much));
        }
    }
    best
}

fn all_points(mut curve: Vec<(f64, f64)>) -> f64 {
    let mut best = 0.0f64;
    for (_, precision) in curve.iter_mut().rev() {
        best = best.max(*precision);
        *precision = best;
    }
    let mut before = 0.0;
    let step = |(recall, precision): &(f64, f64)| {
        let area = (recall - before) * precision;
        before = *recall;
        area
    };
    curve.iter().map(step).sum()
}

fn eleven_points(curve: &[(f64, f64)]) -> f64 {
    // Recalls are counts over a count: a little less than a tenth of it is that tenth.
    let at = |i: u32| f64::from(i) / 10.0 - 1e-9;
    let best = |i: u32| {
        let beyond = curve.iter().filter(|(recall, _)| *recall >= at(i));
        beyond.map(|(_, p)| *p).fold(0.0, f64::max)
    };
    (0..=10).map(best).sum::<f64>() / 11.0
}
