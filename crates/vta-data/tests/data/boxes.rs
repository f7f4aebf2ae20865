//! Intersection over union, non-maximum suppression.

use vta_data::{BBox, Detection, iou, nms};

fn b(x0: f32, y0: f32, x1: f32, y1: f32) -> BBox {
    BBox::new(0, x0, y0, x1, y1)
}

#[test]
fn intersection_over_union() {
    let a = b(0.0, 0.0, 10.0, 10.0);
    assert_eq!(iou(&a, &a), 1.0);
    assert_eq!(iou(&a, &b(5.0, 0.0, 15.0, 10.0)), 50.0 / 150.0);
    assert_eq!(iou(&a, &b(2.0, 2.0, 4.0, 7.0)), 0.1);
    // Edges that touch share nothing.
    assert_eq!(iou(&a, &b(10.0, 0.0, 20.0, 10.0)), 0.0);
    assert_eq!(iou(&a, &b(30.0, 30.0, 40.0, 40.0)), 0.0);
    // Boxes without area, or the wrong way round.
    assert_eq!(iou(&b(1.0, 1.0, 1.0, 1.0), &b(1.0, 1.0, 1.0, 1.0)), 0.0);
    assert_eq!(iou(&a, &b(9.0, 9.0, 1.0, 1.0)), 0.0);
}

fn d(class: u16, x: f32, score: f32) -> Detection {
    let bbox = BBox::new(class, x, 0.0, x + 10.0, 10.0);
    Detection { bbox, score }
}

fn scores(all: &[Detection]) -> Vec<f32> {
    all.iter().map(|d| d.score).collect()
}

#[test]
fn the_best_of_those_that_overlap_is_kept() {
    // 0.9 takes 0.8 (overlap 9/11) but not 0.7 (5/15) nor another class.
    let all = [
        d(0, 5.0, 0.7),
        d(0, 1.0, 0.8),
        d(0, 0.0, 0.9),
        d(1, 0.0, 0.6),
    ];
    assert_eq!(scores(&nms(&all, 0.5, 100)), [0.9, 0.7, 0.6]);
    assert_eq!(scores(&nms(&all, 0.3, 100)), [0.9, 0.6]);
    assert_eq!(scores(&nms(&all, 1.0, 100)), [0.9, 0.8, 0.7, 0.6]);
    assert_eq!(scores(&nms(&all, 0.5, 2)), [0.9, 0.7]);
    assert_eq!(nms(&all, 0.5, 0), []);
    assert_eq!(nms(&[], 0.5, 9), []);
}

/// One that was dropped drops none: 0.8 would take 0.7.
#[test]
fn only_kept_ones_suppress() {
    let all = [d(0, 0.0, 0.9), d(0, 3.0, 0.8), d(0, 6.0, 0.7)];
    assert_eq!(scores(&nms(&all, 0.5, 9)), [0.9, 0.7]);
}

#[test]
fn ties_and_no_numbers() {
    let all = [d(0, 0.0, f32::NAN), d(0, 2.0, 0.5), d(0, 0.0, 0.5)];
    let kept = nms(&all, 0.5, 9);
    assert_eq!(kept, [all[1]]);
}
