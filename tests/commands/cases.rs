//! Networks by others that once were refused or wrong, against onnxruntime's values.

use std::path::Path;
use vta::graph::onnx::ImportOptions;
use vta::host::Tensor;
use vta::npy::Npy;
use vta::quant::float;
use vta::{Calibration, Model};

/// Samples along the first axis of a file, as float tensors of `dims`.
fn samples(path: &Path, dims: &[usize]) -> Option<Vec<Tensor>> {
    let bytes = std::fs::read(path).ok()?;
    let npy = Npy::read(&bytes).expect("a file of numpy");
    let size: usize = dims.iter().product();
    let values = npy.floats();
    let all = values.chunks_exact(size).map(|v| {
        let array = ndarray::ArrayD::from_shape_vec(dims.to_vec(), v.to_vec());
        Tensor::F32(array.expect("as many values as dimensions say"))
    });
    Some(all.collect())
}

/// Cosine of two lists of values.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-30)
}

/// How near float values are to onnxruntime's, as a fraction of the largest.
const FLOAT: f32 = 1e-4;

/// The same where the file rounds to steps of its own, which the float network does not.
const STEPS: f32 = 0.05;

/// As [`right_on`], on the default configuration.
fn right(name: &str, options: &ImportOptions, least: f64, off: f32) {
    right_on(&["de10"], name, options, (least, off));
}

/// Float values are onnxruntime's; int8 follows them; on each configuration the program
/// is proven, and gives what the integer network gives.
fn right_on(configs: &[&str], name: &str, options: &ImportOptions, (least, off): (f64, f32)) {
    let Some(cases) = vta_test_support::shared("cases/networks") else {
        return;
    };
    let file = |end: &str| cases.join(format!("{name}.{end}"));
    let model = Model::open_with(file("onnx"), options.clone());
    let model = model.unwrap_or_else(|e| panic!("{name}: {e}"));
    let graph = model.graph().clone();
    let [x, y] = [&graph.inputs, &graph.outputs].map(|t| graph.tensor(t[0]).dims.clone());
    // Without samples the network is compiled on noise.
    let inputs = samples(&file("input.npy"), &x).unwrap_or_default();
    let expected = samples(&file("expected.npy"), &y);
    let values = |t: &Tensor| -> Vec<f32> { t.as_f32().expect("float").iter().copied().collect() };
    let mut got = Vec::new();
    for (n, input) in inputs.iter().enumerate() {
        let out = float::run(&graph, std::slice::from_ref(input)).expect("it runs");
        let out = values(&out[0]);
        if let Some(expected) = &expected {
            let expected = values(&expected[n]);
            let size = expected.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
            for (a, b) in out.iter().zip(&expected) {
                assert!(
                    (a - b).abs() <= off * size,
                    "{name}, sample {n}: {a}, not {b}"
                );
            }
        }
        got.push(out);
    }
    let calibration = samples(&file("calib.npy"), &x).unwrap_or_else(|| inputs.clone());
    let calibration = match calibration.is_empty() {
        true => Calibration::default(),
        false => Calibration::Samples {
            samples: calibration.into_iter().map(|t| vec![t]).collect(),
            whose: "the case".into(),
        },
    };
    let net = model.zero_blocks().quantise(&calibration);
    let net = net.unwrap_or_else(|e| panic!("{name}: {e}"));
    let programs = configs.iter().map(|config| {
        let config = vta::config::HwConfig::built_in(config).expect("built in");
        let program = net.compile(&config);
        let program = program.unwrap_or_else(|e| panic!("{name}: {e}"));
        net.verify(&program)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        program
    });
    let programs: Vec<_> = programs.collect();
    let mut all = (Vec::new(), Vec::new());
    for (input, float) in inputs.iter().zip(&got) {
        let reference = vta::quant::reference::run(net.net(), std::slice::from_ref(input));
        let reference = reference.expect("the reference runs");
        for program in &programs {
            let run = program.run(std::slice::from_ref(input));
            let run = run.unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(run.outputs(), reference, "{name}");
        }
        all.0.extend(values(&reference[0]));
        all.1.extend(float);
    }
    if inputs.is_empty() {
        return;
    }
    let near = cosine(&all.0, &all.1);
    assert!(near >= least, "{name}: cosine {near}");
}

#[test]
fn forms_of_files() {
    let plain = ImportOptions::default();
    for name in [
        "opset22",
        "external_data",
        "dead_branch",
        "if_const",
        "out_const",
        "no_batch_axis",
        "batch4",
    ] {
        right(name, &plain, 0.99, FLOAT);
    }
    let mut open = ImportOptions::default();
    open.dims.insert("h".into(), 12);
    open.dims.insert("w".into(), 12);
    right("dyn_hw", &open, 0.99, FLOAT);
}

#[test]
fn functions_of_single_elements() {
    let plain = ImportOptions::default();
    for name in [
        "c_hardswish.ts",
        "c_silu.ts",
        "c_tanh.ts",
        "c_prelu1.ts",
        "Div_tensor",
    ] {
        right(name, &plain, 0.99, FLOAT);
    }
}

#[test]
fn quantised_files() {
    let plain = ImportOptions::default();
    for name in [
        "ort9425_maxpool",
        "ort9425_concat",
        "ortq_avgpool_u8",
        "qdq_sat_symmetric",
        "q_rescale",
        "i8_output",
    ] {
        right(name, &plain, 0.999, STEPS);
    }
}

#[test]
fn operators() {
    let plain = ImportOptions::default();
    for name in [
        "attn",
        "avgpool_dil",
        "c_espcn.ts",
        "c_groupnorm.ts",
        "c_kws1d.ts",
        "c_layernorm.ts",
        "pad_reflect",
        "tied_ae",
    ] {
        right(name, &plain, 0.999, FLOAT);
    }
}

/// A mask of a weight that encoder and decoder share, and what it computes.
#[test]
fn a_tied_weight_can_be_masked() {
    let Some(cases) = vta_test_support::shared("cases/networks") else {
        return;
    };
    let model = Model::open(cases.join("tied_ae.onnx")).expect("it opens");
    let masks = model.mask_layers();
    assert_eq!(masks[0].weight_name, masks[1].weight_name);
    let mut mask = vta::sparse::BlockMask::full(masks[0].mask_dims());
    mask.set([0, 0, 0, 0], false);
    let name = masks[0].weight_name.clone();
    let masked = model.mask([(name, mask)].into()).expect("it is one mask");
    let net = masked.quantise(&Calibration::default()).expect("int8");
    let program = net
        .compile(&vta::config::HwConfig::default())
        .expect("a program");
    net.verify(&program).expect("proven");
    let kept: Vec<u32> = program
        .layers
        .iter()
        .map(|l| l.blocks as u32 - l.kept as u32)
        .collect();
    assert_eq!(
        kept.iter().sum::<u32>(),
        2,
        "a block of each use is dropped"
    );
}

#[test]
fn what_is_too_large_is_said() {
    let Some(cases) = vta_test_support::shared("cases/networks") else {
        return;
    };
    let model = Model::open(cases.join("w_1e+30.onnx")).expect("it opens");
    let error = model.zero_blocks().quantise(&Calibration::default());
    let text = error.map(drop).expect_err("it is too large").to_string();
    assert!(text.contains("2^100"), "{text}");
}

/// Kernels, and means over maps, that are larger than the scratchpads.
#[test]
fn kernels_that_are_cut() {
    let (plain, configs) = (ImportOptions::default(), ["small", "b32", "de10"]);
    for name in ["conv_k31_dw", "gap_56", "edgetpu_gap256"] {
        right_on(&configs, name, &plain, (0.99, FLOAT));
    }
}

/// Models of others, whole, on noise: each is compiled, and proven to be its network.
#[test]
fn models_of_others() {
    let Some(models) = vta_test_support::shared("cases/models") else {
        return;
    };
    let config = vta::config::HwConfig::default();
    for (name, shape) in [
        ("face_slim320", None),
        ("yunet_n_320", None),
        ("super_resolution", None),
        ("ppocr_cls", Some([1, 3, 48, 192])),
        ("ppocr_det", Some([1, 3, 96, 96])),
    ] {
        let mut options = ImportOptions::default();
        if let Some(shape) = shape {
            options.input_shapes.insert(String::new(), shape.to_vec());
        }
        let model = Model::open_with(models.join(format!("{name}.onnx")), options);
        let model = model.unwrap_or_else(|e| panic!("{name}: {e}"));
        let net = model.zero_blocks().quantise(&Calibration::default());
        let net = net.unwrap_or_else(|e| panic!("{name}: {e}"));
        let program = net
            .compile(&config)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        net.verify(&program)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for (name, dense, sparse) in [
        ("resnet_large", 422_610, 259_548),
        ("vww_96_float", 200_556, 184_076),
    ] {
        let model = Model::open(models.join(format!("{name}.onnx"))).expect("it opens");
        let masks = model.random_masks(0.5, 1).expect("a density");
        let net = model.mask(masks).expect("masks of its own");
        let net = net.quantise(&Calibration::default()).expect("int8");
        let both = net.compile_both(&config).expect("programs");
        let cycles = [&both.0, &both.1].map(|p| p.cycles().expect("it runs"));
        // No more than the first compiler's.
        assert!(
            cycles[0] <= dense && cycles[1] <= sparse,
            "{name}: {cycles:?}"
        );
    }
}
