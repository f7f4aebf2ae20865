//! A run of training with its files: steps until it ends or somebody stops it.

use super::progress::Progress;
use super::{CliError, EXIT_STOPPED, input};
use crate::data::Label;
use crate::program::atomic::write_file;
use crate::train::backend::{Cpu, CpuGrad};
use crate::train::{Checkpoint, Measured, Row, Task, TrainError, Trainer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Largest checkpoint that is read, in bytes.
const MAX_CHECKPOINT: u64 = 4 << 30;

/// A run on the CPU in which nothing else takes part.
pub type Run<'a, L, T> = Trainer<'a, CpuGrad, Cpu, L, T, ()>;

/// Loss and score, and the score of each class where it has one.
pub type Quality = (Measured, Vec<(String, Option<f64>)>);

/// Where a run's files go, and its rows so far.
pub struct Files<'a> {
    dir: &'a Path,
    command: String,
    log: String,
}

impl<'a> Files<'a> {
    /// Files in a folder; `command` must be the same when the run goes on.
    pub fn new(dir: &'a Path, command: String) -> Self {
        Self {
            dir,
            command,
            log: String::new(),
        }
    }

    fn checkpoint(&self) -> PathBuf {
        self.dir.join("checkpoint")
    }

    /// Goes on from the checkpoint in the folder.
    ///
    /// # Errors
    /// No checkpoint, a damaged one, or one of another run.
    pub fn restore<L: Label, T: Task<L>>(
        &mut self,
        run: &mut Run<'_, L, T>,
    ) -> Result<(), CliError> {
        let path = self.checkpoint();
        let bytes = input::read(&path, MAX_CHECKPOINT)?;
        let restored = Checkpoint::decode(&bytes).and_then(|c| self.take(run, &c));
        restored.map_err(|e| CliError::from(e).of(&path))
    }

    fn take<L: Label, T: Task<L>>(
        &mut self,
        run: &mut Run<'_, L, T>,
        c: &Checkpoint,
    ) -> Result<(), TrainError> {
        let (then, now) = (c.text("command")?, &self.command);
        if then != now {
            let what = format!("is of a run with {then}, not {now}");
            return Err(TrainError::Checkpoint(what));
        }
        run.restore(c)?;
        self.log = c.text("log")?.to_owned();
        Ok(())
    }

    /// Steps until the end, or until somebody wants to stop; says whether Ctrl-C did.
    ///
    /// # Errors
    /// What a step says; files that cannot be written.
    pub fn steps<L: Label, T: Task<L>>(
        &mut self,
        run: &mut Run<'_, L, T>,
        epochs: Option<u64>,
    ) -> Result<bool, CliError> {
        let stop = interrupt()?;
        let last = epochs.unwrap_or(u64::MAX).saturating_mul(run.batches());
        let progress = Progress::from("training", run.next(), run.steps());
        let mut told = None;
        while !run.finished() && run.next() < last {
            let step = run.step()?;
            progress.done();
            let held_out = |m: f64| format!("{:.1} %", 100.0 * m);
            let score: String = told.map_or_else(|| "-".into(), held_out);
            progress.say(format!(
                "epoch {}, loss {:.3}, held out {score}",
                step.at.epoch + 1,
                step.loss
            ));
            let stopped = stop.load(Ordering::SeqCst);
            if let Some(row) = &step.row {
                told = row.held_out.map(|m| m.score);
                self.add(row);
            }
            if step.row.is_some() || stopped {
                self.write(run)?;
            }
            if stopped {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn add(&mut self, row: &Row) {
        if self.log.is_empty() {
            self.log = row.header();
        }
        self.log += &row.line();
    }

    /// The log, then the checkpoint, each whole.
    fn write<L: Label, T: Task<L>>(&self, run: &Run<'_, L, T>) -> Result<(), CliError> {
        let mut c = run.checkpoint();
        c.put_text("command", &self.command);
        c.put_text("log", &self.log);
        for (path, bytes) in [
            (self.dir.join("log.csv"), self.log.clone().into_bytes()),
            (self.checkpoint(), c.encode()),
        ] {
            write_file(&path, &bytes).map_err(|e| CliError::file(&path, &e))?;
        }
        Ok(())
    }
}

/// Becomes true with Ctrl-C; a second one ends the program at once.
fn interrupt() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let handler = move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_STOPPED.into());
        }
    };
    ctrlc::set_handler(handler).map_err(|e| CliError::new("train", e))?;
    Ok(stop)
}
