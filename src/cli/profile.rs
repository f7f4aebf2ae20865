//! `vta profile`: where the cycles of a program went.

use super::profiled::{self, ProfiledArgs};
use super::{CliError, Output, Paint};
use clap::Args;
use vta::Profile;
use vta::profiling::{Row, View};
use vta::report::{Cell, Table, add_status, view_json};
use vta::trace::{Cause, Kind, MODULES, Part};
use vta::tsim::Client;

/// Say where the cycles of a program went: every cycle of every unit has a cause
#[derive(Debug, Args)]
pub struct ProfileArgs {
    #[command(flatten)]
    profiled: ProfiledArgs,
    /// What the rows of the table are
    #[arg(long, value_enum, default_value = "layer")]
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// Layers, or the named ranges of a launch: what compute's cycles went to.
    Layer,
    /// Units: all causes of each.
    Unit,
    /// Kinds of instructions.
    Insn,
    /// Tensor classes: bytes and bursts on the bus.
    Traffic,
    /// Layers under the roof of steps and bus.
    Roofline,
}

impl ProfileArgs {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        let program = self.profiled.load()?;
        let profile = Profile::new(&program, self.profiled.max_cycles)?;
        let (view, failure) = (profile.view(), profile.failure());
        let table = match self.by {
            By::Layer => layers(view),
            By::Unit => units(view),
            By::Insn => kinds(&view.total.part),
            By::Traffic => traffic(&view.total.part),
            By::Roofline => roofline(view),
        };
        let mut json = view_json(view);
        add_status(&mut json, failure.as_ref());
        let exit = profiled::exit(failure.as_ref());
        let text = format!("{}{table}", profiled::status_text(failure.as_ref(), paint));
        Ok(Output {
            exit,
            ..Output::ok(text, json)
        })
    }
}

/// A share in percent.
pub(super) fn percent(part: u64, of: u64) -> Cell {
    let share = if of == 0 {
        0.0
    } else {
        100.0 * part as f64 / of as f64
    };
    Cell::Number(format!("{share:.1}"))
}

/// The rows with something in them, and their sum.
fn rows<'a>(view: &'a View<'a>) -> impl Iterator<Item = &'a Row<'a>> {
    let some = |r: &&Row<'_>| r.part.cycles() > 0 || r.part.bytes() > 0;
    view.rows.iter().filter(some).chain([&view.total])
}

fn layers(view: &View<'_>) -> Table {
    let mut t = Table::new(&[
        "layer",
        "cycles",
        "%",
        "works %",
        "load %",
        "store %",
        "memory %",
        "insns %",
        "GEMM steps",
        "ALU steps",
        "bytes",
    ]);
    for row in rows(view) {
        let p = &row.part;
        let cycles = p.cycles();
        let of = |all: &[Cause]| {
            let sum = all.iter().map(|c| p.of(vta::isa::Unit::Compute, *c)).sum();
            percent(sum, cycles)
        };
        t.row([
            p.name.clone().into(),
            cycles.into(),
            percent(cycles, view.profile.cycles),
            of(&[Cause::Work]),
            of(&[Cause::TokenLoad]),
            of(&[Cause::TokenStore]),
            of(&[Cause::Arbitration, Cause::Latency, Cause::Beats]),
            of(&[Cause::Insn, Cause::Idle]),
            (p.gemm_steps + p.reset_steps).into(),
            p.alu_steps.into(),
            p.bytes().into(),
        ]);
    }
    t
}

fn units(view: &View<'_>) -> Table {
    let total = &view.total.part;
    let mut t = Table::new(&["cause", MODULES[0], MODULES[1], MODULES[2], MODULES[3]]);
    for cause in Cause::ALL {
        let of = total.causes.map(|m| m[cause as usize]);
        if of.iter().any(|n| *n > 0) {
            t.row(
                [Cell::from(cause.words())]
                    .into_iter()
                    .chain(of.map(Cell::from)),
            );
        }
    }
    let sums = total
        .causes
        .iter()
        .map(|m| Cell::from(m.iter().sum::<u64>()));
    t.row([Cell::from("all")].into_iter().chain(sums));
    t
}

fn kinds(part: &Part) -> Table {
    let mut t = Table::new(&["instruction", "number", "cycles", "cycles each"]);
    for (kind, k) in Kind::ALL.iter().zip(part.kinds) {
        if k.insns > 0 {
            let each = k.cycles as f64 / k.insns as f64;
            t.row([
                kind.name().into(),
                k.insns.into(),
                k.cycles.into(),
                Cell::Number(format!("{each:.1}")),
            ]);
        }
    }
    t
}

fn traffic(part: &Part) -> Table {
    let mut t = Table::new(&["tensor", "bytes", "bursts", "bytes a burst"]);
    let reads = Client::ALL.iter().map(|c| c.name()).zip(part.reads);
    for (name, use_) in reads.chain([("out", part.writes)]) {
        let each = use_.bytes as f64 / use_.bursts.max(1) as f64;
        t.row([
            name.into(),
            use_.bytes.into(),
            use_.bursts.into(),
            Cell::Number(format!("{each:.1}")),
        ]);
    }
    t
}

fn roofline(view: &View<'_>) -> Table {
    let mut t = Table::new(&[
        "layer",
        "steps a byte",
        "steps a cycle",
        "roof",
        "of the roof %",
        "set by",
        "read bus %",
    ]);
    for row in rows(view) {
        let r = row.roof;
        let of = if r.roof > 0.0 {
            100.0 * r.steps_per_cycle / r.roof
        } else {
            0.0
        };
        t.row([
            row.part.name.clone().into(),
            Cell::Number(format!("{:.3}", r.steps_per_byte)),
            Cell::Number(format!("{:.3}", r.steps_per_cycle)),
            Cell::Number(format!("{:.3}", r.roof)),
            Cell::Number(format!("{of:.1}")),
            if r.memory_bound { "bus" } else { "steps" }.into(),
            Cell::Number(format!("{:.1}", 100.0 * r.read_bus)),
        ]);
    }
    t
}
