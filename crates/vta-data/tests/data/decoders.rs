//! Image files.

use super::make::{jpeg, picture, png, ppm};
use vta_data::{Fault, Image, decode, encode_png};

#[test]
fn png_there_and_back() {
    for (c, h, w) in [(1, 1, 1), (3, 5, 4), (1, 7, 9)] {
        let image = picture(c, h, w);
        assert_eq!(decode(&encode_png(&image).unwrap()), Ok(image));
    }
    let four = Image::filled(4, 2, 2, 0).unwrap();
    assert!(encode_png(&four).is_err());
}

/// Kinds of PNG that this project does not write.
fn encoded(color: png::ColorType, depth: png::BitDepth, palette: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 2, 1);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn other_kinds_of_png() {
    use png::{BitDepth as D, ColorType as C};
    let cases: [(Vec<u8>, &[u8]); 4] = [
        (
            encoded(C::Rgba, D::Eight, &[], &[1, 2, 3, 0, 4, 5, 6, 255]),
            &[1, 2, 3, 4, 5, 6],
        ),
        (
            encoded(C::GrayscaleAlpha, D::Eight, &[], &[7, 0, 8, 9]),
            &[7, 8],
        ),
        (
            encoded(C::Grayscale, D::Sixteen, &[], &[7, 200, 8, 9]),
            &[7, 8],
        ),
        (
            encoded(C::Indexed, D::One, &[9, 8, 7, 1, 2, 3], &[0b0100_0000]),
            &[9, 8, 7, 1, 2, 3],
        ),
    ];
    for (bytes, pixels) in cases {
        assert_eq!(decode(&bytes).unwrap().pixels(), pixels);
    }
}

#[test]
fn a_jpeg_by_hand() {
    // A difference of 4, times 8, over 8: 4 more than the middle.
    let want = Image::filled(1, 8, 8, 132).unwrap();
    assert_eq!(decode(&jpeg()), Ok(want));
    // Cut within the head, and before the picture.
    for end in [2, 30, 100, 130] {
        let got = decode(&jpeg()[..end]);
        assert!(
            matches!(got, Err(Fault::Image { format: "JPEG", .. })),
            "{end}"
        );
    }
}

#[test]
fn ppm_and_pgm() {
    assert_eq!(decode(&ppm(4, 6)), Ok(picture(3, 4, 6)));
    let grey = decode(b"P5\t2 1\n#x\n#y\n4 \x00\x03").unwrap();
    assert_eq!((grey.dims(), grey.data()), ([1, 1, 2], &[0, 191][..]));
    let cases: [(&[u8], &str); 8] = [
        (b"P6", "its head is not three numbers"),
        (b"P6 1 x", "its head is not three numbers"),
        (b"P6 1 1 255", "its head does not end"),
        (b"P6 #", "a comment does not end"),
        (b"P6 1 1 256 ", "its largest value is 256"),
        (b"P6 1 1 255 ab", "2 bytes of pixels, not 3"),
        (b"P6 0 1 255 ", "an image of 0x1 pixels"),
        (b"P5 99999 99999 255 ", "an image of 99999x99999 pixels"),
    ];
    for (bytes, want) in cases {
        let got = decode(bytes).unwrap_err().to_string();
        assert!(got.contains(want), "{got}");
    }
}

/// A small file that declares a huge image is refused before memory is taken.
#[test]
fn declared_sizes_are_checked_first() {
    let mut bytes = png(2, 2);
    bytes[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
    // The sum over the head, so that nothing else is wrong with it.
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    assert!(matches!(
        decode(&bytes),
        Err(Fault::Dims { width: 32767, .. })
    ));
    let mut bytes = jpeg();
    let head = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    bytes[head + 5..head + 9].copy_from_slice(&[0x7f, 0xff, 0x7f, 0xff]);
    assert!(matches!(
        decode(&bytes),
        Err(Fault::Dims { width: 32767, .. })
    ));
}

#[test]
fn other_files() {
    let e = decode(b"GIF89a").unwrap_err().to_string();
    assert_eq!(
        e,
        "not a PNG, JPEG, PPM or PGM image: it starts with 47 49 46 38"
    );
    let e = decode(b"").unwrap_err().to_string();
    assert_eq!(e, "not a PNG, JPEG, PPM or PGM image: an empty file");
}

#[test]
fn images_of_impossible_sizes() {
    assert!(Image::filled(3, 0, 4, 0).is_err());
    assert!(Image::filled(0, 4, 4, 0).is_err());
    assert!(Image::filled(1, usize::MAX, usize::MAX, 0).is_err());
    assert!(Image::new(3, 2, 2, vec![0; 11]).is_err());
    let grey = picture(3, 2, 2).to_channels(1).unwrap();
    assert_eq!(grey.dims(), [1, 2, 2]);
    assert!(picture(4, 2, 2).to_channels(3).is_err());
}
