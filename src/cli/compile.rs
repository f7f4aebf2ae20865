//! `vta compile`: a network to a program.

use super::model::{self, CalibArgs, MaskArgs, NetworkArgs};
use super::outputs::{Outputs, config_file, model_file};
use super::{CliError, Output, Paint, number};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use vta::printable::printable;
use vta::program::On;
use vta::program::atomic::write_file;
use vta::report::{Cell, Table, thousands};
use vta::sparse;
use vta::{Program, QuantisedModel};

/// Compile a network into a program
#[derive(Debug, Args)]
pub struct Compile {
    /// The network: an ONNX file, or a name of the zoo (`vta zoo` lists it)
    model: String,
    /// The program to write, a bundle
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    masks: MaskArgs,
    /// Write the masks that were used to a safetensors file
    #[arg(long, value_name = "FILE")]
    save_masks: Option<PathBuf>,
    /// Leave nothing out, zero blocks neither
    #[arg(long)]
    dense: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    calib: CalibArgs,
    /// Configuration: a built-in name or a vta_config.json file [default: de10]
    #[arg(long, value_name = "NAME|FILE")]
    config: Option<String>,
    /// Prove that the program has no hazards, as `vta check` does
    #[arg(long)]
    verify: bool,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

impl Compile {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        self.calib.check(false)?;
        let read = self.masks.files().chain(self.calib.files());
        let read = read.chain(model_file(&self.model));
        let read = read.chain(config_file(self.config.as_deref()));
        let outputs = Outputs::new([&self.out].into_iter().chain(&self.save_masks), read)?;
        let config = model::config(self.config.as_deref())?;
        let network = self.masks.read(&self.model, &self.network)?;
        outputs.unread()?;
        let net = self.calib.quantise(network, None)?;
        let program = match self.dense {
            true => net.compile_dense(&config)?,
            false => net.compile(&config)?,
        };
        if self.verify {
            net.verify(&program)?;
        }
        program.save(&self.out)?;
        if let Some(path) = &self.save_masks {
            let bytes = sparse::write(&net.masked().masks());
            write_file(path, &bytes).map_err(|e| CliError::file(path, e))?;
        }
        let out = self.out.display().to_string();
        let bytes = std::fs::metadata(&self.out).map_or(0, |m| m.len());
        let text = self.text(&program, &net, &out, bytes, paint);
        Ok(Output::ok(text, self.json(&program, &net, &out, bytes)))
    }

    fn text(
        &self,
        program: &Program,
        net: &QuantisedModel,
        out: &str,
        bytes: u64,
        paint: Paint,
    ) -> String {
        let mut text = format!("{}\n\n{}", printable(&net.describe()), coverage(program));
        let on = |on: On| program.layers.iter().filter(|l| l.on == on).count();
        text += &format!(
            "\n{} layers on the device, {} on the host\n",
            on(On::Device),
            on(On::Host)
        );
        let (blocks, kept) = blocks(program);
        if kept < blocks {
            text += &format!(
                "{} of {} weight blocks kept\n",
                thousands(kept),
                thousands(blocks)
            );
        }
        let insns: u64 = program.launches().map(|l| u64::from(l.insn_count)).sum();
        text += &format!(
            "{}, {} instructions, {} bytes of DRAM, config {}\n",
            match program.launches().count() {
                1 => "1 launch".into(),
                n => format!("{n} launches"),
            },
            thousands(insns),
            thousands(program.dram_bytes.into()),
            printable(&program.config.name),
        );
        if self.verify {
            text += &format!(
                "{}\n",
                paint.good("verified: no hazard, every output is the network's")
            );
        }
        let out = printable(out);
        text += &format!("{out}: {} bytes\n", thousands(bytes));
        text += &format!("next: vta run {out}, vta infer {out} --random 1\n");
        text
    }

    fn json(&self, program: &Program, net: &QuantisedModel, out: &str, bytes: u64) -> Value {
        let (blocks, kept) = blocks(program);
        let insns: u64 = program.launches().map(|l| u64::from(l.insn_count)).sum();
        let layers = program.layers.iter().map(|l| {
            json!({
                "name": l.name, "op": l.op, "on": l.on, "why": l.why,
                "blocks": l.blocks, "kept": l.kept, "macs": l.macs,
                "compute_floor": l.compute_floor, "memory_floor": l.memory_floor,
            })
        });
        let mut json = model::network_json(net);
        json["out"] = json!(out);
        json["bytes"] = json!(bytes);
        json["config"] = json!(program.config.name);
        json["launches"] = json!(program.launches().count());
        json["insns"] = json!(insns);
        json["dram_bytes"] = json!(program.dram_bytes);
        json["blocks"] = json!(blocks);
        json["kept"] = json!(kept);
        json["verified"] = json!(self.verify);
        json["layers"] = layers.collect();
        json
    }
}

/// Weight blocks of all layers, and how many of them are kept.
fn blocks(program: &Program) -> (u64, u64) {
    let all = program.layers.iter();
    all.fold((0, 0), |(b, k), l| (b + l.blocks, k + l.kept))
}

/// Where each layer runs, and why.
fn coverage(program: &Program) -> Table {
    let mut table = Table::new(&["layer", "operators", "on", "kept", "blocks", "MACs", "why"]);
    for l in &program.layers {
        let some = |n: u64, of: u64| Cell::from((of > 0).then_some(n));
        table.row([
            l.name.clone().into(),
            l.op.clone().into(),
            match l.on {
                On::Device => "device".into(),
                On::Host => "host".into(),
            },
            some(l.kept, l.blocks),
            some(l.blocks, l.blocks),
            some(l.macs, l.macs),
            l.why.clone().into(),
        ]);
    }
    table
}
