//! `vta report`: one HTML page about programs, to be looked at.

use super::input;
use super::outputs::{Outputs, config_file};
use super::{CliError, Output, number, shown};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vta::Program;
use vta::config::HwConfig;
use vta::program::atomic::write_file;
use vta::report::{data, page, thousands};

/// Write an HTML page about programs: layers, causes, roofline, timeline, masks and all numbers in one file
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Programs: bundles or assembly texts; with two, the second is put beside the first
    #[arg(required = true, value_name = "PROGRAM")]
    programs: Vec<PathBuf>,
    /// The file to write
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// What the page is called [default: the programs' names]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Configuration of all: a built-in name or a vta_config.json file [default: each program's]
    #[arg(long, value_name = "NAME|FILE")]
    config: Option<String>,
    /// Let transfers go past the end of a scratchpad, where indices wrap
    #[arg(long)]
    wrap: bool,
    /// Cycles after which a launch counts as hanging
    #[arg(long, value_name = "N", value_parser = number::long_count, default_value = "1000000000")]
    max_cycles: u64,
}

impl ReportArgs {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let read = self.programs.iter().map(PathBuf::as_path);
        let read = read.chain(config_file(self.config.as_deref()));
        let outputs = Outputs::new([&self.out], read)?;
        let config = self.config.as_deref().map(HwConfig::load).transpose()?;
        let mut programs = Vec::new();
        for path in &self.programs {
            let program = input::load(path, config.as_ref())?;
            if !self.wrap {
                input::check_fit(&program).map_err(|e| e.of(path))?;
            }
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            programs.push((name, program));
        }
        outputs.unread()?;
        distinct(&mut programs);
        let named: Vec<(&str, &Program)> = programs.iter().map(|(n, p)| (n.as_str(), p)).collect();
        let names: Vec<&str> = named.iter().map(|n| n.0).collect();
        let title = self.title.clone().unwrap_or_else(|| names.join(" and "));
        let mut json = data(&title, &command(), &named, self.max_cycles)?;
        let bytes = write(&self.out, &json)?;
        json["file"] = json!(self.out.display().to_string());
        let text = format!("{}: {} bytes\n", shown(&self.out), thousands(bytes));
        let ok = |p: &Value| p["status"] == "ok";
        let all_ok = json["programs"]
            .as_array()
            .is_some_and(|all| all.iter().all(ok));
        Ok(Output {
            exit: if all_ok { 0 } else { super::EXIT_NOT_OK },
            ..Output::ok(text, json)
        })
    }
}

/// Programs of one name get their number.
fn distinct(programs: &mut [(String, Program)]) {
    for i in 0..programs.len() {
        if programs[..i].iter().any(|p| p.0 == programs[i].0) {
            programs[i].0 += &format!(" ({})", i + 1);
        }
    }
}

/// The command line that made a page.
pub(super) fn command() -> String {
    let quoted = |a: std::ffi::OsString| {
        let a = a.to_string_lossy().into_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+".contains(c);
        match !a.is_empty() && a.chars().all(plain) {
            true => a,
            false => format!("'{}'", a.replace('\'', "'\\''")),
        }
    };
    let args: Vec<String> = std::env::args_os().skip(1).map(quoted).collect();
    format!("vta {}", args.join(" "))
}

/// Writes a page; its length in bytes.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(path: &Path, data: &Value) -> Result<u64, CliError> {
    let title = data["title"].as_str().unwrap_or("vta report");
    let html = page(title, data);
    write_file(path, html.as_bytes()).map_err(|e| CliError::file(path, e))?;
    Ok(html.len() as u64)
}
