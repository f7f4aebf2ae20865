//! Running all cases in all their configurations on several threads.

use super::{Case, Difference, Expected, GoldenError, Request, Runner, compare};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use vta_program::config::HwConfig;

/// One case in one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    /// Family and folder name.
    pub name: String,
    /// The family.
    pub family: String,
    /// Name of the configuration.
    pub config: String,
    /// Cycles simulated.
    pub cycles: u64,
    /// Every difference; none if the case passed.
    pub differences: Vec<Difference>,
    /// Why the case could not be read.
    pub unreadable: Option<GoldenError>,
}

impl CaseResult {
    /// Whether the simulator did what the hardware does.
    pub fn passed(&self) -> bool {
        self.differences.is_empty() && self.unreadable.is_none()
    }
}

/// A family in one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyRow {
    /// The family.
    pub family: String,
    /// Name of the configuration.
    pub config: String,
    /// Cases run.
    pub cases: u64,
    /// Cases without a difference.
    pub passed: u64,
    /// Cycles simulated.
    pub cycles: u64,
}

/// All results, in the order of the cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One for each case and configuration.
    pub results: Vec<CaseResult>,
}

impl Report {
    /// Sums by family and configuration, in the order of first appearance.
    pub fn families(&self) -> Vec<FamilyRow> {
        let mut rows: Vec<FamilyRow> = Vec::new();
        let mut at: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for r in &self.results {
            let row = *at.entry((&r.family, &r.config)).or_insert_with(|| {
                rows.push(FamilyRow {
                    family: r.family.clone(),
                    config: r.config.clone(),
                    cases: 0,
                    passed: 0,
                    cycles: 0,
                });
                rows.len() - 1
            });
            rows[row].cases += 1;
            rows[row].passed += u64::from(r.passed());
            rows[row].cycles += r.cycles;
        }
        rows
    }

    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.results.iter().all(CaseResult::passed)
    }

    /// The cases that could not be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &GoldenError> {
        self.results.iter().filter_map(|r| r.unreadable.as_ref())
    }
}

/// Runs every case in every configuration that it has expectations for.
///
/// The report does not depend on the number of threads.
pub fn run(cases: &[Case], threads: usize, runner: &Runner<'_>) -> Report {
    let jobs: Vec<(&Case, &(HwConfig, Expected))> = cases
        .iter()
        .flat_map(|c| c.expected.iter().map(move |e| (c, e)))
        .collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(jobs.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some((case, (config, expected))) = jobs.get(i) else {
                        break;
                    };
                    let result = run_one(case, config, expected, runner);
                    let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
                    results.push((i, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
    results.sort_by_key(|(i, _)| *i);
    Report {
        results: results.into_iter().map(|(_, r)| r).collect(),
    }
}

fn run_one(case: &Case, config: &HwConfig, expected: &Expected, runner: &Runner<'_>) -> CaseResult {
    let mut result = CaseResult {
        name: case.name.clone(),
        family: case.family.clone(),
        config: config.name.clone(),
        cycles: 0,
        differences: Vec::new(),
        unreadable: None,
    };
    let inputs = match case.inputs(config, expected) {
        Ok(inputs) => inputs,
        Err(e) => {
            result.unreadable = Some(e);
            return result;
        }
    };
    let request = Request {
        config,
        dram: inputs.dram.clone(),
        insn_addr: case.insn_addr,
        insn_count: case.insn_count,
        max_cycles: case.max_cycles,
        trace: inputs.trace.is_some(),
    };
    // A simulator that panics is broken in this case; the others are run.
    let seen = catch_unwind(AssertUnwindSafe(|| runner(request)));
    match seen.unwrap_or_else(|panic| Err(panic_text(&*panic))) {
        Ok(seen) => {
            result.cycles = seen.cycles;
            result.differences = compare(case, expected, &inputs, &seen);
        }
        Err(error) => result.differences.push(Difference::Run { error }),
    }
    result
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the simulator panics: {}", text.unwrap_or("no message"))
}
