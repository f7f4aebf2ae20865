//! Pascal VOC: what is read, and what is refused.

use super::make::{annotation, object, png, voc};
use std::path::Path;
use vta_data::voc::{BadBoxes, Options, dataset, is};
use vta_data::{BBox, Boxes, DataError, Dataset, Fit, Memory, Split};

fn read(files: &Memory, options: &Options) -> Result<Dataset<Boxes>, DataError> {
    dataset(files, Path::new("voc"), options)
}

fn refuse() -> Options {
    Options {
        bad_boxes: BadBoxes::Refuse,
        ..Options::default()
    }
}

#[test]
fn boxes_have_edges() {
    let files = voc();
    assert!(is(&files, Path::new("voc")));
    let set = read(&files, &refuse()).unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!((set.train.len(), set.val.len(), set.test.len()), (2, 0, 1));
    assert_eq!(set.train[0].label, [BBox::new(0, 2.0, 3.0, 10.5, 9.0)]);
    // The whole image, and a difficult one.
    let want = BBox {
        difficult: true,
        ..BBox::new(0, 4.0, 1.0, 8.0, 9.0)
    };
    assert_eq!(
        set.train[1].label,
        [BBox::new(1, 0.0, 0.0, 20.0, 10.0), want]
    );
    assert_eq!(set.test[0].label, []);
    assert_eq!(set.counts(Split::Train), [2, 1]);
    assert!(set.repaired.is_empty());
}

#[test]
fn classes_can_be_given_in_order() {
    let options = Options {
        classes: Some(vec!["dog".into(), "cat".into()]),
        ..refuse()
    };
    assert_eq!(read(&voc(), &options).unwrap().train[0].label[0].class, 1);
    let options = Options {
        classes: Some(vec!["dog".into()]),
        ..refuse()
    };
    let e = read(&voc(), &options).unwrap_err().to_string();
    assert_eq!(
        e,
        "voc/Annotations/one.xml:6: unknown class \"cat\"; the classes are dog"
    );
}

#[test]
fn boxes_follow_their_image() {
    let options = Options {
        fit: Fit::Letterbox(40, 40, 0),
        ..refuse()
    };
    let set = read(&voc(), &options).unwrap();
    assert_eq!(set.dims(), Some([3, 40, 40]));
    assert_eq!(set.train[0].label, [BBox::new(0, 4.0, 16.0, 21.0, 28.0)]);
    let options = Options {
        fit: Fit::Stretch(5, 40),
        channels: 1,
        ..refuse()
    };
    let set = read(&voc(), &options).unwrap();
    assert_eq!(set.dims(), Some([1, 5, 40]));
    assert_eq!(set.train[0].label, [BBox::new(0, 4.0, 1.5, 21.0, 4.5)]);
}

#[test]
fn bad_boxes_are_refused_or_repaired() {
    let cases = [
        (["5", "2", "5", "8"], "box 5,2 to 5,8 has no area", 0),
        (["5", "8", "9", "2"], "box 5,8 to 9,2 has no area", 0),
        (
            ["5", "2", "21", "8"],
            "box 5,2 to 21,8 is not within the image of 20x10",
            1,
        ),
        (
            ["-3", "2", "7", "8"],
            "box -3,2 to 7,8 is not within the image of 20x10",
            1,
        ),
        (
            ["25", "2", "30", "8"],
            "box 25,2 to 30,8 is not within the image of 20x10",
            0,
        ),
    ];
    for (edges, want, kept) in cases {
        let mut files = voc();
        let objects = object("dog", "0", ["1", "1", "9", "9"]) + &object("dog", "0", edges);
        files.add("voc/Annotations/two.xml", annotation(20, 10, &objects));
        let want = format!("voc/Annotations/two.xml:7: {want}");
        let e = read(&files, &refuse()).unwrap_err();
        assert_eq!(e.to_string(), want);
        let set = read(&files, &Options::default()).unwrap();
        assert_eq!(set.repaired, [e]);
        assert_eq!(set.train[1].label.len(), 1 + kept, "{want}");
        for b in &set.train[1].label {
            assert!(b.area() > 0.0 && b.x0 >= 0.0 && b.x1 <= 20.0);
        }
    }
}

/// Changes one file of a good set, and expects an error that starts with this.
fn broken(path: &str, bytes: &[u8], want: &str) {
    let mut files = voc();
    files.add(path, bytes);
    let e = read(&files, &Options::default()).unwrap_err().to_string();
    assert!(e.starts_with(want), "{e}\nnot {want}");
}

#[test]
fn damage_names_file_and_line() {
    let one = "voc/Annotations/one.xml";
    broken(
        one,
        b"<annotation>
<size>",
        "voc/Annotations/one.xml: not XML: ",
    );
    broken(
        one,
        b"<annotation>
<size></b>",
        "voc/Annotations/one.xml:2: not XML: ",
    );
    broken(one, b"", "voc/Annotations/one.xml: not XML: ");
    broken(
        one,
        b"<a>\xff</a>",
        "voc/Annotations/one.xml: not XML: invalid utf-8",
    );
    broken(
        one,
        b"<annotation/>",
        "voc/Annotations/one.xml:1: no <size> in <annotation>",
    );
    let deep = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
    broken(
        one,
        deep.as_bytes(),
        "voc/Annotations/one.xml:1: no <size> in <a>",
    );
    let laughs = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\">]><a>&b;</a>";
    broken(
        one,
        laughs.as_bytes(),
        "voc/Annotations/one.xml:1: not XML: ",
    );
    let zero = annotation(0, 10, "");
    broken(
        one,
        zero.as_bytes(),
        "voc/Annotations/one.xml:3: <width> is \"0\", not a number",
    );
    let word = annotation(20, 10, &object("cat", "0", ["1", "two", "3", "4"]));
    broken(
        one,
        word.as_bytes(),
        "voc/Annotations/one.xml:6: <ymin> is \"two\", not a number",
    );
    let nan = annotation(20, 10, &object("cat", "0", ["1", "2", "inf", "4"]));
    broken(
        one,
        nan.as_bytes(),
        "voc/Annotations/one.xml:6: <xmax> is \"inf\", not a number",
    );
    let hard = annotation(20, 10, &object("cat", "very", ["1", "2", "3", "4"]));
    broken(
        one,
        hard.as_bytes(),
        "voc/Annotations/one.xml:6: <difficult> is \"very\", not 0 or 1",
    );
    let bare = annotation(20, 10, "<object>\n<name>cat</name></object>");
    broken(
        one,
        bare.as_bytes(),
        "voc/Annotations/one.xml:6: no <bndbox> in <object>",
    );
    let nameless = annotation(20, 10, "<object><name> </name></object>");
    broken(
        one,
        nameless.as_bytes(),
        "voc/Annotations/one.xml:6: <name> is \"\", not a text",
    );
    let size = annotation(20, 11, "");
    broken(
        one,
        size.as_bytes(),
        "voc/JPEGImages/one.png: the image is 20x10 with 3 channels, its annotation says 20x11",
    );
    broken(
        "voc/JPEGImages/one.png",
        b"",
        "voc/JPEGImages/one.png: not a PNG, JPEG, PPM",
    );
    let list = "voc/ImageSets/Main/train.txt";
    broken(
        list,
        b"\n \n",
        "voc/ImageSets/Main/train.txt: no names in it",
    );
    broken(
        list,
        b"one\n\none",
        "voc/ImageSets/Main/train.txt:3: \"one\" is there twice",
    );
    broken(
        list,
        b"../one",
        "voc/ImageSets/Main/train.txt:1: \"../one\" is no name",
    );
    broken(
        list,
        b"a/b",
        "voc/ImageSets/Main/train.txt:1: \"a/b\" is no name",
    );
    broken(list, b"four", "voc/Annotations/four.xml: ");
}

#[test]
fn what_is_missing_is_named() {
    for path in ["voc/Annotations/two.xml", "voc/JPEGImages/two.png"] {
        let mut files = voc();
        files.remove(Path::new(path));
        let e = read(&files, &Options::default()).unwrap_err();
        assert!(e.not_found(), "{e}");
        let file = e.file.unwrap();
        assert_eq!(file.with_extension(""), Path::new(path).with_extension(""));
    }
    let mut files = voc();
    files.remove(Path::new("voc/ImageSets/Main/train.txt"));
    let e = read(&files, &Options::default()).unwrap_err().to_string();
    assert_eq!(e, "voc/ImageSets/Main: no train.txt in it");
    files.add("voc/ImageSets/Main/trainval.txt", "two");
    assert_eq!(read(&files, &Options::default()).unwrap().train.len(), 1);

    let mut files = voc();
    files.add("voc/Annotations/three.xml", annotation(9, 10, ""));
    files.add("voc/JPEGImages/three.png", png(10, 9));
    let e = read(&files, &Options::default()).unwrap_err().to_string();
    assert!(
        e.starts_with("voc/JPEGImages/three.png: the image is 9x10"),
        "{e}"
    );
}
