//! Every reader with damaged files: an error or a set, never a panic.

use super::make::{annotation, cifar, folders, gz, idx, jpeg, object, png, ppm, voc};
use std::path::Path;
use vta_data::{Data, Memory, OpenOptions, Purpose, Random, decode, open};

/// Copies of bytes with some changed, cut, doubled or moved.
fn mutants(bytes: &[u8], n: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..n).map(move |i| {
        let random = &mut Random::new(1, Purpose::Order, 1, i);
        let mut out = bytes.to_vec();
        for _ in 0..random.between(1, 4) {
            let len = out.len() as u32;
            let at = random.below(len) as usize;
            match random.below(6) {
                0 => out.truncate(at),
                1 => {
                    let end = at + random.below(len - at as u32 + 1) as usize;
                    out.drain(at..end);
                }
                2 => {
                    let copy = out[at..].to_vec();
                    out.extend(copy);
                }
                3 => out[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5) as usize],
                4 => out[at] ^= 1 << random.below(8),
                _ => out[at] = random.below(256) as u8,
            }
            if out.is_empty() {
                break;
            }
        }
        out
    })
}

/// Opens the set with every mutant of one of its files. An error has the name
/// of a file. Returns how many were refused.
fn attack(files: &Memory, name: &str, path: &str, n: u64) -> u64 {
    let mut files = files.clone();
    let good = files.get_mut(Path::new(path)).unwrap().clone();
    let mut refused = 0;
    for bytes in mutants(&good, n) {
        files.add(path, bytes);
        match open(&files, name, &OpenOptions::default()) {
            Err(e) => {
                assert!(e.file.is_some() && !e.to_string().is_empty());
                refused += 1;
            }
            Ok(Data::Classes(set)) => {
                let known = |l: u16| usize::from(l) < set.classes.len();
                assert!(set.train.iter().chain(&set.test).all(|s| known(s.label)));
            }
            Ok(Data::Boxes(set)) => {
                for s in set.train.iter().chain(&set.test) {
                    let (h, w) = (s.image.height() as f32, s.image.width() as f32);
                    for b in &s.label {
                        assert!(usize::from(b.class) < set.classes.len());
                        assert!(b.area() > 0.0 && b.x0 >= 0.0 && b.y0 >= 0.0);
                        assert!(b.x1 <= w && b.y1 <= h);
                    }
                }
            }
        }
    }
    refused
}

#[test]
fn cifar_files() {
    for bytes in [cifar(&[1, 2]), gz(&cifar(&[1, 2]))] {
        let mut files = Memory::default();
        files.add("d/train.bin", bytes);
        assert!(attack(&files, "d", "d/train.bin", 300) > 100);
    }
}

#[test]
fn idx_files() {
    let mut files = Memory::default();
    files.add("m/train-images-idx3-ubyte", idx(3, &[3, 2, 2], &[7; 12]));
    files.add("m/train-labels-idx1-ubyte", idx(1, &[3], &[0, 1, 2]));
    for path in ["m/train-images-idx3-ubyte", "m/train-labels-idx1-ubyte"] {
        assert!(attack(&files, "m", path, 2000) > 1000);
    }
    let labels = gz(&idx(1, &[3], &[0, 1, 2]));
    files.remove(Path::new("m/train-labels-idx1-ubyte"));
    files.add("m/train-labels-idx1-ubyte.gz", labels);
    assert!(attack(&files, "m", "m/train-labels-idx1-ubyte.gz", 1000) > 500);
}

#[test]
fn images_of_folders() {
    assert!(attack(&folders(), "set", "set/train/cat/a.png", 1500) > 700);
    assert!(attack(&folders(), "set", "set/train/cat/b.ppm", 1500) > 500);
}

#[test]
fn files_of_voc() {
    let paths = [
        "voc/ImageSets/Main/train.txt",
        "voc/Annotations/two.xml",
        "voc/JPEGImages/one.png",
    ];
    for path in paths {
        assert!(attack(&voc(), "voc", path, 1000) > 300, "{path}");
    }
}

#[test]
fn decoders() {
    for good in [png(9, 7), ppm(3, 5), jpeg()] {
        assert!(decode(&good).is_ok());
        let refused = mutants(&good, 4000).filter(|b| decode(b).is_err()).count();
        assert!(refused > 1000, "{refused}");
    }
}

/// Words of an annotation changed for others, which keeps it XML.
#[test]
fn numbers_of_annotations() {
    let words = [
        "",
        "0",
        "1",
        "-1",
        "10",
        "20",
        "21",
        "1e3",
        "1e39",
        "-1e39",
        "NaN",
        "inf",
        "0x1",
        "9999999999999999999999",
        "1.5",
        " 7 ",
        "<a/>",
    ];
    let mut refused = 0;
    for i in 0..3000 {
        let random = &mut Random::new(2, Purpose::Order, 2, i);
        let mut word = |usual: &'static str| match random.below(3) {
            0 => words[random.below(words.len() as u32) as usize],
            _ => usual,
        };
        let edges = [word("1"), word("2"), word("9"), word("8")];
        let objects = object(word("cat"), word("0"), edges);
        let mut files = voc();
        files.add("voc/Annotations/one.xml", annotation(20, 10, &objects));
        match open(&files, "voc", &OpenOptions::default()) {
            Err(e) => {
                assert!(
                    e.to_string().starts_with("voc/Annotations/one.xml:6: "),
                    "{e}"
                );
                refused += 1;
            }
            Ok(Data::Boxes(set)) => {
                for b in &set.train[0].label {
                    assert!(b.area() > 0.0 && b.x0 >= 0.0 && b.x1 <= 20.0, "{b:?}");
                }
            }
            Ok(_) => panic!("it has boxes"),
        }
    }
    assert!(refused > 500 && refused < 2900, "{refused}");
}
