//! A folder of each kind.

use super::{decoded, maybe_packed, opened, parts};
use vta_data::{Fit, Image, Memory, OpenOptions, encode_png};

pub(crate) fn cifar(data: &[u8]) {
    let [train, test, names] = parts::<3>(data);
    let mut files = Memory::default();
    // A record of 3073 bytes for each byte, where it is asked for.
    let records = |part: &[u8]| match part {
        [b'r', b':', rest @ ..] => rest
            .iter()
            .take(8)
            .flat_map(|c| std::iter::repeat_n(*c, 3073))
            .collect(),
        _ => maybe_packed(part),
    };
    files.add("d/data_batch_1.bin", records(train));
    if !test.is_empty() {
        files.add("d/test_batch.bin.gz", records(test));
    }
    if !names.is_empty() {
        files.add("d/batches.meta.txt", names);
    }
    opened(&files, &OpenOptions::default());
}

pub(crate) fn idx(data: &[u8]) {
    let [images, labels] = parts::<2>(data);
    let mut files = Memory::default();
    files.add("d/train-images-idx3-ubyte", maybe_packed(images));
    files.add("d/train-labels-idx1-ubyte.gz", maybe_packed(labels));
    opened(&files, &OpenOptions::default());
}

pub(crate) fn images(data: &[u8]) {
    let Some(image) = decoded(data) else {
        return;
    };
    let mut files = Memory::default();
    files.add("d/train/cat/a.png", data);
    if image.dims().iter().product::<usize>() <= 1 << 20 {
        let fit = [Fit::Exact, Fit::Letterbox(9, 7, 114)][data.len() % 2];
        let options = OpenOptions {
            fit,
            ..OpenOptions::default()
        };
        opened(&files, &options);
    }
}

pub(crate) fn folders(data: &[u8]) {
    let png = encode_png(&Image::filled(1, 2, 2, 7).expect("a small image"));
    let png = png.expect("a small image");
    let text = String::from_utf8_lossy(data);
    let mut files = Memory::default();
    for line in text.lines().take(12) {
        // What a file holds is said behind a tabulator.
        match line.split_once('\t') {
            Some((name, content)) => files.add(format!("d/{name}"), content),
            None => files.add(format!("d/{line}"), png.clone()),
        }
    }
    opened(&files, &OpenOptions::default());
}

pub(crate) fn voc(data: &[u8]) {
    let [annotation, list] = parts::<2>(data);
    let mut files = Memory::default();
    let image = Image::filled(3, 10, 20, 7).expect("a small image");
    files.add(
        "d/JPEGImages/one.png",
        encode_png(&image).expect("a small image"),
    );
    files.add("d/Annotations/one.xml", annotation);
    let list = if list.is_empty() { b"one\n" } else { list };
    files.add("d/ImageSets/Main/train.txt", list);
    opened(&files, &OpenOptions::default());
}
