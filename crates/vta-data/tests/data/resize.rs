//! Sizes.

use super::make::picture;
use vta_data::{BBox, Boxes, Fit, Image, Letterbox, resize};

fn grey(h: usize, w: usize, data: &[u8]) -> Image {
    Image::new(1, h, w, data.to_vec()).unwrap()
}

#[test]
fn shrinking_is_the_mean_of_the_area() {
    let image = grey(2, 4, &[0, 10, 100, 200, 20, 30, 100, 201]);
    assert_eq!(resize(&image, 1, 2).unwrap().data(), [15, 150]);
    // Three to two: one pixel and a half each.
    let image = grey(1, 3, &[0, 90, 255]);
    assert_eq!(resize(&image, 1, 2).unwrap().data(), [30, 200]);
    // One of everything: the mean, halves up.
    assert_eq!(resize(&grey(1, 2, &[0, 1]), 1, 1).unwrap().data(), [1]);
}

#[test]
fn growing_is_between_the_centres() {
    let image = grey(1, 2, &[0, 100]);
    assert_eq!(resize(&image, 1, 4).unwrap().data(), [0, 25, 75, 100]);
    let image = grey(2, 1, &[0, 60]);
    let want = [0, 0, 20, 40, 60, 60];
    let got = resize(&image, 6, 1).unwrap();
    // Centres at -1/3, 0, 1/3, 2/3, 1, 4/3.
    assert_eq!(got.data(), want);
}

/// Against floats, for shapes where one axis grows and the other shrinks.
#[test]
fn agrees_with_floats() {
    let weight = |from: usize, to: usize, i: usize, j: usize| -> f64 {
        let (f, t) = (from as f64, to as f64);
        if to <= from {
            let (a, b) = (i as f64 * f / t, (i + 1) as f64 * f / t);
            return (b.min(j as f64 + 1.0) - a.max(j as f64)).max(0.0) * t / f;
        }
        let at = ((i as f64 + 0.5) * f / t - 0.5).clamp(0.0, f - 1.0);
        (1.0 - (at - j as f64).abs()).max(0.0)
    };
    for (h, w, height, width) in [(5, 7, 9, 3), (8, 3, 2, 11), (4, 4, 7, 7), (9, 9, 4, 5)] {
        let image = picture(3, h, w);
        let got = resize(&image, height, width).unwrap();
        for (c, y, x) in (0..3 * height * width).map(|i| {
            let (c, rest) = (i / (height * width), i % (height * width));
            (c, rest / width, rest % width)
        }) {
            let mut sum = 0.0;
            for (i, v) in image.plane(c).iter().enumerate() {
                let by = weight(h, height, y, i / w) * weight(w, width, x, i % w);
                sum += by * f64::from(*v);
            }
            let got = f64::from(got.plane(c)[y * width + x]);
            assert!((got - sum).abs() <= 0.5 + 1e-6, "{got} {sum}");
        }
    }
}

#[test]
fn the_same_size_is_the_same_image() {
    let image = picture(3, 5, 6);
    assert_eq!(resize(&image, 5, 6).unwrap(), image);
    let flat = Image::filled(3, 7, 9, 201).unwrap();
    for (h, w) in [(1, 1), (3, 20), (50, 2), (64, 64)] {
        let got = resize(&flat, h, w).unwrap();
        assert_eq!(got, Image::filled(3, h, w, 201).unwrap());
    }
    assert!(resize(&flat, 0, 5).is_err());
    assert!(resize(&flat, 1 << 20, 1 << 20).is_err());
}

#[test]
fn a_letterbox_and_back() {
    for (h, w, height, width) in [
        (10, 20, 40, 40),
        (240, 320, 96, 96),
        (7, 3, 5, 9),
        (1, 1000, 8, 8),
    ] {
        let frame = Letterbox::new(h, w, height, width).unwrap();
        let image = Image::filled(1, h, w, 255).unwrap();
        let out = frame.apply(&image, 0).unwrap();
        assert_eq!(out.dims(), [1, height, width]);
        // The image in the frame is where its box is.
        let whole = BBox::new(0, 0.0, 0.0, w as f32, h as f32);
        let b = frame.forward(&whole);
        for y in 0..height {
            for x in 0..width {
                let (cx, cy) = (x as f32 + 0.5, y as f32 + 0.5);
                let inside = cx > b.x0 && cx < b.x1 && cy > b.y0 && cy < b.y1;
                assert_eq!(out.data()[y * width + x] == 255, inside, "{x} {y} {b:?}");
            }
        }
        let back = frame.back(&b);
        for (a, b) in [
            (back.x0, 0.0),
            (back.y0, 0.0),
            (back.x1, w as f32),
            (back.y1, h as f32),
        ] {
            assert!((a - b).abs() < 1e-3, "{back:?}");
        }
    }
    let frame = Letterbox::new(10, 20, 40, 40).unwrap();
    assert_eq!((frame.scale(), frame.offset()), ([2.0, 2.0], [0.0, 10.0]));
    assert!(frame.apply(&picture(1, 9, 20), 0).is_err());
    assert!(Letterbox::new(0, 20, 40, 40).is_err());
}

#[test]
fn a_crop_keeps_the_middle() {
    let image = grey(2, 6, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let mut label: Boxes = vec![BBox::new(0, 1.0, 0.0, 4.0, 2.0)];
    let out = Fit::Crop(2, 2).apply(image.clone(), &mut label).unwrap();
    assert_eq!(out.data(), [3, 4, 9, 10]);
    assert_eq!(label, [BBox::new(0, 0.0, 0.0, 2.0, 2.0)]);
    let out = Fit::Crop(4, 2).apply(image, &mut 0u16).unwrap();
    assert_eq!(out.dims(), [1, 4, 2]);
}
