//! Random changes.

use super::make::picture;
use vta_data::shapes::{Counts, boxes};
use vta_data::{Augment, BBox, Boxes, Image, Sample};

fn sample() -> Sample<u16> {
    Sample {
        image: picture(3, 6, 8),
        label: 3,
    }
}

/// What an epoch makes of the sample, for many epochs.
fn seen(augment: &Augment) -> Vec<Image> {
    let one = |e| augment.apply(&sample(), 1, e, 0).unwrap();
    (0..200).map(|e| one(e).image).collect()
}

#[test]
fn nothing_on_changes_nothing() {
    let same = Augment::default().apply(&sample(), 1, 2, 3).unwrap();
    assert_eq!(same, sample());
}

#[test]
fn a_function_of_seed_epoch_and_index() {
    let all = Augment {
        flip: true,
        flip_vertical: true,
        zoom: Some((80, 120)),
        shift: 2,
        crop: Some((5, 5)),
        brightness: 30,
        contrast: 30,
        cutout: 2,
        fill: 7,
    };
    let at = |s, e, i| all.apply(&sample(), s, e, i).unwrap().image;
    assert_eq!(at(1, 2, 3), at(1, 2, 3));
    for other in [at(2, 2, 3), at(1, 3, 3), at(1, 2, 4)] {
        assert_ne!(at(1, 2, 3), other);
        assert_eq!(other.dims(), [3, 5, 5]);
    }
}

#[test]
fn mirrors_in_half_of_all_cases() {
    let image = sample().image;
    let mut mirrored = image.clone();
    mirrored.flip_horizontal();
    assert_eq!(mirrored.plane(1)[0], image.plane(1)[7]);
    let all = seen(&Augment {
        flip: true,
        ..Augment::default()
    });
    let n = all.iter().filter(|i| **i == mirrored).count();
    assert!((70..130).contains(&n), "{n}");
    assert!(all.iter().all(|i| *i == mirrored || *i == image));

    let mut upside_down = image.clone();
    upside_down.flip_vertical();
    assert_eq!(upside_down.plane(2)[..8], image.plane(2)[40..]);
    let all = seen(&Augment {
        flip_vertical: true,
        ..Augment::default()
    });
    assert!(all.contains(&upside_down) && all.contains(&image));
    assert!(all.iter().all(|i| *i == upside_down || *i == image));
}

#[test]
fn shifts_reach_every_place() {
    let all = seen(&Augment {
        shift: 1,
        fill: 255,
        ..Augment::default()
    });
    let mut places = std::collections::BTreeSet::new();
    for image in &all {
        let found = (-1..=1)
            .flat_map(|y| (-1..=1).map(move |x| (y, x)))
            .find(|(y, x)| sample().image.window(*y, *x, 6, 8, 255).unwrap() == *image);
        places.insert(found.expect("a shift by one at most"));
    }
    assert_eq!(places.len(), 9);
}

#[test]
fn crops_are_windows() {
    let all = seen(&Augment {
        crop: Some((4, 4)),
        ..Augment::default()
    });
    let mut places = std::collections::BTreeSet::new();
    for image in &all {
        let found = (0..=2)
            .flat_map(|y| (0..=4).map(move |x| (y, x)))
            .find(|(y, x)| sample().image.window(*y, *x, 4, 4, 0).unwrap() == *image);
        places.insert(found.expect("a window within the image"));
    }
    assert_eq!(places.len(), 15);
}

#[test]
fn windows_beyond_the_image_are_filled() {
    let image = picture(1, 2, 2);
    let data = |y, x| image.window(y, x, 2, 2, 9).unwrap().data().to_vec();
    let [a, b, c, d] = image.data() else { panic!() };
    assert_eq!(data(0, 0), [*a, *b, *c, *d]);
    assert_eq!(data(1, 1), [*d, 9, 9, 9]);
    assert_eq!(data(-1, -1), [9, 9, 9, *a]);
    assert_eq!(data(0, -2), [9; 4]);
    assert_eq!(data(i64::from(i32::MIN), i64::from(i32::MAX)), [9; 4]);
}

#[test]
fn values_move_within_their_bounds() {
    let grey = Sample {
        image: Image::new(1, 1, 3, vec![28, 128, 228]).unwrap(),
        label: 0u16,
    };
    let brightness = Augment {
        brightness: 10,
        ..Augment::default()
    };
    let contrast = Augment {
        contrast: 50,
        ..Augment::default()
    };
    let (mut adds, mut percents) = (Vec::new(), Vec::new());
    for e in 0..500 {
        let image = brightness.apply(&grey, 1, e, 0).unwrap().image;
        let [a, b, c] = image.data() else { panic!() };
        assert_eq!((b - a, c - b), (100, 100));
        adds.push(i32::from(*b) - 128);
        let image = contrast.apply(&grey, 1, e, 0).unwrap().image;
        let [a, b, c] = image.data() else { panic!() };
        assert_eq!(*b, 128);
        let away = 128 - i32::from(*a);
        assert!((50..=128).contains(&away));
        assert_eq!(i32::from(*c), (128 + away).min(255));
        percents.push(away);
    }
    let range = |v: &[i32]| (*v.iter().min().unwrap(), *v.iter().max().unwrap());
    assert_eq!(range(&adds), (-10, 10));
    assert_eq!(range(&percents), (50, 128));
}

#[test]
fn a_square_is_cut_out() {
    let plain = Sample {
        image: Image::filled(3, 20, 20, 1).unwrap(),
        label: 0u16,
    };
    let augment = Augment {
        cutout: 6,
        fill: 200,
        ..Augment::default()
    };
    let mut whole = 0;
    for e in 0..200 {
        let image = augment.apply(&plain, 1, e, 0).unwrap().image;
        let n = image.plane(0).iter().filter(|v| **v == 200).count();
        assert!((9..=36).contains(&n), "{n}");
        assert_eq!(image.plane(0), image.plane(2));
        whole += usize::from(n == 36);
    }
    assert!(whole > 80, "{whole}");
}

/// The box around the bright pixels of an image.
fn bright(image: &Image) -> Option<[f32; 4]> {
    let w = image.width();
    let lit: Vec<usize> = (0..w * image.height())
        .filter(|i| image.plane(0)[*i] > 127)
        .collect();
    let x = lit.iter().map(|i| i % w);
    let y = lit.iter().map(|i| i / w);
    Some([
        x.clone().min()? as f32,
        y.clone().min()? as f32,
        x.max()? as f32 + 1.0,
        y.max()? as f32 + 1.0,
    ])
}

/// Boxes are where the thing is, whatever is done to the image.
#[test]
fn boxes_follow() {
    let mut image = Image::filled(3, 40, 50, 0).unwrap();
    for y in 8..20 {
        for c in 0..3 {
            image.plane_mut(c)[y * 50 + 10..y * 50 + 26].fill(255);
        }
    }
    let label: Boxes = vec![BBox::new(1, 10.0, 8.0, 26.0, 20.0)];
    let sample = Sample { image, label };
    let augment = Augment {
        flip: true,
        flip_vertical: true,
        zoom: Some((60, 160)),
        shift: 6,
        ..Augment::default()
    };
    let mut gone = 0;
    for e in 0..500 {
        let seen = augment.apply(&sample, 1, e, 0).unwrap();
        assert_eq!(seen.image.dims(), [3, 40, 50]);
        let Some(b) = seen.label.first() else {
            gone += 1;
            continue;
        };
        assert_eq!(b.class, 1);
        let at = bright(&seen.image).expect("it is in the image");
        for (got, want) in [b.x0, b.y0, b.x1, b.y1].into_iter().zip(at) {
            assert!((got - want).abs() <= 1.0, "epoch {e}: {b:?}, {at:?}");
        }
    }
    assert!(gone < 50, "{gone}");
}

#[test]
fn boxes_that_are_hardly_visible_are_left_out() {
    let counts = Counts {
        train: 20,
        val: 0,
        test: 0,
    };
    let set = boxes(1, counts);
    let augment = Augment {
        crop: Some((48, 48)),
        ..Augment::default()
    };
    let (mut before, mut after) = (0, 0);
    for (i, s) in set.train.iter().enumerate() {
        let seen = augment.apply(s, 1, 0, i as u64).unwrap();
        before += s.label.len();
        after += seen.label.len();
        for b in &seen.label {
            assert!(b.x0 >= 0.0 && b.x1 <= 48.0 && b.y0 >= 0.0 && b.y1 <= 48.0);
            assert!(b.area() >= 1.0);
        }
    }
    assert!(
        after > 0 && 2 * after < before + after,
        "{after} of {before}"
    );
}
