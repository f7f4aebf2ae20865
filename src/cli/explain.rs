//! `vta explain`: in words, what holds a program back.

use super::profiled::{self, ProfiledArgs};
use super::{CliError, Output, Paint, number};
use clap::Args;
use serde_json::{Value, json};
use vta::Profile;
use vta::config::HwConfig;
use vta::printable::printable;
use vta::profiling::{Advice, Row, advise, split};
use vta::report::{add_status, thousands};

/// Say in words what holds each layer back, how far it is from its floor, and what would help
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    profiled: ProfiledArgs,
    /// Only this layer or named range
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// At most this many pieces of advice for each
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "3")]
    advice: u32,
}

impl Explain {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        let program = self.profiled.load()?;
        let profile = Profile::new(&program, self.profiled.max_cycles)?;
        let (view, failure) = (profile.view(), profile.failure());
        if let Some(name) = &self.layer
            && !view.rows.iter().any(|r| r.part.name == *name)
        {
            let names: Vec<&str> = view.rows.iter().map(|r| r.part.name.as_str()).collect();
            let message = format_args!("the program has no layer {name}");
            let help = format!("its layers are {}", names.join(", "));
            return Err(CliError::new("usage", message).help(help));
        }
        let mut text = profiled::status_text(failure.as_ref(), paint);
        let mut layers = Vec::new();
        for row in &view.rows {
            let wanted = self.layer.as_ref().is_none_or(|n| *n == row.part.name);
            if !wanted || row.part.cycles() == 0 {
                continue;
            }
            let (one, json) = explain(
                row,
                &view.total,
                &program.config,
                view.profile.cycles,
                self.advice as usize,
            );
            if !layers.is_empty() {
                text.push('\n');
            }
            text += &one;
            layers.push(json);
        }
        if self.layer.is_none() && layers.len() > 1 {
            let (one, _) = explain(
                &view.total,
                &view.total,
                &program.config,
                view.profile.cycles,
                0,
            );
            text += &format!("\n{one}");
        }
        let mut json = json!({ "cycles": view.profile.cycles, "layers": layers });
        add_status(&mut json, failure.as_ref());
        let exit = profiled::exit(failure.as_ref());
        Ok(Output {
            exit,
            ..Output::ok(text, json)
        })
    }
}

fn share(part: u64, of: u64) -> String {
    format!("{:.0} %", 100.0 * part as f64 / of.max(1) as f64)
}

/// One layer in words, and the same as JSON.
fn explain(
    row: &Row<'_>,
    total: &Row<'_>,
    cfg: &HwConfig,
    all: u64,
    most: usize,
) -> (String, Value) {
    let cycles = row.part.cycles();
    let (what, of, advice) = advise(row, total, cfg);
    let name = &row.part.name;
    let mut text = format!("{}: {} cycles", printable(name), thousands(cycles));
    if cycles != all {
        text += &format!(", {} of the run", share(cycles, all));
    }
    text += &format!(
        "\n  bottleneck: {}, {} ({})\n",
        what.words(),
        thousands(of),
        share(of, cycles)
    );
    let rest = split(&row.part);
    let rest = rest
        .iter()
        .skip(1)
        .filter(|(_, n)| n * 20 >= cycles && *n > 0);
    let rest: Vec<String> = rest
        .map(|(b, n)| format!("{} {}", b.words(), share(*n, cycles)))
        .collect();
    if !rest.is_empty() {
        text += &format!("  then: {}\n", rest.join(", "));
    }
    if let Some((compute, memory)) = row.floors() {
        let (floor, by) = if compute >= memory {
            (compute, "steps")
        } else {
            (memory, "memory")
        };
        if floor > 0 {
            let above = cycles as f64 / floor as f64;
            text += &format!(
                "  floor: {} cycles, set by {by}; it takes {above:.2} times as many\n",
                thousands(floor)
            );
        }
    }
    let advice: Vec<&Advice> = advice.iter().take(most).collect();
    for a in &advice {
        text += &format!(
            "  would help: {} (up to {} cycles)\n",
            a.text,
            thousands(a.saves)
        );
    }
    if advice.is_empty() && most > 0 {
        text += "  nothing else would help much\n";
    }
    let split: serde_json::Map<String, Value> = split(&row.part)
        .into_iter()
        .map(|(b, n)| (json!(b).as_str().unwrap_or_default().to_owned(), json!(n)))
        .collect();
    let json = json!({
        "name": name, "cycles": cycles, "bottleneck": what, "bottleneck_cycles": of,
        "split": split, "advice": advice,
        "compute_floor": row.floors().map(|f| f.0), "memory_floor": row.floors().map(|f| f.1),
    });
    (text, json)
}
