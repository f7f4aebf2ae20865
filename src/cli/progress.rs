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
