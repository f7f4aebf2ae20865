//! A view as JSON: the numbers that tables and pages show.

use serde_json::{Map, Value, json};
use vta_sim::profiling::{Row, View};
use vta_sim::trace::{Cause, Kind, MODULES, Part};
use vta_sim::tsim::Client;

/// Causes of each unit, kinds of instructions, traffic and steps of a part.
pub fn part_json(part: &Part) -> Value {
    let units = MODULES.iter().zip(&part.causes).map(|(unit, causes)| {
        let all = Cause::ALL.iter().zip(causes).filter(|(_, n)| **n > 0);
        let all: Map<String, Value> = all.map(|(c, n)| (c.name().into(), json!(n))).collect();
        ((*unit).to_owned(), Value::Object(all))
    });
    let kinds = Kind::ALL
        .iter()
        .zip(&part.kinds)
        .filter(|(_, k)| k.insns > 0);
    let kinds = kinds.map(|(kind, k)| {
        let value = json!({ "insns": k.insns, "cycles": k.cycles });
        (kind.name().to_owned(), value)
    });
    let clients = Client::ALL.iter().map(|c| c.name());
    let mut traffic: Map<String, Value> = clients
        .zip(&part.reads)
        .map(|(name, t)| {
            (
                name.to_owned(),
                json!({ "bursts": t.bursts, "bytes": t.bytes }),
            )
        })
        .collect();
    let w = &part.writes;
    traffic.insert(
        "out".into(),
        json!({ "bursts": w.bursts, "bytes": w.bytes }),
    );
    json!({
        "name": part.name,
        "cycles": part.cycles(),
        "units": units.collect::<Map<_, _>>(),
        "kinds": kinds.collect::<Map<_, _>>(),
        "traffic": traffic,
        "bytes_read": part.bytes_read(),
        "bytes_written": part.writes.bytes,
        "gemm_steps": part.gemm_steps,
        "reset_steps": part.reset_steps,
        "alu_steps": part.alu_steps,
    })
}

fn row_json(row: &Row<'_>) -> Value {
    let mut json = part_json(&row.part);
    json["roofline"] = json!(row.roof);
    // In the order of memory types: uop, wgt, inp, acc.
    let needs =
        |all: [u64; 4]| json!({ "uop": all[0], "wgt": all[1], "inp": all[2], "acc": all[3] });
    json["loaded_bytes"] = needs(row.needs.loaded);
    json["distinct_bytes"] = needs(row.needs.once);
    if let Some(l) = row.layer {
        json["op"] = json!(l.op);
        json["compute_floor"] = json!(l.compute_floor);
        json["memory_floor"] = json!(l.memory_floor);
        json["blocks"] = json!(l.blocks);
        json["kept"] = json!(l.kept);
        json["macs"] = json!(l.macs);
    }
    json
}

/// All of a view. Cycles of the parts sum to those of the run.
pub fn view_json(view: &View<'_>) -> Value {
    let config = &view.program.config;
    json!({
        "config": config.name,
        "cycles": view.profile.cycles,
        "peak": {
            "steps_per_cycle": 1,
            "macs_per_step": u64::from(config.block) * u64::from(config.block),
            "bus_bytes_per_cycle": config.beat_bytes(),
        },
        "layers": view.rows.iter().map(row_json).collect::<Vec<_>>(),
        "total": row_json(&view.total),
    })
}
