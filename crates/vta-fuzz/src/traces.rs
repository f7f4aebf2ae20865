//! Traces: rows of CSV and timelines of any program, and comparing them.

use crate::programs::{Program, tame, wild};
use arbitrary::{Result, Unstructured};
use prost::Message;
use std::collections::BTreeSet;
use vta_program::isa::Insn;
use vta_sim::trace::perfetto::proto::Trace;
use vta_sim::trace::{Csv, Timeline};
use vta_sim::tsim::Options;

pub(crate) fn run(data: &[u8]) {
    let _ = traces(&mut Unstructured::new(data));
}

fn traces(u: &mut Unstructured<'_>) -> Result<()> {
    let max_cycles = u.int_in_range(1..=2000)?;
    let program = if u.ratio(1, 2)? { wild(u)? } else { tame(u)? };
    let symbols = [
        (u.arbitrary::<&str>()?, u.arbitrary()?, u.arbitrary()?),
        ("layer", 0, 3),
    ];
    let options = Options {
        max_cycles,
        ..Options::default()
    };
    let rows = rows(&program, options);
    let ticks = Options {
        jump: false,
        ..options
    };
    assert!(
        rows == self::rows(&program, ticks),
        "other rows: {program:?}"
    );
    readable(&rows);
    timeline(&program, options, &symbols);
    Ok(())
}

fn rows(p: &Program, options: Options) -> String {
    let mut csv = Csv::new(Vec::new());
    let _ = p.run(&p.image(), options, &mut csv);
    let bytes = csv.into_inner().expect("memory can be written");
    String::from_utf8(bytes).expect("rows are text")
}

/// Seven fields in each row, in the order of cycles.
fn readable(rows: &str) {
    let mut lines = rows.lines();
    assert_eq!(lines.next(), Some("event,module,index,start,end,a,b"));
    let mut last = 0;
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, _, _, start, end, _, _] = fields[..] else {
            panic!("{line}: not seven fields");
        };
        let at = if end.is_empty() { start } else { end };
        let at: u64 = at.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        assert!(at >= last, "{line} is before cycle {last}");
        last = at;
    }
}

/// A timeline that its reader reads: slices end where they began, after it.
fn timeline(p: &Program, options: Options, symbols: &[(&str, u32, u32)]) {
    let mut line = Timeline::new(Vec::new(), "fuzz");
    let insns: Vec<Option<Insn>> = p.words.iter().map(|w| Insn::decode(*w).ok()).collect();
    line.launch(&insns, symbols.iter().copied());
    let cycles = match p.run(&p.image(), options, &mut line).0 {
        Ok(outcome) => outcome.cycles,
        Err(_) => return,
    };
    line.launch_end(cycles);
    let said = line.bytes();
    let bytes = line.finish().expect("memory can be written");
    assert!(said <= bytes.len() as u64);
    let trace = Trace::decode(&bytes[..]).expect("it can be read");
    let described = trace
        .packet
        .iter()
        .filter_map(|p| p.track_descriptor.as_ref());
    let tracks: BTreeSet<u64> = described.filter_map(|d| d.uuid).collect();
    let mut open = std::collections::BTreeMap::new();
    for packet in &trace.packet {
        let Some(event) = &packet.track_event else {
            continue;
        };
        let track = event.track_uuid.expect("an event has a track");
        assert!(tracks.contains(&track), "track {track} is not described");
        let at = packet.timestamp.expect("an event has a time");
        let depth: &mut Vec<u64> = open.entry(track).or_default();
        match event.r#type {
            Some(1) => depth.push(at),
            Some(2) => {
                let from = depth.pop().expect("a slice that ends has begun");
                assert!(from <= at, "a slice ends at {at}, before {from}");
            }
            _ => {}
        }
    }
    assert!(
        open.values().all(Vec::is_empty),
        "a slice does not end: {p:?}"
    );
}
