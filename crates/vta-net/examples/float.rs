//! The float network's values: `float MODEL OUT INPUT.npy ...` writes OUT.0.npy and on.
//!
//! `tests/onnx_node_tests.py` holds them against those of ONNX's own tests.

use ndarray::{ArrayD, Axis, IxDyn};
use std::error::Error;
use std::path::Path;
use vta_net::graph::onnx::{ImportOptions, import_with};
use vta_net::quant::float;
use vta_tensor::host::Tensor;
use vta_tensor::npy::Npy;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, out, inputs @ ..] = &args[..] else {
        return Err("float MODEL OUT INPUT.npy ...".into());
    };
    let options = ImportOptions {
        folder: Path::new(model).parent().map(Path::to_owned),
        ..ImportOptions::default()
    };
    let graph = import_with(&std::fs::read(model)?, model, &options)?;
    let mut arrays = Vec::new();
    for path in inputs {
        let npy = Npy::read(&std::fs::read(path)?)?;
        arrays.push(ArrayD::from_shape_vec(IxDyn(&npy.dims), npy.floats())?);
    }
    let mut results: Vec<Vec<ArrayD<f32>>> = Vec::new();
    for i in 0..graph.batch {
        let element = |a: &ArrayD<f32>| match graph.batch {
            1 => a.clone(),
            _ => a.index_axis(Axis(0), i).insert_axis(Axis(0)).to_owned(),
        };
        let sample: Vec<Tensor> = arrays.iter().map(|a| Tensor::F32(element(a))).collect();
        let values = float::run(&graph, &sample)?;
        results.push(values.iter().filter_map(|t| t.as_f32().cloned()).collect());
    }
    for k in 0..graph.outputs.len() {
        let parts: Vec<_> = results.iter().map(|r| r[k].view()).collect();
        let all = match &parts[..] {
            [one] => one.to_owned(),
            all => ndarray::concatenate(Axis(0), all)?,
        };
        let bytes = Npy::of_floats(all.shape(), all.iter().copied()).write();
        std::fs::write(format!("{out}.{k}.npy"), bytes)?;
    }
    Ok(())
}
