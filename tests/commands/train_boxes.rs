//! `vta train` with boxes: folders, sizes, stop and go on, train on.

use crate::support::command::{Ran, folder, vta};
use std::fs;
use std::path::Path;
use vta::data::shapes::{Counts, boxes};
use vta::data::{Boxes, Sample, encode_png};

const CLASSES: [&str; 6] = ["disc", "ring", "square", "triangle", "cross", "star"];

/// A folder of Pascal VOC: the first image has a box without area, the second none.
fn voc(dir: &Path) {
    let counts = Counts {
        train: 6,
        val: 0,
        test: 2,
    };
    let set = boxes(1, counts);
    for part in ["Annotations", "JPEGImages", "ImageSets/Main"] {
        fs::create_dir_all(dir.join(part)).expect("a folder");
    }
    for (split, samples) in [("train", &set.train), ("test", &set.test)] {
        let mut list = String::new();
        for (i, Sample { image, label }) in samples.iter().enumerate() {
            let name = format!("{split}{i}");
            let objects = match (split, i) {
                ("train", 0) => objects(label) + &object("star", [9.0, 9.0, 9.0, 20.0]),
                ("train", 1) => String::new(),
                _ => objects(label),
            };
            let size = "<size><width>96</width><height>96</height><depth>3</depth></size>";
            let xml = format!("<annotation>{size}\n{objects}</annotation>\n");
            fs::write(dir.join(format!("Annotations/{name}.xml")), xml).expect("written");
            let png = encode_png(image).expect("an image");
            fs::write(dir.join(format!("JPEGImages/{name}.png")), png).expect("written");
            list += &format!("{name}\n");
        }
        fs::write(dir.join(format!("ImageSets/Main/{split}.txt")), list).expect("written");
    }
}

fn objects(label: &Boxes) -> String {
    let one = |b: &vta::data::BBox| {
        let class = CLASSES[usize::from(b.class)];
        object(class, [b.x0 + 1.0, b.y0 + 1.0, b.x1, b.y1])
    };
    label.iter().map(one).collect()
}

fn object(class: &str, [x0, y0, x1, y1]: [f32; 4]) -> String {
    let corners = format!("<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>");
    format!("<object><name>{class}</name><bndbox>{corners}</bndbox></object>\n")
}

fn train(dir: &Path, more: &[&str]) -> Ran {
    let mut args = vec!["train", "--data", "voc", "--batch", "3", "--epochs", "2"];
    args.extend(more);
    vta(dir, &args)
}

#[test]
fn a_folder_with_boxes() {
    let dir = folder();
    let d = dir.path();
    voc(&d.join("voc"));
    let small = ["yolo-32-64-128", "--size", "64x48"];
    let ran = train(d, &[&small[..], &["-o", "whole"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("test: mAP"), "{}", ran.out);
    assert!(ran.out.contains("1 boxes were repaired"), "{}", ran.out);
    assert!(!ran.out.contains("val:"), "{}", ran.out);
    let text = fs::read_to_string(d.join("whole/detector.json")).expect("it is there");
    let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let image = &json["image"];
    assert_eq!(
        (image["width"].as_u64(), image["height"].as_u64()),
        (Some(64), Some(48))
    );
    assert_eq!(json["anchors"].as_array().map(Vec::len), Some(2));
    // In parts.
    let parts = [&small[..], &["-o", "parts"]].concat();
    let ran = train(d, &[&parts[..], &["--stop-after", "1"]].concat());
    assert!(ran.out.contains("stopped after step 2 of 4"), "{}", ran.out);
    let ran = train(d, &[&parts[..], &["--resume", "--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let classes = |v: &serde_json::Value| match v {
        serde_json::Value::Array(all) => all.len(),
        v => v.as_object().map_or(0, serde_json::Map::len),
    };
    assert!(classes(&json["classes"]) > 1);
    assert_eq!(
        classes(&ran.json()["test"]["classes"]),
        classes(&json["classes"])
    );
    for file in ["model.onnx", "detector.json"] {
        let read = |run: &str| fs::read(d.join(run).join(file)).expect("it is there");
        assert!(read("whole") == read("parts"), "{file}");
    }
    // Trained on, with the anchors that it had.
    let on = ["whole/model.onnx", "-o", "on"];
    let ran = train(d, &on);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--size 64x48"), "{}", ran.err);
    let ran = train(d, &[&on[..], &["--size", "64x48", "--limit", "4"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let kept = fs::read_to_string(d.join("on/detector.json")).expect("it is there");
    assert_eq!(kept, text);
}

#[test]
fn what_does_not_suit_boxes_is_told() {
    let dir = folder();
    let d = dir.path();
    voc(&d.join("voc"));
    for (args, what) in [
        (&["yolo-tiny", "--size", "60"][..], "multiples of 16"),
        (&["resnet-tiny"], "anchors"),
        (&["yolo-tiny", "--smoothing", "0.1"], "--smoothing"),
        (&["yolo-tiny", "--size", "64x"], "WIDTHxHEIGHT"),
    ] {
        let ran = train(d, &[args, &["-o", "run"]].concat());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.out);
        assert!(ran.err.contains(what), "{args:?}: {}", ran.err);
    }
    assert!(!d.join("run").exists());
}
