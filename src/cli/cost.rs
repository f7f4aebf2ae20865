//! `vta cost`: cycles of each layer at several densities.

use super::model::{self, ZooArgs};
use super::network::Runner;
use super::progress::Progress;
use super::road::{Pruned, Scales};
use super::sim::Which;
use super::{CliError, Output, number, samples};
use clap::Args;
use rayon::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use vta::config::HwConfig;
use vta::cost::{CostTable, LayerCost, Point};
use vta::graph::Graph;
use vta::program::atomic;
use vta::report::Table;
use vta::sparse::{self, MaskLayer, Masks};

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

/// Densities that make a table where nobody says which.
#[cfg(feature = "prune")]
pub const DENSITIES: &[f64] = &[1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0625, 0.0];
/// Seed of the choice of blocks where nobody says which.
#[cfg(feature = "prune")]
pub const SEED: u64 = 1;

/// One network that was simulated.
struct Simulated {
    density: f64,
    total: u64,
    /// By layer of the program that has a mask: its name, kept blocks of the
    /// mask, cycles.
    layers: Vec<(String, u64, u64)>,
}

/// What is measured.
pub struct Measure<'a> {
    /// Name of the network.
    pub name: String,
    /// The network.
    pub graph: &'a Graph,
    /// What it is simulated on.
    pub config: HwConfig,
    /// Weights that stay dense, instead of those that do by default.
    pub dense: Option<Vec<String>>,
}

impl Measure<'_> {
    /// The layers that lose blocks.
    fn layers(&self) -> Vec<MaskLayer> {
        let mut layers = sparse::layers(self.graph);
        if let Some(dense) = &self.dense {
            for l in &mut layers {
                l.keep_dense = match dense.contains(&l.weight_name) {
                    true => "named",
                    false => "",
                };
            }
        }
        layers.retain(|l| l.keep_dense.is_empty());
        layers
    }

    /// The table, by simulating at densities.
    ///
    /// # Errors
    /// A network that cannot be compiled or run.
    #[cfg(feature = "prune")]
    pub fn table(&self, densities: &[f64], seed: u64) -> Result<CostTable, CliError> {
        Ok(self.of_runs(&self.runs(densities, seed)?))
    }

    fn runs(&self, densities: &[f64], seed: u64) -> Result<Vec<Simulated>, CliError> {
        let progress = Progress::bar("simulate", densities.len());
        let runs = densities.par_iter().map(|&d| {
            let done = self.simulate(d, seed);
            progress.done();
            done
        });
        runs.collect()
    }

    fn simulate(&self, density: f64, seed: u64) -> Result<Simulated, CliError> {
        let layers = self.layers();
        let masks = sparse::random(density, seed, &layers)?;
        let graph = self.graph.clone();
        let cycles = simulate(&self.name, graph, &masks, &Scales::Noise, &self.config)?;
        // Counted by the mask: the compiler may cut a dense layer into other blocks.
        let one = |(node, cycles): (String, u64)| {
            let masked = layers.iter().find(|m| m.node == node)?;
            let kept = masks.get(&masked.weight_name)?.count_kept();
            Some((node, kept as u64, cycles))
        };
        Ok(Simulated {
            density,
            total: cycles.total,
            layers: cycles.layers.into_iter().filter_map(one).collect(),
        })
    }

    fn of_runs(&self, runs: &[Simulated]) -> CostTable {
        let of = |run: &Simulated, node: &str| run.layers.iter().find(|l| l.0 == node).cloned();
        let layers = self.layers();
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
        CostTable::new(&self.name, &self.config.name, fixed, costs)
    }
}

/// Cycles of a network.
pub struct NetworkCycles {
    /// By layer of the program: its name, which is the node's.
    pub layers: Vec<(String, u64)>,
    /// Of all launches.
    pub total: u64,
}

/// Drops what masks drop, compiles what is left and simulates it. Cycles do not
/// depend on data, so the sample is a random one; they depend a little on
/// exponents, which say where values are shifted.
///
/// # Errors
/// A network that cannot be compiled or run.
pub fn simulate(
    name: &str,
    mut graph: Graph,
    masks: &Masks,
    scales: &Scales,
    config: &HwConfig,
) -> Result<NetworkCycles, CliError> {
    sparse::apply(&mut graph, masks)?;
    let network = Pruned::new(name, graph, masks.clone(), "chosen");
    let inputs = network.inputs();
    let program = network.with(scales)?.sparse(config)?;
    let runner = Runner::new(&program, Which::Tsim, u64::MAX)?;
    let run = runner.run(&samples::random(&inputs, 1, 1).values[0], false)?;
    let layers = program.layers.iter().zip(runner.layers(&run));
    Ok(NetworkCycles {
        layers: layers.map(|(l, u)| (l.name.clone(), u.cycles)).collect(),
        total: run.execution.cycles().unwrap_or(0),
    })
}

impl Cost {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        let graph = model::load(&self.model, &self.zoo)?;
        let measure = Measure {
            name: self.model.clone(),
            graph: &graph,
            config: HwConfig::load(&self.config)?,
            dense: None,
        };
        let mut densities = self.densities.clone();
        densities.push(self.check);
        let mut runs = measure.runs(&densities, self.seed)?;
        let Some(check) = runs.pop() else {
            return Err(CliError::new("usage", "there are no densities"));
        };
        let table = measure.of_runs(&runs);
        let kept: BTreeMap<String, u64> = measure
            .layers()
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
