//! `vta info`: what a program is made of.

use super::input::ProgramArgs;
use super::{CliError, Output};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vta::isa::{Insn, Unit};
use vta::printable::printable;
use vta::program::{Launch, Program};
use vta::report::{Table, thousands};

/// Say what a program is made of
#[derive(Debug, Args)]
pub struct Info {
    #[command(flatten)]
    program: ProgramArgs,
}

/// What a range of instructions is made of.
#[derive(Default)]
struct Mix {
    /// Instructions by what they are, such as `load inp`.
    insns: BTreeMap<String, u64>,
    gemm_steps: u64,
    alu_steps: u64,
}

impl Mix {
    fn of(launch: &Launch, image: &[u8], first: u32, count: u32) -> Self {
        let mut mix = Self::default();
        // A launch of its own, so that nothing before it is decoded.
        let range = Launch {
            insn_addr: launch.insn_addr + 16 * first,
            insn_count: count,
            symbols: Vec::new(),
            outputs: Vec::new(),
            name: String::new(),
        };
        for insn in range.insns(image) {
            let key = match &insn {
                Ok(i) if i.is_sync() => format!("{} (sync)", i.name()),
                Ok(Insn::Load(l)) => format!("load {}", l.memory_type.name()),
                Ok(Insn::Alu(a)) => format!("alu {}", a.alu_opcode.name()),
                Ok(i) => i.name().into(),
                Err(_) => "(illegal)".into(),
            };
            *mix.insns.entry(key).or_default() += 1;
            match insn {
                Ok(Insn::Gemm(g)) => mix.gemm_steps += g.steps(),
                Ok(Insn::Alu(a)) => mix.alu_steps += a.steps(),
                _ => {}
            }
        }
        mix
    }
}

impl Info {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let program = self.program.load()?;
        let image = program.dram_image();
        let mut text = head(&program);
        let launches: Vec<Value> = program
            .launches()
            .map(|l| launch(l, &image, &mut text))
            .collect();
        let segments: Vec<Value> = program
            .segments
            .iter()
            .map(|s| json!({ "name": s.name, "kind": s.kind, "addr": s.addr, "bytes": s.bytes, "data_bytes": s.data.len() }))
            .collect();
        let mut json = json!({
            "config": { "name": program.config.name, "keys": program.config.to_keys() },
            "dram_bytes": program.dram_bytes,
            "segments": segments,
            "launches": launches,
        });
        if program.is_network() {
            text += &super::info_network::text(&program);
            super::info_network::add_json(&program, &mut json);
        }
        Ok(Output::ok(text, json))
    }
}

fn head(program: &Program) -> String {
    let c = &program.config;
    let mut segments = Table::new(&["segment", "kind", "address", "bytes", "data"]);
    for s in &program.segments {
        let kind = json!(s.kind);
        segments.row([
            s.name.clone().into(),
            kind.as_str().unwrap_or_default().into(),
            s.addr.into(),
            s.bytes.into(),
            (s.data.len() as u64).into(),
        ]);
    }
    format!(
        "config {} (block {}, {}-bit bus), {} bytes of DRAM\n\n{segments}",
        printable(&c.name),
        c.block,
        c.mem_data_bits,
        thousands(program.dram_bytes.into())
    )
}

/// Adds a launch to the text, and gives it as JSON.
fn launch(l: &Launch, image: &[u8], text: &mut String) -> Value {
    let mix = Mix::of(l, image, 0, l.insn_count);
    *text += &format!(
        "\nlaunch {}: {} instructions at {}, {} GEMM steps, {} ALU steps\n",
        l.name,
        thousands(l.insn_count.into()),
        l.insn_addr,
        thousands(mix.gemm_steps),
        thousands(mix.alu_steps),
    );
    for (addr, bytes) in &l.outputs {
        *text += &format!("output: {bytes} bytes at {addr}\n");
    }
    let mut table = Table::new(&["instruction", "count"]);
    for (name, count) in &mix.insns {
        table.row([name.as_str().into(), (*count).into()]);
    }
    *text += &format!("\n{table}");
    let mut symbols = Vec::new();
    let mut table = Table::new(&["symbol", "first", "count", "GEMM steps", "ALU steps"]);
    for s in &l.symbols {
        let m = Mix::of(l, image, s.first, s.count);
        table.row([
            s.name.clone().into(),
            s.first.into(),
            s.count.into(),
            m.gemm_steps.into(),
            m.alu_steps.into(),
        ]);
        symbols.push(json!({
            "name": s.name, "first": s.first, "count": s.count,
            "gemm_steps": m.gemm_steps, "alu_steps": m.alu_steps,
        }));
    }
    if !table.is_empty() {
        *text += &format!("\n{table}");
    }
    let of_unit = |unit: Unit| {
        let insns = l.insns(image).flatten();
        insns.filter(|i| i.unit() == unit).count()
    };
    let units: BTreeMap<&str, usize> = Unit::ALL.map(|u| (u.name(), of_unit(u))).into();
    json!({
        "name": l.name, "insn_addr": l.insn_addr, "insn_count": l.insn_count, "outputs": l.outputs,
        "insns": mix.insns, "units": units, "gemm_steps": mix.gemm_steps, "alu_steps": mix.alu_steps,
        "symbols": symbols,
    })
}
