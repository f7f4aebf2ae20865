//! `vta sweep`: cycles of networks over configurations.

use super::model::{self, CalibArgs, NetworkArgs};
use super::outputs::{Outputs, model_file};
use super::{CliError, Output, number, progress, rows};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use vta::Model;
use vta::report::{Cell, Table, thousands};
use vta::rows::{Key, Row, RowStore};
use vta::sweep::{Blocks, Shard, Sweep};

/// Exact cycles of networks over configurations: a row for each point
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// The networks: ONNX files, or names of the zoo (`vta zoo` lists it)
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<String>,
    /// Configurations: a folder of vta_config.json files, one such file, a built-in name, or a grid such as INP_DEPTH=256..2048,MEM_DATA_BITS=64|128,base=de10; may be repeated
    #[arg(long, value_name = "DIR|GRID", required = true)]
    configs: Vec<String>,
    /// Keep these fractions of each layer's blocks, chosen at random: a point each
    #[arg(long, value_name = "D", value_delimiter = ',', value_parser = number::fraction)]
    densities: Vec<f64>,
    /// Seed of the choice
    #[arg(long, value_name = "SEED", value_parser = number::long, requires = "densities", default_value = "1")]
    seed: u64,
    /// Masks of weight blocks: safetensors files, a point each
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "densities")]
    masks: Vec<PathBuf>,
    /// Also the cycles of each layer
    #[arg(long)]
    layers: bool,
    /// Only part I of N of the points: all parts together are the whole
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Where rows go, as JSON lines; what is in the file is not computed again
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Rows of each network and choice of blocks that are shown
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "5")]
    top: u32,
    #[command(flatten)]
    calib: CalibArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

impl SweepArgs {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        self.calib.check(false)?;
        let read = self.models.iter().filter_map(|m| model_file(m));
        let read = read.chain(self.masks.iter().map(PathBuf::as_path));
        let folders = self.configs.iter().map(Path::new).filter(|p| p.exists());
        let outputs = Outputs::new(&self.out, read.chain(self.calib.files()).chain(folders))?;
        let out = self.out.as_deref();
        let mut store = rows::store(out)?;
        let sweep = self.sweep()?;
        outputs.unread()?;
        let plan = sweep.plan();
        let keys: Vec<Key> = plan.keys().cloned().collect();
        let before = rows::of(&store, &keys).len();
        rows::complete(&mut store, &keys, out, |store| {
            let known: std::collections::HashSet<Key> =
                keys.iter().filter(|k| store.has(k)).cloned().collect();
            plan.run(|k| known.contains(k), |row| store.append(row).map(drop))
        })?;
        Ok(self.output(&store, &keys, before))
    }

    /// What is to be computed.
    fn sweep(&self) -> Result<Sweep, CliError> {
        let monitor = progress::stoppable();
        let configs = rows::configs(&self.configs)?;
        let density = |&density: &f64| Blocks::Density {
            density,
            seed: self.seed,
        };
        let mut blocks: Vec<Blocks> = self.densities.iter().map(density).collect();
        for path in &self.masks {
            blocks.push(Blocks::read(path)?);
        }
        let mut models = Vec::new();
        for name in &self.models {
            models.push(model::load(name, &self.network)?.monitored(monitor.clone()));
        }
        self.masks_fit(&models)?;
        let mut sweep = Sweep::new(configs)
            .blocks(blocks)
            .by_layer(self.layers)
            .shard(self.shard.unwrap_or(Shard::ALL))
            .monitored(monitor);
        for model in models {
            let calibration = self.calib.calibration(&model.inputs(), None)?;
            sweep = sweep.network(model, calibration);
        }
        Ok(sweep)
    }

    /// Refuses masks that fit none of the networks: a mistake, not a point without a result.
    fn masks_fit(&self, models: &[Model]) -> Result<(), CliError> {
        for path in &self.masks {
            let mut wrong = Ok(());
            for model in models {
                wrong = model.read_masks(path).map(drop);
                if wrong.is_ok() {
                    break;
                }
            }
            wrong?;
        }
        Ok(())
    }

    fn output(&self, store: &RowStore, keys: &[Key], before: usize) -> Output {
        let out = self.out.as_deref();
        let all = rows::of(store, keys);
        let failed = rows::failed(&all);
        let text = format!(
            "{} points: {} with cycles, {} without; {} were there before\n\n{}{}{}",
            thousands(all.len() as u64),
            thousands((all.len() - failed) as u64),
            thousands(failed as u64),
            thousands(before as u64),
            self.best(&all),
            rows::reasons(&all),
            rows::file_line(out, store),
        );
        let json = json!({
            "points": all.len(), "failed": failed, "before": before,
            "file": out, "rows": rows::json(&all),
        });
        Output::ok(text, json)
    }

    /// The configurations with the fewest cycles, for each network and choice of blocks.
    fn best(&self, rows: &[&Row]) -> Table {
        let mut table = Table::new(&["model", "blocks", "config", "cycles", "DRAM bytes"]);
        let mut groups = Vec::<((&str, String), Vec<(u64, &Row)>)>::new();
        for row in rows {
            let Some(cycles) = row.value("cycles").and_then(|v| v.as_u64()) else {
                continue;
            };
            let of = (row.name("model"), blocks(row));
            match groups.iter_mut().find(|g| g.0 == of) {
                Some((_, group)) => group.push((cycles, row)),
                None => groups.push((of, vec![(cycles, row)])),
            }
        }
        for ((model, blocks), mut group) in groups {
            // Of equals the first.
            group.sort_by_key(|(cycles, _)| *cycles);
            for (cycles, row) in group.into_iter().take(self.top as usize) {
                let bytes = ["bytes_read", "bytes_written"];
                let bytes = bytes.iter().filter_map(|n| row.value(n)?.as_u64());
                table.row([
                    model.into(),
                    blocks.as_str().into(),
                    row.name("config").into(),
                    cycles.into(),
                    Cell::Count(bytes.sum()),
                ]);
            }
        }
        table
    }
}

/// Which blocks a row's network lost, in words.
fn blocks(row: &Row) -> String {
    match row.point().get("density").and_then(|d| d.as_f64()) {
        Some(density) => format!("density {density}"),
        None => match row.name("masks") {
            "" => "as it is".into(),
            masks => masks.into(),
        },
    }
}
