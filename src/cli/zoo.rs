//! `vta zoo`: the networks that need no file.

use super::model::{self, NetworkArgs};
use super::{CliError, Output};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use vta::graph::{Op, zoo};
use vta::program::atomic::write_file;
use vta::report::Table;

/// List the networks that need no file, or write one as ONNX
#[derive(Debug, Args)]
pub struct Zoo {
    /// A network of the zoo
    name: Option<String>,
    /// Write it as an ONNX file
    #[arg(long, short, value_name = "FILE", requires = "name")]
    out: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
}

impl Zoo {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        if self.network.zoo_seed.is_some() && self.out.is_none() {
            let why = "on the list, which has no weights";
            return Err(CliError::no_effect("--zoo-seed", why)
                .help("--out FILE writes a network with its weights"));
        }
        let names = match &self.name {
            // An error says which there are.
            Some(name) if !zoo::NAMES.contains(&name.as_str()) => {
                vta::Model::zoo(name, 0)?;
                Vec::new()
            }
            Some(name) => vec![name.as_str()],
            None => zoo::NAMES.to_vec(),
        };
        if let (Some(name), Some(out)) = (&self.name, &self.out) {
            let bytes = model::load(name, &self.network)?.to_onnx();
            write_file(out, &bytes).map_err(|e| CliError::file(out, e))?;
            let out = out.display().to_string();
            let json = json!({ "name": name, "seed": self.network.seed(), "out": out });
            return Ok(Output::ok(
                format!("{}\n", vta::printable::printable(&out)),
                json,
            ));
        }
        let mut table = Table::new(&["name", "input", "nodes", "weights", "outputs"]);
        let mut all = Vec::new();
        for name in names {
            let model = model::load(name, &self.network)?;
            let graph = model.graph();
            let dims = |t: &vta::graph::TensorId| format!("{:?}", graph.tensor(*t).dims);
            let list =
                |ts: &[vta::graph::TensorId]| -> Vec<String> { ts.iter().map(dims).collect() };
            let (inputs, outputs) = (list(&graph.inputs), list(&graph.outputs));
            let nodes = graph.nodes().count() as u64;
            let weights: usize = graph.nodes().map(|n| weights(&n.op)).sum();
            table.row([
                name.into(),
                inputs.join(", ").into(),
                nodes.into(),
                (weights as u64).into(),
                outputs.join(", ").into(),
            ]);
            let shapes = |ts: &[vta::graph::TensorId]| -> Vec<Value> {
                ts.iter().map(|t| json!(graph.tensor(*t).dims)).collect()
            };
            all.push(json!({
                "name": name, "nodes": nodes, "weights": weights,
                "inputs": shapes(&graph.inputs), "outputs": shapes(&graph.outputs),
            }));
        }
        Ok(Output::ok(table.to_string(), json!({ "zoo": all })))
    }
}

/// Weights of an operator, without biases.
fn weights(op: &Op) -> usize {
    match op {
        Op::Conv(c) => c.weight.len(),
        Op::Dense(d) => d.weight.len(),
        _ => 0,
    }
}
