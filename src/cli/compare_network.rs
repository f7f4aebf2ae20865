//! A network compiled dense and sparse, side by side.

use super::model::network_json;
use super::{EXIT_DIFFERS, Output, Paint};
use serde_json::{Value, json};
use vta::layers::LayerUse;
use vta::printable::printable;
use vta::program::{Layer, On, Program};
use vta::report::{Cell, Table, thousands};
use vta::{ComparedLayer as Row, Comparison, Side};

/// What the command says; a difference of outputs is said, and is the exit code.
pub fn output(c: &Comparison<'_>, paint: Paint) -> Output {
    let (rows, equal) = (c.layers(), c.outputs_equal());
    Output {
        exit: if equal { 0 } else { EXIT_DIFFERS },
        ..Output::ok(text(c, &rows, equal, paint), json(c, &rows, equal))
    }
}

fn side_json(side: &Side<'_>) -> Value {
    let stats = side.run.stats();
    let host = &side.run.execution().host;
    let wall: f64 = host.iter().map(|h| h.time.as_secs_f64()).sum();
    json!({
        "cycles": side.run.cycles(),
        "compute_floor": side.floors().0,
        "memory_floor": side.floors().1,
        "gemm_steps": stats.gemm_steps,
        "alu_steps": stats.alu_steps,
        "insns": stats.insns,
        "bytes_read": stats.bytes_read,
        "bytes_written": stats.bytes_written,
        "dram_bytes": side.program.dram_bytes,
        "launches": side.run.execution().launches.len(),
        "host_wall_seconds": wall,
    })
}

/// The cycles that a layer cannot go below.
fn floor(layer: &Layer) -> u64 {
    layer.compute_floor.max(layer.memory_floor)
}

fn json(c: &Comparison<'_>, rows: &[Row<'_>], equal: bool) -> Value {
    let side = |(layer, used): &(&Layer, LayerUse)| {
        let mut json = json!(used);
        json["compute_floor"] = json!(layer.compute_floor);
        json["memory_floor"] = json!(layer.memory_floor);
        json
    };
    let layers = rows.iter().map(|r| {
        json!({
            "name": r.sparse.0.name, "op": r.sparse.0.op, "on": r.sparse.0.on, "why": r.sparse.0.why,
            "blocks": r.sparse.0.blocks, "kept": r.sparse.0.kept,
            "macs": r.sparse.0.macs, "kept_macs": r.kept_macs,
            "dense": side(&r.dense), "sparse": side(&r.sparse),
        })
    });
    let host = c.sparse().run.execution().host.iter();
    let mut json = network_json(c.net());
    json["config"] = json!(c.sparse().program.config.name);
    json["dense"] = side_json(c.dense());
    json["sparse"] = side_json(c.sparse());
    json["speedup"] = json!(c.speedup());
    json["outputs_equal"] = json!(equal);
    json["layers"] = layers.collect();
    json["host"] = host
        .map(|h| json!({ "name": h.name, "op": h.op, "wall_seconds": h.time.as_secs_f64() }))
        .collect();
    json
}

fn text(c: &Comparison<'_>, rows: &[Row<'_>], equal: bool, paint: Paint) -> String {
    let mut text = format!("{}\n\n", printable(&c.net().describe()));
    text += &format!("{}\n{}", speed_table(c, rows), floor_table(c, rows));
    let host = &c.sparse().run.execution().host;
    if !host.is_empty() {
        // Behind the tables, which are the same on every machine.
        let wall: f64 = host.iter().map(|h| h.time.as_secs_f64()).sum();
        text += &format!(
            "\ndevice  {} cycles sparse\nhost    {} steps, {:.2} ms of this machine, beside them\n",
            thousands(c.sparse().run.cycles()),
            host.len(),
            1000.0 * wall
        );
    }
    if let Some(speedup) = c.speedup() {
        text += &format!("\nspeed-up of sparse over dense: {speedup:.2}\n");
    }
    text += &match equal {
        true => format!("outputs: {}\n", paint.good("equal")),
        false => format!("outputs: {}\n", paint.bad("differ")),
    };
    if rows.iter().all(|r| r.sparse.0.kept == r.sparse.0.blocks) {
        text += "no weight block is left out: the weights have no 32x32 block of zeros; try --density 0.25, or --masks FILE\n";
    }
    text
}

fn ratio(a: u64, b: u64) -> Option<f64> {
    (b > 0).then(|| a as f64 / b as f64)
}

fn times(a: u64, b: u64) -> Cell {
    Cell::Number(ratio(a, b).map_or("-".into(), |r| format!("{r:.2}")))
}

fn percent(a: u64, b: u64) -> Cell {
    Cell::Number(ratio(100 * a, b).map_or("-".into(), |r| format!("{r:.0} %")))
}

/// What is left of each layer, and how much faster that is.
fn speed_table(c: &Comparison<'_>, rows: &[Row<'_>]) -> Table {
    let mut t = Table::new(&[
        "layer",
        "operators",
        "kept",
        "blocks",
        "MACs kept",
        "MACs",
        "dense",
        "sparse",
        "speed-up",
        "ideal",
    ]);
    let sum = |f: &dyn Fn(&Row<'_>) -> u64| rows.iter().map(f).sum::<u64>();
    for r in rows.iter().filter(|r| r.sparse.0.on == On::Device) {
        let weights = r.sparse.0.blocks > 0;
        let count = |n| Cell::from(weights.then_some(n));
        let (dense, sparse) = (r.dense.1.cycles, r.sparse.1.cycles);
        t.row([
            r.sparse.0.name.clone().into(),
            r.sparse.0.op.clone().into(),
            count(r.sparse.0.kept),
            count(r.sparse.0.blocks),
            count(r.kept_macs),
            count(r.sparse.0.macs),
            dense.into(),
            sparse.into(),
            times(dense, sparse),
            times(r.sparse.0.macs, r.kept_macs),
        ]);
    }
    let (macs, kept) = (sum(&|r| r.sparse.0.macs), sum(&|r| r.kept_macs));
    t.row([
        "all".into(),
        "".into(),
        sum(&|r| r.sparse.0.kept).into(),
        sum(&|r| r.sparse.0.blocks).into(),
        kept.into(),
        macs.into(),
        c.dense().run.cycles().into(),
        c.sparse().run.cycles().into(),
        times(c.dense().run.cycles(), c.sparse().run.cycles()),
        times(macs, kept),
    ]);
    t
}

/// How near each layer is to what the hardware allows, and its traffic.
fn floor_table(c: &Comparison<'_>, rows: &[Row<'_>]) -> Table {
    let mut t = Table::new(&[
        "layer",
        "compute floor",
        "memory floor",
        "dense/floor",
        "sparse/floor",
        "dense DRAM",
        "sparse DRAM",
        "dense GEMM",
        "sparse GEMM",
    ]);
    let bytes = |u: &LayerUse| u.bytes_read + u.bytes_written;
    for r in rows.iter().filter(|r| r.sparse.0.on == On::Device) {
        let (dense, sparse) = (&r.dense.1, &r.sparse.1);
        t.row([
            r.sparse.0.name.clone().into(),
            r.sparse.0.compute_floor.into(),
            r.sparse.0.memory_floor.into(),
            times(dense.cycles, floor(r.dense.0)),
            times(sparse.cycles, floor(r.sparse.0)),
            bytes(dense).into(),
            bytes(sparse).into(),
            percent(dense.gemm_steps, dense.cycles),
            percent(sparse.gemm_steps, sparse.cycles),
        ]);
    }
    let floors = |program: &Program| program.layers.iter().map(floor).sum();
    let (dense, sparse) = (c.dense().run.stats(), c.sparse().run.stats());
    let (compute, memory) = c.sparse().floors();
    t.row([
        "all".into(),
        compute.into(),
        memory.into(),
        times(c.dense().run.cycles(), floors(c.dense().program)),
        times(c.sparse().run.cycles(), floors(c.sparse().program)),
        (dense.bytes_read + dense.bytes_written).into(),
        (sparse.bytes_read + sparse.bytes_written).into(),
        percent(dense.gemm_steps, c.dense().run.cycles()),
        percent(sparse.gemm_steps, c.sparse().run.cycles()),
    ]);
    t
}
