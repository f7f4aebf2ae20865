//! A walk through a launch in program order: what each instruction reads was
//! written, is what it should be, and is ordered.

mod compute;
mod load;
mod store;

use super::dram::{Dram, Stored, Writer};
use super::error::VerifyError;
use super::launch::Context;
use super::names::Place;
use super::race::{Judge, Places, Unordered};
use super::report::Report;
use super::set::Set;
use super::tables::Tables;
use super::tokens::Order;
use super::transfer::Transfer;
use super::weights::{Owner, Weights};
use std::collections::BTreeSet;
use vta_program::config::Scratchpad;
use vta_program::isa::Insn;
use vta_program::program::{Program, Step};

/// An output element, against its accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Out {
    /// Nothing wrote it.
    Unwritten,
    /// The low bytes of the accumulator.
    Fresh,
    /// The accumulator was changed since, by this instruction.
    Stale(u32),
}

/// What an element of the weight scratchpad holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weight {
    load: u32,
    addr: u64,
    owner: Option<Owner>,
}

/// The state of a launch on the way.
pub(super) struct Flow<'a> {
    c: &'a Context<'a>,
    program: &'a Program,
    /// Index of the step.
    step: u32,
    weights: &'a Weights<'a>,
    tables: &'a Tables<'a>,
    dram: &'a mut Dram,
    errors: Vec<VerifyError>,
    report: &'a mut Report,
    judge: Judge<'a>,
    raced: BTreeSet<(u32, u32)>,
    /// Places of DRAM that are stored to; last accesses of them and of scratchpads.
    stored: Stored,
    dram_places: Places,
    inp_places: Places,
    wgt_places: Places,
    out_places: Places,
    uops: Vec<Option<u32>>,
    inp: Set,
    wgt: Set,
    acc: Set,
    out: Vec<Out>,
    weight: Vec<Option<Weight>>,
}

/// Checks the instructions of a launch, one after the other.
pub(super) fn check(
    c: &Context<'_>,
    order: &Order,
    (program, step): (&Program, usize),
    (weights, tables, stop): (&Weights<'_>, &Tables<'_>, &dyn Fn() -> bool),
    dram: &mut Dram,
    report: &mut Report,
) -> Vec<VerifyError> {
    let config = c.config;
    let mut errors = Vec::new();
    let mut transfers: Vec<Option<Transfer>> = Vec::with_capacity(c.insns.len());
    for insn in 0..c.insns.len() as u32 {
        match Transfer::new(c, insn, program.dram_bytes) {
            Ok(t) => transfers.push(t),
            Err(e) => errors.push(e),
        }
    }
    if !errors.is_empty() {
        return errors;
    }
    let stores = transfers
        .iter()
        .flatten()
        .filter(|t| t.pad == Scratchpad::Out);
    let stored = Stored::new(stores, config.out_bytes());
    let units = c.insns.iter().map(Insn::unit).collect();
    let mut flow = Flow {
        c,
        program,
        step: step as u32,
        weights,
        tables,
        dram,
        errors,
        report,
        judge: Judge::new(order, units),
        raced: BTreeSet::new(),
        dram_places: Places::new(stored.count()),
        stored,
        inp_places: Places::new(config.inp_depth as usize),
        wgt_places: Places::new(config.wgt_depth as usize),
        out_places: Places::new(config.out_depth as usize),
        uops: vec![None; config.uop_depth as usize],
        inp: Set::new(config.inp_depth),
        wgt: Set::new(config.wgt_depth),
        acc: Set::new(config.acc_depth),
        out: vec![Out::Unwritten; config.out_depth as usize],
        weight: vec![None; config.wgt_depth as usize],
    };
    for (insn, transfer) in (0..).zip(&transfers) {
        if flow.is_long(insn, transfer.as_ref()) && stop() {
            flow.errors.push(VerifyError::Stopped);
            break;
        }
        match (&c.insns[insn as usize], transfer) {
            (Insn::Load(_), Some(t)) => flow.load(insn, t),
            (Insn::Store(_), Some(t)) => flow.store(insn, t),
            (Insn::Gemm(g), _) => flow.gemm(insn, g),
            (Insn::Alu(a), _) => flow.alu(insn, a),
            _ => {}
        }
    }
    flow.report.ordered_pairs += flow.judge.proven();
    flow.errors
}

/// Instructions between two questions whether to go on.
const EVERY: u32 = 1 << 8;

/// Rows, and steps, that may take as long.
const LONG: u64 = 1 << 12;

impl Flow<'_> {
    /// Whether it is time to ask before this instruction.
    fn is_long(&self, insn: u32, transfer: Option<&Transfer>) -> bool {
        let rows = transfer.map_or(0, |t| u64::from(t.rows_count()));
        let work = rows + self.c.insns[insn as usize].steps();
        insn.is_multiple_of(EVERY) || work > LONG
    }

    fn race(&mut self, insn: u32, found: Option<Unordered>, place: Place) {
        let Some((first, conflict)) = found else {
            return;
        };
        if self.raced.insert((first, insn)) {
            let (first, second) = (Box::new(self.c.at(first)), Box::new(self.c.at(insn)));
            self.errors.push(VerifyError::Race {
                first,
                second,
                conflict,
                place,
            });
        }
    }

    fn unwritten(&mut self, insn: u32, pad: Scratchpad, element: u32) {
        self.errors.push(VerifyError::Unwritten {
            at: self.c.at(insn),
            pad,
            element,
        });
    }

    /// What wrote to DRAM, in words.
    fn writer(&self, w: Writer) -> String {
        let step = |n: u32| match &self.program.steps[n as usize] {
            Step::Launch(l) => format!("launch {}", l.name),
            Step::Host(h) => format!("host step {}", h.name),
        };
        match w {
            Writer::Input => "the network's input".into(),
            Writer::Insn(n, insn) if n == self.step => self.c.at(insn).to_string(),
            Writer::Insn(n, insn) => format!("instruction {insn} of {}", step(n)),
            Writer::Host(n) => step(n),
        }
    }

    fn accumulator_changed(&mut self, insn: u32, element: u32) {
        // Configurations can have fewer outputs than accumulators.
        if let Some(out) = self.out.get_mut(element as usize)
            && *out != Out::Unwritten
        {
            *out = Out::Stale(insn);
        }
    }
}
