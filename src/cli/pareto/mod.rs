//! `vta pareto`: accuracy against cycles.

#[cfg(feature = "train")]
mod train;

use super::model::{self, CALIB_LIMIT, CalibArgs, NetworkArgs};
use super::outputs::{Outputs, model_file};
use super::{CliError, Output, number, progress, rows};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
#[cfg(not(feature = "train"))]
use vta::data::Boxes;
use vta::data::{Data, Dataset, Label};
use vta::evaluate::calibration;
#[cfg(not(feature = "train"))]
use vta::evaluate::some;
#[cfg(not(feature = "train"))]
use vta::metric::Accuracy;
use vta::pareto::{
    BUDGETS, Measurement, Method, Pareto, cycles_and_score, front, method_of, unit_of,
};
use vta::printable::printable;
use vta::program::atomic::write_file;
use vta::report::{Table, front_data, front_page, front_picture, thousands};
use vta::rows::{Key, Row, RowStore};
use vta::{Calibration, Model};

/// Accuracy against cycles: a network pruned by several methods to several budgets
///
/// With --data points are measured on its test images; without, by how far outputs are from those of the dense network.
#[derive(Debug, Args)]
pub struct ParetoArgs {
    /// The dense network: an ONNX file, or a name of the zoo (`vta zoo` lists it)
    model: String,
    /// The data: a set that is built in, or a folder (`vta data` says what is in it)
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Methods: magnitude and uniform drop blocks at once; one-shot, two-stage and one-stage train with --data
    #[arg(
        long,
        value_name = "METHOD",
        value_delimiter = ',',
        default_value = "magnitude,uniform"
    )]
    methods: Vec<Method>,
    /// Parts of the dense network's cycles that are left at most [default: 0.8,0.65,0.5,0.4,0.3]
    #[arg(long, value_name = "F", value_delimiter = ',', value_parser = number::fraction)]
    budgets: Vec<f64>,
    /// Configurations, as for `vta sweep`: a folder, a file, a built-in name, or a grid; may be repeated
    #[arg(long, value_name = "DIR|GRID", default_value = "de10")]
    configs: Vec<String>,
    #[command(flatten)]
    training: TrainingArgs,
    /// Measure with at most so many of the test images, by chance but always the same
    #[arg(long, value_name = "N", value_parser = number::count, requires = "data")]
    test_limit: Option<u32>,
    /// Where rows go, as JSON lines; what is in the file is not computed again
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write an HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    #[command(flatten)]
    calib: CalibArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

/// How methods that train do it.
#[derive(Debug, Clone, Args)]
struct TrainingArgs {
    /// How often each image is seen
    #[arg(long, value_name = "N", value_parser = number::positive, default_value = "3", requires = "data")]
    epochs: f64,
    /// Images of a step
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "64", requires = "data")]
    batch: u32,
    /// The highest learning rate [default: 0.02; 0.001 for boxes]
    #[arg(long, value_name = "RATE", value_parser = number::positive, requires = "data")]
    lr: Option<f64>,
    /// Seed of the order and of the changes of images
    #[arg(long, value_name = "SEED", value_parser = number::long, default_value = "1", requires = "data")]
    seed: u64,
    /// Train with so many images only, chosen by the seed
    #[arg(long, value_name = "N", value_parser = number::count, requires = "data")]
    limit: Option<u32>,
}

impl ParetoArgs {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        self.check()?;
        let folders = self.configs.iter().map(Path::new).filter(|p| p.exists());
        let read = model_file(&self.model).into_iter().chain(folders);
        let read = read.chain(self.calib.files());
        let read = read.chain(self.data.iter().map(Path::new));
        let written = [&self.out, &self.svg, &self.page].into_iter().flatten();
        let outputs = Outputs::new(written, read)?;
        let mut store = rows::store(self.out.as_deref())?;
        let monitor = progress::stoppable();
        let model = model::load(&self.model, &self.network)?.monitored(monitor);
        outputs.unread()?;
        let Some(data) = &self.data else {
            let calibration = self.calib.calibration(&model.inputs(), None)?;
            let by = Measurement::signal_to_noise(&model, calibration)?;
            return self.complete(Pareto::new(model, by)?, &mut store);
        };
        if model.zoo_seed().is_some() {
            let what = format_args!("{}: a network of the zoo is not trained", self.model);
            return Err(CliError::new("prune", what)
                .help("`vta train` trains it first; without --data any network can be asked"));
        }
        match super::data::open_sized(data, model.image_size())? {
            Data::Classes(set) => self.classes(model, &set, &mut store),
            Data::Boxes(set) => self.boxes(model, &set, &mut store),
        }
    }

    /// Refuses what cannot work, before anything is read.
    fn check(&self) -> Result<(), CliError> {
        self.calib.check(false)?;
        let trained = self.methods.iter().find(|m| m.training().is_some());
        if let Some(method) = trained {
            let what = |why: &str| CliError::new("usage", format_args!("--methods {method} {why}"));
            if cfg!(not(feature = "train")) {
                return Err(what("was not built in").help(
                    "build with training: cargo build --release --features train (some minutes)",
                ));
            }
            if self.data.is_none() {
                return Err(what("trains, and there are no data").help("add --data DATA"));
            }
            if self.out.is_none() {
                let help = "add -o FILE: runs of training have their checkpoints beside it until their rows are there";
                return Err(what("trains for minutes, and nothing would be kept").help(help));
            }
        }
        Ok(())
    }

    #[cfg(not(feature = "train"))]
    fn classes(
        &self,
        model: Model,
        set: &Dataset<u16>,
        store: &mut RowStore,
    ) -> Result<Output, CliError> {
        let metric = Accuracy::new(model.graph(), set.classes.len())?;
        let test = some(&set.test, self.most());
        let by = Measurement::images(&test, &metric, self.scales(&model, set)?, "");
        self.complete(Pareto::new(model, by)?, store)
    }

    #[cfg(not(feature = "train"))]
    fn boxes(&self, _: Model, set: &Dataset<Boxes>, _: &mut RowStore) -> Result<Output, CliError> {
        let what = format_args!("{}: its images have boxes, not classes", set.name);
        Err(CliError::new("data", what).help("detectors need a build with the feature `train`"))
    }

    /// Test images at most.
    fn most(&self) -> usize {
        self.test_limit.map_or(usize::MAX, |n| n as usize)
    }

    /// What scales of networks are chosen by that were not trained with some.
    fn scales<L: Label>(&self, model: &Model, set: &Dataset<L>) -> Result<Calibration, CliError> {
        if self.calib.files().next().is_some() {
            return self.calib.calibration(&model.inputs(), None);
        }
        let whose = format!("{}, train", set.name);
        Ok(calibration(
            model.graph(),
            &set.train,
            CALIB_LIMIT as usize,
            &whose,
        )?)
    }

    /// Computes what is not there, and says all of it.
    fn complete(&self, job: Pareto<'_>, store: &mut RowStore) -> Result<Output, CliError> {
        let measure = job.measure();
        let configs = rows::configs(&self.configs)?;
        let budgets = match self.budgets.as_slice() {
            [] => BUDGETS,
            given => given,
        };
        let job = job.configs(configs).budgets(budgets.to_vec());
        let job = job
            .methods(self.methods.clone())
            .monitored(progress::stoppable());
        let plan = job.plan()?;
        let keys: Vec<Key> = plan.keys().cloned().collect();
        let before = rows::of(store, &keys).len();
        let out = self.out.as_deref();
        rows::complete(store, &keys, out, |store| plan.run(store))?;
        let all = rows::of(store, &keys);
        if let Some(path) = &self.svg {
            let picture = front_picture(measure, &all);
            write_file(path, picture.as_bytes()).map_err(|e| CliError::file(path, e))?;
        }
        if let Some(path) = &self.page {
            let title = format!("{}: {measure} against cycles", self.model);
            let data = front_data(&title, &super::report::command(), measure, &all);
            let page = front_page(&title, &data);
            write_file(path, page.as_bytes()).map_err(|e| CliError::file(path, e))?;
        }
        Ok(self.output(store, &all, before, measure))
    }

    fn output(&self, store: &RowStore, all: &[&Row], before: usize, measure: &str) -> Output {
        let failed = rows::failed(all);
        let best = front(all);
        let mut text = format!(
            "{}: {measure} against cycles\n{} points, {} on the front (*); {} were there before\n\n{}{}{}",
            printable(&self.model),
            thousands(all.len() as u64),
            best.len(),
            thousands(before as u64),
            table(all, &best, measure),
            rows::reasons(all),
            rows::file_line(self.out.as_deref(), store),
        );
        for path in [&self.svg, &self.page].into_iter().flatten() {
            text += &format!("{}\n", super::shown(path));
        }
        let keys: Vec<&str> = best.iter().map(|r| r.key().as_str()).collect();
        let json = json!({
            "model": self.model, "measure": measure, "points": all.len(), "failed": failed,
            "before": before, "file": self.out, "front": keys, "rows": rows::json(all),
        });
        Output::ok(text, json)
    }
}

/// All points with a result, in order; those of the front have a mark.
fn table(rows: &[&Row], best: &[&Row], measure: &str) -> Table {
    let (unit, factor) = unit_of(measure);
    let several = rows
        .windows(2)
        .any(|w| w[0].name("config") != w[1].name("config"));
    let mut columns = vec![
        "",
        "method",
        "budget",
        "cycles",
        "times fewer",
        measure,
        "blocks kept",
    ];
    if several {
        columns.push("config");
    }
    let mut table = Table::new(&columns);
    for row in rows {
        let Some((cycles, score)) = cycles_and_score(row) else {
            continue;
        };
        let dense = rows.iter().find(|r| {
            method_of(r) == "dense" && r.point().get("config") == row.point().get("config")
        });
        let dense = dense
            .and_then(|r| cycles_and_score(r))
            .map(|(cycles, _)| cycles);
        let times = dense.map(|d| format!("{:.2}", d as f64 / cycles.max(1) as f64));
        let budget = row.point().get("budget").and_then(|b| b.as_f64());
        let count = |name: &str| row.value(name).and_then(|v| v.as_u64());
        let mut cells = vec![
            if best.contains(row) { "*" } else { "" }.into(),
            method_of(row).into(),
            number_cell(budget.map(|b| b.to_string())),
            cycles.into(),
            number_cell(times),
            number_cell(Some(format!("{:.2} {unit}", factor * score))),
            count("kept").into(),
        ];
        if several {
            cells.push(row.name("config").into());
        }
        table.row(cells);
    }
    table
}

fn number_cell(text: Option<String>) -> vta::report::Cell {
    vta::report::Cell::Number(text.unwrap_or_else(|| "-".into()))
}
