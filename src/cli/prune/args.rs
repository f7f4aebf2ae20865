//! How a network is trained while its blocks go, as arguments.

use super::rows::names;
use crate::cli::{CliError, number};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use vta::data::Augment;
use vta::prune::{Method, Recipe, Settings as Lengths};
use vta::pruning_aware::DistillationWeights;
use vta::train::{Rule, Settings};

/// How a network is trained while its blocks go.
#[derive(Debug, Clone, Args)]
pub struct TrainingArgs {
    /// Train with this data while blocks go: a set that is built in, or a folder
    #[arg(long, value_name = "DATA")]
    pub data: Option<String>,
    /// How blocks go
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "one-stage",
        requires = "data"
    )]
    pub method: Kind,
    /// Parts of the method to leave out
    #[arg(
        long,
        value_name = "PART",
        value_enum,
        value_delimiter = ',',
        requires = "data"
    )]
    pub without: Vec<Part>,
    /// Parts of the method to add to one that does not have them
    #[arg(
        long,
        value_name = "PART",
        value_enum,
        value_delimiter = ',',
        requires = "data"
    )]
    pub with: Vec<Part>,
    /// How often each image is seen; the last time maybe a part of them, as with 2.5
    #[arg(long, value_name = "N", value_parser = number::positive, default_value = "15", requires = "data")]
    pub epochs: f64,
    /// Images of a step
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "64", requires = "data")]
    pub batch: u32,
    /// The highest learning rate [default: 0.02; 0.001 for boxes]
    #[arg(long, value_name = "RATE", requires = "data")]
    pub lr: Option<f64>,
    /// Ask teachers in one of so many steps [default: 4; 1 for classes in ten epochs or more]
    #[arg(long, value_name = "N", value_parser = number::count, requires = "data")]
    pub teach_every: Option<u32>,
    /// Lengths of the phases, the penalty's range and weights of the distillation losses: JSON, as `plan` in report.json
    #[arg(long, value_name = "FILE", requires = "data")]
    pub plan: Option<PathBuf>,
    /// Seed of the order and of the changes of images
    #[arg(long, value_name = "SEED", value_parser = number::long, default_value = "1", requires = "data")]
    pub seed: u64,
    /// Train with so many images only, chosen by the seed
    #[arg(long, value_name = "N", value_parser = number::count, requires = "data")]
    pub limit: Option<u32>,
    /// Go on from the checkpoint in the folder
    #[arg(long, requires = "data")]
    pub resume: bool,
    /// Run every part of the method and its baselines, and write a table; goes on where it was stopped
    #[arg(long, requires = "data", conflicts_with_all = [
        "method", "without", "with", "resume", "stop_after", "permute", "uniform", "rates", "budget_macs", "budget_cycles",
    ])]
    pub ablation: bool,
    /// Rows of the table to run, with those that they are measured by [default: all]
    #[arg(long, value_name = "ROW", value_delimiter = ',', value_parser = PossibleValuesParser::new(names()), requires = "ablation")]
    pub rows: Vec<String>,
    /// Seeds of the baseline and of the full method in the table; what is compared with it has three at most
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "5", requires = "ablation")]
    pub seeds: u32,
    /// Stop after so many epochs, to go on later with --resume
    #[arg(long, value_name = "N", value_parser = number::count, requires = "data")]
    pub stop_after: Option<u32>,
}

/// What a file says of the method's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanFile {
    lengths: Lengths,
    #[serde(alias = "teaching")]
    distillation: Option<DistillationWeights>,
}

/// Numbers of the method.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Numbers {
    /// Lengths of phases, range of the penalty.
    pub lengths: Lengths,
    /// Weights of the distillation losses.
    pub distillation: DistillationWeights,
}

/// Recipes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Masks and weights together, on one learning rate; with spatial, adaptive, quantisation
    OneStage,
    /// As YOLObile: rounds of a growing penalty, a cut, training on
    TwoStage,
    /// A cut, training on
    OneShot,
    /// No cut, training on
    Dense,
}

/// Parts of a method that can be switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Self-distillation: the network of the last mask update teaches
    Temporal,
    /// The dense network teaches
    Spatial,
    /// Sparsities of layers by what blocks are worth
    Adaptive,
    /// An order of channels that gathers strong weights in few blocks
    Permutation,
    /// Rounding as the device rounds, in the last part
    Quantisation,
}

impl TrainingArgs {
    pub fn method(&self) -> Method {
        let mut m = match self.method {
            Kind::OneStage => Method::recommended(),
            Kind::TwoStage => Method::plain(Recipe::TwoStage),
            Kind::OneShot => Method::plain(Recipe::OneShot),
            Kind::Dense => Method::plain(Recipe::Dense),
        };
        let parts = self.without.iter().map(|p| (p, false));
        for (part, on) in self.with.iter().map(|p| (p, true)).chain(parts) {
            *match part {
                Part::Temporal => &mut m.temporal,
                Part::Spatial => &mut m.spatial,
                Part::Adaptive => &mut m.adaptive,
                Part::Permutation => &mut m.permutation,
                Part::Quantisation => &mut m.quantisation,
            } = on;
        }
        m
    }

    /// What the file of `--plan` says; nothing without one.
    pub fn plan_file(&self) -> Result<PlanFile, CliError> {
        match &self.plan {
            None => Ok(PlanFile::default()),
            Some(path) => serde_json::from_str(&super::read_text(path)?)
                .map_err(|e| CliError::new("file", e).of(path)),
        }
    }

    /// The numbers of the method, with the `usual` weights of distillation where the file has none.
    pub fn numbers(&self, file: PlanFile, usual: DistillationWeights) -> Numbers {
        let mut distillation = file.distillation.unwrap_or(usual);
        if let Some(every) = self.teach_every {
            distillation.every = every.into();
        }
        Numbers {
            lengths: file.lengths,
            distillation,
        }
    }

    pub fn settings(&self, rule: Rule, rate: f64, augment: Augment) -> Settings {
        Settings {
            epochs: self.epochs,
            batch: self.batch as usize,
            rate: self.lr.unwrap_or(rate),
            rule,
            seed: self.seed,
            augment,
            ..Settings::default()
        }
    }
}
