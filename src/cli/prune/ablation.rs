//! `vta prune --ablation`: what each part of the method gives, row by row.

use super::Prune;
use super::goal::Goal;
use super::read_text;
use super::rows::{How, Row, UNIFORM, rows};
use super::runs::{Kept, Runs, Settings};
use super::statistics::Mean;
use crate::cli::{CliError, EXIT_STOPPED, Output, progress};
use serde_json::json;
use std::cell::OnceCell;
use std::path::PathBuf;
use vta::Model;
use vta::cost::CostTable;
use vta::data::Label;
use vta::files::FolderLock;
use vta::metric::Metric;
use vta::program::atomic::write_file;
use vta::prune::{AllocationRule, Budget, Costs, PruneLayer, Target};
use vta::pruning::{PruneEnd, PruneTraining, Pruned, RunFolder, tensor_bytes};
use vta::pruning_aware::DistillationLoss;
use vta::report::{Cell, Table, thousands};
use vta::train::{self, Identity, Task};
use vta::training::{self, Files};

/// The fraction of the baseline's time in which the short row is to be done.
const SHORT: f64 = 0.6;
/// What a step of the full method takes, in steps of the baseline: by itself, and
/// for a teacher that is asked in every step. Measured once
/// (`docs/decisions/0093-tables-do-not-know-the-time.md`): a row's length must
/// not depend on how fast a machine is.
const STEP: f64 = 1.04;
const TEACHER: f64 = 0.44;
/// The fraction of the multiply-accumulates, and of the cycles, of the uniform rule
/// that the last rows may use.
const LESS: f64 = 0.95;

/// What a run aims at.
struct Aim {
    target: Target,
    epochs: f64,
}

/// A run that is done.
struct Done {
    seed: u64,
    kept: Kept,
    /// Seconds of its steps, where its table of times is still there.
    seconds: Option<f64>,
}

impl Prune {
    /// Runs all rows that are wanted and not done yet, and writes the table of
    /// what is done.
    pub(super) fn ablation<L: Label, T: Task<L> + DistillationLoss<L> + Clone, M: Metric<L>>(
        &self,
        (dense, layers): (&Model, &[PruneLayer]),
        goal: &Goal<'_, L, T, M>,
        lock: FolderLock,
    ) -> Result<Output, CliError> {
        let settings = Settings {
            identity: self.table_identity(dense, layers, goal)?,
            plan: json!(goal.numbers),
        };
        let runs = Runs::open(&self.out, &settings, lock)?;
        let cycles = OnceCell::new();
        let mut table: Vec<(Row, Vec<Done>)> = Vec::new();
        let mut output = self.stopped();
        for (row, wanted) in rows(&self.training.rows) {
            let seeds = row.seeds.of(self.training.seeds);
            let mut done = Vec::new();
            for seed in self.training.seed..self.training.seed + u64::from(seeds) {
                if let Some(kept) = runs.done(&row, seed)? {
                    let seconds = runs.seconds(&row, seed);
                    done.push(Done {
                        seed,
                        kept,
                        seconds,
                    });
                    continue;
                }
                if !wanted {
                    continue;
                }
                let aim = self.aim((&row, seed), (dense, layers), &table, (goal, &cycles))?;
                let job = self.row_job((&row, seed), (dense, layers), goal, aim);
                let mut place = RunFolder {
                    files: Files::open_or_resume(&runs.of(&row, seed))?,
                    identity: goal.tested(),
                    stop_after: None,
                    monitor: progress::stoppable(),
                };
                let pruned = match job.run(&mut place, &goal.calibration)? {
                    PruneEnd::Done(pruned) => *pruned,
                    PruneEnd::Stopped { .. } => return Ok(self.stopped()),
                };
                let kept = self.result(&job, &pruned, goal)?;
                runs.keep(&row, seed, &kept)?;
                done.push(Done {
                    seed,
                    kept,
                    seconds: Some(pruned.seconds),
                });
            }
            if done.is_empty() {
                continue;
            }
            table.push((row, done));
            // The rows so far are worth reading before the last is done.
            output = self.table(&table, goal.set.test.len(), goal.metric.name())?;
        }
        Ok(output)
    }

    /// All that changes a number of the table, but rows and seeds: these are
    /// added to it.
    fn table_identity<L: Label, T: Task<L>, M>(
        &self,
        dense: &Model,
        layers: &[PruneLayer],
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Identity, CliError> {
        let args = &self.training;
        let mut identity = training::identity();
        identity.extend(&goal.tested());
        identity.put_digest("network", [dense.to_onnx()]);
        identity.put_samples("training images", &goal.set.train);
        goal.task.identify(&mut identity);
        goal.settings.identify(&mut identity);
        // Each run has a seed of its own, but which images there are depends on the first.
        identity.put(
            "seed",
            args.limit
                .map_or_else(|| "any".into(), |_| args.seed.to_string()),
        );
        identity.put_all("lengths", &goal.numbers.lengths);
        identity.put_all("distillation", &goal.numbers.distillation);
        identity.put_all("hardware", &goal.hardware.to_keys());
        identity.put_all("order of channels", &self.effort());
        let samples = goal.calibration.iter().flatten();
        identity.put_digest("calibration", samples.map(tensor_bytes));
        let target = self.target(AllocationRule::Lamp, dense, layers)?;
        target.describe(|name, text| identity.put(name, text));
        let stay = layers.iter().filter(|l| !l.prunable());
        let stay: Vec<&str> = stay.map(|l| l.node.as_str()).collect();
        identity.put("layers that stay dense", stay.join(", "));
        identity.put("--whole-kernel", self.whole_kernel);
        if let Some(path) = &self.cost {
            identity.put_digest("cost table", [read_text(path)?]);
        }
        Ok(identity)
    }

    /// Sparsities, budgets and epochs of a run, by what the rows before it gave
    /// with the same seed: so it does not matter how many seeds there are.
    fn aim<L, T, M>(
        &self,
        (row, seed): (&Row, u64),
        (dense, layers): (&Model, &[PruneLayer]),
        before: &[(Row, Vec<Done>)],
        (goal, cycles): (&Goal<'_, L, T, M>, &OnceCell<CostTable>),
    ) -> Result<Aim, CliError> {
        let name = row.name;
        let uniform = || {
            let row = before.iter().find(|r| r.0.name == UNIFORM);
            let done = row.and_then(|r| r.1.iter().find(|d| d.seed == seed));
            let what = format_args!("row {name} is measured by {UNIFORM} of seed {seed}");
            done.map(|d| &d.kept)
                .ok_or_else(|| CliError::new("prune", what))
        };
        let rule = match row.method.adaptive {
            true => AllocationRule::Lamp,
            false => AllocationRule::Uniform,
        };
        let mut target = self.target(rule, dense, layers)?;
        let mut epochs = self.training.epochs;
        match row.how {
            How::Rate => {}
            How::Short => {
                let every = goal.numbers.distillation.every.max(1) as f64;
                let part = SHORT / (STEP + TEACHER / every);
                epochs = ((10.0 * epochs * part).floor() / 10.0).clamp(0.1, epochs);
            }
            How::Macs => {
                let part = Budget::Fraction(LESS * uniform()?.macs);
                target.second = Some((Costs::Macs, part));
            }
            How::Cycles => {
                let limit = (LESS * uniform()?.cycles as f64) as u64;
                let table = match cycles.get() {
                    Some(table) => table,
                    None => cycles.get_or_init({
                        let table = self.cycle_table(dense, layers)?;
                        || table
                    }),
                };
                (target.costs, target.budget) =
                    (Costs::Cycles(table.clone()), Budget::AtMost(limit as f64));
            }
        }
        Ok(Aim { target, epochs })
    }

    fn row_job<'a, L: Label, T: Task<L> + Clone, M>(
        &'a self,
        (row, seed): (&Row, u64),
        (dense, layers): (&'a Model, &'a [PruneLayer]),
        goal: &'a Goal<'_, L, T, M>,
        aim: Aim,
    ) -> PruneTraining<'a, L, T> {
        PruneTraining {
            model: dense,
            hardware: &goal.hardware,
            layers,
            task: goal.task.clone(),
            train: &goal.set.train,
            held_out: &[],
            method: row.method,
            lengths: goal.numbers.lengths,
            settings: train::Settings {
                epochs: aim.epochs,
                seed,
                ..goal.settings.clone()
            },
            distillation: goal.numbers.distillation,
            target: aim.target,
            effort: self.effort(),
        }
    }

    fn result<L: Label, T: Task<L>, M: Metric<L>>(
        &self,
        job: &PruneTraining<'_, L, T>,
        done: &Pruned,
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Kept, CliError> {
        let scored = self.score(job, done, goal)?;
        let s = done.summary(job.layers);
        Ok(Kept {
            epochs: job.settings.epochs,
            images: done.images,
            float: scored.float,
            device: scored.device,
            sparsity: s.block_sparsity,
            macs: s.kept_macs as f64 / s.macs.max(1) as f64,
            cycles: scored.cycles.sparse,
        })
    }

    fn stopped(&self) -> Output {
        let text = "stopped; the same command goes on\n".to_owned();
        let mut output = Output::ok(text, json!({ "finished": false }));
        output.exit = EXIT_STOPPED;
        output
    }

    /// Writes the table and, apart from it, the times; gives both to be printed.
    fn table(
        &self,
        rows: &[(Row, Vec<Done>)],
        images: usize,
        metric: &str,
    ) -> Result<Output, CliError> {
        let head = [
            "row",
            "what",
            "seeds",
            "epochs",
            "images",
            "float",
            "int8 on device",
            "blocks gone",
            "MACs kept",
            "cycles",
        ];
        let mut t = Table::new(&head);
        let mut json_rows = Vec::new();
        let mut times = "row,seed,seconds\n".to_owned();
        for (row, done) in rows {
            let kept: Vec<&Kept> = done.iter().map(|d| &d.kept).collect();
            let percent = |f: &dyn Fn(&Kept) -> f64| Mean::of(&kept, |k| f(k)).percent();
            let mean = |f: &dyn Fn(&Kept) -> f64| Mean::of(&kept, |k| f(k)).mean;
            let first = kept[0];
            t.row(vec![
                row.name.into(),
                row.what.into(),
                (kept.len() as u64).into(),
                Cell::Number(first.epochs.to_string()),
                first.images.into(),
                Cell::Number(percent(&|k| k.float)),
                Cell::Number(percent(&|k| k.device)),
                Cell::Number(format!("{:.1} %", 100.0 * first.sparsity)),
                Cell::Number(format!("{:.1} %", 100.0 * mean(&|k| k.macs))),
                Cell::Number(thousands(mean(&|k| k.cycles as f64) as u64)),
            ]);
            json_rows.push(json!({ "row": row.name, "runs": kept }));
            for d in done {
                let seconds = d.seconds.map(|s| format!("{s:.1}")).unwrap_or_default();
                times += &format!("{},{},{seconds}\n", row.name, d.seed);
            }
        }
        let mut json = json!({
            "metric": metric, "test_images": images, "rows": json_rows,
        });
        let text = format!(
            "{t}\n{metric} of {images} test images; mean and 95 % interval where there are several seeds\n"
        );
        for (name, bytes) in [
            ("ablation.txt", text.clone()),
            ("ablation.json", format!("{json:#}\n")),
            ("times.csv", times.clone()),
        ] {
            let path: PathBuf = self.out.join(name);
            write_file(&path, bytes.as_bytes()).map_err(|e| CliError::file(&path, e))?;
        }
        json["model"] = json!(self.model);
        json["data"] = json!(self.training.data);
        json["seconds"] = rows
            .iter()
            .map(|(row, done)| {
                let seconds: Vec<Option<f64>> = done.iter().map(|d| d.seconds).collect();
                (row.name.to_owned(), json!(seconds))
            })
            .collect();
        let text = format!(
            "{text}\nseconds of training, each on this machine as busy as it was:\n{times}"
        );
        Ok(Output::ok(text, json))
    }
}
