//! Data sets in memory: the input is one of their files, or several.

mod kinds;

pub(crate) use kinds::{cifar, folders, idx, images, voc};

use vta_data::{Data, Image, Label, Memory, OpenOptions, Sample, decode, encode_png, open};

/// Files of an input: parts between bytes 0xff 0x00 0xff, as many as are wanted.
pub(crate) fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    const MARK: &[u8] = &[0xff, 0, 0xff];
    let mut rest = data;
    std::array::from_fn(|n| {
        let end = rest.windows(MARK.len()).position(|w| w == MARK);
        match end.filter(|_| n + 1 < N) {
            Some(end) => {
                let part = &rest[..end];
                rest = &rest[end + MARK.len()..];
                part
            }
            None => std::mem::take(&mut rest),
        }
    })
}

/// A gzip file whose content is the input, or the input itself.
fn maybe_packed(part: &[u8]) -> Vec<u8> {
    use std::io::Write;
    match part {
        [b'g', b'z', b':', rest @ ..] => {
            let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            to.write_all(rest).expect("memory can be written");
            to.finish().expect("memory can be written")
        }
        _ => part.to_vec(),
    }
}

fn images_of<L: Label>(samples: &[Sample<L>]) {
    for s in samples {
        let [c, h, w] = s.image.dims();
        assert!(c > 0 && h > 0 && w > 0, "an image of {c} x {h} x {w}");
        assert_eq!(s.image.data().len(), c * h * w);
    }
}

/// Opens the folder `d`: an error that names one of its files, or a set in which
/// every class is known and every box is inside its image.
fn opened(files: &Memory, options: &OpenOptions) {
    match open(files, "d", options) {
        Err(e) => {
            let file = e.file.as_ref().expect("the error names a file");
            assert!(file.starts_with("d"), "{e}");
            assert!(!e.to_string().is_empty());
        }
        Ok(Data::Classes(set)) => {
            for samples in [&set.train, &set.val, &set.test] {
                images_of(samples);
                let known = |s: &Sample<u16>| usize::from(s.label) < set.classes.len();
                assert!(samples.iter().all(known));
            }
        }
        Ok(Data::Boxes(set)) => {
            for s in set.train.iter().chain(&set.val).chain(&set.test) {
                let (h, w) = (s.image.height() as f32, s.image.width() as f32);
                for b in &s.label {
                    assert!(usize::from(b.class) < set.classes.len());
                    assert!(b.area() > 0.0 && b.x0 >= 0.0 && b.y0 >= 0.0, "{b:?}");
                    assert!(b.x1 <= w && b.y1 <= h, "{b:?} in {w} x {h}");
                }
            }
            images_of(&set.train);
        }
    }
}

/// Decodes an image; what comes out survives PNG.
fn decoded(bytes: &[u8]) -> Option<Image> {
    let image = match decode(bytes) {
        Ok(image) => image,
        Err(e) => {
            assert!(!e.to_string().is_empty());
            return None;
        }
    };
    let [c, h, w] = image.dims();
    assert_eq!(image.data().len(), c * h * w);
    // Larger ones only cost time.
    if c * h * w <= 1 << 16 {
        let again = encode_png(&image).and_then(|png| decode(&png));
        assert!(again.is_ok_and(|i| i == image), "another image comes back");
    }
    Some(image)
}
