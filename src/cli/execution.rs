//! What commands say of a program that was run.

use super::{EXIT_NOT_OK, SCHEMA_VERSION};
use serde_json::{Value, json};
use vta::execution::{Execution, LaunchRun};
use vta::golden::Status;
use vta::report::{Cell, Table, add_end};

/// Exit code of a command that ran it.
pub fn exit(run: &Execution) -> u8 {
    match run.status() {
        Status::Ok => 0,
        Status::Hang | Status::Assert => EXIT_NOT_OK,
    }
}

/// As JSON: the whole, then each launch.
pub fn json(run: &Execution) -> Value {
    let mut all = json!({
        "schema_version": SCHEMA_VERSION,
        "status": run.status(),
        "cycles": run.cycles(),
        "acc_writes": run.acc_writes(),
        "stats": run.stats(),
    });
    if let Some(last) = run.launches.last() {
        add_end(&mut all, &last.report);
    }
    let launches = run.launches.iter().map(|l| {
        let r = &l.report;
        let mut one = json!({
            "name": l.name,
            "status": r.status,
            "cycles": r.cycles,
            "acc_writes": r.acc_writes,
            "stats": r.stats,
        });
        add_end(&mut one, r);
        one
    });
    all["launches"] = launches.collect();
    if !run.host.is_empty() {
        let steps = run
            .host
            .iter()
            .map(|h| json!({ "name": h.name, "op": h.op, "wall_seconds": h.time.as_secs_f64() }));
        all["host"] = steps.collect();
    }
    all
}

/// As text; the status is painted by the caller's function.
pub fn text(run: &Execution, paint: impl Fn(Status) -> String) -> String {
    let mut end = Table::default();
    end.row(["status".into(), Cell::Painted(paint(run.status()))]);
    let mut line = |name: &str, value: String| end.row([name.into(), value.into()]);
    if let Some(LaunchRun { name, report, .. }) = run.launches.last()
        && report.status != Status::Ok
    {
        line("launch", name.clone());
        if let Some(reason) = &report.reason {
            line("reason", reason.clone());
        }
        if let Some(place) = &report.where_ {
            line("where", place.clone());
        }
        if let Some(instruction) = report.instruction {
            line("instruction", instruction.to_string());
        }
        let why = match report.status {
            Status::Assert => "cause",
            _ => "waits",
        };
        for wait in &report.waits {
            line(why, wait.clone());
        }
    }
    let stats = run.stats();
    let mut counts = Table::default();
    let mut line = |name: &str, value: Option<u64>| counts.row([name.into(), value.into()]);
    line("cycles", run.cycles());
    line("acc writes", Some(run.acc_writes()));
    line("instructions", Some(stats.insns));
    line("GEMM steps", Some(stats.gemm_steps));
    line("ALU steps", Some(stats.alu_steps));
    line("bytes read", Some(stats.bytes_read));
    line("bytes written", Some(stats.bytes_written));
    let mut text = format!("{end}\n{counts}");
    if !stats.units.is_empty() {
        let mut units = Table::new(&["unit", "busy", "waiting"]);
        for u in stats.units {
            units.row([u.unit.into(), u.busy.into(), u.waiting.into()]);
        }
        text += &format!("\n{units}");
    }
    if run.launches.len() > 1 {
        let mut table = Table::new(&["launch", "cycles", "acc writes"]);
        for l in &run.launches {
            let cycles = Cell::from(l.report.cycles);
            table.row([l.name.clone().into(), cycles, l.report.acc_writes.into()]);
        }
        text += &format!("\n{table}");
    }
    if !run.host.is_empty() {
        // Wall time of this run, apart from all that is simulated.
        let mut table = Table::new(&["host step", "operator", "wall ms"]);
        for h in &run.host {
            let ms = Cell::Number(format!("{:.2}", h.time.as_secs_f64() * 1e3));
            table.row([h.name.clone().into(), h.op.into(), ms]);
        }
        text += &format!("\n{table}");
    }
    text
}
