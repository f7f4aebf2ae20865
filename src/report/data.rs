//! All that a report page shows, as one JSON object.

use super::numbers::view_json;
use super::status::add_status;
use crate::simulate::SimError;
use crate::{Error, Profile, Program};
use serde_json::{Map, Value, json};
use std::ops::ControlFlow::{Break, Continue};
use vta_program::program::{self as raw, On};
use vta_sim::profiling::{View, advise, split, symbols};
use vta_sim::steps::each_launch;
use vta_sim::trace::{TRACKS, Tiles, Window};
use vta_sim::tsim::{self, Options, RunError};

/// Version of the shape of the object.
const SCHEMA_VERSION: u32 = 1;

/// Most slices of the timeline in a page.
const SLICES: usize = 4000;
/// Most cycles of the timeline in a page.
const CYCLES: u64 = 60_000;

/// One tile of the part that takes longest: what happens from one hand-over to
/// store to the next, with what comes just before.
///
/// # Errors
/// The launch cannot be run.
fn tile(view: &View<'_>, max_cycles: u64) -> Result<Value, RunError> {
    let program: &raw::Program = view.program;
    let Some(longest) = view.rows.iter().max_by_key(|r| r.part.cycles()) else {
        return Ok(Value::Null);
    };
    let name = longest.part.name.as_str();
    let options = Options {
        max_cycles,
        data: false,
        ..Options::default()
    };
    let mut tile = Value::Null;
    let _broken_off = each_launch(program, |launch, dram| {
        let all = symbols(launch);
        let mine = |insn: u32| {
            let holds = |s: &&(&str, u32, u32)| s.1 <= insn && insn - s.1 < s.2;
            all.iter().rev().find(holds).is_some_and(|s| s.0 == name)
        };
        if !all.iter().any(|s| s.0 == name) && all.len() > 1 && name != vta_sim::trace::OTHER {
            return Ok(Continue(()));
        }
        let insns: Vec<_> = launch.insns(dram.bytes()).map(Result::ok).collect();
        let mut tiles = Tiles::new(&insns);
        let done = tsim::run_launch(&program.config, dram, launch, options, &mut tiles)?;
        let ends: Vec<u64> = tiles
            .ends
            .iter()
            .filter(|e| mine(e.1))
            .map(|e| e.0)
            .collect();
        // The one in the middle: neither the first loads nor the last stores.
        let (from, to) = match ends.as_slice() {
            [] => (0, done.cycles),
            [only] => (0, *only + 1),
            many => {
                let i = many.len() / 2;
                (many[i - 1], many[i] + 1)
            }
        };
        let margin = (to - from) / 10;
        let from = from.saturating_sub(margin);
        let to = (to + 2 * margin).min(done.cycles).min(from + CYCLES);
        let mut window = Window::new((from, to), &insns, SLICES);
        tsim::run_launch(&program.config, dram, launch, options, &mut window)?;
        tile = json!({
            "layer": name, "launch": launch.name, "from": from, "to": to,
            "tracks": TRACKS, "slices": window.finish(),
        });
        Ok::<_, RunError>(Break(()))
    })?;
    Ok(tile)
}

/// One program's part of a page: [`view_json`], advice, masks and a tile.
fn program_json(name: &str, view: &View<'_>, tile: Value) -> Value {
    let mut json = view_json(view);
    json["name"] = json!(name);
    let config = &view.program.config;
    if let Some(layers) = json["layers"].as_array_mut() {
        for (json, row) in layers.iter_mut().zip(&view.rows) {
            let (what, cycles, advice) = advise(row, &view.total, config);
            let name = |b| json!(b).as_str().unwrap_or_default().to_owned();
            let all = split(&row.part)
                .into_iter()
                .map(|(b, n)| (name(b), json!(n)));
            json["bottleneck"] = json!(what);
            json["bottleneck_words"] = json!(what.words());
            json["bottleneck_cycles"] = json!(cycles);
            json["split"] = json!(all.collect::<Map<_, _>>());
            json["advice"] = json!(advice);
        }
    }
    let masks = view
        .program
        .layers
        .iter()
        .filter(|l| l.on == On::Device && l.blocks > 0);
    let masks = masks.map(|l| {
        let map = l.weights.as_ref().filter(|w| !w.mask.is_empty());
        json!({
            "layer": l.name, "blocks": l.blocks, "kept": l.kept,
            "dims": map.map(|w| &w.mask_dims), "mask": map.map(|w| &w.mask),
        })
    });
    json["masks"] = masks.collect();
    json["tile"] = tile;
    json
}

/// What a page about programs shows; with two, the second is put beside the
/// first. `command` is what made it.
///
/// # Errors
/// A launch that cannot start. One that hangs or asserts is shown.
pub fn data(
    title: &str,
    command: &str,
    programs: &[(&str, &Program)],
    max_cycles: u64,
) -> Result<Value, Error> {
    let mut all = Vec::new();
    for (name, program) in programs {
        let profile = Profile::new(program, max_cycles)?;
        let tile = tile(profile.view(), max_cycles).map_err(SimError::Tsim)?;
        let mut json = program_json(name, profile.view(), tile);
        add_status(&mut json, profile.failure().as_ref());
        all.push(json);
    }
    let cycles = |p: &Value| p["cycles"].as_u64().unwrap_or(0);
    let speedup = match all.as_slice() {
        [a, b] if cycles(b) > 0 => Some(cycles(a) as f64 / cycles(b) as f64),
        _ => None,
    };
    let lead = match all.len() {
        1 => "Where the cycles of the program went, layer by layer.",
        _ => {
            "The programs side by side, layer by layer: cycles, what they went to, and what would help."
        }
    };
    Ok(json!({
        "schema_version": SCHEMA_VERSION,
        "title": title, "lead": lead, "command": command,
        "speedup": speedup, "programs": all,
    }))
}
