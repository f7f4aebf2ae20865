//! Programs of networks: tensors in DRAM, host steps, bundles, commands.

use ndarray::ArrayD;
use proptest::prelude::*;
use std::io::{Cursor, Read, Write};
use vta_program::mem::Dram;
use vta_program::program::{HostStep, Layer, Layout, On, Program, Region, Step, WeightMap};
use vta_tensor::host::{DType, HostOp, Tensor};
use vta_test_support::programs::{network, two_launches};

fn region(addr: u32, dims: &[usize], dtype: DType, layout: Layout) -> Region {
    Region {
        tensor: "t".into(),
        addr,
        dims: dims.to_vec(),
        dtype,
        layout,
        exponent: None,
    }
}

#[test]
fn a_blocked_tensor_lies_as_the_device_has_it() {
    let r = region(3, &[1, 3, 1, 2], DType::I8, Layout::Blocked);
    let value =
        Tensor::I8(ArrayD::from_shape_vec(vec![1, 3, 1, 2], vec![1, 2, 3, 4, 5, 6]).unwrap());
    let mut dram = vec![9; 20];
    r.write(&mut dram, 4, &value).unwrap();
    // Each pixel has a vector of four channels; the fourth is padding.
    assert_eq!(dram[3..11], [1, 3, 5, 0, 2, 4, 6, 0]);
    assert_eq!((dram[2], dram[11], r.bytes(4)), (9, 9, Some(8)));
    dram[6] = 77; // what padding holds does not matter
    assert_eq!(r.read(&dram, 4).unwrap(), value);
    let flat = region(3, &[1, 3], DType::I8, Layout::Blocked);
    assert_eq!(
        (flat.bytes(4), flat.bytes(16), flat.bytes(2)),
        (Some(4), Some(16), Some(4))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        c in 1usize..40, h in 1usize..4, w in 1usize..4, log_block in 2u32..6,
        addr in 0u32..9, blocked: bool, float: bool, flat: bool, seed in any::<[u8; 8]>(),
    ) {
        let dims = if flat { vec![1, c] } else { vec![1, c, h, w] };
        let n: usize = dims.iter().product();
        let byte = |i: usize| seed[i % 8].wrapping_mul(i as u8 | 1);
        let (dtype, layout) = match (float, blocked) {
            (true, _) => (DType::F32, Layout::Plain),
            (false, true) => (DType::I8, Layout::Blocked),
            (false, false) => (DType::I8, Layout::Plain),
        };
        let value = match dtype {
            DType::F32 => Tensor::F32(ArrayD::from_shape_fn(dims.clone(), |i| f32::from(byte(i[1])))),
            DType::I8 => {
                let flat: Vec<i8> = (0..n).map(|i| byte(i) as i8).collect();
                Tensor::I8(ArrayD::from_shape_vec(dims.clone(), flat).unwrap())
            }
        };
        let r = region(addr, &dims, dtype, layout);
        let block = 1 << log_block;
        let bytes = r.bytes(block).unwrap() as usize;
        let mut dram = vec![0xaa; addr as usize + bytes + 3];
        r.write(&mut dram, block, &value).unwrap();
        prop_assert_eq!(r.read(&dram, block).unwrap(), value.clone());
        let outside = dram[..addr as usize].iter().chain(&dram[addr as usize + bytes..]);
        prop_assert!(outside.into_iter().all(|b| *b == 0xaa));
        if let (Layout::Blocked, Tensor::I8(a)) = (layout, &value) {
            let area: usize = dims[2..].iter().product();
            for (i, b) in dram[addr as usize..][..bytes].iter().enumerate() {
                let (lane, pixel, group) = (i % block as usize, i / block as usize % area, i / block as usize / area);
                let channel = group * block as usize + lane;
                let expected = if channel < c { a.as_slice().unwrap()[channel * area + pixel] as u8 } else { 0 };
                prop_assert_eq!(*b, expected);
            }
        }
        // One byte less of DRAM is too little.
        let short = addr as usize + bytes - 1;
        prop_assert!(r.read(&dram[..short], block).is_err());
        prop_assert!(r.write(&mut dram[..short], block, &value).is_err());
    }
}

#[test]
fn a_tensor_of_another_shape_is_not_written() {
    let r = region(0, &[1, 4], DType::I8, Layout::Plain);
    let mut dram = vec![0; 64];
    for value in [
        Tensor::I8(ArrayD::zeros(vec![4])),
        Tensor::F32(ArrayD::zeros(vec![1, 4])),
    ] {
        let e = r.write(&mut dram, 16, &value).unwrap_err().to_string();
        assert!(e.contains("is not i8 [1, 4]"), "{e}");
    }
}

#[test]
fn a_host_step_reads_and_writes_dram() {
    let program = network();
    let mut dram = Dram::new(program.dram_image());
    for step in &program.steps {
        if let Step::Host(h) = step {
            h.run(&mut dram, 16).unwrap();
        }
    }
    let copy = program.outputs[1].read(dram.bytes(), 16).unwrap();
    let expected: Vec<i8> = (0..12).map(|i| 2 * (i - 3)).collect();
    assert_eq!(
        copy,
        Tensor::I8(ArrayD::from_shape_vec(vec![1, 3, 2, 2], expected).unwrap())
    );
    assert_eq!(
        program.outputs[0].read(dram.bytes(), 16).unwrap(),
        program.inputs[0].read(dram.bytes(), 16).unwrap()
    );
}

#[test]
fn what_is_written_is_read_back() {
    let program = network();
    let bytes = program.to_bytes().unwrap();
    assert_eq!(Program::from_bytes(&bytes).unwrap(), program);
    assert_eq!(program.to_bytes().unwrap(), bytes);
}

/// The manifest of a bundle.
fn manifest(program: &Program) -> String {
    let bytes = program.to_bytes().unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    archive
        .by_name("manifest.json")
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn the_version_says_whether_there_is_a_network() {
    assert!(manifest(&two_launches()).contains("\"version\": 1"));
    let text = manifest(&network());
    assert!(text.contains("\"version\": 2"));
    assert!(text.contains("\"block_of\": \"0+0*3 2+0*3\""));
}

/// The network's bundle with a changed manifest, checksums in order.
fn with_manifest(from: &str, to: &str) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let bytes = network().to_bytes().unwrap();
    let mut old = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut new = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let mut sums = String::new();
    for i in 0..old.len() {
        let mut file = old.by_index(i).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut data = Vec::new();
        file.read_to_end(&mut data).unwrap();
        if name == "manifest.json" {
            let text = String::from_utf8(data).unwrap();
            assert!(text.contains(from), "{from} is not in {text}");
            data = text.replacen(from, to, 1).into_bytes();
        }
        if name == "SHA256SUMS" {
            data = sums.clone().into_bytes();
        }
        for b in Sha256::digest(&data).iter() {
            sums += &format!("{b:02x}");
        }
        sums += &format!("  {name}\n");
        new.start_file(name, options).unwrap();
        new.write_all(&data).unwrap();
    }
    new.finish().unwrap().into_inner()
}

#[test]
fn changed_manifests_are_refused() {
    let cases = [
        (
            "\"version\": 2",
            "\"version\": 1",
            "version 1 has no host steps",
        ),
        ("\"version\": 2", "\"version\": 3", "reads versions 1 to 2"),
        (
            "\"0+0*3 2+0*3\"",
            "\"0+0*3 2+0*4\"",
            "layer load: block_of: more than 6 numbers",
        ),
        (
            "\"0+0*3 2+0*3\"",
            "\"0+0*3 2+0*2\"",
            "layer load: block_of: 5 numbers, not 6",
        ),
        (
            "\"0+0*3 2+0*3\"",
            "\"0+0*3 3+0*3\"",
            "layer load: block 3 of 3",
        ),
        (
            "\"0+0*3 2+0*3\"",
            "\"zero\"",
            "layer load: block_of: \"zero\"",
        ),
        (
            "\"count\": 6",
            "\"count\": 4000000000",
            "more weight elements than DRAM has room for",
        ),
        ("\"quantize\"", "\"quantise\"", "unknown variant `quantise`"),
        (
            "\"exponent\": -1",
            "\"exponent\": -1, \"by\": 2",
            "unknown field `by`",
        ),
        (
            "\"layout\": \"plain\"",
            "\"layout\": \"blocked\"",
            "f32 [1, 3, 2, 2] cannot be blocked",
        ),
        ("\"why\": \"\"", "\"wy\": \"\"", "unknown field `wy`"),
    ];
    for (from, to, message) in cases {
        let e = Program::from_bytes(&with_manifest(from, to))
            .unwrap_err()
            .to_string();
        assert!(e.contains(message), "{e}");
    }
}

fn host(p: &mut Program, step: usize) -> &mut HostStep {
    match &mut p.steps[step] {
        Step::Host(h) => h,
        Step::Launch(l) => unreachable!("{} is a launch", l.name),
    }
}

fn weights(p: &mut Program) -> &mut WeightMap {
    p.layers[1].weights.as_mut().expect("the layer has weights")
}

#[test]
fn networks_that_make_no_sense_are_refused() {
    type Change = fn(&mut Program);
    let changes: &[(&str, Change)] = &[
        ("host step name copy is there twice", |p| {
            host(p, 0).name = "copy".into()
        }),
        ("host step 1 has no name", |p| host(p, 2).name.clear()),
        ("host step copy: t: ", |p| {
            host(p, 4).output = region(12288 - 11, &[1, 3, 2, 2], DType::I8, Layout::Plain)
        }),
        (
            "host step copy: copy: i8 [1, 3, 2, 2] is not i8 [1, 12]",
            |p| host(p, 4).output.dims = vec![1, 12],
        ),
        ("host step copy: copy: i8 [1, 3, 2, 2] is not f32", |p| {
            host(p, 4).output.dtype = DType::F32;
            host(p, 4).output.exponent = None;
        }),
        ("host step copy: Add takes 2 operands, not 1", |p| {
            host(p, 4).op = HostOp::Add
        }),
        ("host step copy: Sigmoid takes f32, operand 0 is i8", |p| {
            host(p, 4).op = HostOp::Sigmoid
        }),
        ("input name x is there twice", |p| {
            p.inputs.push(p.inputs[0].clone())
        }),
        ("output name y is there twice", |p| {
            p.outputs[1].tensor = "y".into()
        }),
        ("output 1 has no name", |p| p.outputs[1].tensor.clear()),
        ("input: x: [0] has no elements", |p| {
            p.inputs[0].dims = vec![0]
        }),
        (
            "input: x: [18446744073709551615, 2] has no elements or more",
            |p| p.inputs[0].dims = vec![usize::MAX, 2],
        ),
        ("output: y: an exponent of 3 for f32", |p| {
            p.outputs[0].exponent = Some(3)
        }),
        ("output: copy: an exponent of 127 for i8", |p| {
            p.outputs[1].exponent = Some(127)
        }),
        ("output: y: 48 bytes at 12241 are outside", |p| {
            p.outputs[0].addr = 12288 - 47
        }),
        ("layer name load is there twice", |p| {
            p.layers[0].name = "load".into()
        }),
        ("layer load: step 0 is not where it runs", |p| {
            p.layers[1].step = 0
        }),
        ("layer load: there is no step 5", |p| p.layers[1].step = 5),
        ("layer load: step 1 is not where it runs", |p| {
            p.layers[1].on = On::Host
        }),
        ("layer load: 4 of 3 blocks kept", |p| p.layers[1].kept = 4),
        ("layer load: q: ", |p| p.layers[1].output.addr = 12288 - 63),
        ("layer load: weights at 1040 are not at", |p| {
            weights(p).addr = 1040
        }),
        ("layer load: 6 weight elements at 11008 are outside", |p| {
            weights(p).addr = 11008
        }),
        ("layer load: a mask of 2 digits", |p| {
            weights(p).mask = "10".into()
        }),
        ("layer load: a mask of 3 digits", |p| {
            weights(p).mask = "1x1".into()
        }),
        ("layer load: a mask of 3 digits", |p| {
            weights(p).mask_dims = vec![3]
        }),
        ("layer load: a mask without dimensions", |p| {
            weights(p).mask_dims.clear()
        }),
        ("layer load: blocks of 5 of 6", |p| {
            _ = weights(p).block_of.pop()
        }),
        ("layer load: block 3 of 3", |p| weights(p).block_of[4] = 3),
    ];
    network().validate().unwrap();
    for (message, change) in changes {
        let mut p = network();
        change(&mut p);
        let e = p.validate().expect_err(message).to_string();
        assert!(e.starts_with(message), "{e}\n{message}");
        assert!(p.to_bytes().is_err());
    }
}

#[test]
fn weights_of_many_layers_are_bounded_together() {
    let mut p = network();
    let all: Vec<Layer> = (0..9)
        .map(|i| Layer {
            name: format!("layer {i}"),
            ..p.layers[1].clone()
        })
        .collect();
    p.layers = all;
    // 9 times 6 elements of 256 bytes are more than the 12288 bytes of DRAM.
    let e = Program::from_bytes(&p.to_bytes().unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        e.contains("layer 8: block_of: more weight elements than DRAM has room for"),
        "{e}"
    );
}
