//! Orders, batches, normalisation.

use super::make::picture;
use vta_data::shapes::{Counts, classes};
use vta_data::{Augment, Fault, Image, Loader, Normalise, Sample, Split, order, to_array};

fn few(n: usize) -> vta_data::Dataset<u16> {
    let counts = Counts {
        train: n,
        val: 0,
        test: 0,
    };
    classes(1, counts)
}

#[test]
fn an_order_is_a_permutation_of_its_own() {
    let a = order(1000, 1, 0);
    let mut sorted = a.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
    assert_eq!(a, order(1000, 1, 0));
    for other in [order(1000, 2, 0), order(1000, 1, 1)] {
        let same = a.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!(same < 20, "{same}");
    }
    assert!(order(0, 1, 0).is_empty());
    assert_eq!(order(1, 1, 0), [0]);
}

/// Each number goes to each place about equally often.
#[test]
fn no_order_is_preferred() {
    let mut counts = [[0u32; 5]; 5];
    for epoch in 0..5000 {
        for (place, n) in order(5, 3, epoch).into_iter().enumerate() {
            counts[place][n] += 1;
        }
    }
    assert!(
        counts.iter().flatten().all(|n| (870..1130).contains(n)),
        "{counts:?}"
    );
}

#[test]
fn values_are_normalised_by_channel() {
    let image = Image::new(2, 1, 2, vec![0, 10, 100, 200]).unwrap();
    let normalise = Normalise {
        mean: vec![10.0, 100.0],
        scale: vec![0.5, 0.01],
    };
    let array = to_array([&image, &image], &normalise).unwrap();
    assert_eq!(array.shape(), [2, 2, 1, 2]);
    let values: Vec<f32> = array.iter().copied().collect();
    assert_eq!(values[..4], [-5.0, 0.0, 0.0, 1.0]);
    assert_eq!(values[..4], values[4..]);
    let unit = to_array([&image], &Normalise::unit(2)).unwrap();
    assert_eq!(unit[[0, 1, 0, 1]], 200.0 * (1.0 / 255.0));
}

#[test]
fn normalisation_of_a_set_gives_mean_0_and_variance_1() {
    let set = few(50);
    let images = || set.train.iter().map(|s| &s.image);
    let normalise = Normalise::of(images()).unwrap();
    let array = to_array(images(), &normalise).unwrap();
    for c in 0..3 {
        let channel = array.index_axis(ndarray::Axis(1), c);
        let n = channel.len() as f64;
        let mean = channel.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let var = channel.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n;
        assert!(
            mean.abs() < 1e-5 && (var - 1.0).abs() < 1e-5,
            "{mean} {var}"
        );
    }
    let flat = Image::filled(1, 4, 4, 9).unwrap();
    let normalise = Normalise::of([&flat]).unwrap();
    assert_eq!((normalise.mean[0], normalise.scale[0]), (9.0, 1.0));
    assert!(Normalise::of([]).is_err());
}

#[test]
fn arrays_that_cannot_be_made() {
    let (a, b) = (picture(3, 4, 4), picture(3, 4, 5));
    let unit = Normalise::unit(3);
    assert!(matches!(to_array([&a, &b], &unit), Err(Fault::Size { .. })));
    assert!(matches!(to_array([], &unit), Err(Fault::Empty(_))));
    assert!(to_array([&a], &Normalise::unit(1)).is_err());
}

fn loader(samples: &[Sample<u16>], drop_last: bool) -> Loader<'_, u16> {
    let augment = Augment {
        cutout: 5,
        brightness: 20,
        contrast: 20,
        ..Augment::small_images()
    };
    let unit = Normalise::unit(3);
    Loader {
        drop_last,
        ..Loader::training(samples, 8, unit, augment, 11)
    }
}

#[test]
fn an_epoch_has_every_sample_once() {
    let set = few(30);
    for (drop_last, batches) in [(false, 4), (true, 3)] {
        let loader = loader(&set.train, drop_last);
        assert_eq!(loader.batches(), batches);
        let all: Vec<_> = loader.epoch(2, 0).map(Result::unwrap).collect();
        assert_eq!(all.len(), batches);
        let mut seen: Vec<usize> = all.iter().flat_map(|b| b.indices.clone()).collect();
        for b in &all {
            assert_eq!(b.images.shape()[0], b.indices.len());
            for (i, label) in b.indices.iter().zip(&b.labels) {
                assert_eq!(set.train[*i].label, *label);
            }
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), if drop_last { 24 } else { 30 });
    }
}

/// Two epochs are one epoch, a stop within the second, and the rest.
#[test]
fn resuming_changes_no_bit() {
    let set = few(30);
    let whole: Vec<_> = (0..2)
        .flat_map(|e| loader(&set.train, false).epoch(e, 0).collect::<Vec<_>>())
        .map(Result::unwrap)
        .collect();
    let resumed: Vec<_> = loader(&set.train, false).epoch(1, 2).collect();
    assert_eq!(resumed.len(), 2);
    for (a, b) in whole[6..].iter().zip(resumed) {
        assert_eq!(*a, b.unwrap());
    }
    assert_ne!(whole[0].indices, whole[4].indices);
}

#[test]
fn measuring_changes_nothing() {
    let set = few(5);
    let loader = Loader::plain(&set.train, 2, Normalise::unit(3));
    let all: Vec<_> = loader.epoch(0, 0).map(Result::unwrap).collect();
    let again: Vec<_> = loader.epoch(9, 0).map(Result::unwrap).collect();
    assert_eq!(all, again);
    assert_eq!(all[2].indices, [4]);
    assert_eq!(
        all[2].images,
        to_array([&set.train[4].image], &loader.normalise).unwrap()
    );
    assert!(loader.batch(0, &[5]).is_err());
    let none = Loader::plain(&set.val, 2, Normalise::unit(3));
    assert_eq!(none.epoch(0, 0).count(), 0);
}

#[test]
fn held_out_samples_are_others() {
    let whole = few(40);
    let mut set = whole.clone();
    set.hold_out(10, Split::Val, 5).unwrap();
    let mut again = whole.clone();
    again.hold_out(10, Split::Val, 5).unwrap();
    assert_eq!(set, again);
    assert_eq!((set.train.len(), set.val.len()), (30, 10));
    for s in &whole.train {
        assert!(set.train.contains(s) != set.val.contains(s));
    }
    let mut other = whole.clone();
    other.hold_out(10, Split::Val, 6).unwrap();
    assert_ne!(set.val, other.val);
}
