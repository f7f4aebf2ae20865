//! The `vta` command: one file for each subcommand.
//!
//! A subcommand returns what it has to say as text and as JSON; only this
//! module prints. Exit codes: 0 ok, 1 a difference in `golden` or a broken
//! simulator, 2 bad input, 3 a program that hangs or asserts, or of which `check`
//! finds something, 130 stopped from outside.

mod asm;
mod check;
mod compare;
mod compare_network;
mod compare_programs;
mod compile;
mod config;
mod cost;
mod cycles;
mod data;
#[cfg(feature = "train")]
mod demo;
mod diff;
mod diff_trace;
mod disasm;
mod error;
mod eval;
mod execution;
mod expectation;
mod explain;
mod export_image;
mod golden;
mod infer;
mod infer_report;
mod info;
mod info_network;
mod input;
mod inspect;
mod model;
mod number;
mod outputs;
mod pareto;
mod profile;
mod profiled;
mod progress;
mod prune;
mod report;
#[cfg(feature = "train")]
mod resume;
mod rows;
mod run;
mod samples;
mod stop;
mod sweep;
mod timeline;
#[cfg(feature = "train")]
mod train;
mod zoo;

pub use error::{CliError, shown};

use clap::error::ContextValue;
use clap::{Parser, Subcommand};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use vta::golden::Status;
use vta::printable::{printable, printable_json, printable_lines};

/// What the help says of commands that were not built in.
#[cfg(not(feature = "train"))]
macro_rules! untrained {
    () => {
        "\ntrain, demo and prune --data were not built in: cargo build --release --features train."
    };
}
#[cfg(feature = "train")]
macro_rules! untrained {
    () => {
        ""
    };
}

/// Version of the shape of every `--json` object.
pub const SCHEMA_VERSION: u32 = 1;

/// Exit code where the simulator is wrong: a golden case differs.
pub const EXIT_DIFFERS: u8 = 1;
/// Exit code where what was given cannot be used.
pub const EXIT_BAD_INPUT: u8 = 2;
/// Exit code where a program hangs or asserts, or `check` finds something.
pub const EXIT_NOT_OK: u8 = 3;
/// Exit code of long work that was stopped from outside and can go on later.
pub const EXIT_STOPPED: u8 = 130;

/// Simulates, assembles and inspects programs for the Versatile Tensor Accelerator.
#[derive(Debug, Parser)]
#[command(name = "vta", version, arg_required_else_help = true)]
#[command(
    after_help = concat!(
        "Exit codes: 0 ok, 1 golden cases differ, 2 bad input, 3 hang, assertion or findings, 130 stopped by Ctrl-C.\n",
        "VTA_LOG=error|warn|info|debug|trace logs phases to stderr.",
        untrained!(),
    )
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON object, errors included
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compile(compile::Compile),
    Compare(compare::Compare),
    Check(check::Check),
    Infer(infer::Infer),
    Eval(eval::Eval),
    Prune(prune::Prune),
    Zoo(zoo::Zoo),
    Data(data::DataArgs),
    #[cfg(feature = "train")]
    Train(train::Train),
    #[cfg(not(feature = "train"))]
    #[command(hide = true, disable_help_flag = true)]
    Train(Untrained),
    #[cfg(feature = "train")]
    Demo(demo::Demo),
    #[cfg(not(feature = "train"))]
    #[command(hide = true, disable_help_flag = true)]
    Demo(Untrained),
    Run(run::Run),
    Profile(profile::ProfileArgs),
    Explain(explain::Explain),
    Trace(timeline::Trace),
    Report(report::ReportArgs),
    Diff(diff::Diff),
    Info(info::Info),
    Asm(asm::Asm),
    Disasm(disasm::Disasm),
    ExportImage(export_image::ExportImage),
    Golden(golden::Golden),
    Cost(cost::Cost),
    Cycles(cycles::Cycles),
    Sweep(sweep::SweepArgs),
    Pareto(pareto::ParetoArgs),
    Config(config::Config),
}

/// Arguments of a command that was not built in.
#[cfg(not(feature = "train"))]
#[derive(Debug, clap::Args)]
struct Untrained {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _any: Vec<String>,
}

/// A command that was not built in, and how to get it.
#[cfg(not(feature = "train"))]
fn without_training(command: &str) -> CliError {
    let message = format_args!("`vta {command}` was not built in");
    CliError::new("usage", message)
        .help("build with training: cargo build --release --features train (some minutes)")
}

/// What a subcommand has to say.
#[derive(Debug)]
struct Output {
    text: String,
    json: Value,
    exit: u8,
}

impl Output {
    fn ok(text: impl Into<String>, mut json: Value) -> Self {
        json["schema_version"] = SCHEMA_VERSION.into();
        Self {
            text: text.into(),
            json,
            exit: 0,
        }
    }
}

/// What [`Paint`] makes.
const COLOURS: [&str; 4] = ["\x1b[1;31m", "\x1b[1;32m", "\x1b[1;36m", "\x1b[0m"];

/// Colour, on a terminal only.
#[derive(Debug, Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn new(terminal: bool) -> Self {
        Self(terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()))
    }

    fn with(self, code: u8, text: &str) -> String {
        if self.0 {
            format!("\x1b[1;{code}m{text}\x1b[0m")
        } else {
            text.into()
        }
    }

    /// Text as it goes out: with these colours, if with any, and nothing else
    /// that a terminal obeys. Names are spelled out before, where they are put
    /// into the text; here it is made sure of.
    fn shown(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\x1b').filter(|_| self.0) {
            out += &printable_lines(&rest[..at]);
            let own = COLOURS.iter().find(|c| rest[at..].starts_with(**c));
            let escape = own.map_or("\x1b", |c| c);
            out += &match own {
                Some(c) => Cow::Borrowed(*c),
                None => printable_lines("\x1b"),
            };
            rest = &rest[at + escape.len()..];
        }
        out + &printable_lines(rest)
    }

    fn good(self, text: &str) -> String {
        self.with(32, text)
    }

    fn bad(self, text: &str) -> String {
        self.with(31, text)
    }

    fn note(self, text: &str) -> String {
        self.with(36, text)
    }

    fn status(self, status: Status) -> String {
        match status {
            Status::Ok => self.good("ok"),
            other => self.bad(&other.to_string()),
        }
    }
}

/// Runs the command with the process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(e),
    };
    vta::files::note();
    let result = log()
        .and_then(|()| stop::listen())
        .and_then(|()| run(&cli.command))
        .and_then(|output| {
            match cli.json {
                true => print_json(&output.json)?,
                false => print(&output.text)?,
            }
            Ok(output.exit)
        });
    match result {
        Ok(exit) => exit.into(),
        Err(e) => {
            if cli.json {
                // The exit code says it already.
                let _ = print_json(&e.json());
            }
            let paint = Paint::new(std::io::stderr().is_terminal());
            let mut text = format!("{} {}\n", paint.bad("error:"), e.message);
            if let Some(help) = &e.help {
                text += &format!("{} {help}\n", paint.note("help:"));
            }
            eprint_all(&text);
            e.exit.into()
        }
    }
}

fn run(command: &Command) -> Result<Output, CliError> {
    let paint = Paint::new(std::io::stdout().is_terminal());
    match command {
        Command::Compile(c) => c.run(paint),
        Command::Compare(c) => c.run(paint),
        Command::Check(c) => c.run(paint),
        Command::Infer(c) => c.run(paint),
        Command::Eval(c) => c.run(),
        Command::Prune(c) => c.run(),
        Command::Zoo(c) => c.run(),
        Command::Data(c) => c.run(),
        #[cfg(feature = "train")]
        Command::Train(c) => c.run(),
        #[cfg(feature = "train")]
        Command::Demo(c) => c.run(),
        #[cfg(not(feature = "train"))]
        Command::Train(_) => Err(without_training("train")),
        #[cfg(not(feature = "train"))]
        Command::Demo(_) => Err(without_training("demo")),
        Command::Run(c) => c.run(paint),
        Command::Profile(c) => c.run(paint),
        Command::Explain(c) => c.run(paint),
        Command::Trace(c) => c.run(paint),
        Command::Report(c) => c.run(),
        Command::Diff(c) => c.run(paint),
        Command::Info(c) => c.run(),
        Command::Asm(c) => c.run(),
        Command::Disasm(c) => c.run(),
        Command::ExportImage(c) => c.run(),
        Command::Golden(c) => c.run(paint),
        Command::Cost(c) => c.run(),
        Command::Cycles(c) => c.run(),
        Command::Sweep(c) => c.run(),
        Command::Pareto(c) => c.run(),
        Command::Config(c) => c.run(),
    }
}

/// Sets the number of threads of all that follows; none is one for each core.
fn threads(n: Option<u32>) -> Result<(), CliError> {
    let Some(n) = n else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n.min(1024) as usize);
    pool.build_global().map_err(|e| CliError::new("usage", e))
}

/// Arguments that do not parse, or a request for help.
fn usage(mut e: clap::Error) -> ExitCode {
    if !e.use_stderr() {
        return match print(&e.render().to_string()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprint_all(&format!("error: {e}\n"));
                e.exit.into()
            }
        };
    }
    // Its message has several lines, what the user gave has one.
    let given: Vec<_> = e
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, printable(text).into_owned())),
            _ => None,
        })
        .collect();
    for (kind, text) in given {
        e.insert(kind, ContextValue::String(text));
    }
    let text = e.render().to_string();
    if std::env::args_os().any(|a| a == "--json") {
        let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        let error = CliError::lines("usage", message).help("vta --help");
        let _ = print_json(&error.json());
    }
    eprint_all(&text);
    EXIT_BAD_INPUT.into()
}

/// Logs phases to stderr if `VTA_LOG` names a level.
fn log() -> Result<(), CliError> {
    use tracing_subscriber::fmt::format::FmtSpan;
    let Some(level) = std::env::var_os("VTA_LOG").filter(|v| !v.is_empty()) else {
        return Ok(());
    };
    let level = level.to_string_lossy();
    let level: tracing::level_filters::LevelFilter = level.parse().map_err(|_| {
        CliError::new("usage", format_args!("VTA_LOG is {level:?}, not a level"))
            .help("VTA_LOG is one of off, error, warn, info, debug, trace")
    })?;
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(|| Unheard(std::io::stderr()))
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

/// Standard error for logs: who does not listen is not told, and nothing breaks.
struct Unheard(std::io::Stderr);

impl Write for Unheard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Prints text to standard output; a reader that has gone away is no error.
///
/// # Errors
/// The text cannot be written: a full disk, for example.
fn print(text: &str) -> Result<(), CliError> {
    put(Paint::new(std::io::stdout().is_terminal())
        .shown(text)
        .as_bytes())
}

/// Prints an object to standard output; as [`print`].
fn print_json(json: &Value) -> Result<(), CliError> {
    let text = format!("{json:#}\n");
    put(printable_json(&text).as_bytes())
}

fn put(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|e| CliError::file(Path::new("standard output"), e)),
    }
}

/// Prints text to standard error; who does not listen is not told.
fn eprint_all(text: &str) {
    let text = Paint::new(std::io::stderr().is_terminal()).shown(text);
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_its_own_colours_reaches_a_terminal() {
        let text = format!("{} a\x1b[2J\u{202e}\n", Paint(true).good("ok"));
        let shown = Paint(true).shown(&text);
        assert_eq!(shown, "\x1b[1;32mok\x1b[0m a\\u{1b}[2J\\u{202e}\n");
        let shown = Paint(false).shown(&text);
        assert_eq!(shown, "\\u{1b}[1;32mok\\u{1b}[0m a\\u{1b}[2J\\u{202e}\n");
        assert_eq!(Paint(true).shown("\x1b"), "\\u{1b}");
    }
}
