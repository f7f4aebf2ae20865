//! `vta prune`: drop weight blocks of a network under a budget.

mod ablation;
mod args;
mod goal;
mod job;
mod report;
mod statistics;
mod train;
mod work;

use super::cost::{self, Measure};
use super::model::{self, ZooArgs};
use super::progress::Progress;
use super::road;
use super::{CliError, Output, input, number};
use crate::config::HwConfig;
use crate::cost::CostTable;
use crate::graph::{Graph, onnx};
use crate::program::atomic::AtomicFolder;
use crate::prune::permute::{Effort, Outcome};
use crate::prune::{
    Allocation, Budget, Costs, Dense, Path as Removal, PruneError, PruneLayer, Ranking, Rates,
    layers, read_rates, summary,
};
use crate::sparse::{self, Masks};
use args::TrainingArgs;
use clap::{ArgGroup, Args, ValueEnum};
use report::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use work::{Cycles, Work};

/// Largest file of rates or of a cost table that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// How often the table is corrected by a simulation at most.
const CORRECTIONS: u32 = 3;

/// Drop weight blocks of a network and write what is left: model, masks, report
///
/// With --data the network is trained while its blocks go; with --one-shot they go at once.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("how-far").required(true).args(["rate", "budget_cycles", "budget_macs", "rates"]))]
pub struct Prune {
    /// The network: an ONNX file, or a name of the zoo (`vta zoo` lists it)
    model: String,
    /// Drop blocks by magnitude at once, without training
    #[arg(long, required_unless_present = "data", conflicts_with = "data")]
    one_shot: bool,
    /// Drop this part of the blocks of the layers that do not stay dense
    #[arg(long, value_name = "R", value_parser = number::fraction)]
    rate: Option<f64>,
    /// Leave at most this many cycles of the simulated device
    #[arg(long, value_name = "N", value_parser = number::long_count)]
    budget_cycles: Option<u64>,
    /// Leave at most this part of the multiply-accumulates of the network
    #[arg(long, value_name = "F", value_parser = number::fraction)]
    budget_macs: Option<f64>,
    /// Drop what a file says for each layer: JSON, `{ "conv2": 0.5, ... }`
    #[arg(long, value_name = "FILE")]
    rates: Option<PathBuf>,
    /// The same part of each layer, instead of rates chosen by what blocks are worth
    #[arg(long, conflicts_with = "rates")]
    uniform: bool,
    /// Weigh blocks against what they cost in these units [default: those of the budget]
    #[arg(long, value_name = "UNIT", conflicts_with_all = ["uniform", "rates"])]
    weigh_by: Option<Unit>,
    /// Put channels in an order that gathers strong weights in few blocks
    #[arg(long)]
    permute: bool,
    /// Seed of the search for that order
    #[arg(long, value_name = "SEED", value_parser = number::long, requires = "permute", default_value = "1")]
    permute_seed: u64,
    /// Decide for whole kernels instead of for each kernel position
    #[arg(long)]
    whole_kernel: bool,
    /// Layers that stay dense, by the name of the node or of its weight, instead of the first convolution and the last dense layer
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    keep_dense: Option<Vec<String>>,
    /// Part of its blocks that each layer keeps at least
    #[arg(long, value_name = "F", value_parser = number::fraction, default_value = "0.1")]
    floor: f64,
    /// Cycles of layers, as `vta cost -o` writes them [default: simulated first]
    #[arg(long, value_name = "FILE", requires = "budget_cycles")]
    cost: Option<PathBuf>,
    /// Folder for the results; it does not exist yet, or is empty
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    zoo: ZooArgs,
    /// Configuration that is simulated: a built-in name or a vta_config.json file [default: the table's, else de10]
    #[arg(long, value_name = "NAME|FILE", requires = "budget_cycles")]
    config: Option<String>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

/// Units in which blocks cost.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unit {
    /// Each block the same
    Blocks,
    /// Weights
    Weights,
    /// Multiply-accumulates
    Macs,
}

/// What was decided.
struct Decision {
    allocation: Allocation,
    masks: Masks,
    cycles: Option<Cycles>,
}

impl Prune {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        if self.training.data.is_some() {
            return self.train();
        }
        // Before anything that takes time.
        let folder = AtomicFolder::create(&self.out).map_err(|e| CliError::file(&self.out, &e))?;
        let (graph, layers) = self.read()?;
        let (rates, budget) = self.rule(&layers)?;
        let costs = self.costs(&graph, &layers)?;
        let mut work = Work::new(graph, layers)?;
        let mut outcome = None;
        if self.permute {
            // Counts first: the order is for them.
            let allocation = self.path(&work, &costs, &rates)?.allocate(&budget, 1.0)?;
            outcome = Some(work.reorder(&allocation.kept, &self.effort())?);
        }
        let decision = match costs {
            Costs::Cycles(table) => {
                let limit = self.budget_cycles.unwrap_or(u64::MAX);
                self.by_simulation(&work, table, &rates, limit)?.0
            }
            costs => {
                let allocation = self.path(&work, &costs, &rates)?.allocate(&budget, 1.0)?;
                let masks = work.masks(&allocation);
                Decision {
                    allocation,
                    masks,
                    cycles: None,
                }
            }
        };
        self.write(folder, work, &decision, outcome)
    }

    /// The network, and what can be pruned in it.
    fn read(&self) -> Result<(Graph, Vec<PruneLayer>), CliError> {
        let graph = model::load(&self.model, &self.zoo)?;
        let dense = match &self.keep_dense {
            None => Dense::Ends,
            Some(names) => Dense::Named(names.iter().filter(|n| !n.is_empty()).cloned().collect()),
        };
        let layers = layers(&graph, &dense, self.whole_kernel, Ranking::MeanSquare)?;
        if !layers.iter().any(PruneLayer::prunable) {
            let message = format!("{}: every layer stays dense", self.model);
            return Err(CliError::new("prune", message)
                .help("--keep-dense NAMES says which layers do, instead of the first convolution and the last dense layer"));
        }
        Ok((graph, layers))
    }

    /// How blocks leave, and how far.
    fn rule(&self, layers: &[PruneLayer]) -> Result<(Rates, Budget), CliError> {
        if let Some(path) = &self.rates {
            let text = read_text(path)?;
            let rates = read_rates(&text, layers).map_err(PruneError::from);
            let rates = rates.map_err(|e| CliError::from(e).of(path))?;
            return Ok((rates, Budget::End));
        }
        let rates = if self.uniform {
            Rates::Uniform
        } else {
            Rates::Lamp
        };
        let budget = match (self.rate, self.budget_macs, self.budget_cycles) {
            (Some(rate), _, _) => Budget::Part(1.0 - rate),
            (_, Some(part), _) => Budget::Part(part),
            (_, _, Some(cycles)) => Budget::AtMost(cycles as f64),
            (None, None, None) => Budget::End,
        };
        Ok((rates, budget))
    }

    /// What is counted; cycles are simulated first if no table is given.
    fn costs(&self, graph: &Graph, layers: &[PruneLayer]) -> Result<Costs, CliError> {
        if self.budget_cycles.is_none() {
            return Ok(match self.budget_macs {
                Some(_) => Costs::Macs,
                None => Costs::Blocks,
            });
        }
        if let Some(path) = &self.cost {
            return Ok(Costs::Cycles(read_table(path)?));
        }
        Ok(Costs::Cycles(self.cycle_table(graph, layers)?))
    }

    /// Cycles of the layers, simulated now.
    fn cycle_table(&self, graph: &Graph, layers: &[PruneLayer]) -> Result<CostTable, CliError> {
        let name = self.config.as_deref();
        let dense = || {
            let dense = layers.iter().filter(|l| !l.prunable());
            dense.map(|l| l.weight_name.clone()).collect()
        };
        let measure = Measure {
            name: self.model.clone(),
            graph,
            config: road::config(name)?,
            dense: self.keep_dense.is_some().then(dense),
        };
        measure.table(cost::DENSITIES, cost::SEED)
    }

    fn path(&self, work: &Work, costs: &Costs, rates: &Rates) -> Result<Removal, CliError> {
        let path = work.path(costs, self.weighed().as_ref(), rates, self.floor);
        path.map_err(CliError::from)
    }

    /// The search for an order of channels.
    fn effort(&self) -> Effort {
        Effort {
            seed: self.permute_seed,
            ..Effort::default()
        }
    }

    /// Allocates by the table, simulates, corrects the table, and again: until
    /// the simulated network meets the limit and little of it is left. Also
    /// gives the corrected table.
    fn by_simulation(
        &self,
        work: &Work,
        mut table: CostTable,
        rates: &Rates,
        limit: u64,
    ) -> Result<(Decision, CostTable), CliError> {
        let budget = Budget::AtMost(limit as f64);
        let config = match &self.config {
            Some(name) => HwConfig::load(name)?,
            None => HwConfig::load(&table.config)?,
        };
        let mut rounds = Vec::new();
        let mut best: Option<Decision> = None;
        let mut seen: Vec<Vec<usize>> = Vec::new();
        let progress = Progress::bar("simulate", CORRECTIONS as usize + 1);
        for _ in 0..=CORRECTIONS {
            let path = self.path(work, &Costs::Cycles(table.clone()), rates)?;
            let allocation = path.allocate(&budget, 1.0)?;
            if seen.contains(&allocation.kept) {
                break;
            }
            seen.push(allocation.kept.clone());
            let masks = work.masks(&allocation);
            let kept = work.kept(&allocation);
            let (simulated, total) = work.simulate(&self.model, &masks, &config)?;
            progress.done();
            let predicted: BTreeMap<String, f64> =
                table.layers.iter().fold(BTreeMap::new(), |mut all, l| {
                    let k = kept.get(&l.weight_name).copied().unwrap_or(l.blocks);
                    *all.entry(l.weight_name.clone()).or_default() += l.cycles(k);
                    all
                });
            rounds.push((allocation.cost, total));
            let of_layers: u64 = table
                .layers
                .iter()
                .filter_map(|l| simulated.get(&l.weight_name))
                .sum();
            table = table.corrected(&kept, &simulated, total.saturating_sub(of_layers) as f64);
            let met = total <= limit;
            // Of those that meet the budget the one that leaves least of it; else the nearest.
            let better = best
                .as_ref()
                .and_then(|b| b.cycles.as_ref())
                .is_none_or(|b| {
                    let best = b.simulated_total;
                    match best <= limit {
                        true => met && total > best,
                        false => total < best,
                    }
                });
            if better {
                best = Some(Decision {
                    masks,
                    cycles: Some(Cycles {
                        budget: limit,
                        predicted,
                        total: allocation.cost,
                        simulated,
                        simulated_total: total,
                        rounds: Vec::new(),
                    }),
                    allocation,
                });
            }
            if met && total as f64 >= 0.99 * limit as f64 {
                break;
            }
        }
        let mut best = best.ok_or_else(|| CliError::new("prune", "nothing was simulated"))?;
        if let Some(cycles) = &mut best.cycles {
            cycles.rounds = rounds;
        }
        Ok((best, table))
    }

    /// Writes the folder, and says what is in it.
    fn write(
        &self,
        folder: AtomicFolder,
        mut work: Work,
        decision: &Decision,
        outcome: Option<Outcome>,
    ) -> Result<Output, CliError> {
        let views: Vec<&[f32]> = work.weights.iter().map(Vec::as_slice).collect();
        let report = Report {
            model: &self.model,
            out: &self.out,
            summary: summary(&work.layers, &views, &decision.masks),
            cycles: decision.cycles.as_ref(),
            cost: decision.allocation.cost,
            outcome,
            trained: None,
        };
        sparse::apply(&mut work.graph, &decision.masks)?;
        let json = report.json();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).map_err(|e| CliError::file(&self.out.join(name), &e))
        };
        put("model.onnx", &onnx::export(&work.graph))?;
        put("masks.safetensors", &sparse::write(&decision.masks))?;
        put("report.json", format!("{json:#}\n").as_bytes())?;
        folder.commit().map_err(|e| CliError::file(&self.out, &e))?;
        Ok(Output::ok(report.text(), json))
    }
}

/// A text from a file.
fn read_text(path: &Path) -> Result<String, CliError> {
    let bytes = input::read(path, MAX_TEXT_BYTES)?;
    String::from_utf8(bytes).map_err(|e| CliError::new("file", e).of(path))
}

/// A table of cycles from a file.
fn read_table(path: &Path) -> Result<CostTable, CliError> {
    let table = CostTable::from_json(&read_text(path)?);
    table.map_err(|e| CliError::new("cost", e).of(path))
}
