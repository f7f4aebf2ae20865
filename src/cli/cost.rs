//! `vta cost`: cycles of each layer at several densities.

use super::model::{self, MaskArgs, ZooArgs};
use super::network::Runner;
use super::progress::Progress;
use super::road::{self, CalibArgs};
use super::sim::Which;
use super::{CliError, Output, number, samples};
use crate::config::HwConfig;
use crate::cost::{CostTable, LayerCost, Point};
use crate::program::atomic;
use crate::report::Table;
use crate::sparse::{self, MaskLayer};
use clap::Args;
use rayon::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    zoo: ZooArgs,
    /// Configuration: a built-in name or a vta_config.json file
    #[arg(long, value_name = "NAME|FILE", default_value = "de10")]
    config: String,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

/// One network that was simulated.
struct Simulated {
    density: f64,
    total: u64,
    /// By layer of the program: its name, kept blocks, cycles.
    layers: Vec<(String, u64, u64)>,
}

impl Cost {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        let config = HwConfig::load(&self.config)?;
        let graph = model::load(&self.model, &self.zoo)?;
        let layers: Vec<MaskLayer> = sparse::layers(&graph)
            .into_iter()
            .filter(|l| l.keep_dense.is_empty())
            .collect();
        let mut densities = self.densities.clone();
        densities.push(self.check);
        let progress = Progress::bar("simulate", densities.len());
        let runs: Result<Vec<Simulated>, CliError> = densities
            .par_iter()
            .map(|&d| {
                let done = self.simulate(d, &config);
                progress.done();
                done
            })
            .collect();
        drop(progress);
        let mut runs = runs?;
        let Some(check) = runs.pop() else {
            return Err(CliError::new("usage", "there are no densities"));
        };
        let table = self.table(&layers, &runs, &config);
        let kept: BTreeMap<String, u64> = layers
            .iter()
            .filter_map(|l| {
                let of = check.layers.iter().find(|c| c.0 == l.node)?;
                Some((l.weight_name.clone(), of.1))
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
            atomic::write_file(path, bytes.as_bytes()).map_err(|e| CliError::file(path, &e))?;
            text += &format!("{}: {} bytes\n", path.display(), bytes.len());
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

    fn masks(&self, density: f64) -> MaskArgs {
        MaskArgs {
            masks: None,
            density: Some(density),
            seed: self.seed,
        }
    }

    fn simulate(&self, density: f64, config: &HwConfig) -> Result<Simulated, CliError> {
        let network = road::read(&self.model, &self.zoo, &self.masks(density))?;
        let inputs = network.inputs();
        let prepared = network.quantise(&CalibArgs::default(), None)?;
        let program = prepared.sparse(config)?;
        let runner = Runner::new(&program, Which::Tsim, u64::MAX)?;
        let run = runner.run(&samples::random(&inputs, 1, 1).values[0], false)?;
        let uses = runner.layers(&run);
        let layers = program.layers.iter().zip(&uses);
        Ok(Simulated {
            density,
            total: run.execution.cycles().unwrap_or(0),
            layers: layers
                .map(|(l, u)| (l.name.clone(), l.kept, u.cycles))
                .collect(),
        })
    }

    fn table(&self, layers: &[MaskLayer], runs: &[Simulated], config: &HwConfig) -> CostTable {
        let of = |run: &Simulated, node: &str| run.layers.iter().find(|l| l.0 == node).cloned();
        let costs = layers.iter().map(|l| {
            let points = runs.iter().filter_map(|r| of(r, &l.node));
            let blocks = l.mask_dims().iter().product::<usize>() as u64;
            let points = points.map(|(_, kept, cycles)| Point(kept, cycles as f64));
            LayerCost::new(&l.node, &l.weight_name, blocks, points.collect())
        });
        let costs: Vec<LayerCost> = costs.filter(|l| !l.points.is_empty()).collect();
        let rest = runs.iter().map(|r| {
            let masked = r
                .layers
                .iter()
                .filter(|l| costs.iter().any(|c| c.name == l.0));
            (r.total - masked.map(|l| l.2).sum::<u64>()) as f64
        });
        let fixed = rest.sum::<f64>() / runs.len().max(1) as f64;
        CostTable::new(&self.model, &config.name, fixed, costs)
    }

    fn text(&self, table: &CostTable, runs: &[Simulated]) -> String {
        let heads: Vec<String> = runs.iter().map(|r| r.density.to_string()).collect();
        let mut columns = vec!["layer", "blocks"];
        columns.extend(heads.iter().map(String::as_str));
        let mut t = Table::new(&columns);
        for l in &table.layers {
            let mut row = vec![l.name.as_str().into(), Some(l.blocks).into()];
            for r in runs {
                let cycles = r.layers.iter().find(|x| x.0 == l.name).map(|x| x.2);
                row.push(cycles.into());
            }
            t.row(row);
        }
        let mut all = vec!["all".into(), "".into()];
        all.extend(runs.iter().map(|r| Some(r.total).into()));
        t.row(all);
        format!(
            "{} on {}: cycles of layers at densities of their blocks (seed {})\n\n{t}",
            self.model, table.config, self.seed
        )
    }
}
