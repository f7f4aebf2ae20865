//! A walk through a launch in program order: what each instruction reads was
//! written, is what it should be, and is ordered.

use super::dram::{Dram, Stored, Writer};
use super::error::{Pad, Place, VerifyError};
use super::launch::Context;
use super::race::{Judge, Places, Unordered};
use super::report::Report;
use super::set::Set;
use super::steps::{Indices, Touched, close_steps, first_unwritten};
use super::tokens::Order;
use super::transfer::Transfer;
use super::weights::{Owner, Weights};
use crate::isa::{Alu, Gemm, Insn};
use crate::program::{Program, Step};
use std::collections::BTreeSet;

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
    weights: &Weights<'_>,
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
    let stores = transfers.iter().flatten().filter(|t| t.pad == Pad::Out);
    let stored = Stored::new(stores, config.out_bytes());
    let units = c.insns.iter().map(Insn::unit).collect();
    let mut flow = Flow {
        c,
        program,
        step: step as u32,
        weights,
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

impl Flow<'_> {
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

    fn unwritten(&mut self, insn: u32, pad: Pad, element: u32) {
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

    fn load(&mut self, insn: u32, t: &Transfer) {
        self.report.loads += 1;
        let bytes = t.row_bytes();
        let mut rows = t.rows.iter();
        let undefined = rows.find_map(|r| self.dram.first_undefined(r.addr, bytes));
        if let Some(addr) = undefined {
            self.errors.push(VerifyError::UndefinedDram {
                by: format!("launch {}, {}", self.c.launch.name, self.c.at(insn)),
                addr,
            });
        }
        if let Some(beats) = t.counter_wraps(self.c.config) {
            self.errors.push(VerifyError::EndsEarly {
                at: self.c.at(insn),
                beats,
            });
        }
        for row in &t.rows {
            let mut first = None;
            for (place, addr) in self.stored.places(row.addr, bytes) {
                let found = self.dram_places.read(&mut self.judge, insn, place);
                first = first.or(found.map(|f| (f, addr)));
            }
            if let Some((found, addr)) = first {
                self.race(insn, Some(found), Place::Dram(addr));
            }
        }
        match t.pad {
            Pad::Uop => self.load_uops(insn, t),
            Pad::Acc => {
                self.acc.insert_range(t.elements.start, t.elements.end);
                for e in t.elements.clone() {
                    self.accumulator_changed(insn, e);
                }
            }
            Pad::Inp => {
                self.inp.insert_range(t.elements.start, t.elements.end);
                for e in t.elements.clone() {
                    let found = self.inp_places.write(&mut self.judge, insn, e as usize);
                    self.race(insn, found, Place::Element(Pad::Inp, e));
                }
            }
            Pad::Wgt => self.load_weights(insn, t),
            Pad::Out => {}
        }
    }

    fn load_uops(&mut self, insn: u32, t: &Transfer) {
        let elements = t.elements.start as usize..t.elements.end as usize;
        // Padding is zeros.
        self.uops[elements].fill(Some(0));
        for row in &t.rows {
            for i in 0..t.row_elements {
                let addr = row.addr + u64::from(i) * u64::from(t.element_bytes);
                match self.dram.word(addr) {
                    Ok(word) => self.uops[(row.element + i) as usize] = Some(word),
                    Err(by) => {
                        self.errors.push(VerifyError::ChangedUops {
                            at: self.c.at(insn),
                            addr,
                            by: self.writer(by),
                        });
                        return;
                    }
                }
            }
        }
    }

    fn load_weights(&mut self, insn: u32, t: &Transfer) {
        self.wgt.insert_range(t.elements.start, t.elements.end);
        for e in t.elements.clone() {
            let found = self.wgt_places.write(&mut self.judge, insn, e as usize);
            self.race(insn, found, Place::Element(Pad::Wgt, e));
            self.weight[e as usize] = None;
        }
        let mut pruned = None;
        for row in &t.rows {
            for i in 0..t.row_elements {
                let addr = row.addr + u64::from(i) * u64::from(t.element_bytes);
                let owner = self.weights.owner(addr);
                self.weight[(row.element + i) as usize] = Some(Weight {
                    load: insn,
                    addr,
                    owner,
                });
                let Some(owner) = owner else { continue };
                if let Some(block) = self.weights.pruned(owner) {
                    pruned = pruned.or(Some((owner, block)));
                } else if self.weights.masked(owner.layer) {
                    self.report.kept_weights += 1;
                }
            }
        }
        if let Some((owner, block)) = pruned {
            self.errors.push(VerifyError::PrunedLoad {
                at: self.c.at(insn),
                layer: self.weights.name(owner.layer),
                element: owner.element,
                block,
            });
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

    /// The micro-ops of an instruction, if all are known.
    fn uops(&mut self, insn: u32, bgn: u16, end: u16) -> Option<Vec<u32>> {
        let range = usize::from(bgn)..usize::from(end);
        let Some(words) = self.uops.get(range) else {
            self.errors.push(VerifyError::Index {
                at: self.c.at(insn),
                pad: Pad::Uop,
                depth: self.c.config.uop_depth,
            });
            return None;
        };
        let missing = words.iter().position(Option::is_none);
        let words: Vec<u32> = words.iter().copied().flatten().collect();
        if let Some(n) = missing {
            self.unwritten(insn, Pad::Uop, u32::from(bgn) + n as u32);
            return None;
        }
        Some(words)
    }

    fn touched(&mut self, insn: u32, touched: Result<Touched, (Pad, u32)>) -> Option<Touched> {
        touched
            .map_err(|(pad, depth)| {
                self.errors.push(VerifyError::Index {
                    at: self.c.at(insn),
                    pad,
                    depth,
                });
            })
            .ok()
    }

    /// GEMM or ALU steps wrote these accumulators and their outputs.
    fn computed(&mut self, insn: u32, dst: &Set) {
        self.acc.extend(dst);
        for e in dst.iter() {
            let found = self.out_places.write(&mut self.judge, insn, e as usize);
            self.race(insn, found, Place::Element(Pad::Out, e));
            self.out[e as usize] = Out::Fresh;
        }
    }

    fn gemm(&mut self, insn: u32, g: &Gemm) {
        self.report.gemm_steps += g.steps();
        let Some(words) = self.uops(insn, g.uop_bgn, g.uop_end) else {
            return;
        };
        let uops: Vec<Indices> = words.into_iter().map(Indices::gemm).collect();
        let touched = Touched::gemm(g, &uops, self.c.config);
        let Some(touched) = self.touched(insn, touched) else {
            return;
        };
        if g.reset_reg {
            self.acc.extend(&touched.dst);
            for e in touched.dst.iter() {
                self.accumulator_changed(insn, e);
            }
            return;
        }
        let missing = [
            (Pad::Acc, touched.dst.first_outside(&self.acc)),
            (Pad::Inp, touched.src.first_outside(&self.inp)),
            (Pad::Wgt, touched.wgt.first_outside(&self.wgt)),
        ];
        for (pad, element) in missing {
            if let Some(element) = element {
                self.unwritten(insn, pad, element);
            }
        }
        for e in touched.src.iter() {
            let found = self.inp_places.read(&mut self.judge, insn, e as usize);
            self.race(insn, found, Place::Element(Pad::Inp, e));
        }
        let mut told = false;
        for e in touched.wgt.iter() {
            let found = self.wgt_places.read(&mut self.judge, insn, e as usize);
            self.race(insn, found, Place::Element(Pad::Wgt, e));
            if !told && let Some(error) = self.wrong_weight(insn, e) {
                self.errors.push(error);
                told = true;
            }
        }
        self.computed(insn, &touched.dst);
    }

    /// What is wrong with a GEMM's weights in this element, if anything.
    fn wrong_weight(&self, insn: u32, slot: u32) -> Option<VerifyError> {
        let w = self.weight[slot as usize]?;
        let layer = self.c.layers[insn as usize];
        let own = layer.and_then(|l| self.weights.own(l, w.addr));
        let owner = own.or(w.owner)?;
        let boxed = |i: u32| Box::new(self.c.at(i));
        if let Some(l) = layer.filter(|l| *l != owner.layer) {
            return Some(VerifyError::OtherWeights {
                at: boxed(insn),
                load: boxed(w.load),
                layer: self.weights.name(l),
                of: self.weights.name(owner.layer),
                slot,
            });
        }
        let block = self.weights.pruned(owner)?;
        Some(VerifyError::PrunedStep {
            at: boxed(insn),
            load: boxed(w.load),
            layer: self.weights.name(owner.layer),
            block,
            slot,
        })
    }

    fn alu(&mut self, insn: u32, a: &Alu) {
        self.report.alu_steps += a.steps();
        let Some(words) = self.uops(insn, a.uop_bgn, a.uop_end) else {
            return;
        };
        let config = self.c.config;
        let uops = words.into_iter().map(|w| Indices::alu(w, config));
        let uops: Vec<Indices> = uops.collect();
        let touched = Touched::alu(a, &uops, config);
        let Some(touched) = self.touched(insn, touched) else {
            return;
        };
        for close in close_steps(a, &uops) {
            self.errors.push(VerifyError::AluHazard {
                at: self.c.at(insn),
                rule: close.rule,
                step: close.step,
                element: close.element,
            });
        }
        let mut read = touched.src.clone();
        if !a.use_imm {
            // The left operand is the destination, which is read before it is written.
            read.extend(&touched.dst);
        }
        if let Some(element) = read.first_outside(&self.acc) {
            let missing = if a.use_imm {
                first_unwritten(a, &uops, &self.acc)
            } else {
                Some(Some(element))
            };
            match missing {
                Some(Some(element)) => self.unwritten(insn, Pad::Acc, element),
                Some(None) => {}
                None => self.errors.push(VerifyError::TooLong {
                    at: self.c.at(insn),
                }),
            }
        }
        self.computed(insn, &touched.dst);
    }

    fn store(&mut self, insn: u32, t: &Transfer) {
        self.report.stores += 1;
        let mut told = false;
        for e in t.elements.clone() {
            let found = self.out_places.read(&mut self.judge, insn, e as usize);
            self.race(insn, found, Place::Element(Pad::Out, e));
            let error = match self.out[e as usize] {
                Out::Fresh => continue,
                Out::Unwritten => VerifyError::Unwritten {
                    at: self.c.at(insn),
                    pad: Pad::Out,
                    element: e,
                },
                Out::Stale(by) => VerifyError::StaleOut {
                    store: Box::new(self.c.at(insn)),
                    element: e,
                    by: Box::new(self.c.at(by)),
                },
            };
            if !told {
                self.errors.push(error);
                told = true;
            }
        }
        let bytes = t.row_bytes();
        let (mut instructions, mut outside) = (false, false);
        for row in &t.rows {
            self.report.stored_bytes += bytes;
            let mut first = None;
            for (place, addr) in self.stored.places(row.addr, bytes) {
                let found = self.dram_places.write(&mut self.judge, insn, place);
                first = first.or(found.map(|f| (f, addr)));
            }
            if let Some((found, addr)) = first {
                self.race(insn, Some(found), Place::Dram(addr));
            }
            let by = Writer::Insn(self.step, insn);
            self.dram.write(row.addr, bytes, by);
            if let Some(of) = overwritten(self.program, row.addr, bytes)
                && !std::mem::replace(&mut instructions, true)
            {
                self.errors.push(VerifyError::ChangedInsns {
                    by: format!("launch {}, {}", self.c.launch.name, self.c.at(insn)),
                    of,
                    addr: row.addr,
                });
            }
            if !outside && let Some(layer) = self.outside(insn, row.addr, bytes) {
                outside = true;
                self.errors.push(VerifyError::Outside {
                    at: self.c.at(insn),
                    layer,
                    addr: row.addr,
                });
            }
        }
    }

    /// The layer of a store, if the store leaves the layer's result.
    fn outside(&self, insn: u32, addr: u64, bytes: u64) -> Option<String> {
        let layer = self.c.layers[insn as usize]?;
        let region = &self.program.layers[layer as usize].output;
        let from = u64::from(region.addr);
        let to = from + region.bytes(self.c.config.block)?;
        (addr < from || addr + bytes > to).then(|| self.weights.name(layer))
    }
}

/// The launch whose instructions some bytes touch.
pub(super) fn overwritten(program: &Program, addr: u64, bytes: u64) -> Option<String> {
    let mut launches = program.launches();
    let touched = launches.find(|l| {
        let from = u64::from(l.insn_addr);
        addr < from + 16 * u64::from(l.insn_count) && from < addr + bytes
    });
    touched.map(|l| l.name.clone())
}
