//! `vta prune`: drop weight blocks of a network under a budget.

#[cfg(feature = "train")]
mod ablation;
#[cfg(feature = "train")]
mod args;
#[cfg(feature = "train")]
mod goal;
mod report;
#[cfg(feature = "train")]
mod rows;
#[cfg(feature = "train")]
mod runs;
#[cfg(feature = "train")]
mod statistics;
#[cfg(feature = "train")]
mod train;
#[cfg(not(feature = "train"))]
mod untrained;

#[cfg(feature = "train")]
pub use train::{BOXES_RATE, CLASSES_RATE};

use super::model::{self, NetworkArgs};
use super::outputs::{Outputs, model_file};
use super::{CliError, Output, number};
#[cfg(feature = "train")]
use args::TrainingArgs;
use clap::{ArgGroup, Args, ValueEnum};
use report::{REPORT, Report, sums};
use std::path::{Path, PathBuf};
#[cfg(not(feature = "train"))]
use untrained::TrainingArgs;
use vta::config::HwConfig;
use vta::cost::{CostTable, DENSITIES, Measure, SEED};
use vta::graph::onnx;
use vta::program::atomic::AtomicFolder;
use vta::prune::permute::{Effort, Outcome};
use vta::prune::{
    AllocationRule, Budget, Costs, Dense, PruneError, PruneLayer, Ranking, Target, layers,
    read_sparsities, summary,
};
use vta::pruning::{Decision, Pruning};
use vta::{Model, sparse};

/// Largest file of sparsities or of a cost table that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// Drop weight blocks of a network and write what is left: model, masks, report
///
/// With --data the network is trained while its blocks go; with --one-shot they go at once.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("hardware").multiple(true).args(["budget_cycles", "data"]))]
#[command(group = ArgGroup::new("how-far").required(true).multiple(true).args(["rate", "budget_cycles", "budget_macs", "rates"]))]
pub struct Prune {
    /// The network: an ONNX file, or a name of the zoo (`vta zoo` lists it)
    model: String,
    /// Drop blocks by magnitude at once, without training
    #[arg(
        long,
        required_unless_present = "data",
        conflicts_with = "TrainingArgs"
    )]
    one_shot: bool,
    /// Drop this fraction of the blocks of the layers that do not stay dense; more, if another budget asks for it
    #[arg(long, value_name = "R", value_parser = number::fraction)]
    rate: Option<f64>,
    /// Leave at most this many cycles of the simulated device
    #[arg(long, value_name = "N", value_parser = number::long_count)]
    budget_cycles: Option<u64>,
    /// Leave at most this fraction of the multiply-accumulates of the network
    #[arg(long, value_name = "F", value_parser = number::fraction, conflicts_with = "budget_cycles")]
    budget_macs: Option<f64>,
    /// Drop what a file says for each layer: JSON, `{ "conv2": 0.5, ... }`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "budget_macs", "budget_cycles"])]
    rates: Option<PathBuf>,
    /// The same fraction of each layer, instead of sparsities chosen by what blocks are worth
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
    /// Fraction of its blocks that each layer keeps at least
    #[arg(long, value_name = "F", value_parser = number::fraction, default_value = "0.1")]
    floor: f64,
    /// Cycles of layers, as `vta cost -o` writes them [default: simulated first]
    #[arg(long, value_name = "FILE", requires = "budget_cycles", conflicts_with_all = ["budget_macs", "rates"])]
    cost: Option<PathBuf>,
    /// Folder for the results; it does not exist yet, or is empty
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// Configuration that is simulated: a built-in name or a vta_config.json file [default: the table's, else de10]
    #[arg(long, value_name = "NAME|FILE", requires = "hardware")]
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

impl Prune {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        let written = self.out.join("model.onnx");
        let read = model_file(&self.model).into_iter();
        let data = self.training.data.iter().map(Path::new);
        Outputs::new([&self.out, &written], read.chain(data))?;
        if self.training.data.is_some() {
            return self.train();
        }
        // Before anything that takes time.
        let folder = AtomicFolder::create(&self.out).map_err(|e| CliError::file(&self.out, e))?;
        let (model, layers) = self.read()?;
        let target = self.target(self.rule(&layers)?, &model, &layers)?;
        let hardware = self.hardware()?;
        let mut pruning = Pruning::new(model, layers)?;
        let mut outcome = None;
        if self.permute {
            // Counts first: the order is for them.
            let allocation = pruning.allocate(&target, &hardware)?;
            outcome = Some(pruning.reorder(&allocation.kept, &self.effort())?);
        }
        let decision = pruning.one_shot(&target, &hardware)?;
        self.write(folder, pruning, &decision, outcome)
    }

    /// The network, and what can be pruned in it.
    fn read(&self) -> Result<(Model, Vec<PruneLayer>), CliError> {
        let model = model::load(&self.model, &self.network)?;
        let dense = match &self.keep_dense {
            None => Dense::Ends,
            Some(names) => Dense::Named(names.iter().filter(|n| !n.is_empty()).cloned().collect()),
        };
        let layers = layers(
            model.graph(),
            &dense,
            self.whole_kernel,
            Ranking::MeanSquare,
        )?;
        if !layers.iter().any(PruneLayer::prunable) {
            let message = format!("{}: every layer stays dense", self.model);
            return Err(CliError::new("prune", message)
                .help("--keep-dense NAMES says which layers do, instead of the first convolution and the last dense layer"));
        }
        Ok((model, layers))
    }

    /// How blocks leave.
    fn rule(&self, layers: &[PruneLayer]) -> Result<AllocationRule, CliError> {
        match &self.rates {
            Some(path) => {
                let rule = read_sparsities(&read_text(path)?, layers).map_err(PruneError::from);
                rule.map_err(|e| CliError::from(e).of(path))
            }
            None if self.uniform => Ok(AllocationRule::Uniform),
            None => Ok(AllocationRule::Lamp),
        }
    }

    /// How blocks leave, and how far; cycles are simulated first if no table is given.
    fn target(
        &self,
        rule: AllocationRule,
        model: &Model,
        layers: &[PruneLayer],
    ) -> Result<Target, CliError> {
        let mut budgets = Vec::new();
        if matches!(rule, AllocationRule::Given(_)) {
            budgets.push((Costs::Blocks, Budget::End));
        }
        if let Some(rate) = self.rate {
            budgets.push((Costs::Blocks, Budget::Fraction(1.0 - rate)));
        }
        if let Some(part) = self.budget_macs {
            budgets.push((Costs::Macs, Budget::Fraction(part)));
        }
        if let Some(limit) = self.budget_cycles {
            let table = self.cycle_table(model, layers)?;
            budgets.push((Costs::Cycles(table), Budget::AtMost(limit as f64)));
        }
        let mut budgets = budgets.into_iter();
        let first = budgets.next().unwrap_or((Costs::Blocks, Budget::End));
        Ok(Target {
            weighed: self.weighed(),
            second: budgets.next(),
            floor: self.floor,
            ..Target::new(rule, first.0, first.1)
        })
    }

    /// What blocks are weighed against, if not what the budget counts.
    fn weighed(&self) -> Option<Costs> {
        self.weigh_by.map(|unit| match unit {
            Unit::Blocks => Costs::Blocks,
            Unit::Weights => Costs::Weights,
            Unit::Macs => Costs::Macs,
        })
    }

    /// The hardware that is simulated.
    fn hardware(&self) -> Result<HwConfig, CliError> {
        match (&self.config, &self.cost) {
            (None, Some(path)) => Ok(HwConfig::load(&read_table(path)?.config)?),
            (name, _) => model::config(name.as_deref()),
        }
    }

    /// Cycles of the layers: from a file, or simulated now.
    fn cycle_table(&self, dense: &Model, layers: &[PruneLayer]) -> Result<CostTable, CliError> {
        if let Some(path) = &self.cost {
            return read_table(path);
        }
        let config = model::config(self.config.as_deref())?;
        let mut measure = Measure::new(dense, config);
        if self.keep_dense.is_some() {
            let stay = layers.iter().filter(|l| !l.prunable());
            measure = measure.keep_dense(stay.map(|l| l.weight_name.clone()).collect());
        }
        Ok(measure.table(DENSITIES, SEED)?)
    }

    /// The search for an order of channels.
    fn effort(&self) -> Effort {
        Effort {
            seed: self.permute_seed,
            ..Effort::default()
        }
    }

    /// Writes the folder, and says what is in it.
    fn write(
        &self,
        folder: AtomicFolder,
        pruning: Pruning,
        decision: &Decision,
        outcome: Option<Outcome>,
    ) -> Result<Output, CliError> {
        let report = Report {
            model: &self.model,
            out: &self.out,
            summary: summary(pruning.layers(), &pruning.weights(), &decision.masks),
            cycles: decision.cycles.as_ref(),
            cost: decision.allocation.cost,
            outcome,
            trained: None,
        };
        let pruned = pruning.into_model().mask(decision.masks.clone())?;
        let mut files = vec![
            ("model.onnx", onnx::export(pruned.model().graph())),
            ("masks.safetensors", sparse::write(&decision.masks)),
        ];
        let mut json = report.json();
        json["files"] = sums(&files);
        files.push((REPORT, format!("{json:#}\n").into_bytes()));
        for (name, bytes) in &files {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).map_err(|e| CliError::file(&self.out.join(name), e))?;
        }
        folder.commit().map_err(|e| CliError::file(&self.out, e))?;
        Ok(Output::ok(report.text(), json))
    }
}

/// A text from a file.
fn read_text(path: &Path) -> Result<String, CliError> {
    let bytes = vta::files::read(path, MAX_TEXT_BYTES)?;
    String::from_utf8(bytes).map_err(|e| CliError::new("file", e).of(path))
}

/// A table of cycles from a file.
fn read_table(path: &Path) -> Result<CostTable, CliError> {
    let table = CostTable::from_json(&read_text(path)?);
    table.map_err(|e| CliError::new("cost", e).of(path))
}
