//! `vta cycles`: exact cycles of masks, without running anything with data.

use super::model::{self, CalibArgs, NetworkArgs};
use super::{CliError, Output, number};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use vta::config::HwConfig;
use vta::printable::printable;
use vta::report::Table;
use vta::sparse::Masks;
use vta::{CycleCounter, NetworkCycles};

/// Exact cycles of a network with masks: by layer, without data
#[derive(Debug, Args)]
pub struct Cycles {
    /// The network: an ONNX file, or a name of the zoo (`vta zoo` lists it)
    model: String,
    /// Masks of weight blocks: safetensors files, a question each
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "density")]
    masks: Vec<PathBuf>,
    /// Keep these fractions of each layer's blocks, chosen at random: a question each
    #[arg(long, value_name = "D", value_delimiter = ',', value_parser = number::fraction)]
    density: Vec<f64>,
    /// Seed of the choice
    #[arg(long, value_name = "SEED", value_parser = number::long, requires = "density", conflicts_with = "masks", default_value = "1")]
    seed: u64,
    #[command(flatten)]
    calib: CalibArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// Configuration: a built-in name or a vta_config.json file
    #[arg(long, value_name = "NAME|FILE", default_value = "de10")]
    config: String,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

/// A question, and its answer.
struct Asked {
    name: String,
    masks: Masks,
    cycles: NetworkCycles,
}

impl Cycles {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        self.calib.check(false)?;
        let config = HwConfig::load(&self.config)?;
        let model = model::load(&self.model, &self.network)?;
        let mut asked = Vec::new();
        for path in &self.masks {
            asked.push((path.display().to_string(), model.read_masks(path)?));
        }
        for &density in &self.density {
            let masks = model.random_masks(density, self.seed)?;
            asked.push((format!("density {density}"), masks));
        }
        if asked.is_empty() {
            asked.push(("as it is".into(), Masks::new()));
        }
        let calibration = self.calib.calibration(&model.inputs(), None)?;
        let mut counter = model.cycle_counter(&calibration, &config)?;
        let answer = |(name, masks): (String, Masks)| {
            let cycles = counter.count(&masks)?;
            Ok(Asked {
                name,
                masks,
                cycles,
            })
        };
        let asked = asked.into_iter().map(answer);
        let asked: Vec<Asked> = asked.collect::<Result<_, CliError>>()?;
        Ok(Output::ok(
            self.text(&counter, &asked),
            self.json(&counter, &asked),
        ))
    }

    fn text(&self, counter: &CycleCounter, asked: &[Asked]) -> String {
        let mut columns = vec!["layer", "blocks"];
        columns.extend(asked.iter().map(|a| a.name.as_str()));
        let mut t = Table::new(&columns);
        let Some(first) = asked.first() else {
            return String::new();
        };
        // The same layers in the same order, whatever is asked.
        let answered = first.cycles.layers.iter().map(|(name, _)| name);
        for name in answered {
            let used = |a: &Asked| {
                let found = a.cycles.layers.iter().find(|(layer, _)| layer == name);
                found.map(|(_, cycles)| *cycles)
            };
            if asked.iter().all(|a| used(a) == Some(0)) {
                continue;
            }
            let masked = counter.layers().iter().find(|l| l.node == *name);
            let blocks = masked.map(|l| l.mask_dims().iter().product::<usize>() as u64);
            let mut row = vec![name.as_str().into(), blocks.into()];
            row.extend(asked.iter().map(|a| used(a).into()));
            t.row(row);
        }
        let mut all = vec!["all".into(), "".into()];
        all.extend(asked.iter().map(|a| Some(a.cycles.total).into()));
        t.row(all);
        format!(
            "{} on {}: exact cycles\n\n{t}",
            printable(&self.model),
            printable(&counter.config().name),
        )
    }

    fn json(&self, counter: &CycleCounter, asked: &[Asked]) -> serde_json::Value {
        let answer = |a: &Asked| {
            let kept = |layer: &str| {
                let layer = counter.layers().iter().find(|l| l.node == layer)?;
                Some(a.masks.get(&layer.weight_name)?.count_kept())
            };
            let layers = a.cycles.layers.iter();
            let layers = layers
                .map(|(name, cycles)| json!({"layer": name, "cycles": cycles, "kept": kept(name)}));
            json!({"masks": a.name, "cycles": a.cycles.total, "layers": layers.collect::<Vec<_>>()})
        };
        json!({
            "model": self.model, "config": counter.config().name,
            "answers": asked.iter().map(answer).collect::<Vec<_>>(),
        })
    }
}
