//! Running a program's launches with an eye on their cycles.

use crate::steps::each_launch;
use crate::trace::{Profile, Profiler};
use crate::tsim::{self, Options, Outcome, RunError, Status, Until};
use std::ops::ControlFlow::{Break, Continue};
use vta_program::config::HwConfig;
use vta_program::program::{Launch, Program};

/// A launch that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Name of the launch.
    pub launch: String,
    /// How it ended, and its counters.
    pub outcome: Outcome,
    /// Where its cycles went.
    pub profile: Profile,
}

/// The named ranges of a launch; all of it under its own name if there are none.
pub fn symbols(launch: &Launch) -> Vec<(&str, u32, u32)> {
    let named = launch.symbols.iter();
    let all: Vec<_> = named.map(|s| (s.name.as_str(), s.first, s.count)).collect();
    match all.is_empty() {
        true => vec![(launch.name.as_str(), 0, launch.insn_count)],
        false => all,
    }
}

/// Watches a launch whose instructions lie in `image`.
pub fn profiler(cfg: &HwConfig, image: &[u8], launch: &Launch) -> Profiler {
    let insns = launch.insns(image).map(Result::ok).collect();
    Profiler::new(launch.insn_addr, cfg.beat_bytes(), insns, symbols(launch))
}

/// Runs all launches of a program, up to the first that does not end well, and
/// moves no data: cycles do not depend on them. Host steps take no cycles.
///
/// # Errors
/// The launch that leaves DRAM or cannot start, and why.
pub fn watch(program: &Program, max_cycles: u64) -> Result<Vec<Seen>, (String, RunError)> {
    watch_until(program, max_cycles, &|| false)
}

/// As [`watch`], until `stop` says true: it is asked now and then, also inside of
/// launches.
///
/// # Errors
/// As [`watch`].
pub fn watch_until(
    program: &Program,
    max_cycles: u64,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Seen>, (String, RunError)> {
    let options = Options {
        max_cycles,
        data: false,
        ..Options::default()
    };
    let cfg = &program.config;
    let mut all = Vec::new();
    each_launch(program, |launch, dram| {
        let mut sink = profiler(cfg, dram.bytes(), launch);
        let mut until = Until::new(stop, &mut sink);
        let outcome = tsim::run_launch(cfg, dram, launch, options, &mut until)
            .map_err(|e| (launch.name.clone(), e))?;
        let profile = sink.finish(outcome.cycles);
        let ok = outcome.status == Status::Ok;
        all.push(Seen {
            launch: launch.name.clone(),
            outcome,
            profile,
        });
        Ok(if ok { Continue(()) } else { Break(()) })
    })
    .map(|_| all)
}
