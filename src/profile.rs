//! Where the cycles of a program went.

use crate::monitor::Phase;
use crate::simulate::{LaunchFailure, LaunchReport, SimError};
use crate::{Error, Program};
use vta_sim::golden::Status;
use vta_sim::profiling::{self, Row, Seen, View};

/// A program's launches without data, their cycles attributed: to units and
/// causes, and to layers.
///
/// ```
/// let program = vta::Program::open("programs/kernels/gemm.vtasm")?;
/// let profile = program.profile()?;
/// let parts: u64 = profile.rows().iter().map(|r| r.part.cycles()).sum();
/// assert_eq!(parts, profile.cycles());
/// # Ok::<(), vta::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Profile<'a> {
    seen: Vec<Seen>,
    view: View<'a>,
}

impl<'a> Profile<'a> {
    /// Runs all launches, up to the first that does not end well within `max_cycles`.
    ///
    /// # Errors
    /// A launch that cannot start; [`Error::Cancelled`].
    pub fn new(program: &'a Program, max_cycles: u64) -> Result<Self, Error> {
        let _span = tracing::info_span!("profile").entered();
        let watch = program.watch();
        watch.go_on()?;
        let _phase = watch.phase(Phase::Simulate, None);
        let seen = profiling::watch_until(program, max_cycles, &|| watch.is_cancelled())
            .map_err(|(launch, source)| SimError::Launch { launch, source })?;
        watch.go_on()?;
        let view = View::new(program, &seen);
        Ok(Self { seen, view })
    }

    /// Cycles of all launches.
    pub const fn cycles(&self) -> u64 {
        self.view.profile.cycles
    }

    /// The parts of the program, in the order of their first instruction:
    /// layers of a network, else named ranges of instructions.
    pub fn rows(&self) -> &[Row<'a>] {
        &self.view.rows
    }

    /// All parts together.
    pub const fn total(&self) -> &Row<'a> {
        &self.view.total
    }

    /// The profile beside what the program says of its layers.
    pub const fn view(&self) -> &View<'a> {
        &self.view
    }

    /// Launch by launch.
    pub fn launches(&self) -> &[Seen] {
        &self.seen
    }

    /// The launch that hangs or asserts, if one does.
    pub fn failure(&self) -> Option<LaunchFailure> {
        let last = self.seen.last()?;
        let report = LaunchReport::from(last.outcome.clone());
        (report.status != Status::Ok).then(|| LaunchFailure {
            launch: last.launch.clone(),
            report,
        })
    }
}
