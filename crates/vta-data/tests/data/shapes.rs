//! Sets that the program makes.

use sha2::{Digest, Sha256};
use vta_data::shapes::{Counts, boxes, classes};
use vta_data::{Image, Split};

fn counts(train: usize, val: usize, test: usize) -> Counts {
    Counts { train, val, test }
}

fn digest<'a>(images: impl Iterator<Item = &'a Image>) -> String {
    let mut all = Sha256::new();
    images.for_each(|i| all.update(i.data()));
    all.finalize()[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// The bytes of a seed never change: results and checkpoints depend on them.
#[test]
fn a_seed_is_the_same_bytes_everywhere() {
    let set = classes(1, counts(200, 0, 50));
    assert_eq!(
        digest(set.train.iter().map(|s| &s.image)),
        "278c30e86d36b4c3"
    );
    assert_eq!(
        digest(set.test.iter().map(|s| &s.image)),
        "f4c785f096c5e594"
    );
    let set = boxes(1, counts(40, 0, 0));
    assert_eq!(
        digest(set.train.iter().map(|s| &s.image)),
        "e8b11676eedd6597"
    );
    let edges = set.train.iter().flat_map(|s| &s.label);
    let edges = edges.flat_map(|b| [f32::from(b.class), b.x0, b.y0, b.x1, b.y1]);
    let mut all = Sha256::new();
    edges.for_each(|e| all.update((e as u32).to_le_bytes()));
    let got: String = all.finalize()[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(got, "9b40d87ae18f5393");
}

#[test]
fn more_images_do_not_change_the_first() {
    let (few, many) = (
        classes(7, counts(20, 10, 0)),
        classes(7, counts(50, 20, 10)),
    );
    assert_eq!(few.train[..], many.train[..20]);
    assert_eq!(few.val[..], many.val[..10]);
    let (few, many) = (boxes(7, counts(3, 0, 0)), boxes(7, counts(5, 0, 0)));
    assert_eq!(few.train[..], many.train[..3]);
}

#[test]
fn seeds_and_splits_differ() {
    let a = classes(1, counts(30, 30, 30));
    let b = classes(2, counts(30, 0, 0));
    for i in 0..30 {
        assert_ne!(a.train[i].image, b.train[i].image);
        assert_ne!(a.train[i].image, a.val[i].image);
        assert_ne!(a.val[i].image, a.test[i].image);
    }
}

#[test]
fn every_class_is_there_equally_often() {
    let set = classes(1, counts(100, 0, 30));
    assert_eq!(set.classes.len(), 10);
    assert_eq!(set.counts(Split::Train), [10; 10]);
    assert_eq!(set.counts(Split::Test), [3; 10]);
    assert_eq!(set.dims(), Some([3, 32, 32]));
}

/// Each image has a shape that is brighter than what is around it: without
/// it, images of a class would not be alike in anything.
#[test]
fn shapes_stand_out() {
    let set = classes(3, counts(200, 0, 0));
    for (i, s) in set.train.iter().enumerate() {
        let bright = |at: &usize| {
            let sum: u32 = (0..3).map(|c| u32::from(s.image.plane(c)[*at])).sum();
            sum > 300
        };
        let n = (0..1024).filter(bright).count();
        assert!(n >= 8, "image {i} has {n} bright pixels");
    }
}

#[test]
fn boxes_are_tight_and_within_their_image() {
    let set = boxes(5, counts(200, 0, 0));
    assert_eq!(set.dims(), Some([3, 96, 96]));
    let mut found = 0;
    for s in &set.train {
        assert!((1..=6).contains(&s.label.len()));
        for b in &s.label {
            assert!(b.x0 >= 0.0 && b.y0 >= 0.0 && b.x1 <= 96.0 && b.y1 <= 96.0);
            assert!(b.width() >= 6.0 && b.height() >= 6.0, "{b:?}");
            assert!(b.width() <= 41.0 && b.height() <= 41.0, "{b:?}");
            found += 1;
        }
        for (i, a) in s.label.iter().enumerate() {
            for b in &s.label[..i] {
                assert!(vta_data::iou(a, b) <= 0.08);
            }
        }
    }
    assert!(found > 500, "{found}");
    assert!(set.counts(Split::Train).iter().all(|n| *n > 50));
}
