//! Progress bars, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Shows how far long work is; hidden where standard error is no terminal. It
/// goes away when it is dropped.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar that starts at 0.
    pub fn bar(what: &'static str, n: usize) -> Self {
        let template = "{msg} {wide_bar} {pos}/{len}, {eta} left";
        Self::new(what, Some(n as u64), template)
    }

    /// Only that something goes on, and for how long: work whose end is not known.
    pub fn spinner(what: &'static str) -> Self {
        Self::new(what, None, "{spinner} {msg}, {elapsed}")
    }

    fn new(what: &'static str, n: Option<u64>, template: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(n, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }

    /// A bar that starts where earlier work ended, with what is said of it last.
    #[cfg(feature = "prune")]
    pub fn from(what: &'static str, done: u64, n: u64) -> Self {
        let template = "{prefix} {msg} {wide_bar} {pos}/{len}, {eta} left";
        let progress = Self::new(what, Some(n), template);
        progress.0.set_prefix(what);
        progress.0.set_position(done);
        // The time that is left follows from what is done from now on.
        progress.0.reset_eta();
        progress
    }

    /// Says something beside the bar.
    #[cfg(feature = "prune")]
    pub fn say(&self, text: String) {
        self.0.set_message(text);
    }

    /// One more piece is done.
    pub fn done(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
