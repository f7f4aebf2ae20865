//! `vta compare`: a network dense and sparse, or two programs.

use super::compare_programs::Two;
use super::model::{self, CalibArgs, MaskArgs, NetworkArgs};
use super::outputs::{Outputs, config_file, model_file};
use super::{CliError, Output, Paint, compare_network, number, shown};
use clap::Args;
use std::path::{Path, PathBuf};
use vta::config::HwConfig;
use vta::files::FolderLock;
use vta::samples::{self, InputShape, Samples};
use vta::{Comparison, Program};

/// Compile a network dense and sparse and put the two side by side, or compare two programs
#[derive(Debug, Args)]
#[command(override_usage = "vta compare <MODEL> [OPTIONS]\n       vta compare <A> <B> [OPTIONS]")]
pub struct Compare {
    /// The network: an ONNX file, or a name of the zoo (`vta zoo` lists it).
    /// With a second argument: the first program, a bundle or an assembly text
    #[arg(value_name = "MODEL|A")]
    a: String,
    /// The second program
    #[arg(conflicts_with_all = [
        "masks", "density", "seed", "zoo_seed", "calib", "calib_limit", "mean", "scale", "quantisation", "input", "verify",
    ])]
    b: Option<PathBuf>,
    #[command(flatten)]
    masks: MaskArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    calib: CalibArgs,
    /// The sample that both compute; the first one of a file [default: a random one]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    input: Vec<PathBuf>,
    /// Prove that both programs have no hazards, as `vta check` does
    #[arg(long)]
    verify: bool,
    /// Configuration of both: a built-in name or a vta_config.json file [default: de10 for a network, each program's]
    #[arg(long, value_name = "NAME|FILE")]
    config: Option<String>,
    /// Let transfers of two programs go past the end of a scratchpad, where indices wrap
    #[arg(long, requires = "b")]
    wrap: bool,
    /// Count cycles of two programs and move no data: the same cycles, sooner; outputs are not compared
    #[arg(long, requires = "b")]
    timing_only: bool,
    /// Cycles after which a launch counts as hanging
    #[arg(long, value_name = "N", value_parser = number::long_count, default_value = "1000000000")]
    max_cycles: u64,
    /// Also write a page to look at, `index.html` in this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

impl Compare {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        let page = self.report.as_ref().map(|dir| dir.join("index.html"));
        let read = self.masks.files().chain(self.calib.files());
        let read = read.chain(self.input.iter().map(PathBuf::as_path));
        let read = read.chain(self.b.as_deref()).chain(model_file(&self.a));
        let read = read.chain(config_file(self.config.as_deref()));
        let outputs = Outputs::new(&page, read)?;
        let _lock = self.report.as_deref().map(FolderLock::take).transpose()?;
        let config = self.config.as_deref().map(HwConfig::load).transpose()?;
        if let Some(b) = &self.b {
            let two = Two {
                a: Path::new(&self.a),
                b,
                config: config.as_ref(),
                wrap: self.wrap,
                timing_only: self.timing_only,
                max_cycles: self.max_cycles,
            };
            let mut output = two.run(paint)?;
            outputs.unread()?;
            if self.report.is_some() {
                let a = super::input::load(Path::new(&self.a), config.as_ref())?;
                let b = super::input::load(b, config.as_ref())?;
                self.write_report("two programs", ("A", &a), ("B", &b), &mut output)?;
            }
            return Ok(output);
        }
        if model::is_program(Path::new(&self.a)) {
            let message = format_args!("{}: one program has nothing to be compared with", self.a);
            return Err(CliError::new("usage", message)
                .help("give two programs, or one network: an ONNX file or a name of the zoo"));
        }
        self.calib.check(!self.input.is_empty())?;
        let config = config.unwrap_or_default();
        let network = self.masks.read(&self.a, &self.network)?;
        outputs.unread()?;
        let sample = self.sample(&network.model().inputs())?;
        let given = (!self.input.is_empty()).then_some(&sample);
        let net = self.calib.quantise(network, given)?;
        let (dense, sparse) = net.compile_both(&config)?;
        if self.verify {
            net.verify(&dense)?;
            net.verify(&sparse)?;
        }
        let compared = Comparison::new(&net, &dense, &sparse, &sample.values[0], self.max_cycles)?;
        let mut output = compare_network::output(&compared, paint);
        self.write_report(&self.a, ("dense", &dense), ("sparse", &sparse), &mut output)?;
        Ok(output)
    }

    /// Writes the page, if one is wanted.
    fn write_report(
        &self,
        title: &str,
        a: (&str, &Program),
        b: (&str, &Program),
        output: &mut Output,
    ) -> Result<(), CliError> {
        let Some(dir) = &self.report else {
            return Ok(());
        };
        let data = vta::report::data(title, &super::report::command(), &[a, b], self.max_cycles)?;
        let file = dir.join("index.html");
        super::report::write(&file, &data)?;
        output.text += &format!("\nreport: {}\n", shown(&file));
        output.json["report"] = serde_json::json!(file.display().to_string());
        Ok(())
    }

    /// The sample that both programs compute.
    fn sample(&self, inputs: &[InputShape]) -> Result<Samples, CliError> {
        if self.input.is_empty() {
            return Ok(samples::random(inputs, 1, 1));
        }
        let scaling = self.calib.scaling.scaling();
        Ok(samples::load(&self.input, inputs, 1, &scaling)?)
    }
}
