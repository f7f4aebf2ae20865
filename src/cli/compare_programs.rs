//! `vta compare A B`: two programs side by side.

use super::{CliError, Output, Paint, execution, input, shown};
use serde_json::{Value, json};
use std::path::Path;
use vta::config::HwConfig;
use vta::execution::{Execution, execute_all};
use vta::golden::Status;
use vta::printable::printable;
use vta::report::{Cell, Table};
use vta::simulate::Sim;
use vta::{Program, Simulator};

/// Two programs, and how they are run.
pub struct Two<'a> {
    /// The first: a bundle or an assembly text.
    pub a: &'a Path,
    /// The second.
    pub b: &'a Path,
    /// Configuration of both.
    pub config: Option<&'a HwConfig>,
    /// Let indices wrap at the end of a scratchpad.
    pub wrap: bool,
    /// Move no data.
    pub timing_only: bool,
    /// Cycles after which a launch counts as hanging.
    pub max_cycles: u64,
}

/// How the outputs of two programs compare.
enum Outputs {
    Equal,
    Differ { output: usize, byte: usize },
    NotComparable(&'static str),
}

impl Two<'_> {
    pub fn run(&self, paint: Paint) -> Result<Output, CliError> {
        let programs = (
            input::load(self.a, self.config)?,
            input::load(self.b, self.config)?,
        );
        if !self.wrap {
            input::check_fit(&programs.0).map_err(|e| e.of(self.a))?;
            input::check_fit(&programs.1).map_err(|e| e.of(self.b))?;
        }
        let run = |program: &Program| {
            let sim = Sim::new(Simulator::Tsim, &program.config).timing_only(self.timing_only);
            execute_all(sim, program, self.max_cycles)
        };
        let (a, b) = (run(&programs.0)?, run(&programs.1)?);
        let (config_a, config_b) = (&programs.0.config.name, &programs.1.config.name);
        let both_ok = a.status() == Status::Ok && b.status() == Status::Ok;
        let speedup = match (a.cycles(), b.cycles()) {
            (Some(x), Some(y)) if y > 0 && both_ok => Some(x as f64 / y as f64),
            _ => None,
        };
        let outputs = if self.timing_only {
            Outputs::NotComparable("no data were moved")
        } else if both_ok {
            outputs(&a, &b)
        } else {
            Outputs::NotComparable("not both programs end well")
        };
        let side = |config: &str, path: &Path, done: &Execution| {
            let mut json = execution::json(done);
            json["config"] = json!(config);
            json["file"] = json!(path.display().to_string());
            json
        };
        let mut json = json!({
            "a": side(config_a, self.a, &a),
            "b": side(config_b, self.b, &b),
            "speedup": speedup,
        });
        let mut text = format!(
            "A {} ({}): {}\nB {} ({}): {}\n\n{}",
            shown(self.a),
            printable(config_a),
            paint.status(a.status()),
            shown(self.b),
            printable(config_b),
            paint.status(b.status()),
            table(&a, &b),
        );
        if let Some(s) = speedup {
            text += &format!("\nspeed-up of B over A: {s:.2}\n");
        }
        text += &match outputs {
            Outputs::Equal => {
                json["outputs"] = json!({ "equal": true });
                "outputs: equal\n".into()
            }
            Outputs::Differ { output, byte } => {
                json["outputs"] = json!({ "equal": false, "output": output, "byte": byte });
                format!("outputs: differ, first in output {output} at byte {byte}\n")
            }
            Outputs::NotComparable(why) => {
                json["outputs"] = json!({ "equal": Value::Null, "why": why });
                format!("outputs: not comparable, {why}\n")
            }
        };
        Ok(Output {
            exit: execution::exit(&a).max(execution::exit(&b)),
            ..Output::ok(text, json)
        })
    }
}

/// The outputs of all launches, in order, against each other.
fn outputs(a: &Execution, b: &Execution) -> Outputs {
    let all = |e: &Execution| -> Vec<Vec<u8>> {
        let launches = e.launches.iter();
        launches.flat_map(|l| l.outputs.iter().cloned()).collect()
    };
    let (a, b) = (all(a), all(b));
    if a.is_empty() && b.is_empty() {
        return Outputs::NotComparable("the programs name no outputs");
    }
    if !a.iter().map(Vec::len).eq(b.iter().map(Vec::len)) {
        return Outputs::NotComparable("their number or sizes differ");
    }
    for (output, (x, y)) in a.iter().zip(&b).enumerate() {
        if let Some(byte) = x.iter().zip(y).position(|(p, q)| p != q) {
            return Outputs::Differ { output, byte };
        }
    }
    Outputs::Equal
}

fn table(a: &Execution, b: &Execution) -> Table {
    let (x, y) = (a.stats(), b.stats());
    let mut t = Table::new(&["", "A", "B", "A/B"]);
    let mut row = |name: &str, p: Option<u64>, q: Option<u64>| {
        let ratio = match (p, q) {
            (Some(p), Some(q)) if q > 0 => format!("{:.2}", p as f64 / q as f64),
            _ => "-".into(),
        };
        t.row([name.into(), p.into(), q.into(), Cell::Number(ratio)]);
    };
    row("cycles", a.cycles(), b.cycles());
    row("acc writes", Some(a.acc_writes()), Some(b.acc_writes()));
    row("instructions", Some(x.insns), Some(y.insns));
    row("GEMM steps", Some(x.gemm_steps), Some(y.gemm_steps));
    row("ALU steps", Some(x.alu_steps), Some(y.alu_steps));
    row("bytes read", Some(x.bytes_read), Some(y.bytes_read));
    row(
        "bytes written",
        Some(x.bytes_written),
        Some(y.bytes_written),
    );
    for u in &x.units {
        let other = y.units.iter().find(|v| v.unit == u.unit);
        row(
            &format!("{} busy", u.unit),
            Some(u.busy),
            other.map(|v| v.busy),
        );
        row(
            &format!("{} waiting", u.unit),
            Some(u.waiting),
            other.map(|v| v.waiting),
        );
    }
    t
}
