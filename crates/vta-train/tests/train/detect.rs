//! Detectors: places, loss, decoding, runs with boxes, what they teach.

use crate::values::{distance, random, tensor};
use burn_tensor::Tensor;
use vta_data::shapes::{Counts, boxes};
use vta_data::{Augment, BBox, Boxes, Dataset, Image, Sample, iou};
use vta_net::graph::{Builder, ConvSpec, Graph, zoo};
use vta_train::backend::{Cpu, CpuGrad, floats};
use vta_train::detect::Weights;
use vta_train::{
    Checkpoint, Detect, Detector, Mode, Network, Pass, Rule, Rules, Settings, Task, TrainError,
    Trainer,
};

type Run<'a> = Trainer<'a, CpuGrad, Cpu, Boxes, Detect, ()>;

/// Columns and rows of the map of [`plain`], over an image of 16 x 16.
const MAP: [usize; 2] = [8, 16];
/// Values of [`plain`]: two anchors with two classes.
const VALUES: usize = 2 * 7 * 8 * 16;

/// Its output is its input: two anchors, two classes, cells of 2 x 1 pixels.
fn plain() -> Graph {
    let mut b = Builder::new("plain", 1);
    let x = b.input("input", &[1, 7, 16, 16]);
    let y = b.reshape("out", x, &[1, 2, 7, MAP[1], MAP[0]]);
    b.output(y);
    b.finish()
}

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("class {i}")).collect()
}

fn detector() -> Detector {
    let anchors = vec![vec![[4.0, 4.0], [8.0, 6.0]]];
    Detector::new(&plain(), &names(2), anchors).expect("it is a detector")
}

fn task(object: f32, bbox: f32, class: f32) -> Detect {
    let weights = Weights {
        object,
        bbox,
        class,
    };
    Detect::weighted(detector(), weights)
}

/// Where a value of [`plain`] is.
fn at(anchor: usize, value: usize, row: usize, column: usize) -> usize {
    ((anchor * 7 + value) * MAP[1] + row) * MAP[0] + column
}

fn pass<
    K: vta_train::backend::Kernels<Device = <Cpu as burn_tensor::backend::BackendTypes>::Device>,
>(
    input: Tensor<K, 4>,
) -> Pass<K> {
    let network = Network::<Cpu>::new(&plain(), &Default::default()).expect("a network");
    network.forward(&[], input, Mode::Folded).expect("it fits")
}

/// Loss of outputs, and its gradient.
fn loss_of(task: &Detect, values: &[f32], labels: &[Boxes]) -> (f32, Vec<f32>) {
    let n = labels.len();
    let x = tensor::<CpuGrad, 4>(values.to_vec(), [n, 7, 16, 16]).require_grad();
    let loss = task.loss(&pass(x.clone()), labels, &Default::default());
    let loss = loss.expect("labels fit");
    let value = floats(loss.clone())[0];
    let gradient = x.grad(&loss.backward()).expect("outputs have gradients");
    (value, floats(gradient))
}

/// Outputs that are probabilities where they should be.
fn outputs(seed: u64) -> Vec<f32> {
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    let value = |i: usize| i / (MAP[0] * MAP[1]) % 7;
    let all = random(VALUES, seed).into_iter().enumerate();
    all.map(|(i, x)| match value(i) {
        2 | 3 => 0.5 * x,
        _ => sigmoid(2.0 * x),
    })
    .collect()
}

fn sample() -> Boxes {
    vec![
        BBox::new(0, 2.5, 3.0, 7.0, 6.5),
        BBox::new(1, 6.0, 8.0, 15.0, 15.0),
    ]
}

fn data(train: usize) -> Dataset<Boxes> {
    let counts = Counts {
        train,
        val: 8,
        test: 0,
    };
    boxes(1, counts)
}

#[test]
fn decoding_undoes_encoding() {
    let set = data(60);
    for name in ["yolo-tiny", "yolo-32-64-128"] {
        let form = zoo::Form {
            image: Some([3, 96, 112]),
            classes: Some(6),
        };
        let graph = zoo::build_as(name, 1, form).expect("a network");
        let detector = Detector::fit(&graph, &names(6), &set.train).expect("there are boxes");
        let task = Detect::new(detector.clone());
        let (mut truth, mut found) = (Vec::new(), Vec::new());
        for sample in &set.train {
            let outputs = detector.encode(&sample.label);
            let boxes = detector
                .decode(&outputs, &Rules::default())
                .expect("they fit");
            assert_eq!(boxes.len(), sample.label.len(), "{name}");
            for b in &sample.label {
                let same = boxes.iter().find(|d| iou(&d.bbox, b) > 0.999);
                let same = same.expect("each box is found");
                assert_eq!((same.bbox.class, same.score), (b.class, 1.0));
            }
            truth.push(sample.label.clone());
            found.push(boxes);
        }
        assert_eq!(task.evaluate(&truth, &found).mean, 1.0);
        // Without one image's boxes it is less.
        found[0].clear();
        assert!(task.evaluate(&truth, &found).mean < 1.0);
    }
}

#[test]
fn a_box_by_hand() {
    // Column 2, row 5 of cells of 2 x 1; the second anchor of 8 x 6.
    let mut out = vec![0.0; VALUES];
    let values = [0.75, 0.5, 0.5f32.ln(), 0.0, 0.8, 0.25, 0.5];
    for (i, v) in values.into_iter().enumerate() {
        out[at(1, i, 5, 2)] = v;
    }
    let array = ndarray::Array::from_shape_vec(vec![1, 2, 7, 16, 8], out).expect("it fits");
    let found = detector().decode(&[array], &Rules::default());
    let found = found.expect("it fits");
    // Centre x (2 + 1.5 - 0.5) * 2, y 5 + 1 - 0.5.
    let want = [(1, 0.4), (0, 0.2)];
    assert_eq!(found.len(), 2);
    for (d, (class, score)) in found.iter().zip(want) {
        let b = &d.bbox;
        assert_eq!([b.x0, b.y0, b.x1, b.y1], [4.0, 2.5, 8.0, 8.5]);
        assert_eq!(b.class, class);
        assert!((d.score - score).abs() < 1e-6);
    }
    // Numbers that are none give no boxes.
    let nan = ndarray::ArrayD::from_elem(vec![1, 2, 7, 16, 8], f32::NAN);
    let found = detector().decode(&[nan], &Rules::default());
    assert!(found.expect("it fits").is_empty());
    for bad in [vec![], vec![ndarray::ArrayD::zeros(vec![1, 2, 7, 8, 16])]] {
        let e = detector().decode(&bad, &Rules::default());
        assert!(matches!(e, Err(TrainError::Size { .. })), "{e:?}");
    }
}

#[test]
fn losses_by_hand() {
    // Nothing to find: p^2 * -ln(1 - p) of each place.
    let values = outputs(3);
    let objects = (0..VALUES).filter(|i| i / 128 % 7 == 4);
    let want: f32 = objects
        .map(|i| -values[i].powi(2) * (1.0 - values[i]).ln())
        .sum();
    let (got, _) = loss_of(&task(1.0, 1.0, 1.0), &values, &[vec![]]);
    assert!((got / want - 1.0).abs() < 1e-5, "{got} {want}");
    // What is perfect has no loss; logarithms end at 1e-6.
    let label = vec![sample()];
    let perfect: Vec<f32> = detector().encode(&label[0])[0].iter().copied().collect();
    let (got, _) = loss_of(&task(1.0, 1.0, 1.0), &perfect, &label);
    assert!(got.abs() < 1e-4, "{got}");
    // Twice as large about the same middle: an overlap of a quarter, no distance.
    let mut large = perfect.clone();
    let mut places = 0.0;
    for i in (0..VALUES).filter(|i| i / 128 % 7 == 4) {
        if perfect[i] > 0.0 {
            places += 1.0;
            large[i - 256] += 2f32.ln();
            large[i - 128] += 2f32.ln();
        }
    }
    assert!(places >= 4.0);
    let (got, _) = loss_of(&task(0.0, 1.0, 0.0), &large, &label);
    assert!((got - 0.75).abs() < 1e-5, "{got}");
    // An objectness of 1 is too much for it: (3/4)^2 times a cross-entropy.
    let (got, _) = loss_of(&task(1.0, 0.0, 0.0), &large, &label);
    let want = 0.5625 * -(0.25 * (1.0f32 - 1e-6).ln() + 0.75 * 1e-6f32.ln());
    assert!((got - want).abs() < 0.02, "{got} {want}");
    // Half a class that is there, and half one that is not.
    let mut unsure = perfect.clone();
    for i in (0..VALUES).filter(|i| i / 128 % 7 >= 5) {
        unsure[i] = 0.5;
    }
    let (got, _) = loss_of(&task(0.0, 0.0, 1.0), &unsure, &label);
    assert!((got - 2.0 * 2f32.ln()).abs() < 1e-5, "{got}");
}

#[test]
fn gradients_are_differences() {
    let labels = vec![sample()];
    let task = task(0.0, 1.0, 0.7);
    let values = outputs(5);
    let (_, gradient) = loss_of(&task, &values, &labels);
    let used: Vec<usize> = (0..VALUES).filter(|i| gradient[*i] != 0.0).collect();
    assert!(used.len() >= 24, "{}", used.len());
    for i in used {
        let step = 2e-3;
        let moved = |by: f32| {
            let mut values = values.clone();
            values[i] += by;
            loss_of(&task, &values, &labels).0
        };
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        let g = gradient[i];
        assert!(
            (slope - g).abs() < 0.02 + 0.02 * g.abs(),
            "{i}: {slope} {g}"
        );
    }
}

#[test]
fn difficult_boxes_teach_nothing() {
    let mut label = sample();
    label[1].difficult = true;
    let task = task(1.0, 1.0, 1.0);
    let (_, gradient) = loss_of(&task, &outputs(5), &[label.clone()]);
    let (_, all) = loss_of(&task, &outputs(5), &[sample()]);
    let (_, without) = loss_of(&task, &outputs(5), &[label[..1].to_vec()]);
    let of_objects = |g: &[f32]| -> Vec<bool> {
        (0..VALUES)
            .filter(|i| i / 128 % 7 == 4)
            .map(|i| g[i] == 0.0)
            .collect()
    };
    // Only its own places are left out.
    let silent = of_objects(&gradient).iter().filter(|z| **z).count();
    assert!(silent >= 2);
    for g in [&all, &without] {
        assert!(of_objects(g).iter().all(|z| !z));
    }
}

#[test]
fn labels_that_do_not_suit_are_errors() {
    let x = tensor::<Cpu, 4>(outputs(1), [1, 7, 16, 16]);
    let strange = vec![BBox::new(2, 1.0, 1.0, 4.0, 4.0)];
    let e = task(1.0, 1.0, 1.0).loss(&pass(x.clone()), &[strange], &Default::default());
    assert!(e.expect_err("class 2 of 2").to_string().contains("class 2"));
    let e = task(1.0, 1.0, 1.0).loss(&pass(x), &[vec![], vec![]], &Default::default());
    assert!(e.is_err(), "two labels, one image");
    let classifier = zoo::build("resnet-tiny", 1).expect("a network");
    assert!(Detector::fit(&classifier, &names(2), &data(2).train).is_err());
    assert!(Detector::fit(&plain(), &names(3), &data(2).train).is_err());
    let image = Image::new(3, 16, 16, vec![0; 3 * 256]).expect("an image");
    let empty = Sample {
        image,
        label: vec![],
    };
    let e = Detector::fit(&plain(), &names(2), &[empty]).expect_err("no boxes");
    assert!(e.to_string().contains("no boxes"), "{e}");
    for anchors in [vec![], vec![vec![[1.0, 1.0]]], vec![vec![[1.0, 0.0]; 2]]] {
        assert!(Detector::new(&plain(), &names(2), anchors).is_err());
    }
}

#[test]
fn the_file_of_a_detector() {
    let set = data(20);
    let graph = zoo::build("yolo-32-64-128", 1).expect("a network");
    let detector = Detector::fit(&graph, &set.classes, &set.train).expect("there are boxes");
    let text = detector.to_json();
    assert_eq!(Detector::from_json(&text, &graph), Ok(detector));
    let bad = [
        ("", "detector.json"),
        ("{}", "`classes`"),
        (&text.replace("\"star\"", "7"), "no text"),
        (&text.replace("\"star\",", ""), "classes"),
        (&text.replace("96", "128"), "other images"),
        (&text.replacen("[\n", "[7,\n", 2), "`anchors`"),
    ];
    for (text, what) in bad {
        let e = Detector::from_json(text, &graph);
        match e {
            Err(e) => assert!(e.to_string().contains(what), "{what}: {e}"),
            Ok(_) => assert_eq!(what, "classes", "{text}"),
        }
    }
}

/// Two convolutions and a head; small enough for many steps.
fn small() -> Graph {
    let mut b = Builder::new("small", 3);
    let x = b.input("input", &[1, 3, 96, 96]);
    let x = b.conv("a", x, ConvSpec::new(8, 5).stride(4).pad(2));
    let x = b.relu("a.relu", x);
    let x = b.conv("b", x, ConvSpec::new(16, 3).stride(2).pad(1));
    let x = b.relu("b.relu", x);
    let x = b.conv("head", x, ConvSpec::new(2 * 11, 1));
    let x = b.sigmoid("sigmoid", x);
    let y = b.reshape("boxes", x, &[1, 2, 11, 12, 12]);
    b.output(y);
    b.finish()
}

fn start<'a>(graph: &Graph, set: &'a Dataset<Boxes>, settings: Settings) -> Run<'a> {
    let detector = Detector::fit(graph, &set.classes, &set.train).expect("there are boxes");
    let mut network = Network::normalised(graph, &Default::default()).expect("it can be trained");
    let task = Detect::new(detector);
    task.start(&mut network).expect("it is its network");
    Run::new(network, (task, ()), (&set.train, &set.val), settings).expect("it can start")
}

fn settings(epochs: f64) -> Settings {
    Settings {
        epochs,
        batch: 4,
        rate: 0.002,
        rule: Rule::adamw(),
        augment: Augment::scenes(96, 96),
        ..Settings::default()
    }
}

#[test]
fn a_run_with_boxes_goes_on_with_the_same_bits() {
    let mut set = data(10);
    // Images without boxes are images too.
    set.train[2].label.clear();
    set.train[5].label.clear();
    let bits = |run: &Run<'_>| {
        let mut c = run.checkpoint();
        c.put_number("seconds", 0);
        c.encode().expect("it can be written")
    };
    let finish = |run: &mut Run<'_>| {
        while !run.finished() {
            run.step().expect("a step");
        }
    };
    let mut whole = start(&small(), &set, settings(3.0));
    finish(&mut whole);
    for stop in [1, 2, 5] {
        let mut first = start(&small(), &set, settings(3.0));
        while first.next() < stop {
            first.step().expect("a step");
        }
        let file = first.checkpoint().encode().expect("it can be written");
        let mut second = start(&small(), &set, settings(3.0));
        let c = Checkpoint::decode(&file).expect("a checkpoint");
        second.restore(&c).expect("of the same run");
        finish(&mut second);
        assert!(bits(&second) == bits(&whole), "{stop}");
    }
}

#[test]
fn a_detector_learns() {
    let set = data(24);
    let graph = zoo::build("yolo-32-64-128", 1).expect("a network");
    let settings = Settings {
        augment: Augment::default(),
        statistics: 0.3,
        ..settings(14.0)
    };
    let mut run = start(&graph, &set, settings);
    let before = run.measure(&set.train).expect("they fit");
    let mut rows = Vec::new();
    while !run.finished() {
        rows.extend(run.step().expect("a step").row);
    }
    let after = run.measure(&set.train).expect("they fit");
    assert!(before.score < 0.05, "{before:?}");
    assert!(after.score > 0.4, "{after:?}");
    assert!(after.loss < 0.7 * before.loss, "{before:?} {after:?}");
    let (first, last) = (&rows[0], &rows[13]);
    assert!(last.loss < 0.7 * first.loss, "{first:?} {last:?}");
    assert!(last.score > first.score, "{first:?} {last:?}");
}

#[test]
fn heads_keep_their_bias() {
    let graph = zoo::build("yolo-32-64-128", 1).expect("a network");
    let network = Network::<Cpu>::normalised(&graph, &Default::default()).expect("a network");
    for (name, normed) in [
        ("conv5", true),
        ("fine.conv", true),
        ("fine.head", false),
        ("coarse.head", false),
    ] {
        assert_eq!(network.find(&format!("{name}.gamma")).is_some(), normed);
        assert_eq!(network.find(&format!("{name}.bias")).is_some(), !normed);
    }
}

/// What a student with these outputs learns from a teacher, and the gradient.
fn taught(student: &[f32], teacher: &[f32]) -> (f32, Vec<f32>) {
    let dims = [student.len() / VALUES, 7, 16, 16];
    let x = tensor::<CpuGrad, 4>(student.to_vec(), dims).require_grad();
    let t = pass(tensor::<Cpu, 4>(teacher.to_vec(), dims));
    let loss = task(1.0, 1.0, 1.0).distillation_loss(&pass(x.clone()), &t, dims[0]);
    let loss: Tensor<CpuGrad, 1> = loss.expect("they fit");
    let value = floats(loss.clone())[0];
    let gradient = x.grad(&loss.backward()).expect("outputs have gradients");
    (value, floats(gradient))
}

#[test]
fn distillation_by_hand_and_by_differences() {
    // Places without objectness teach only that.
    let mut teacher = outputs(7);
    for i in (0..VALUES).filter(|i| i / 128 % 7 == 4) {
        teacher[i] = 0.0;
    }
    teacher[at(1, 4, 3, 2)] = 0.5;
    teacher[at(0, 4, 9, 6)] = 1.0;
    let (value, gradient) = taught(&teacher, &teacher);
    assert!(value.abs() < 1e-6, "{value}");
    assert!(gradient.iter().all(|g| g.abs() < 1e-4));
    // The sum of the objectness is 1.5.
    let mut student = teacher.clone();
    student[at(1, 0, 3, 2)] += 0.1;
    student[at(1, 3, 3, 2)] -= 0.3;
    student[at(0, 2, 9, 6)] += 0.2;
    student[at(0, 2, 9, 5)] += 9.0;
    let want = (0.5 * (0.1f32.powi(2) + 0.3f32.powi(2)) + 0.2f32.powi(2)) / 1.5;
    let (value, _) = taught(&student, &teacher);
    assert!((value - want).abs() < 1e-5, "{value} {want}");
    let mut student = teacher.clone();
    student[at(0, 4, 0, 0)] = 0.5;
    let want = 2f32.ln() / 1.5;
    let (value, _) = taught(&student, &teacher);
    assert!((value - want).abs() < 1e-5, "{value} {want}");
    let mut student = teacher.clone();
    let (p, t) = (0.3f32, teacher[at(0, 5, 9, 6)]);
    student[at(0, 5, 9, 6)] = p;
    let want = (t * (t / p).ln() + (1.0 - t) * ((1.0 - t) / (1.0 - p)).ln()) / 1.5;
    let (value, _) = taught(&student, &teacher);
    assert!((value - want).abs() < 1e-5, "{value} {want}");
    // Two images, all values.
    let student = [outputs(11), outputs(12)].concat();
    let teacher = [outputs(13), outputs(14)].concat();
    let (_, gradient) = taught(&student, &teacher);
    let (mut slopes, mut gradients) = (Vec::new(), Vec::new());
    for i in (0..2 * VALUES).step_by(41) {
        let moved = |by: f32| {
            let mut student = student.clone();
            student[i] += by;
            f64::from(taught(&student, &teacher).0)
        };
        let step = 0.02;
        slopes.push(((moved(step) - moved(-step)) / (2.0 * f64::from(step))) as f32 * 100.0);
        gradients.push(gradient[i] * 100.0);
    }
    assert!(gradients.iter().any(|g| g.abs() > 0.5));
    let apart = distance(&slopes, &gradients);
    assert!(apart < 0.05, "{apart}");
    let one = pass(tensor::<CpuGrad, 4>(outputs(1), [1, 7, 16, 16]));
    let two = pass(tensor::<Cpu, 4>(teacher, [2, 7, 16, 16]));
    let e = task(1.0, 1.0, 1.0).distillation_loss(&one, &two, 1);
    assert!(e.is_err(), "one image and two");
}

#[test]
fn weights_of_places_by_hand() {
    // Places of 4 x 4 pixels: a box on four of them, another within one of these.
    let labels = [
        vec![
            BBox::new(0, 0.0, 0.0, 8.0, 8.0),
            BBox::new(0, 5.0, 5.0, 7.0, 7.0),
        ],
        vec![],
        vec![BBox::new(0, 0.0, 0.0, 16.0, 16.0)],
    ];
    let got = task(1.0, 1.0, 1.0).foreground(&labels, [4, 4]);
    assert_eq!(got.len(), 48);
    for (i, weight) in got[..16].iter().enumerate() {
        let want = match (i / 4, i % 4) {
            (1, 1) => 8.0 / 1.75,
            (0 | 1, 0 | 1) => 2.0 / 1.75,
            _ => 8.0 / 12.0,
        };
        assert!((weight - want).abs() < 1e-6, "{i}: {weight} {want}");
    }
    assert!(got[16..].iter().all(|w| *w == 1.0));
}
