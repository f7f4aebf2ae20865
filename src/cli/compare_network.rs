//! A network compiled dense and sparse, side by side.

use super::layers::LayerUse;
use super::network::{NetRun, Runner};
use super::progress::Progress;
use super::road::Prepared;
use super::sim::Which;
use super::{CliError, EXIT_DIFFERS, Output, Paint};
use serde_json::{Value, json};
use vta::host::Tensor;
use vta::program::{Layer, On, Program};
use vta::report::{Cell, Table};
use vta::sparse::BLOCK;

/// One of the two programs, and its run.
struct Side<'a> {
    program: &'a Program,
    run: NetRun,
    layers: Vec<LayerUse>,
    cycles: u64,
}

/// Both programs after they were run on the same sample.
pub struct Comparison<'a> {
    prepared: &'a Prepared,
    dense: Side<'a>,
    sparse: Side<'a>,
}

/// One layer of both.
struct Row<'a> {
    layer: &'a Layer,
    dense: (&'a Layer, LayerUse),
    sparse: (&'a Layer, LayerUse),
    /// Multiply-accumulates that the sparse program keeps.
    kept_macs: u64,
}

impl<'a> Side<'a> {
    fn new(program: &'a Program, sample: &[Tensor], max_cycles: u64) -> Result<Self, CliError> {
        let runner = Runner::new(program, Which::Tsim, max_cycles)?;
        let run = runner.run(sample, false)?;
        Ok(Self {
            layers: runner.layers(&run),
            cycles: run.execution.cycles().unwrap_or(0),
            program,
            run,
        })
    }

    fn json(&self) -> Value {
        let stats = self.run.execution.stats();
        let host = &self.run.execution.host;
        let wall: f64 = host.iter().map(|h| h.time.as_secs_f64()).sum();
        json!({
            "cycles": self.cycles,
            "compute_floor": self.floors().0,
            "memory_floor": self.floors().1,
            "gemm_steps": stats.gemm_steps,
            "alu_steps": stats.alu_steps,
            "insns": stats.insns,
            "bytes_read": stats.bytes_read,
            "bytes_written": stats.bytes_written,
            "dram_bytes": self.program.dram_bytes,
            "launches": self.run.execution.launches.len(),
            "host_wall_seconds": wall,
        })
    }

    /// Sums of the layers' floors.
    fn floors(&self) -> (u64, u64) {
        let layers = self.program.layers.iter();
        layers.fold((0, 0), |(c, m), l| {
            (c + l.compute_floor, m + l.memory_floor)
        })
    }
}

/// The cycles that a layer cannot go below.
fn floor(layer: &Layer) -> u64 {
    layer.compute_floor.max(layer.memory_floor)
}

impl<'a> Comparison<'a> {
    /// Runs both programs on a sample.
    ///
    /// # Errors
    /// A program that cannot be run, hangs or asserts.
    pub fn new(
        prepared: &'a Prepared,
        dense: &'a Program,
        sparse: &'a Program,
        sample: &[Tensor],
        max_cycles: u64,
    ) -> Result<Self, CliError> {
        let _progress = Progress::spinner("simulate");
        let side = |program| Side::new(program, sample, max_cycles);
        let (dense, sparse) = rayon::join(|| side(dense), || side(sparse));
        Ok(Self {
            prepared,
            dense: dense?,
            sparse: sparse?,
        })
    }

    fn outputs_equal(&self) -> bool {
        self.dense.run.outputs == self.sparse.run.outputs
    }

    /// The layers of both, in the order of the sparse program.
    fn rows(&self) -> Vec<Row<'_>> {
        let sparse = self.sparse.program.layers.iter().zip(&self.sparse.layers);
        let row = |(layer, used): (&'a Layer, &LayerUse)| {
            let mut dense = self.dense.program.layers.iter().zip(&self.dense.layers);
            let (dense, dense_use) = dense.find(|(l, _)| l.name == layer.name)?;
            Some(Row {
                layer,
                dense: (dense, *dense_use),
                sparse: (layer, *used),
                kept_macs: kept_macs(self.prepared, layer),
            })
        };
        sparse.filter_map(row).collect()
    }

    /// What the command says.
    ///
    /// # Errors
    /// None; a difference of outputs is said, and is the exit code.
    pub fn output(&self, paint: Paint) -> Result<Output, CliError> {
        let rows = self.rows();
        let equal = self.outputs_equal();
        Ok(Output {
            exit: if equal { 0 } else { EXIT_DIFFERS },
            ..Output::ok(self.text(&rows, equal, paint), self.json(&rows, equal))
        })
    }

    fn json(&self, rows: &[Row<'_>], equal: bool) -> Value {
        let side = |(layer, used): &(&Layer, LayerUse)| {
            let mut json = json!(used);
            json["compute_floor"] = json!(layer.compute_floor);
            json["memory_floor"] = json!(layer.memory_floor);
            json
        };
        let layers = rows.iter().map(|r| {
            json!({
                "name": r.layer.name, "op": r.layer.op, "on": r.layer.on, "why": r.layer.why,
                "blocks": r.layer.blocks, "kept": r.layer.kept,
                "macs": r.layer.macs, "kept_macs": r.kept_macs,
                "dense": side(&r.dense), "sparse": side(&r.sparse),
            })
        });
        let host = self.sparse.run.execution.host.iter();
        let mut json = self.prepared.json();
        json["config"] = json!(self.sparse.program.config.name);
        json["dense"] = self.dense.json();
        json["sparse"] = self.sparse.json();
        json["speedup"] = json!(ratio(self.dense.cycles, self.sparse.cycles));
        json["outputs_equal"] = json!(equal);
        json["layers"] = layers.collect();
        json["host"] = host
            .map(|h| json!({ "name": h.name, "op": h.op, "wall_seconds": h.time.as_secs_f64() }))
            .collect();
        json
    }

    fn text(&self, rows: &[Row<'_>], equal: bool, paint: Paint) -> String {
        let mut text = format!("{}\n\n", self.prepared.describe());
        text += &format!("{}\n{}", speed_table(self, rows), floor_table(self, rows));
        // Their wall time is in the JSON object only: this text is the same on every machine.
        let host = self.sparse.run.execution.host.len();
        if host > 0 {
            text += &format!("\n{host} steps of the host, not in the cycles\n");
        }
        if let Some(speedup) = ratio(self.dense.cycles, self.sparse.cycles) {
            text += &format!("\nspeed-up of sparse over dense: {speedup:.2}\n");
        }
        text += &match equal {
            true => format!("outputs: {}\n", paint.good("equal")),
            false => format!("outputs: {}\n", paint.bad("differ")),
        };
        if rows.iter().all(|r| r.layer.kept == r.layer.blocks) {
            text += "no weight block is left out: the weights have no 32x32 block of zeros; try --density 0.25, or --masks FILE\n";
        }
        text
    }
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
    for r in rows.iter().filter(|r| r.layer.on == On::Device) {
        let weights = r.layer.blocks > 0;
        let count = |n| Cell::from(weights.then_some(n));
        let (dense, sparse) = (r.dense.1.cycles, r.sparse.1.cycles);
        t.row([
            r.layer.name.clone().into(),
            r.layer.op.clone().into(),
            count(r.layer.kept),
            count(r.layer.blocks),
            count(r.kept_macs),
            count(r.layer.macs),
            dense.into(),
            sparse.into(),
            times(dense, sparse),
            times(r.layer.macs, r.kept_macs),
        ]);
    }
    let (macs, kept) = (sum(&|r| r.layer.macs), sum(&|r| r.kept_macs));
    t.row([
        "all".into(),
        "".into(),
        sum(&|r| r.layer.kept).into(),
        sum(&|r| r.layer.blocks).into(),
        kept.into(),
        macs.into(),
        c.dense.cycles.into(),
        c.sparse.cycles.into(),
        times(c.dense.cycles, c.sparse.cycles),
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
    for r in rows.iter().filter(|r| r.layer.on == On::Device) {
        let (dense, sparse) = (&r.dense.1, &r.sparse.1);
        t.row([
            r.layer.name.clone().into(),
            r.layer.compute_floor.into(),
            r.layer.memory_floor.into(),
            times(dense.cycles, floor(r.dense.0)),
            times(sparse.cycles, floor(r.sparse.0)),
            bytes(dense).into(),
            bytes(sparse).into(),
            percent(dense.gemm_steps, dense.cycles),
            percent(sparse.gemm_steps, sparse.cycles),
        ]);
    }
    let floors = |program: &Program| program.layers.iter().map(floor).sum();
    let (dense, sparse) = (
        c.dense.run.execution.stats(),
        c.sparse.run.execution.stats(),
    );
    let (compute, memory) = c.sparse.floors();
    t.row([
        "all".into(),
        compute.into(),
        memory.into(),
        times(c.dense.cycles, floors(c.dense.program)),
        times(c.sparse.cycles, floors(c.sparse.program)),
        (dense.bytes_read + dense.bytes_written).into(),
        (sparse.bytes_read + sparse.bytes_written).into(),
        percent(dense.gemm_steps, c.dense.cycles),
        percent(sparse.gemm_steps, c.sparse.cycles),
    ]);
    t
}

/// Multiply-accumulates of a layer without its zero blocks; blocks at the edge
/// count what they hold.
fn kept_macs(prepared: &Prepared, layer: &Layer) -> u64 {
    let Some(weight) = prepared.weight(&layer.name) else {
        return layer.macs;
    };
    if layer.kept == layer.blocks || weight.is_empty() {
        return layer.macs;
    }
    let mask = vta::sparse::nonzero_blocks(weight.view());
    let (co, ci, ..) = weight.dim();
    let [n_co, n_ci, kh, kw] = mask.dims;
    let side = |block: usize, of: usize| BLOCK.min(of - block * BLOCK);
    let mut elements = 0;
    for (o, i) in (0..n_co).flat_map(|o| (0..n_ci).map(move |i| (o, i))) {
        let kept = (0..kh).flat_map(|y| (0..kw).map(move |x| [o, i, y, x]));
        let kept = kept.filter(|b| mask.get(*b)).count();
        elements += kept * side(o, co) * side(i, ci);
    }
    layer.macs / weight.len() as u64 * elements as u64
}
