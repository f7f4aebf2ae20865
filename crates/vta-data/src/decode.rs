//! Image files: PNG, JPEG, PPM and PGM in, PNG out.

use super::{Fault, Image};
use std::io::Cursor;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Longest side of an image that is decoded.
const MAX_SIDE: usize = 1 << 15;

/// Decodes an image file; its kind is seen by its content. 1 or 3 channels.
///
/// PNG of any kind: 16 bits are cut to 8, transparency is dropped, of an
/// animation the first picture is taken. JPEG: grey or colour. PPM and PGM: binary, up to 255.
/// The declared size is checked before memory is taken.
///
/// # Errors
/// Another kind of file, damage, an image that is too large.
pub fn decode(bytes: &[u8]) -> Result<Image, Fault> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => png(bytes),
        [0xff, 0xd8, ..] => jpeg(bytes),
        [b'P', b'5' | b'6', ..] => ppm(bytes),
        _ => Err(Fault::Kind {
            want: "a PNG, JPEG, PPM or PGM image",
            got: match bytes {
                [] => "an empty file".into(),
                _ => {
                    let first: Vec<String> =
                        bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
                    format!("it starts with {}", first.join(" "))
                }
            },
        }),
    }
}

fn damaged(format: &'static str) -> impl Fn(String) -> Fault {
    move |message| Fault::Image { format, message }
}

/// Checks a declared size.
fn check(channels: usize, height: usize, width: usize) -> Result<(), Fault> {
    let n = Image::check(channels, height, width);
    if n.is_ok() && height.max(width) <= MAX_SIDE {
        return Ok(());
    }
    Err(Fault::Dims {
        width: width as u64,
        height: height as u64,
        channels: channels as u64,
    })
}

fn png(bytes: &[u8]) -> Result<Image, Fault> {
    let error = |e: png::DecodingError| damaged("PNG")(e.to_string());
    let limits = png::Limits { bytes: 64 << 20 };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(error)?;
    let (w, h) = (header.width as usize, header.height as usize);
    check(4, h, w)?;
    let mut reader = decoder.read_info().map_err(error)?;
    let samples = reader.output_color_type().0.samples();
    let mut pixels = vec![0; h * w * samples];
    if reader.output_buffer_size() != Some(pixels.len()) {
        let got = reader.output_buffer_size();
        return Err(damaged("PNG")(format!("its pixels take {got:?} bytes")));
    }
    reader.next_frame(&mut pixels).map_err(error)?;
    // Without the last channel where that is transparency.
    let channels = if samples > 2 { 3 } else { 1 };
    if channels != samples {
        let opaque = pixels.chunks_exact(samples).flat_map(|p| &p[..channels]);
        pixels = opaque.copied().collect();
    }
    Image::from_pixels(channels, h, w, &pixels)
}

fn jpeg(bytes: &[u8]) -> Result<Image, Fault> {
    let error = |e: &dyn std::fmt::Display| damaged("JPEG")(e.to_string());
    let options = DecoderOptions::default()
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| error(&e))?;
    let (w, h) = decoder
        .info()
        .map(|i| (usize::from(i.width), usize::from(i.height)))
        .ok_or_else(|| error(&"there is no header"))?;
    check(3, h, w)?;
    let (space, channels) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (ColorSpace::Luma, 1),
        _ => (ColorSpace::RGB, 3),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let pixels = decoder.decode().map_err(|e| error(&e))?;
    Image::from_pixels(channels, h, w, &pixels).map_err(|e| error(&e))
}

/// `P5` or `P6`, width, height and the largest value in words, with comments; then bytes.
fn ppm(bytes: &[u8]) -> Result<Image, Fault> {
    let error = |what: &str| damaged("PPM")(what.into());
    let channels = if bytes[1] == b'6' { 3 } else { 1 };
    let mut at = 2;
    let mut numbers = [0usize; 3];
    for number in &mut numbers {
        loop {
            match bytes.get(at) {
                Some(b'#') => {
                    let line = bytes[at..].iter().position(|b| *b == b'\n');
                    at += line.ok_or_else(|| error("a comment does not end"))?;
                }
                Some(b) if b.is_ascii_whitespace() => at += 1,
                _ => break,
            }
        }
        let digits = bytes[at..].iter().take_while(|b| b.is_ascii_digit());
        let digits = digits.take(10).count();
        let text = std::str::from_utf8(&bytes[at..at + digits]);
        let value = text.ok().and_then(|t| t.parse::<u32>().ok());
        *number = value.ok_or_else(|| error("its head is not three numbers"))? as usize;
        at += digits;
    }
    let [w, h, most] = numbers;
    if !bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        return Err(error("its head does not end"));
    }
    if !(1..=255).contains(&most) {
        return Err(error(&format!("its largest value is {most}, not 1 to 255")));
    }
    check(channels, h, w)?;
    let pixels = &bytes[at + 1..];
    let want = h * w * channels;
    if pixels.len() < want {
        let n = pixels.len();
        return Err(error(&format!("{n} bytes of pixels, not {want}")));
    }
    if most == 255 {
        return Image::from_pixels(channels, h, w, &pixels[..want]);
    }
    let scaled = pixels[..want].iter().map(|v| {
        let v = usize::from(*v).min(most);
        ((2 * v * 255 + most) / (2 * most)) as u8
    });
    let scaled: Vec<u8> = scaled.collect();
    Image::from_pixels(channels, h, w, &scaled)
}

/// The image as a PNG file.
///
/// # Errors
/// Not 1 or 3 channels.
pub fn encode_png(image: &Image) -> Result<Vec<u8>, Fault> {
    let error = |e: png::EncodingError| Fault::Request(format!("no PNG can be made: {e}"));
    let color = match image.channels() {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        n => return Err(Fault::Request(format!("no PNG of {n} channels"))),
    };
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, side(image.width()), side(image.height()));
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(error)?;
    writer.write_image_data(&image.pixels()).map_err(error)?;
    writer.finish().map_err(error)?;
    Ok(out)
}
