//! Real data, where they are at hand; the other tests prove the same with small files.

use vta_data::{
    ApRule, Data, Detection, Disk, Fault, Files, Fit, Normalise, OpenOptions, Purpose, Random,
    Split, decode, evaluate, open, to_array,
};
use vta_test_support::shared;

#[test]
fn cifar10() {
    let Some(path) = shared("data/cifar10") else {
        return;
    };
    let set = open(&Disk, path.to_str().unwrap(), &OpenOptions::default()).unwrap();
    let Data::Classes(set) = set else {
        panic!("it has classes");
    };
    assert_eq!((set.train.len(), set.test.len()), (6000, 2000));
    assert_eq!(set.counts(Split::Train), [600; 10]);
    let n = Normalise::of(set.train.iter().map(|s| &s.image)).unwrap();
    // What is published for the whole set: 125, 123, 114 and 63, 62, 67.
    for (got, want) in n.mean.iter().zip([125.3, 123.0, 113.9]) {
        assert!((got - want).abs() < 3.0, "{got}");
    }
    for (got, want) in n.scale.iter().zip([63.0, 62.1, 66.7]) {
        assert!((1.0 / got - want).abs() < 3.0, "{got}");
    }
}

#[test]
fn blood_cells() {
    let Some(path) = shared("data/bccd") else {
        return;
    };
    let options = OpenOptions {
        fit: Fit::Letterbox(96, 96, 128),
        ..OpenOptions::default()
    };
    let set = open(&Disk, path.to_str().unwrap(), &options).unwrap();
    let Data::Boxes(set) = set else {
        panic!("it has boxes");
    };
    let sizes = Split::ALL.map(|s| set.split(s).len());
    assert_eq!(sizes, [205, 87, 72]);
    assert_eq!(set.classes, ["Platelets", "RBC", "WBC"]);
    // All 4,888 objects but two without area, which are told.
    let boxes: usize = Split::ALL.iter().flat_map(|s| set.counts(*s)).sum();
    let empty = |e: &vta_data::DataError| matches!(e.fault, Fault::EmptyBox { .. });
    assert_eq!(set.repaired.len(), 2);
    assert!(set.repaired.iter().all(empty));
    assert!((4800..=4886).contains(&boxes), "{boxes}");
    let images = set.test.iter().map(|s| &s.image);
    let array = to_array(images, &Normalise::unit(3)).unwrap();
    assert_eq!(array.shape(), [72, 3, 96, 96]);
    // White cells are the purple ones: more blue than green.
    let (mut green, mut blue) = (0u64, 0u64);
    for s in &set.test {
        for b in s.label.iter().filter(|b| b.class == 2) {
            let (x, y) = ((b.x0 + b.x1) as usize / 2, (b.y0 + b.y1) as usize / 2);
            green += u64::from(s.image.plane(1)[y * 96 + x]);
            blue += u64::from(s.image.plane(2)[y * 96 + x]);
        }
    }
    assert!(blue > green + green / 5, "{blue} {green}");
    // The boxes themselves are found perfectly.
    let truth: Vec<_> = set.test.iter().map(|s| s.label.clone()).collect();
    let found = truth.iter().map(|boxes| {
        let one = |b: &vta_data::BBox| Detection {
            bbox: *b,
            score: 1.0,
        };
        boxes.iter().map(one).collect()
    });
    let found: Vec<Vec<Detection>> = found.collect();
    for rule in [ApRule::AllPoints, ApRule::ElevenPoints] {
        assert!(evaluate(&truth, &found, 3, 0.5, rule).mean > 0.999);
    }
}

/// A photograph that is cut short is damaged, not half grey; others are an
/// image or an error.
#[test]
fn damaged_photographs() {
    let Some(path) = shared("data/bccd") else {
        return;
    };
    let path = path.join("JPEGImages/BloodImage_00001.jpg");
    let good = Disk.read(&path, 1 << 20).unwrap();
    assert_eq!(decode(&good).unwrap().dims(), [3, 240, 320]);
    for part in 1..20 {
        let cut = &good[..good.len() * part / 20];
        assert!(decode(cut).is_err(), "{part} of 20");
    }
    for i in 0..300 {
        let random = &mut Random::new(1, Purpose::Order, 3, i);
        let mut bytes = good.clone();
        for _ in 0..random.between(1, 5) {
            // Heads are hit as often as the picture.
            let most = [700, bytes.len() as u32][random.below(2) as usize];
            bytes[random.below(most) as usize] = random.below(256) as u8;
        }
        if let Ok(image) = decode(&bytes) {
            assert!(image.width() <= 1 << 15);
        }
    }
}
