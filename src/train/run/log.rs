//! What is written down of a run.

use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Steps done.
    pub step: u64,
    /// Epochs done, with their part.
    pub epoch: f64,
    /// Mean loss since the last line.
    pub loss: f64,
    /// Part of the training images since the last line that was right.
    pub accuracy: f64,
    /// Loss on images that are not trained with, where it was measured.
    pub val_loss: Option<f64>,
    /// Accuracy on them.
    pub val_accuracy: Option<f64>,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Seconds of training, those before a resume included.
    pub seconds: f64,
    /// Images seen.
    pub images: u64,
    /// Columns of the method.
    pub more: Vec<(String, f64)>,
}

/// The lines of a run, and sums of the next one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Log {
    /// The lines so far.
    pub rows: Vec<Row>,
    pub(super) loss: f64,
    pub(super) right: u64,
    pub(super) samples: u64,
    pub(super) steps: u64,
    pub(super) images: u64,
    pub(super) seconds: f64,
}

impl Log {
    /// One step is done.
    pub(super) fn add(&mut self, loss: f32, right: usize, samples: usize, seconds: f64) {
        self.loss += f64::from(loss);
        self.steps += 1;
        self.right += right as u64;
        self.samples += samples as u64;
        self.images += samples as u64;
        self.seconds += seconds;
    }

    /// Writes a line of the steps since the last one.
    pub(super) fn line(&mut self, step: u64, epoch: f64, lr: f64, more: Vec<(String, f64)>) {
        self.rows.push(Row {
            step,
            epoch,
            loss: self.loss / self.steps.max(1) as f64,
            accuracy: self.right as f64 / self.samples.max(1) as f64,
            val_loss: None,
            val_accuracy: None,
            lr,
            seconds: self.seconds,
            images: self.images,
            more,
        });
        (self.loss, self.right, self.samples, self.steps) = (0.0, 0, 0, 0);
    }

    /// Seconds of training.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Images seen.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// As CSV: a line of names, then a line for each row.
    pub fn csv(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.rows.iter().flat_map(|r| &r.more) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let mut text = "step,epoch,loss,accuracy,val_loss,val_accuracy,lr,seconds,images".to_owned();
        names.iter().for_each(|n| text += &format!(",{n}"));
        text.push('\n');
        let maybe = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
        for r in &self.rows {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "{},{:.3},{:.6},{:.6},{},{},{:.6e},{:.2},{}",
                r.step,
                r.epoch,
                r.loss,
                r.accuracy,
                maybe(r.val_loss),
                maybe(r.val_accuracy),
                r.lr,
                r.seconds,
                r.images
            );
            for name in &names {
                let value = r.more.iter().find(|m| m.0 == *name);
                let value = value.map_or(String::new(), |v| format!("{:.6}", v.1));
                let _ = write!(text, ",{value}");
            }
            text.push('\n');
        }
        text
    }
}
