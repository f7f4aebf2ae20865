//! Small files of every kind, in memory.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use vta_data::{Image, Memory, encode_png};

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// Records of CIFAR-10, every byte of an image its class.
pub fn cifar(classes: &[u8]) -> Vec<u8> {
    let record = |c: &u8| vec![*c; 3073];
    classes.iter().flat_map(record).collect()
}

pub fn idx(kind: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 8, kind];
    for d in dims {
        out.extend(d.to_be_bytes());
    }
    out.extend(data);
    out
}

/// An image in which every pixel is another.
pub fn picture(channels: usize, h: usize, w: usize) -> Image {
    let data = (0..channels * h * w).map(|i| (i * 7 % 251) as u8).collect();
    Image::new(channels, h, w, data).unwrap()
}

pub fn png(h: usize, w: usize) -> Vec<u8> {
    encode_png(&picture(3, h, w)).unwrap()
}

pub fn ppm(h: usize, w: usize) -> Vec<u8> {
    let mut out = format!("P6 # a comment\n{w} {h}\n255\n").into_bytes();
    out.extend(picture(3, h, w).pixels());
    out
}

/// A grey JPEG file of 8 x 8, built by hand: one table of each kind, every
/// value of which is 128 plus the one coefficient that is coded.
pub fn jpeg() -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    let mut segment = |marker: u8, body: &[u8]| {
        out.extend([0xff, marker]);
        out.extend((body.len() as u16 + 2).to_be_bytes());
        out.extend(body);
    };
    let mut quantisation = vec![0];
    quantisation.extend([8; 64]);
    segment(0xdb, &quantisation);
    segment(0xc0, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    // Codes: 0 for a difference of 3 bits; 0 for the end of a block.
    for (class, symbol) in [(0x00, 3), (0x10, 0)] {
        let mut table = vec![class, 1];
        table.extend([0; 15]);
        table.push(symbol);
        segment(0xc4, &table);
    }
    segment(0xda, &[1, 1, 0, 0, 63, 0]);
    // 0, then 100 (+4), then 0; ones to fill the byte.
    out.extend([0b0100_0111, 0xff, 0xd9]);
    out
}

/// Two classes to train with, of which one is also measured with.
pub fn folders() -> Memory {
    let mut files = Memory::default();
    files.add("set/train/cat/a.png", png(4, 6));
    files.add("set/train/cat/b.ppm", ppm(4, 6));
    files.add("set/train/cat/notes.txt", "not an image");
    files.add("set/train/dog/c.PNG", png(4, 6));
    files.add("set/test/dog/d.png", png(4, 6));
    files
}

pub fn annotation(w: usize, h: usize, objects: &str) -> String {
    format!(
        "<annotation>\n<size>\n<width>{w}</width>\n<height>{h}</height>\n</size>\n{objects}</annotation>\n"
    )
}

/// On one line of its own.
pub fn object(class: &str, difficult: &str, [x0, y0, x1, y1]: [&str; 4]) -> String {
    format!(
        "<object><name>{class}</name><difficult>{difficult}</difficult><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>\n"
    )
}

/// Two images with boxes to train with, one to measure with.
pub fn voc() -> Memory {
    let mut files = Memory::default();
    files.add("voc/ImageSets/Main/train.txt", "one\n\ntwo  1\n");
    files.add("voc/ImageSets/Main/test.txt", "three\n");
    let two =
        object("dog", "0", ["1", "1", "20", "10"]) + &object("cat", "1", ["5", "2", "8", "9"]);
    let files_of = [
        ("one", object("cat", "0", ["3", "4", "10.5", "9"])),
        ("two", two),
    ];
    for (name, objects) in files_of {
        files.add(
            format!("voc/Annotations/{name}.xml"),
            annotation(20, 10, &objects),
        );
        files.add(format!("voc/JPEGImages/{name}.png"), png(10, 20));
    }
    files.add("voc/Annotations/three.xml", annotation(20, 10, ""));
    files.add("voc/JPEGImages/three.png", png(10, 20));
    files
}
