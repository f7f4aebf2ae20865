//! Average precision, worked out by hand.

use vta_data::{ApRule, BBox, Boxes, Detection, evaluate};

/// A box of 10 x 10 at a place.
fn at(class: u16, x: f32) -> BBox {
    BBox::new(class, x, 0.0, x + 10.0, 10.0)
}

fn hard(class: u16, x: f32) -> BBox {
    BBox {
        difficult: true,
        ..at(class, x)
    }
}

fn d(x: f32, score: f32) -> Detection {
    let bbox = at(0, x);
    Detection { bbox, score }
}

fn ap(truth: &[Boxes], found: &[Vec<Detection>], rule: ApRule) -> Option<f64> {
    evaluate(truth, found, 1, 0.5, rule).classes[0]
}

fn close(got: Option<f64>, want: f64) {
    let got = got.expect("there is something to find");
    assert!((got - want).abs() < 1e-12, "{got}, not {want}");
}

/// Four to find; right, wrong, right, wrong, right, in this order of scores.
///
/// Precision 1, 1/2, 2/3, 1/2, 3/5 at recall 1/4, 1/4, 1/2, 1/2, 3/4; the best
/// from there on: 1, 2/3, 2/3, 3/5, 3/5.
#[test]
fn right_and_wrong_by_turns() {
    let truth = [
        vec![at(0, 0.0), at(0, 100.0)],
        vec![at(0, 0.0), at(0, 50.0)],
    ];
    let found = [
        vec![d(100.0, 0.5), d(300.0, 0.8), d(0.0, 0.9)],
        vec![d(200.0, 0.6), d(0.0, 0.7)],
    ];
    let all = 0.25 * 1.0 + 0.25 * (2.0 / 3.0) + 0.25 * 0.6;
    close(ap(&truth, &found, ApRule::AllPoints), all);
    // Recalls 0 to 0.2: 1; 0.3 to 0.5: 2/3; 0.6 and 0.7: 3/5; beyond: 0.
    let eleven = (3.0 * 1.0 + 3.0 * (2.0 / 3.0) + 2.0 * 0.6) / 11.0;
    close(ap(&truth, &found, ApRule::ElevenPoints), eleven);
}

/// A recall of exactly a tenth counts for that tenth.
#[test]
fn recalls_that_are_tenths() {
    let truth: Vec<Boxes> = (0..10).map(|_| vec![at(0, 0.0)]).collect();
    for n in 0..=10usize {
        let found: Vec<_> = (0..n).map(|_| vec![d(0.0, 0.5)]).collect();
        close(ap(&truth, &found, ApRule::AllPoints), n as f64 / 10.0);
        let points = if n == 0 { 0.0 } else { (n + 1) as f64 / 11.0 };
        close(ap(&truth, &found, ApRule::ElevenPoints), points);
    }
}

/// The second detection of a box is wrong, even if another box is near enough.
#[test]
fn doubles_are_wrong() {
    let truth = [vec![at(0, 0.0)]];
    let found = [vec![d(0.0, 0.9), d(0.0, 0.8)]];
    close(ap(&truth, &found, ApRule::AllPoints), 1.0);
    // The better-placed one comes second: it is the double.
    let found = [vec![d(2.0, 0.9), d(0.0, 0.8), d(50.0, 0.95)]];
    close(ap(&truth, &found, ApRule::AllPoints), 0.5);
    // Both take the box that they overlap most, at 0, and not that at 4.
    let truth = [vec![at(0, 0.0), at(0, 4.0)]];
    let found = [vec![d(0.0, 0.9), d(1.0, 0.8)]];
    close(ap(&truth, &found, ApRule::AllPoints), 0.5);
}

/// A difficult box: not missed if it is not found, neither right nor wrong if
/// it is, however often.
#[test]
fn difficult_boxes_do_not_count() {
    let truth = [vec![hard(0, 100.0), at(0, 0.0)]];
    close(ap(&truth, &[vec![d(0.0, 0.5)]], ApRule::AllPoints), 1.0);
    let found = [vec![d(100.0, 0.9), d(100.0, 0.8), d(0.0, 0.5)]];
    close(ap(&truth, &found, ApRule::AllPoints), 1.0);
    let found = [vec![d(200.0, 0.9), d(0.0, 0.5)]];
    close(ap(&truth, &found, ApRule::AllPoints), 0.5);
    // Only difficult ones: nothing to find.
    assert_eq!(
        ap(
            &[vec![hard(0, 0.0)]],
            &[vec![d(0.0, 0.5)]],
            ApRule::AllPoints
        ),
        None
    );
}

/// Half of the union is enough; a little less is not.
#[test]
fn the_overlap_that_is_needed() {
    let truth = [vec![BBox::new(0, 0.0, 0.0, 10.0, 10.0)]];
    let found = |x1: f32| {
        let bbox = BBox::new(0, 0.0, 0.0, x1, 10.0);
        [vec![Detection { bbox, score: 1.0 }]]
    };
    close(ap(&truth, &found(5.0), ApRule::AllPoints), 1.0);
    close(ap(&truth, &found(4.9), ApRule::AllPoints), 0.0);
}

#[test]
fn the_mean_is_over_classes_with_something_to_find() {
    let truth = [vec![at(0, 0.0), at(2, 0.0), at(2, 50.0)], vec![]];
    let of = |class, x, score| Detection {
        bbox: at(class, x),
        score,
    };
    // Class 1 is found where there is none, and has no average.
    let found = [
        vec![of(0, 0.0, 0.9), of(1, 0.0, 0.9)],
        vec![],
        vec![of(2, 0.0, 0.1)],
    ];
    let e = evaluate(&truth, &found, 3, 0.5, ApRule::AllPoints);
    assert_eq!(e.classes, [Some(1.0), None, Some(0.0)]);
    assert_eq!(e.mean, 0.5);
    let e = evaluate(&[], &[], 2, 0.5, ApRule::AllPoints);
    assert_eq!((e.classes, e.mean), (vec![None, None], 0.0));
}

/// Of equal scores, the first image counts first.
#[test]
fn equal_scores_count_in_order() {
    let truth = [vec![], vec![at(0, 0.0)]];
    let found = [vec![d(0.0, 0.5)], vec![d(0.0, 0.5)]];
    close(ap(&truth, &found, ApRule::AllPoints), 0.5);
    let (truth, found) = (
        [vec![at(0, 0.0)], vec![]],
        [vec![d(0.0, 0.5)], vec![d(0.0, 0.5)]],
    );
    close(ap(&truth, &found, ApRule::AllPoints), 1.0);
    let found = [vec![d(0.0, 0.5), d(300.0, f32::NAN)], vec![]];
    close(ap(&truth, &found, ApRule::AllPoints), 1.0);
}
