//! `vta prune --ablation`: what each part of the method gives, row by row.

use super::Prune;
use super::goal::Goal;
use super::rows::{BASELINE, FULL, How, Row, UNIFORM, rows};
use super::runs::{Kept, Runs};
use super::statistics::Mean;
use crate::cli::{CliError, EXIT_STOPPED, Output, progress};
use serde_json::{Value, json};
use std::path::PathBuf;
use vta::Model;
use vta::config::HwConfig;
use vta::data::Label;
use vta::metric::Metric;
use vta::program::atomic::write_file;
use vta::program::sha256;
use vta::prune::{AllocationRule, Budget, Costs, PruneLayer, Target};
use vta::pruning::{PruneEnd, PruneTraining, Pruned, RunFolder, chooser};
use vta::pruning_aware::DistillationLoss;
use vta::report::{Cell, Table, thousands};
use vta::train::{Settings, Task};

/// The fraction of the baseline's time in which the short row has to be done.
const SHORT: f64 = 0.6;
/// The fraction of the multiply-accumulates, and of the cycles, of the uniform rule
/// that the last rows may use.
const LESS: f64 = 0.95;

/// What all runs of a row aim at.
#[derive(Clone)]
struct Aim {
    target: Target,
    epochs: f64,
}

impl Prune {
    /// Runs all rows that are wanted and not done yet, and writes the table of
    /// what is done.
    pub(super) fn ablation<L: Label, T: Task<L> + DistillationLoss<L> + Clone, M: Metric<L>>(
        &self,
        dense: &Model,
        layers: &[PruneLayer],
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Output, CliError> {
        let runs = Runs::open(&self.out, self.made_with(dense, goal))?;
        let mut table: Vec<(Row, Vec<Kept>)> = Vec::new();
        let mut output = self.stopped();
        for (row, wanted) in rows(&self.training.rows) {
            let seeds = row.seeds.of(self.training.seeds);
            let mut kept = Vec::new();
            let mut aim: Option<Aim> = None;
            for seed in self.training.seed..self.training.seed + u64::from(seeds) {
                if let Some(done) = runs.done(&row, seed)? {
                    kept.push(done);
                    continue;
                }
                if !wanted {
                    continue;
                }
                let aim = match &mut aim {
                    Some(aim) => &*aim,
                    none => {
                        let mut aim = self.aim(&row, (dense, layers), &table, &goal.hardware)?;
                        // Those of one row are alike, though times were others.
                        aim.epochs = kept.first().map_or(aim.epochs, |k: &Kept| k.epochs);
                        none.insert(aim)
                    }
                };
                let job = self.row_job((&row, seed), (dense, layers), goal, aim.clone());
                let dir = runs.of(&row, seed);
                let place = RunFolder {
                    dir: &dir,
                    command: self.command(&job),
                    resume: dir.join("checkpoint").exists(),
                    stop_after: None,
                    monitor: progress::stoppable()?,
                };
                let done = match job.run(&place, chooser(goal.calibration.clone()))? {
                    PruneEnd::Done(done) => *done,
                    PruneEnd::Stopped { .. } => return Ok(self.stopped()),
                };
                let result = self.result(&job, &done, goal)?;
                runs.keep(&row, seed, &result)?;
                kept.push(result);
            }
            if kept.is_empty() {
                continue;
            }
            table.push((row, kept));
            // The rows so far are worth reading before the last is done.
            output = self.table(&table, goal.set.test.len(), goal.metric.name())?;
        }
        Ok(output)
    }

    /// What is the same in all runs of a table.
    fn made_with<L, T, M>(&self, dense: &Model, goal: &Goal<'_, L, T, M>) -> Value {
        let args = &self.training;
        json!({
            "model": self.model,
            "weights": sha256(&dense.to_onnx()),
            "data": args.data,
            // Which images these are depends on the first seed.
            "limit": args.limit.map(|n| (n, args.seed)),
            "rate": self.rate,
            "weigh_by": self.weigh_by.map(|unit| format!("{unit:?}")),
            "floor": self.floor,
            "whole_kernel": self.whole_kernel,
            "keep_dense": self.keep_dense,
            "epochs": args.epochs,
            "batch": args.batch,
            "lr": goal.settings.rate,
            "plan": goal.numbers,
            "config": goal.hardware.to_keys(),
            "cost": self.cost,
        })
    }

    /// Sparsities, budgets and epochs of a row, by what the rows before it gave.
    fn aim(
        &self,
        row: &Row,
        (dense, layers): (&Model, &[PruneLayer]),
        before: &[(Row, Vec<Kept>)],
        hardware: &HwConfig,
    ) -> Result<Aim, CliError> {
        let of = |name: &str| before.iter().find(|r| r.0.name == name).map(|r| &r.1);
        let rule = match row.method.adaptive {
            true => AllocationRule::Lamp,
            false => AllocationRule::Uniform,
        };
        let mut target = self.target(rule, dense, layers)?;
        let mut epochs = self.training.epochs;
        match row.how {
            How::Rate => {}
            How::Short => {
                let seconds = |name| of(name).map_or(0.0, |k| Mean::of(k, |k| k.seconds).mean);
                let part = SHORT * seconds(BASELINE) / seconds(FULL).max(1e-9);
                epochs = ((10.0 * epochs * part).floor() / 10.0).clamp(0.1, epochs);
            }
            How::Macs => {
                let uniform = of(UNIFORM).map_or(1.0, |k| Mean::of(k, |k| k.macs).mean);
                target.second = Some((Costs::Macs, Budget::Fraction(LESS * uniform)));
            }
            How::Cycles => {
                let uniform = of(UNIFORM).map_or(0.0, |k| Mean::of(k, |k| k.cycles as f64).mean);
                let limit = (LESS * uniform) as u64;
                let table = self.cycle_table(dense, layers)?;
                (target.costs, target.budget) =
                    (Costs::Cycles(table), Budget::AtMost(limit as f64));
                self.correct(dense, layers, &mut target, hardware)?;
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
            settings: Settings {
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
            seconds: done.seconds,
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

    fn table(
        &self,
        rows: &[(Row, Vec<Kept>)],
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
            "seconds",
        ];
        let mut t = Table::new(&head);
        let mut json_rows = Vec::new();
        for (row, kept) in rows {
            let percent = |f: &dyn Fn(&Kept) -> f64| Mean::of(kept, f).percent();
            let first = &kept[0];
            t.row(vec![
                row.name.into(),
                row.what.into(),
                (kept.len() as u64).into(),
                Cell::Number(first.epochs.to_string()),
                first.images.into(),
                Cell::Number(percent(&|k| k.float)),
                Cell::Number(percent(&|k| k.device)),
                Cell::Number(format!("{:.1} %", 100.0 * first.sparsity)),
                Cell::Number(format!("{:.1} %", 100.0 * Mean::of(kept, |k| k.macs).mean)),
                Cell::Number(thousands(Mean::of(kept, |k| k.cycles as f64).mean as u64)),
                Cell::Number(format!("{:.0}", Mean::of(kept, |k| k.seconds).mean)),
            ]);
            json_rows.push(json!({ "row": row.name, "runs": kept }));
        }
        let json = json!({
            "model": self.model, "data": self.training.data, "test_images": images, "metric": metric,
            "rows": json_rows,
        });
        let text = format!(
            "{t}\n{metric} of {images} test images; mean and 95 % interval where there are several seeds\n"
        );
        for (name, bytes) in [
            ("ablation.txt", text.clone()),
            ("ablation.json", format!("{json:#}\n")),
        ] {
            let path: PathBuf = self.out.join(name);
            write_file(&path, bytes.as_bytes()).map_err(|e| CliError::file(&path, e))?;
        }
        Ok(Output::ok(text, json))
    }
}
