//! `vta diff`: the first instruction, then the first byte, that differs.

use super::{CliError, EXIT_DIFFERS, Output, Paint, number, shown};
use super::{diff_trace, expectation, input};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use vta::asm::insn_text;
use vta::config::HwConfig;
use vta::mem::Dram;
use vta::profiling::{Ended, Order, Place, Replay, ReplayError, order};
use vta::program::{Launch, Program, Step};

/// Find the first instruction, then the first byte, that differs: between two programs, between the two simulators, or against a recorded trace
#[derive(Debug, Args)]
#[command(
    override_usage = "vta diff <A> <B>\n       vta diff <A> --sims\n       vta diff <A> --trace <FILE>"
)]
pub struct Diff {
    /// A program: a bundle, an assembly text, or a folder of another compiler
    a: PathBuf,
    /// Another program
    #[arg(required_unless_present_any = ["sims", "trace"], conflicts_with_all = ["sims", "trace"])]
    b: Option<PathBuf>,
    /// Compare one program on fsim and on tsim; a folder's own expectation too
    #[arg(long, conflicts_with = "trace")]
    sims: bool,
    /// Compare with a CSV trace, as `vta run --trace-csv` writes it
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// The launch of the trace, in a program with several
    #[arg(long, value_name = "NAME", requires = "trace", conflicts_with_all = ["b", "sims"])]
    launch: Option<String>,
    /// Configuration of both: a built-in name or a vta_config.json file [default: each program's]
    #[arg(long, value_name = "NAME|FILE")]
    config: Option<String>,
    /// Cycles after which a launch counts as hanging
    #[arg(long, value_name = "N", value_parser = number::long_count, default_value = "1000000000")]
    max_cycles: u64,
}

/// One side of a comparison.
struct Side<'a> {
    name: String,
    program: &'a Program,
    order: Order,
    dram: Dram,
}

/// What differs, in words and as JSON.
pub(super) struct Difference {
    pub(super) text: String,
    pub(super) json: Value,
}

impl Diff {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        let config = self.config.as_deref().map(HwConfig::load).transpose()?;
        let a = input::load(&self.a, config.as_ref())?;
        if let Some(trace) = &self.trace {
            let launch = self.launch.as_deref();
            let found = diff_trace::against(&a, trace, launch, self.max_cycles)?;
            return Ok(said(found, paint));
        }
        let b = self
            .b
            .as_ref()
            .map(|b| input::load(b, config.as_ref()))
            .transpose()?;
        let hardware = Order::Hardware(self.max_cycles);
        let (name_a, name_b, order_a) = match &self.b {
            Some(b) => (shown(&self.a), shown(b), hardware),
            None => ("fsim".into(), "tsim".into(), Order::Program),
        };
        let side = |name, program, order| Side {
            name,
            program,
            order,
            dram: Dram::new(program.dram_image()),
        };
        let mut a_side = side(name_a, &a, order_a);
        let mut b_side = side(name_b, b.as_ref().unwrap_or(&a), hardware);
        let found = compare(&mut a_side, &mut b_side)?;
        let mut output = said(found, paint);
        if self.sims
            && let Some(expected) = expectation::of(&a, self.max_cycles, paint)?
        {
            output.text += &expected.text;
            output.json["expectation"] = expected.json;
            if !expected.is_met {
                output.exit = EXIT_DIFFERS;
            }
        }
        Ok(output)
    }
}

fn said(found: Option<Difference>, paint: Paint) -> Output {
    match found {
        None => Output::ok(
            format!("{}\n", paint.good("no difference")),
            json!({ "equal": true }),
        ),
        Some(d) => {
            let mut json = d.json;
            json["equal"] = json!(false);
            Output {
                exit: EXIT_DIFFERS,
                ..Output::ok(format!("{}\n{}", paint.bad("they differ"), d.text), json)
            }
        }
    }
}

fn failed(launch: &str, e: &ReplayError) -> CliError {
    CliError::new("simulator", format_args!("launch {launch}: {e}"))
}

/// What each instruction leaves, as numbers.
fn digests(
    side: &Side<'_>,
    launch: &Launch,
    ended: &[Ended],
) -> Result<BTreeMap<u32, u64>, ReplayError> {
    let mut replay = Replay::new(&side.program.config, side.dram.clone(), launch);
    let mut all = BTreeMap::new();
    for e in ended {
        replay.exec(e.insn)?;
        all.insert(e.insn, replay.digest(e.insn));
    }
    Ok(all)
}

/// A launch executed up to and with an instruction, in a side's order.
fn upto<'a>(
    side: &Side<'a>,
    launch: &Launch,
    ended: &[Ended],
    insn: u32,
) -> Result<Replay<'a>, ReplayError> {
    let mut replay = Replay::new(&side.program.config, side.dram.clone(), launch);
    for e in ended {
        replay.exec(e.insn)?;
        if e.insn == insn {
            break;
        }
    }
    Ok(replay)
}

/// All steps of two sides, up to the first difference.
fn compare<'p>(a: &mut Side<'p>, b: &mut Side<'p>) -> Result<Option<Difference>, CliError> {
    let (steps_a, steps_b) = (&a.program.steps, &b.program.steps);
    for (x, y) in steps_a.iter().zip(steps_b) {
        match (x, y) {
            (Step::Launch(x), Step::Launch(y)) => {
                if let Some(d) = launches(a, b, x, y)? {
                    return Ok(Some(d));
                }
            }
            (Step::Host(x), Step::Host(y)) => {
                for (side, step) in [(&mut *a, x), (&mut *b, y)] {
                    let block = side.program.config.block;
                    step.run(&mut side.dram, block)
                        .map_err(|e| CliError::new("program", e))?;
                }
            }
            _ => {
                let text = "one has a launch where the other has a step of the host\n".into();
                return Ok(Some(Difference {
                    text,
                    json: json!({ "steps": "kinds" }),
                }));
            }
        }
    }
    if steps_a.len() != steps_b.len() {
        let text = format!(
            "{} has {} steps, {} has {}\n",
            a.name,
            steps_a.len(),
            b.name,
            steps_b.len()
        );
        return Ok(Some(Difference {
            text,
            json: json!({ "steps": [steps_a.len(), steps_b.len()] }),
        }));
    }
    Ok(None)
}

fn launches<'p>(
    a: &mut Side<'p>,
    b: &mut Side<'p>,
    x: &Launch,
    y: &Launch,
) -> Result<Option<Difference>, CliError> {
    let (end_a, ok_a) =
        order(&a.program.config, &a.dram, x, a.order).map_err(|e| failed(&x.name, &e))?;
    let (end_b, ok_b) =
        order(&b.program.config, &b.dram, y, b.order).map_err(|e| failed(&y.name, &e))?;
    let left_a = digests(a, x, &end_a).map_err(|e| failed(&x.name, &e))?;
    let left_b = digests(b, y, &end_b).map_err(|e| failed(&y.name, &e))?;
    let words = |side: &Side<'_>, l: &Launch| l.words(side.dram.bytes()).collect::<Vec<_>>();
    let (words_a, words_b) = (words(a, x), words(b, y));
    let named = |insn: u32, words: &[u128]| {
        words
            .get(insn as usize)
            .map_or("no instruction".to_owned(), |w| insn_text(*w))
    };
    let all = left_a.keys().chain(left_b.keys()).copied();
    let last = words_a.len().max(words_b.len()) as u32;
    let mut insns: Vec<u32> = all.collect();
    insns.sort_unstable();
    insns.dedup();
    let differs = |i: &u32| {
        left_a.get(i) != left_b.get(i) || words_a.get(*i as usize) != words_b.get(*i as usize)
    };
    let first = (0..last).find(|i| {
        (insns.binary_search(i).is_ok() && differs(i))
            || words_a.get(*i as usize) != words_b.get(*i as usize)
    });
    let Some(insn) = first else {
        if ok_a != ok_b {
            let text = format!(
                "launch {}: only {} comes to FINISH\n",
                x.name,
                if ok_a { &a.name } else { &b.name }
            );
            return Ok(Some(Difference {
                text,
                json: json!({ "launch": x.name, "finish": [ok_a, ok_b] }),
            }));
        }
        for (side, launch, ended) in [(a, x, &end_a), (b, y, &end_b)] {
            let last = ended.last().map_or(0, |e| e.insn);
            let done = upto(side, launch, ended, last).map_err(|e| failed(&launch.name, &e))?;
            side.dram = done.into_dram();
        }
        return Ok(None);
    };
    let mut json = json!({ "launch": x.name, "instruction": insn });
    let mut text = format!("launch {}, instruction {insn}\n", x.name);
    if words_a.get(insn as usize) != words_b.get(insn as usize) {
        let (p, q) = (named(insn, &words_a), named(insn, &words_b));
        text += &format!("  {}: {p}\n  {}: {q}\n", a.name, b.name);
        json["words"] = json!([p, q]);
        let done = |side: &Side<'p>, launch: &Launch, ended: &[Ended]| {
            let last = ended.last().map_or(0, |e| e.insn);
            upto(side, launch, ended, last).map_err(|e| failed(&launch.name, &e))
        };
        let (p, q) = (done(a, x, &end_a)?, done(b, y, &end_b)?);
        text += &results(a, b, (&p, x), (&q, y), &mut json);
        return Ok(Some(Difference { text, json }));
    }
    text += &format!("  {}\n", named(insn, &words_a));
    match (left_a.get(&insn), left_b.get(&insn)) {
        (Some(_), Some(_)) => {
            let p = upto(a, x, &end_a, insn).map_err(|e| failed(&x.name, &e))?;
            let q = upto(b, y, &end_b, insn).map_err(|e| failed(&y.name, &e))?;
            if let Some((place, l, r)) = first_byte(&p, &q, insn) {
                text += &format!(
                    "  leaves {place}: {l:#04x} in {}, {r:#04x} in {}\n",
                    a.name, b.name
                );
                json["place"] = json!(place.to_string());
                json["bytes"] = json!([l, r]);
            }
        }
        (here, _) => {
            let other = if here.is_some() { &b.name } else { &a.name };
            text += &format!("  does not end in {other}\n");
            json["not_ended"] = json!(other);
        }
    }
    Ok(Some(Difference { text, json }))
}

/// The first byte that an instruction leaves otherwise.
fn first_byte(p: &Replay<'_>, q: &Replay<'_>, insn: u32) -> Option<(Place, u8, u8)> {
    let (p_all, q_all) = (p.written(insn), q.written(insn));
    for ((place, left), (_, right)) in p_all.iter().zip(&q_all) {
        if let Some(byte) = left.iter().zip(right).position(|(l, r)| l != r) {
            return Some((p.place(*place, byte), left[byte], right[byte]));
        }
    }
    None
}

/// The first byte of the launches' results that differs, in words.
fn results(
    a: &Side<'_>,
    b: &Side<'_>,
    (p, x): (&Replay<'_>, &Launch),
    (q, y): (&Replay<'_>, &Launch),
    json: &mut Value,
) -> String {
    for (n, (l, r)) in x.outputs.iter().zip(&y.outputs).enumerate() {
        let of = |replay: &Replay<'_>, (addr, bytes): (u32, u32)| {
            let all = replay.dram().read(addr.into(), bytes.into());
            all.unwrap_or_default().to_vec()
        };
        let (l, r) = (of(p, *l), of(q, *r));
        if let Some(at) = l.iter().zip(&r).position(|(l, r)| l != r) {
            json["output"] = json!([n, at]);
            json["bytes"] = json!([l[at], r[at]]);
            return format!(
                "output {n}: byte {at} is {:#04x} in {}, {:#04x} in {}\n",
                l[at], a.name, r[at], b.name
            );
        }
        if l.len() != r.len() {
            json["output_bytes"] = json!([l.len(), r.len()]);
            return format!(
                "output {n}: {} bytes in {}, {} in {}\n",
                l.len(),
                a.name,
                r.len(),
                b.name
            );
        }
    }
    match (x.outputs.len(), y.outputs.len()) {
        (0, 0) => String::new(),
        (m, n) if m == n => {
            json["outputs_equal"] = json!(true);
            "outputs: equal\n".into()
        }
        (m, n) => format!("outputs: {m} in {}, {n} in {}\n", a.name, b.name),
    }
}
