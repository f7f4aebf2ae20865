//! CIFAR, IDX, folders: what is read, and what is refused.

use super::make::{cifar, folders, gz, idx, picture, png};
use std::path::Path;
use vta_data::cifar::Cifar;
use vta_data::{
    Data, DataError, Dataset, Disk, Fault, Fit, Label, Memory, OpenOptions, Split, cifar as c,
    folder, open,
};

fn file(e: &DataError) -> &str {
    e.file.as_ref().unwrap().to_str().unwrap()
}

fn opened(files: &Memory, name: &str) -> Result<Dataset<u16>, DataError> {
    match open(files, name, &OpenOptions::default())? {
        Data::Classes(set) => Ok(set),
        Data::Boxes(_) => panic!("no boxes are expected"),
    }
}

#[test]
fn cifar_records() {
    for pack in [|b: Vec<u8>| b, |b: Vec<u8>| gz(&b)] {
        let mut files = Memory::default();
        files.add("d/train.bin", pack(cifar(&[3, 9, 0])));
        files.add("d/test.bin", pack(cifar(&[1])));
        let set = opened(&files, "d").unwrap();
        assert_eq!((set.train.len(), set.test.len()), (3, 1));
        assert_eq!(set.train[1].label, 9);
        assert!(set.train[1].image.data().iter().all(|v| *v == 9));
        assert_eq!(set.classes[9], "truck");
        assert_eq!(set.dims(), Some([3, 32, 32]));
    }
}

#[test]
fn cifar_batches_names_and_a_hundred_classes() {
    let mut files = Memory::default();
    files.add("d/data_batch_1.bin.gz", gz(&cifar(&[1])));
    files.add("d/data_batch_2.bin", cifar(&[2, 2]));
    files.add("d/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    let set = opened(&files, "d").unwrap();
    assert_eq!(set.train.len(), 3);
    assert_eq!(set.classes[2], "c");
    files.add("d/batches.meta.txt", "a\nb\n");
    let e = opened(&files, "d").unwrap_err();
    assert_eq!(
        e.to_string(),
        "d/batches.meta.txt: 2 names of classes, not 10"
    );

    let mut record = vec![4, 77];
    record.extend([5; 3072]);
    files.add("h.bin", record);
    let read = c::read(&files, Path::new("h.bin"), Cifar::Hundred, 100).unwrap();
    assert_eq!((read[0].label, read[0].image.data()[0]), (77, 5));
}

#[test]
fn cifar_damage_names_the_file() {
    let cases: [(Vec<u8>, &str); 4] = [
        (vec![], "d/train.bin: no records in it"),
        (
            cifar(&[1])[..3000].to_vec(),
            "d/train.bin: 3000 bytes are no CIFAR records of 3073 bytes",
        ),
        (
            cifar(&[1, 10]),
            "d/train.bin: record 1 has class 10, there are 10 classes",
        ),
        (
            gz(&cifar(&[1]))[..20].to_vec(),
            "d/train.bin: damaged gzip: ",
        ),
    ];
    for (bytes, want) in cases {
        let mut files = Memory::default();
        files.add("d/train.bin", bytes);
        let got = opened(&files, "d").unwrap_err().to_string();
        assert!(got.starts_with(want), "{got}");
    }
}

fn mnist() -> Memory {
    let mut files = Memory::default();
    let pixels: Vec<u8> = (0..24).collect();
    files.add("m/train-images-idx3-ubyte", idx(3, &[4, 2, 3], &pixels));
    files.add(
        "m/train-labels-idx1-ubyte.gz",
        gz(&idx(1, &[4], &[0, 2, 1, 2])),
    );
    files.add("m/t10k-images.idx3-ubyte", idx(3, &[1, 2, 3], &[9; 6]));
    files.add("m/t10k-labels-idx1-ubyte", idx(1, &[1], &[1]));
    files
}

#[test]
fn idx_files() {
    let set = opened(&mnist(), "m").unwrap();
    assert_eq!(set.classes, ["0", "1", "2"]);
    assert_eq!(set.dims(), Some([1, 2, 3]));
    assert_eq!(set.train[2].image.data(), [12, 13, 14, 15, 16, 17]);
    assert_eq!(set.counts(Split::Train), [1, 1, 2]);
    assert_eq!(set.test[0].label, 1);
}

#[test]
fn idx_damage_names_the_file() {
    let images = "m/train-images-idx3-ubyte";
    let labels = "m/train-labels-idx1-ubyte.gz";
    let huge = [u32::MAX; 3];
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (images, vec![0, 0, 8], "not an IDX file of images: 3 bytes"),
        (
            images,
            idx(2, &[4, 2, 3], &[0; 24]),
            "not an IDX file of images: it starts with",
        ),
        (
            images,
            idx(3, &[4, 2, 3], &[0; 23]),
            "23 bytes, its head says [4, 2, 3]",
        ),
        (
            images,
            idx(3, &huge, &[0; 23]),
            "23 bytes, its head says [4294967295",
        ),
        (images, idx(3, &[0, 2, 3], &[]), "no images in it"),
        (images, idx(3, &[4, 0, 3], &[]), "an image of 3x0 pixels"),
        (labels, idx(1, &[3], &[0; 3]), "3 labels for 4 images"),
        (labels, idx(1, &[5], &[0; 4]), "4 bytes, its head says [5]"),
        (
            "m/t10k-images.idx3-ubyte",
            idx(3, &[1, 1, 6], &[9; 6]),
            "the image is 6x1 with 1 channels",
        ),
        (
            "m/t10k-labels-idx1-ubyte",
            idx(1, &[1], &[3]),
            "record 0 has class 3, there are 3",
        ),
    ];
    for (path, bytes, want) in cases {
        let mut files = mnist();
        files.add(path, bytes);
        let got = opened(&files, "m").unwrap_err();
        assert_eq!(file(&got), path);
        assert!(got.fault.to_string().starts_with(want), "{got}");
    }
    for path in [labels, "m/t10k-labels-idx1-ubyte"] {
        let mut files = mnist();
        files.remove(Path::new(path));
        let got = opened(&files, "m").unwrap_err();
        assert_eq!(file(&got), path.trim_end_matches(".gz"));
        assert!(got.not_found(), "{got}");
    }
    assert!(opened(&mnist(), "m").is_ok());
}

#[test]
fn folders_of_classes() {
    let set = opened(&folders(), "set").unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!(set.counts(Split::Train), [2, 1]);
    assert_eq!(set.counts(Split::Test), [0, 1]);
    // The same picture, through two kinds of files.
    assert_eq!(set.train[0].image, picture(3, 4, 6));
    assert_eq!(set.train[1].image, picture(3, 4, 6));

    let mut flat = Memory::default();
    flat.add("f/x/1.png", png(2, 2));
    flat.add("f/y/1.png", png(2, 2));
    let mut set = opened(&flat, "f").unwrap();
    assert_eq!(set.train.len(), 2);
    set.hold_out(1, Split::Val, 1).unwrap();
    assert_eq!((set.train.len(), set.val.len()), (1, 1));
    let e = set.hold_out(1, Split::Val, 1).unwrap_err();
    assert_eq!(
        e.to_string(),
        "1 of 1 training samples cannot be held out for val"
    );
}

#[test]
fn folders_that_are_refused() {
    let mut files = folders();
    files.add("set/train/dog/e.png", png(4, 5));
    let got = opened(&files, "set").unwrap_err();
    assert_eq!(
        got.to_string(),
        "set/train/dog/e.png: the image is 5x4 with 3 channels, the first of the set is 6x4 with 3 channels"
    );
    let options = folder::Options {
        channels: 1,
        fit: Fit::Stretch(3, 3),
    };
    let set = folder::dataset(&files, Path::new("set"), &options).unwrap();
    assert_eq!(set.dims(), Some([1, 3, 3]));

    let mut files = folders();
    files.add("set/test/cow/e.png", png(4, 6));
    let got = opened(&files, "set").unwrap_err();
    assert_eq!(
        got.to_string(),
        "set/test/cow: unknown class \"cow\"; the classes are cat, dog"
    );

    let mut files = folders();
    files.add("set/train/eel/readme.txt", "");
    let got = opened(&files, "set").unwrap_err();
    assert_eq!(file(&got), "set/train/eel");
    assert!(matches!(got.fault, Fault::Empty(_)));

    let mut files = folders();
    files.add("set/train/dog/e.png", &png(4, 6)[..60]);
    let got = opened(&files, "set").unwrap_err();
    assert_eq!(file(&got), "set/train/dog/e.png");
    assert!(
        matches!(got.fault, Fault::Image { format: "PNG", .. }),
        "{got}"
    );

    let mut files = Memory::default();
    files.add("set/a.png", png(4, 6));
    let got = opened(&files, "set").unwrap_err();
    assert_eq!(got.to_string(), "set: no folders of classes in it");
}

#[test]
fn names_that_are_no_sets() {
    let files = folders();
    let got = opened(&files, "nowhere").unwrap_err().to_string();
    assert_eq!(
        got,
        "nowhere: no data set: no such folder, and none that is built in"
    );
    let got = opened(&files, "set/test/dog/d.png")
        .unwrap_err()
        .to_string();
    assert!(got.ends_with("a file, not a folder"), "{got}");
}

/// The disk gives what memory gives.
#[test]
fn the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join("one");
    std::fs::create_dir(&class).unwrap();
    std::fs::write(class.join("a.png"), png(3, 3)).unwrap();
    let name = dir.path().to_str().unwrap();
    let Data::Classes(set) = open(&Disk, name, &OpenOptions::default()).unwrap() else {
        panic!("no boxes are expected");
    };
    assert_eq!(set.train[0].image, picture(3, 3, 3));
    let mut seen = Vec::new();
    set.train[0].label.each_class(|c| seen.push(c));
    assert_eq!(seen, [0]);
    std::fs::write(class.join("b.png"), "").unwrap();
    let e = open(&Disk, name, &OpenOptions::default()).unwrap_err();
    assert_eq!(e.file, Some(class.join("b.png")));
    let missing = dir.path().join("x.bin");
    let e = c::read(&Disk, &missing, Cifar::Ten, 10).unwrap_err();
    assert!(e.not_found() && e.file == Some(missing), "{e}");
}
