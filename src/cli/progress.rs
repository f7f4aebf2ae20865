//! Progress bars, on a terminal only, and Ctrl-C.

use super::stop;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vta::printable::printable;
use vta::{Monitor, Phase};

/// Shows how far long work is: a bar for each phase that goes on, with the
/// time that is left; hidden where standard error is no terminal.
#[derive(Default)]
pub struct Bars {
    bars: Mutex<Vec<(Phase, ProgressBar)>>,
    /// Whether Ctrl-C stops the work.
    stops: bool,
}

/// Shows progress.
pub fn bars() -> Arc<dyn Monitor> {
    Arc::new(Bars::default())
}

/// Shows progress, and stops the work with Ctrl-C; a second one ends the program at once.
pub fn stoppable() -> Arc<dyn Monitor> {
    stop::gently();
    Arc::new(Bars {
        stops: true,
        ..Bars::default()
    })
}

fn bar(phase: Phase, done: u64, steps: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match steps {
        Some(_) => "{prefix} {msg} {wide_bar} {pos}/{len}, {eta} left",
        None => "{spinner} {prefix} {msg}, {elapsed}",
    };
    let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(phase.name());
    bar.set_position(done);
    // The time that is left follows from what is done from now on.
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

impl Bars {
    fn bars(&self) -> MutexGuard<'_, Vec<(Phase, ProgressBar)>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the bar of a phase: the outermost, if phases of one
    /// kind are inside each other.
    fn with(&self, phase: Phase, act: impl FnOnce(&ProgressBar)) {
        if let Some((_, bar)) = self.bars().iter().find(|b| b.0 == phase) {
            act(bar);
        }
    }
}

impl Monitor for Bars {
    fn begin(&self, phase: Phase, done: u64, steps: Option<u64>) {
        let mut bars = self.bars();
        // Phases inside others, many at once: one bar is enough.
        let new = match bars.is_empty() {
            true => bar(phase, done, steps),
            false => ProgressBar::hidden(),
        };
        bars.push((phase, new));
    }

    fn step(&self, phase: Phase) {
        self.with(phase, |bar| bar.inc(1));
    }

    fn say(&self, phase: Phase, text: &str) {
        self.with(phase, |bar| bar.set_message(printable(text).into_owned()));
    }

    fn end(&self, phase: Phase) {
        let mut bars = self.bars();
        if let Some(at) = bars.iter().rposition(|b| b.0 == phase) {
            bars.remove(at).1.finish_and_clear();
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stops && stop::is_asked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of cycles steps while its networks are simulated.
    #[test]
    fn steps_are_those_of_the_outermost_phase() {
        let bars = Bars::default();
        bars.begin(Phase::Simulate, 0, Some(3));
        bars.begin(Phase::Simulate, 0, None);
        bars.step(Phase::Simulate);
        let positions = |b: &Bars| -> Vec<u64> {
            let all = b.bars();
            all.iter().map(|(_, bar)| bar.position()).collect()
        };
        assert_eq!(positions(&bars), [1, 0]);
        bars.end(Phase::Simulate);
        assert_eq!(positions(&bars), [1]);
        bars.end(Phase::Simulate);
        assert!(positions(&bars).is_empty());
        assert!(!bars.is_cancelled());
    }
}
