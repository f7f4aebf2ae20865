//! The log: a row for each epoch, as CSV. Its bytes do not depend on time; how
//! long epochs took is a table of its own.

use std::fmt::Write;

/// An epoch that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Steps so far.
    pub step: u64,
    /// Images seen so far.
    pub images: u64,
    /// The learning rate of its last step.
    pub rate: f64,
    /// Mean loss over its steps.
    pub loss: f64,
    /// Score over its steps, on images as they were changed.
    pub score: f64,
    /// Loss and score on the images that are held out, if any.
    pub held_out: Option<super::Measured>,
    /// Seconds of the steps so far, without measuring.
    pub seconds: f64,
    /// What the hooks add.
    pub more: Vec<(String, f64)>,
}

impl Row {
    /// Names of the columns, as a line.
    pub fn header(&self) -> String {
        let mut line = "epoch,step,images,rate,loss,score,val_loss,val_score".to_owned();
        for (name, _) in &self.more {
            let _ = write!(line, ",{name}");
        }
        line + "\n"
    }

    /// The row as a line.
    pub fn line(&self) -> String {
        let Self {
            epoch,
            step,
            images,
            rate,
            loss,
            score,
            ..
        } = self;
        let mut line = format!("{epoch},{step},{images},{rate:.6},{loss:.6},{score:.4}");
        match self.held_out {
            Some(m) => {
                let _ = write!(line, ",{:.6},{:.4}", m.loss, m.score);
            }
            None => line += ",,",
        }
        for (_, value) in &self.more {
            let _ = write!(line, ",{value:.6}");
        }
        line + "\n"
    }

    /// Columns of the table of times, as a line.
    pub const TIMES: &str = "epoch,step,seconds\n";

    /// How long it took, as a line of the table of times.
    pub fn times_line(&self) -> String {
        format!("{},{},{:.1}\n", self.epoch, self.step, self.seconds)
    }

    /// What is not finite in it, in words, if anything.
    pub(crate) fn not_finite(&self) -> Option<String> {
        let own = [("mean loss of the epoch", self.loss)];
        let held_out = self.held_out.map(|m| ("held-out loss", m.loss));
        let more = self.more.iter().map(|(name, v)| (name.as_str(), *v));
        let mut all = own.into_iter().chain(held_out).chain(more);
        let (name, value) = all.find(|(_, v)| !v.is_finite())?;
        Some(format!("the {name} is {value}"))
    }
}
