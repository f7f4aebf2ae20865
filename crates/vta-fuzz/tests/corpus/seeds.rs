//! The seeds of the corpus: one or a few good inputs for each target.

use vta_data::{Image, encode_png};
use vta_net::graph::{Builder, ConvSpec, Window, onnx};
use vta_net::sparse::{layers, random, write};
use vta_program::config::HwConfig;
use vta_tensor::npy::Npy;
use vta_test_support::golden::finish_json;
use vta_test_support::numbers::Numbers;
use vta_test_support::programs::{encode, finish, load_uop, network, two_launches};

/// Between files of one input.
const MARK: &[u8] = &[0xff, 0, 0xff];

/// Bytes that structured targets make something of.
fn noise(n: u64, len: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(n);
    (0..len).map(|_| numbers.next() as u8).collect()
}

fn some_noise(len: usize) -> Vec<Vec<u8>> {
    (0..8).map(|n| noise(n, len)).collect()
}

fn text(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|t| t.as_bytes().to_vec()).collect()
}

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "words" => vec![
            encode(&[finish(), load_uop(2048, 4)]),
            noise(1, 64),
            vec![0; 16],
            vec![0xff; 16],
        ],
        "assembly" => assembly(),
        "bundle" => [network(), two_launches()]
            .iter()
            .map(|p| p.to_bytes().expect("it makes sense"))
            .collect(),
        "bundle_parts" | "engines" | "orders" | "traces" | "networks" => some_noise(400),
        "onnx_graph" => some_noise(700),
        "configuration" => {
            let built_in = HwConfig::BUILT_IN
                .iter()
                .filter_map(|n| HwConfig::built_in(n));
            let mut all: Vec<Vec<u8>> = built_in.map(|c| c.to_json().into_bytes()).collect();
            // As upstream has it: sizes in bytes, no depths.
            all.extend(text(&[
                r#"{"TARGET": "sim", "LOG_INP_WIDTH": 3, "LOG_WGT_WIDTH": 3, "LOG_ACC_WIDTH": 5, "LOG_BATCH": 0, "LOG_BLOCK": 4, "LOG_UOP_BUFF_SIZE": 15, "LOG_INP_BUFF_SIZE": 15, "LOG_WGT_BUFF_SIZE": 18, "LOG_ACC_BUFF_SIZE": 17}"#,
            ]));
            all
        }
        "npy" => npy(),
        "exponents" => text(&[
            r#"{"format": "vta-quantisation", "version": 1, "tensors": {"x": -5, "a": -4, "b": -4, "sum": -4, "r": -4, "f": -4, "y": -3}, "weights": {"a.weight": [-9], "b.weight": [-8], "y.weight": [-9]}}"#,
            r#"{"format": "vta-quantisation", "version": 1, "tensors": {"x": -5, "a": -4, "r": -4, "y": -3}, "weights": {"a.weight": [-9], "b.weight": [-8], "y.weight": [-9, -9, -8, -9, -10]}}"#,
        ]),
        "masks" => masks(),
        "costs" => text(&[
            r#"{"format": "vta-cost", "version": 1, "model": "small", "config": "de10", "fixed_cycles": 120.0, "layers": [{"name": "a", "weight_name": "a.weight", "blocks": 8, "points": [[0, 10.0], [4, 300.5], [8, 800.0]]}, {"name": "b", "weight_name": "a.weight", "blocks": 8, "points": [[8, 1.0]]}]}"#,
        ]),
        "golden" => golden(),
        "cifar" => cifar(),
        "idx" => idx(),
        "images" => images(),
        "folders" => text(&[
            "train/cat/a.png\ntrain/dog/b.png\ntest/dog/c.png\ntrain/cat/notes.txt\tnone\n",
            "cat/a.png\ndog/b.PNG\n",
            "data_batch_1.bin\t\nbatches.meta.txt\ta\n",
            "ImageSets/Main/train.txt\ta\nAnnotations/a.xml\t<annotation/>\nJPEGImages/a.png\n",
        ]),
        "voc" => voc(),
        "onnx" => models(),
        #[cfg(feature = "train")]
        "checkpoint" => checkpoint(),
        other => panic!("{other} has no seeds"),
    }
}

fn assembly() -> Vec<Vec<u8>> {
    text(&[
        ".config de10\n.data x inp len=1\n.data w wgt len=1\n.data u uop\n  uop dst=0 src=0 wgt=0\n.launch main\n  load.uop dram_base=u x_size=1\n  load.wgt dram_base=w x_size=1 push_next\n  gemm reset\n  gemm pop_prev\n  finish\n",
        ".config mine block=8 mem_data_bits=128 mem_delay=40\n.dram 0x40000\nn = 3\nhalf = n/2 + 1\n.region acc sums = 0..16\n.data a acc at 0x2000 len=n*2\n  i32 1 -2 3 4 5 6 7 (8 + 1)\n.data x inp len=16\n  random seed=1 min=-8 max=7\n.data w wgt\n.for r = 0..8\n  zero bytes=r\n  i8 1\n  zero bytes=7-r\n.end for\n.data y out len=16\n.data u uop\n  uop dst=sums src=0 wgt=0\n.launch \"one \\u{41}\"\n  .output y\n  .symbol first\n  load.acc dram_base=a sram_base=1+n x_size=n y_size=2 x_pad_0=1\n  alu.add imm=-3 iter_in=4 dst_factor_in=1\n  .symbol second\n  store dram_base=y sram_base=sums[2] x_size=2 x_stride=half\n  .end symbol\n  finish\n.launch two\n  finish pop_next\n",
        ".data \"b c\" raw at 0x2000 bytes=64\n  fill 7 value=3\n  npy \"x.npy\"\n  hex 00ff\nhere:\n.launch main\n  .word 0x3\n  .output 0x2000 bytes=64\n.end launch\n.launch other at 0x1000 count=1\n  .symbol s first=0 count=1\n",
    ])
}

fn npy() -> Vec<Vec<u8>> {
    let floats = Npy::of_floats(&[2, 3], (0..6).map(|i| i as f32 / 4.0));
    let header = |h: &str| {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((h.len() as u16).to_le_bytes());
        file.extend(h.as_bytes());
        file.extend([1; 12]);
        file
    };
    vec![
        floats.write(),
        header("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }"),
        header("{'descr': '<u4', 'fortran_order': False, 'shape': (3,), }"),
    ]
}

fn masks() -> Vec<Vec<u8>> {
    let mut b = Builder::new("small", 1);
    let x = b.input("x", &[1, 3, 4, 4]);
    let a = b.conv("a", x, ConvSpec::new(20, 3).pad(1));
    let d = b.conv("b", a, ConvSpec::new(20, 3).pad(1).groups(20));
    let f = b.flatten("f", d);
    let y = b.dense("y", f, 5, 1.0);
    b.output(y);
    let layers = layers(&b.finish());
    let of = |density| write(&random(density, 1, &layers).expect("a density"));
    vec![of(0.5), of(1.0), of(0.1)]
}

fn golden() -> Vec<Vec<u8>> {
    let json = finish_json().to_string().into_bytes();
    let racy = String::from_utf8_lossy(&json).replace("fetch/000", "racy/000");
    vec![json, racy.into_bytes()]
}

fn cifar() -> Vec<Vec<u8>> {
    let with = |parts: [&[u8]; 3]| parts.join(MARK);
    vec![
        with([b"r:\x01\x02", b"r:\x03", b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n"]),
        with([b"r:\x09", b"", b""]),
        with([b"gz:\x00\x01", b"", b""]),
    ]
}

fn idx() -> Vec<Vec<u8>> {
    let mut images = vec![0, 0, 8, 3];
    for d in [3u32, 2, 2] {
        images.extend(d.to_be_bytes());
    }
    images.extend([7; 12]);
    let labels = [0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2];
    let packed = [b"gz:", &labels[..]].concat();
    vec![
        [&images[..], &labels].join(MARK),
        [&images[..], &packed].join(MARK),
    ]
}

fn images() -> Vec<Vec<u8>> {
    let picture = |channels: usize| {
        let data = (0..channels * 6 * 5).map(|i| (i * 7 % 251) as u8).collect();
        Image::new(channels, 6, 5, data).expect("a small image")
    };
    let ppm = |kind: &str, channels| {
        let mut out = format!("{kind} # a comment\n5 6\n255\n").into_bytes();
        out.extend(picture(channels).pixels());
        out
    };
    vec![
        encode_png(&picture(3)).expect("a small image"),
        encode_png(&picture(1)).expect("a small image"),
        ppm("P6", 3),
        ppm("P5", 1),
        jpeg(),
    ]
}

/// A grey JPEG file of 8 x 8, built by hand: one table of each kind.
fn jpeg() -> Vec<u8> {
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
    for (class, symbol) in [(0x00, 3), (0x10, 0)] {
        let mut table = vec![class, 1];
        table.extend([0; 15]);
        table.push(symbol);
        segment(0xc4, &table);
    }
    segment(0xda, &[1, 1, 0, 0, 63, 0]);
    out.extend([0b0100_0111, 0xff, 0xd9]);
    out
}

fn voc() -> Vec<Vec<u8>> {
    let of = |objects: &str| {
        format!(
            "<annotation>\n<size>\n<width>20</width>\n<height>10</height>\n</size>\n{objects}</annotation>\n"
        )
    };
    let object = "<object><name>cat</name><difficult>0</difficult><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>10.5</xmax><ymax>9</ymax></bndbox></object>\n";
    let with = |annotation: String, list: &str| [annotation.as_bytes(), list.as_bytes()].join(MARK);
    vec![
        with(of(object), "one\n"),
        with(of(&object.repeat(2)), "one 1\n\none -1\n"),
        with(of(""), "one"),
    ]
}

fn models() -> Vec<Vec<u8>> {
    let mut b = Builder::new("first", 1);
    let x = b.input("x", &[1, 3, 6, 6]);
    let a = b.conv("a", x, ConvSpec::new(5, 3).pad(1));
    let r = b.relu("r", a);
    let p = b.max_pool("p", r, Window::square(2, 2, 0));
    let c = b.concat("c", &[p, p], 1);
    let g = b.global_average_pool("g", c);
    let f = b.flatten("f", g);
    let y = b.dense("y", f, 4, 1.0);
    let s = b.softmax("s", y, 1);
    b.output(s);
    let mut d = Builder::new("second", 2);
    let x = d.input("x", &[1, 4, 5, 5]);
    let a = d.conv("a", x, ConvSpec::new(4, 3).pad(1).groups(4));
    let l = d.leaky_relu("l", a, 0.1);
    let q = d.add("q", l, x);
    let u = d.resize("u", q, 2);
    let t = d.slice("t", u, 1, 1, 2, 1);
    let k = d.clip("k", t, 0.0, 6.0);
    let m = d.sigmoid("m", k);
    d.output(m);
    vec![onnx::export(&b.finish()), onnx::export(&d.finish())]
}

#[cfg(feature = "train")]
fn checkpoint() -> Vec<Vec<u8>> {
    let mut c = vta_train::Checkpoint::default();
    c.put("param/a", vec![0.1, -0.0, f32::NAN]);
    c.put("param/none", Vec::new());
    c.put_number("step", u64::MAX);
    c.put_text("log", "epoch,step\n\"1\",2\n");
    vec![
        c.encode().expect("it can be written"),
        vta_train::Checkpoint::default()
            .encode()
            .expect("it can be written"),
    ]
}
