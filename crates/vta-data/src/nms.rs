//! Non-maximum suppression.

use super::{Detection, iou};

/// Keeps, class by class, the detections that no better one overlaps by more
/// than `overlap` (intersection over union); at most `limit` of all classes.
///
/// The result is sorted by score, best first; of equal scores the earlier one
/// is better. A score that is no number is dropped.
pub fn nms(detections: &[Detection], overlap: f32, limit: usize) -> Vec<Detection> {
    let mut sorted: Vec<&Detection> = detections.iter().filter(|d| !d.score.is_nan()).collect();
    // Stable, so equal scores stay in order.
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::new();
    for d in sorted {
        if kept.len() == limit {
            break;
        }
        let mut same = kept.iter().filter(|k| k.bbox.class == d.bbox.class);
        if !same.any(|k| iou(&k.bbox, &d.bbox) > overlap) {
            kept.push(*d);
        }
    }
    kept
}
