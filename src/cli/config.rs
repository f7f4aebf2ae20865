//! `vta config`: prints and checks a configuration.

use super::outputs::{Outputs, config_file};
use super::{CliError, Output};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use vta::config::HwConfig;
use vta::program::atomic::write_file;
use vta::report::Table;

/// Print and check a configuration, or list the built-in ones
#[derive(Debug, Args)]
pub struct Config {
    /// A built-in name or a vta_config.json file
    #[arg(value_name = "NAME|FILE")]
    config: Option<String>,
    /// Write a complete vta_config.json file
    #[arg(long, short, value_name = "FILE", requires = "config")]
    out: Option<PathBuf>,
}

impl Config {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let Some(name) = &self.config else {
            let all = HwConfig::BUILT_IN
                .into_iter()
                .filter_map(HwConfig::built_in);
            let all: Vec<HwConfig> = all.collect();
            let json: Vec<Value> = all.iter().map(describe).collect();
            return Ok(Output::ok(table(&all), json!({ "configs": json })));
        };
        Outputs::new(&self.out, config_file(Some(name)))?;
        let config = HwConfig::load(name)?;
        let json = json!({ "config": describe(&config) });
        if let Some(out) = &self.out {
            write_file(out, config.to_json().as_bytes()).map_err(|e| CliError::file(out, e))?;
        }
        Ok(Output::ok(table(&[config]), json))
    }
}

fn describe(config: &HwConfig) -> Value {
    json!({ "name": config.name, "keys": config.to_keys() })
}

/// One configuration in each row.
fn table(configs: &[HwConfig]) -> String {
    let mut t = Table::new(&[
        "name", "block", "uop", "inp", "wgt", "acc", "out", "bus", "burst", "delay", "queue",
    ]);
    for c in configs {
        let mut row = vec![c.name.clone().into(), c.block.into()];
        row.extend(c.depths().map(Into::into));
        row.extend([
            c.mem_data_bits.into(),
            (1u32 << c.mem_len_bits).into(),
            c.mem_delay.into(),
            c.insn_queue_entries.into(),
        ]);
        t.row(row);
    }
    t.to_string()
}
