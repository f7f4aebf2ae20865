//! `vta cost`: cycles of each layer at several densities.

use super::model::{self, NetworkArgs};
use super::outputs::{Outputs, config_file, model_file};
use super::{CliError, Output, number, shown};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use vta::config::HwConfig;
use vta::cost::{AtDensity, CostTable, Measure};
use vta::printable::printable;
use vta::program::atomic;
use vta::report::Table;

/// Simulate a network at several densities: cycles of each layer by kept blocks
#[derive(Debug, Args)]
pub struct Cost {
    /// The network: an ONNX file, or a name of the zoo (`vta zoo` lists it)
    model: String,
    /// Where the table goes, as JSON
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Densities that are simulated; blocks are chosen at random
    #[arg(long, value_name = "D", value_delimiter = ',', value_parser = number::fraction, default_value = "1,0.75,0.5,0.375,0.25,0.125,0.0625,0")]
    densities: Vec<f64>,
    /// Simulate one more density, and say how far the table is from it
    #[arg(long, value_name = "D", value_parser = number::fraction, default_value = "0.3")]
    check: f64,
    /// Seed of the choice of blocks
    #[arg(long, value_name = "SEED", value_parser = number::long, default_value = "1")]
    seed: u64,
    #[command(flatten)]
    network: NetworkArgs,
    /// Configuration: a built-in name or a vta_config.json file
    #[arg(long, value_name = "NAME|FILE", default_value = "de10")]
    config: String,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

impl Cost {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        let read = model_file(&self.model).into_iter();
        let outputs = Outputs::new(&self.out, read.chain(config_file(Some(&self.config))))?;
        let model = model::load(&self.model, &self.network)?;
        outputs.unread()?;
        let measure = Measure::new(&model, HwConfig::load(&self.config)?);
        let mut densities = self.densities.clone();
        densities.push(self.check);
        let mut runs = measure.simulate(&densities, self.seed)?;
        let Some(check) = runs.pop() else {
            return Err(CliError::new("usage", "there are no densities"));
        };
        let table = measure.table_of(&runs);
        let kept: BTreeMap<String, u64> = measure
            .layers()
            .iter()
            .filter_map(|l| {
                let of = check.layers.iter().find(|c| c.name == l.node)?;
                Some((l.weight_name.clone(), of.kept))
            })
            .collect();
        let predicted = table.total(&kept);
        let error = predicted / check.total as f64 - 1.0;
        let mut text = self.text(&table, &runs);
        text += &format!(
            "\nat density {}: {predicted:.0} cycles by the table, {} simulated ({:+.1} %)\n",
            self.check,
            check.total,
            error * 100.0
        );
        if let Some(path) = &self.out {
            let bytes = table.to_json();
            atomic::write_file(path, bytes.as_bytes()).map_err(|e| CliError::file(path, e))?;
            text += &format!("{}: {} bytes\n", shown(path), bytes.len());
        } else {
            text += "-o FILE writes the table\n";
        }
        let json = json!({
            "table": table,
            "check": {
                "density": self.check, "predicted": predicted, "simulated": check.total,
            },
        });
        Ok(Output::ok(text, json))
    }

    fn text(&self, table: &CostTable, runs: &[AtDensity]) -> String {
        let heads: Vec<String> = runs.iter().map(|r| r.density.to_string()).collect();
        let mut columns = vec!["layer", "blocks"];
        columns.extend(heads.iter().map(String::as_str));
        let mut t = Table::new(&columns);
        for l in &table.layers {
            let mut row = vec![l.name.as_str().into(), Some(l.blocks).into()];
            for r in runs {
                let cycles = r.layers.iter().find(|x| x.name == l.name).map(|x| x.cycles);
                row.push(cycles.into());
            }
            t.row(row);
        }
        let mut all = vec!["all".into(), "".into()];
        all.extend(runs.iter().map(|r| Some(r.total).into()));
        t.row(all);
        format!(
            "{} on {}: cycles of layers at densities of their blocks (seed {})\n\n{t}",
            printable(&self.model),
            printable(&table.config),
            self.seed
        )
    }
}
