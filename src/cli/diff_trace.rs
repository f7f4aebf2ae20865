//! `vta diff --trace`: a program against a recorded trace.

use super::CliError;
use super::diff::Difference;
use serde_json::json;
use std::io;
use std::path::Path;
use vta::asm::insn_text;
use vta::isa::Unit;
use vta::mem::Dram;
use vta::printable::printable;
use vta::program::{Launch, Program};
use vta::trace::Csv;
use vta::tsim::{self, Event, Options, Sink, Stop};

/// How every trace begins.
const HEAD: &str = "event,module,index,start,end,a,b";
/// Most bytes of a trace.
const MOST: u64 = 1 << 32;

/// A trace, and the instruction of each row.
struct Rows {
    csv: Csv<Vec<u8>>,
    insn_addr: u32,
    /// Of each row below the head.
    insns: Vec<Option<u32>>,
    /// Where the units are.
    at: [Option<u32>; 3],
    /// Whose a read is, by its number on the bus.
    reads: Vec<Option<u32>>,
}

impl Rows {
    fn insn(&mut self, event: &Event) -> Option<Option<u32>> {
        match *event {
            Event::InsnStart { unit, insn } => {
                self.at[unit as usize] = Some(insn);
                None
            }
            Event::InsnEnd { insn, .. } | Event::Dispatch { insn, .. } => Some(Some(insn)),
            Event::ReadCmd { client, cmd } => {
                let insn = match client.unit() {
                    Some(unit) => self.at[unit as usize],
                    None => Some(cmd.addr.saturating_sub(self.insn_addr) / 16),
                };
                let id = usize::from(cmd.id);
                self.reads.resize(self.reads.len().max(id + 1), None);
                self.reads[id] = insn;
                Some(insn)
            }
            Event::ReadBeat(beat) => Some(self.reads.get(usize::from(beat.id)).copied().flatten()),
            Event::WriteCmd(_) | Event::WriteBeat | Event::WriteResp => {
                Some(self.at[Unit::Store as usize])
            }
            Event::ReadEnd { .. }
            | Event::WriteEnd { .. }
            | Event::Post { .. }
            | Event::Wait { .. }
            | Event::State { .. } => None,
        }
    }
}

impl Sink for Rows {
    type Error = io::Error;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<io::Error>> {
        let of = self.insn(&event);
        self.insns.extend(of);
        self.csv.event(cycle, event)
    }
}

/// The first row in which a program's trace is not the recorded one.
///
/// # Errors
/// No such launch, no trace, or a program that cannot run.
pub(super) fn against(
    program: &Program,
    path: &Path,
    launch: Option<&str>,
    max_cycles: u64,
) -> Result<Option<Difference>, CliError> {
    let recorded = vta::files::read(path, MOST)?;
    let recorded = String::from_utf8_lossy(&recorded);
    if recorded.lines().next() != Some(HEAD) {
        let message = format_args!(
            "{}: no trace: it does not begin with {HEAD}",
            path.display()
        );
        return Err(CliError::new("file", message).help("`vta run --trace-csv FILE` writes one"));
    }
    let mut launches = program.launches();
    let found = match launch {
        Some(name) => launches.find(|l| l.name == name),
        None => launches.next(),
    };
    let Some(launch) = found else {
        let names: Vec<&str> = program.launches().map(|l| l.name.as_str()).collect();
        let message = format_args!("the program has no launch {}", launch.unwrap_or_default());
        let help = format!("its launches are {}", names.join(", "));
        return Err(CliError::new("usage", message).help(help));
    };
    let mut dram = Dram::new(program.dram_image());
    let mut rows = Rows {
        csv: Csv::new(Vec::new()),
        insn_addr: launch.insn_addr,
        insns: Vec::new(),
        at: [None; 3],
        reads: Vec::new(),
    };
    let options = Options {
        max_cycles,
        data: false,
        ..Options::default()
    };
    let (addr, count) = (launch.insn_addr, launch.insn_count);
    tsim::run(&program.config, &mut dram, addr, count, options, &mut rows)
        .map_err(|e| CliError::new("simulator", e))?;
    let text = rows.csv.into_inner().map_err(|e| CliError::file(path, e))?;
    let found = String::from_utf8_lossy(&text);
    Ok(first(&recorded, &found, &rows.insns, launch, &dram))
}

fn first(
    recorded: &str,
    found: &str,
    insns: &[Option<u32>],
    launch: &Launch,
    dram: &Dram,
) -> Option<Difference> {
    let (mut x, mut y) = (recorded.lines(), found.lines());
    for row in 1.. {
        let (p, q) = (x.next(), y.next());
        if p == q {
            p?;
            continue;
        }
        let (p, q) = (p.unwrap_or("no row"), q.unwrap_or("no row"));
        let mut text = format!("row {row}: recorded {}, found {q}\n", printable(p));
        let mut json = json!({ "launch": launch.name, "row": row, "recorded": p, "found": q });
        // Row 1 is the head. Past the end it is the last row's instruction.
        let of = insns.get(row - 2).or(insns.last()).copied().flatten();
        if let Some(insn) = of {
            let word = launch.words(dram.bytes()).nth(insn as usize);
            let words = insn_text(word.unwrap_or_default());
            text += &format!("launch {}, instruction {insn}\n  {words}\n", launch.name);
            json["instruction"] = json!(insn);
        }
        return Some(Difference { text, json });
    }
    None
}
