//! `vta run --stop-at` and `--dump`: what holds at some point of a run.

use super::{CliError, Output};
use serde_json::{Value, json};
use vta::Simulator;
use vta::asm::insn_text;
use vta::mem::Dram;
use vta::profiling::{Ended, Order, Replay, order};
use vta::program::{Program, Step};

/// Where a run stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopAt {
    /// After this instruction has ended.
    Insn(u32),
    /// After this cycle.
    Cycle(u64),
}

/// `12`: an instruction; `@1200`: a cycle.
pub fn stop_at(text: &str) -> Result<StopAt, String> {
    let bad = || "not an instruction (12) or a cycle (@1200)".to_owned();
    match text.strip_prefix('@') {
        Some(cycle) => super::number::long(cycle)
            .map(StopAt::Cycle)
            .map_err(|_| bad()),
        None => super::number::word(text)
            .map(StopAt::Insn)
            .map_err(|_| bad()),
    }
}

/// A range of a scratchpad or of DRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    what: &'static str,
    from: u32,
    to: u32,
}

const MEMORIES: [&str; 6] = ["uop", "inp", "wgt", "acc", "out", "dram"];

/// `inp[0..16]`, `acc[3]`, `dram[0x1000..0x1040]`.
pub fn range(text: &str) -> Result<Range, String> {
    let bad = || {
        format!(
            "not a range like inp[0..16], acc[3] or dram[0x1000..0x1040]; there are {}",
            MEMORIES.join(", ")
        )
    };
    let (name, rest) = text.split_once('[').ok_or_else(bad)?;
    let inside = rest.strip_suffix(']').ok_or_else(bad)?;
    let what = MEMORIES.into_iter().find(|m| *m == name).ok_or_else(bad)?;
    let number = |t: &str| super::number::word(t).map_err(|_| bad());
    let (from, to) = match inside.split_once("..") {
        Some((from, to)) => (number(from)?, number(to)?),
        None => {
            let at = number(inside)?;
            (at, at.checked_add(1).ok_or_else(bad)?)
        }
    };
    if from >= to {
        return Err(format!("{text} is empty"));
    }
    Ok(Range { what, from, to })
}

/// What is asked.
pub struct Inspect<'a> {
    /// Where to stop; none is the end.
    pub stop: Option<StopAt>,
    /// What to show.
    pub dumps: &'a [Range],
    /// The launch to stop in; none is the only one.
    pub launch: Option<&'a str>,
    /// The simulator.
    pub sim: Simulator,
    /// Cycles after which a launch counts as hanging.
    pub max_cycles: u64,
}

impl Inspect<'_> {
    /// Runs a program up to where it is asked to stop.
    ///
    /// # Errors
    /// A launch or a range that is not there, a launch that cannot be run.
    pub fn run(&self, program: &Program) -> Result<Output, CliError> {
        if self.sim == Simulator::Fsim && matches!(self.stop, Some(StopAt::Cycle(_))) {
            return Err(CliError::new("usage", "fsim counts no cycles")
                .help("stop at an instruction, or run with --sim tsim"));
        }
        let names: Vec<&str> = program.launches().map(|l| l.name.as_str()).collect();
        let target = match (self.launch, names.as_slice()) {
            (Some(name), all) if all.contains(&name) => name,
            (None, [only]) => only,
            (None, [.., last]) if self.stop.is_none() => last,
            _ => {
                let help = format!(
                    "name it with --launch; its launches are {}",
                    names.join(", ")
                );
                return Err(CliError::new("usage", "the launch to stop in is not clear").help(help));
            }
        };
        let cfg = &program.config;
        let how = match self.sim {
            Simulator::Fsim => Order::Program,
            Simulator::Tsim => Order::Hardware(self.max_cycles),
        };
        let mut dram = Dram::new(program.dram_image());
        for step in &program.steps {
            let launch = match step {
                Step::Host(h) => {
                    h.run(&mut dram, cfg.block)
                        .map_err(|e| CliError::new("program", e))?;
                    continue;
                }
                Step::Launch(l) => l,
            };
            let failed =
                |e| CliError::new("simulator", format_args!("launch {}: {e}", launch.name));
            let (ended, finished) = order(cfg, &dram, launch, how).map_err(failed)?;
            let mut replay = Replay::new(cfg, dram, launch);
            let here = launch.name == target;
            let stop = self.stop.filter(|_| here);
            let mut last = None;
            let mut done = [0u64; 3];
            for e in &ended {
                if let (Some(StopAt::Cycle(c)), Some(cycle)) = (stop, e.cycle)
                    && cycle > c
                {
                    break;
                }
                replay.exec(e.insn).map_err(failed)?;
                done[e.unit as usize] += 1;
                last = Some(*e);
                if stop == Some(StopAt::Insn(e.insn)) {
                    break;
                }
            }
            if let Some(StopAt::Insn(n)) = stop
                && last.is_none_or(|e| e.insn != n)
            {
                let (name, count) = (&launch.name, launch.insn_count);
                if n >= count {
                    let message = format_args!("launch {name} has no instruction {n}");
                    let last = count.saturating_sub(1);
                    let help = format!("it has {count}, the last is {last}");
                    return Err(CliError::new("usage", message).help(help));
                }
                let message = format_args!("launch {name}: instruction {n} never ends");
                return Err(
                    CliError::new("simulator", message).help("`vta run` says how the launch ends")
                );
            }
            if here {
                return self.show(&replay, last, done, finished);
            }
            dram = replay.into_dram();
        }
        Err(CliError::new("program", "the program has no launch"))
    }

    fn show(
        &self,
        replay: &Replay<'_>,
        last: Option<Ended>,
        done: [u64; 3],
        finished: bool,
    ) -> Result<Output, CliError> {
        let mut text = String::new();
        let mut json = json!({ "finished": finished && self.stop.is_none(), "ended": { "load": done[0], "compute": done[1], "store": done[2] } });
        if let Some(e) = last {
            let word = replay.word(e.insn).map(insn_text).unwrap_or_default();
            let cycle = e
                .cycle
                .map(|c| format!(" in cycle {c}"))
                .unwrap_or_default();
            text += &format!("after instruction {}{cycle}: {word}\n", e.insn);
            json["instruction"] = json!(e.insn);
            json["cycle"] = json!(e.cycle);
        }
        text += &format!(
            "ended: {} of load, {} of compute, {} of store\n",
            done[0], done[1], done[2]
        );
        let mut dumps = Vec::new();
        for r in self.dumps {
            let (rows, values) = dump(replay, *r)?;
            text += &format!("\n{rows}");
            dumps.push(json!({ "of": r.what, "from": r.from, "to": r.to, "values": values }));
        }
        json["dumps"] = json!(dumps);
        Ok(Output::ok(text, json))
    }
}

/// Elements of a range: as lines, and as JSON.
fn dump(replay: &Replay<'_>, r: Range) -> Result<(String, Vec<Value>), CliError> {
    let pads = replay.core().pads();
    let (from, to) = (r.from as usize, r.to as usize);
    let past = |depth: usize| {
        let message = format_args!("{}[{from}..{to}] goes past its {depth} elements", r.what);
        CliError::new("usage", message)
    };
    let block = |len: usize, depth: usize| (len / depth.max(1), depth);
    let bytes = |all: &[i8], size: usize| -> Result<Vec<Vec<i64>>, CliError> {
        let depth = all.len() / size;
        let inside = all
            .get(from * size..to * size)
            .filter(|_| to <= depth)
            .ok_or_else(|| past(depth))?;
        Ok(inside
            .chunks(size)
            .map(|c| c.iter().map(|b| i64::from(*b)).collect())
            .collect())
    };
    let inp_size = replay.block();
    let rows: Vec<Vec<i64>> = match r.what {
        "inp" => bytes(&pads.inp, inp_size)?,
        "out" => bytes(&pads.out, inp_size)?,
        "wgt" => bytes(&pads.wgt, inp_size * inp_size)?,
        "acc" => {
            let (size, depth) = (inp_size, block(pads.acc.len(), inp_size).0);
            let inside = pads
                .acc
                .get(from * size..to * size)
                .ok_or_else(|| past(depth))?;
            inside
                .chunks(size)
                .map(|c| c.iter().map(|a| i64::from(*a)).collect())
                .collect()
        }
        "uop" => {
            let inside = pads.uop.get(from..to).ok_or_else(|| past(pads.uop.len()))?;
            inside
                .iter()
                .map(|u| {
                    vec![
                        i64::from(u & 0x7ff),
                        i64::from(u >> 11 & 0x7ff),
                        i64::from(u >> 22),
                    ]
                })
                .collect()
        }
        _ => {
            let read = replay.dram().read(from as u64, (to - from) as u64);
            let read = read.map_err(|e| CliError::new("usage", e))?;
            read.chunks(16)
                .map(|c| c.iter().map(|b| i64::from(*b)).collect())
                .collect()
        }
    };
    let mut text = String::new();
    let mut values = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let words: Vec<String> = match r.what {
            "dram" => row.iter().map(|b| format!("{b:02x}")).collect(),
            "uop" => vec![format!("dst={} src={} wgt={}", row[0], row[1], row[2])],
            _ => row.iter().map(i64::to_string).collect(),
        };
        let head = match r.what {
            "dram" => format!("{:#x}", from + 16 * i),
            pad => format!("{pad}[{}]", from + i),
        };
        // Weights: a line for each output channel.
        if r.what == "wgt" {
            text += &format!("{head}\n");
            for line in words.chunks(inp_size) {
                text += &format!("  {}\n", line.join(" "));
            }
        } else {
            text += &format!("{head}  {}\n", words.join(" "));
        }
        values.push(json!(row));
    }
    Ok((text, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_stops() {
        let r = range("inp[0..16]").expect("a range");
        assert_eq!((r.what, r.from, r.to), ("inp", 0, 16));
        let r = range("dram[0x10]").expect("a byte");
        assert_eq!((r.from, r.to), (16, 17));
        for bad in [
            "inp",
            "inp[3..3]",
            "x[0..1]",
            "inp[a]",
            "inp[0..1",
            "acc[5..2]",
        ] {
            assert!(range(bad).is_err(), "{bad}");
        }
        assert_eq!(stop_at("12"), Ok(StopAt::Insn(12)));
        assert_eq!(stop_at("@0x10"), Ok(StopAt::Cycle(16)));
        assert!(stop_at("x").is_err());
    }
}
