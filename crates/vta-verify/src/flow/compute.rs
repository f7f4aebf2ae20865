//! GEMM and ALU.

use super::{Flow, Out};
use crate::error::VerifyError;
use crate::names::Place;
use crate::set::Set;
use crate::steps::{Indices, Touched, close_steps, first_unwritten};
use vta_program::config::Scratchpad;
use vta_program::isa::{Alu, Gemm};

impl Flow<'_> {
    /// The micro-ops of an instruction, if all are known.
    fn uops(&mut self, insn: u32, bgn: u16, end: u16) -> Option<Vec<u32>> {
        let range = usize::from(bgn)..usize::from(end);
        let Some(words) = self.uops.get(range) else {
            self.errors.push(VerifyError::Index {
                at: self.c.at(insn),
                pad: Scratchpad::Uop,
                depth: self.c.config.uop_depth,
            });
            return None;
        };
        let missing = words.iter().position(Option::is_none);
        let words: Vec<u32> = words.iter().copied().flatten().collect();
        if let Some(n) = missing {
            self.unwritten(insn, Scratchpad::Uop, u32::from(bgn) + n as u32);
            return None;
        }
        Some(words)
    }

    fn touched(
        &mut self,
        insn: u32,
        touched: Result<Touched, (Scratchpad, u32)>,
    ) -> Option<Touched> {
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
            self.race(insn, found, Place::Element(Scratchpad::Out, e));
            self.out[e as usize] = Out::Fresh;
        }
    }

    pub(super) fn gemm(&mut self, insn: u32, g: &Gemm) {
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
            (Scratchpad::Acc, touched.dst.first_outside(&self.acc)),
            (Scratchpad::Inp, touched.src.first_outside(&self.inp)),
            (Scratchpad::Wgt, touched.wgt.first_outside(&self.wgt)),
        ];
        for (pad, element) in missing {
            if let Some(element) = element {
                self.unwritten(insn, pad, element);
            }
        }
        for e in touched.src.iter() {
            let found = self.inp_places.read(&mut self.judge, insn, e as usize);
            self.race(insn, found, Place::Element(Scratchpad::Inp, e));
        }
        let mut reported = false;
        for e in touched.wgt.iter() {
            let found = self.wgt_places.read(&mut self.judge, insn, e as usize);
            self.race(insn, found, Place::Element(Scratchpad::Wgt, e));
            if !reported && let Some(error) = self.wrong_weight(insn, e) {
                self.errors.push(error);
                reported = true;
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

    pub(super) fn alu(&mut self, insn: u32, a: &Alu) {
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
                Some(Some(element)) => self.unwritten(insn, Scratchpad::Acc, element),
                Some(None) => {}
                None => self.errors.push(VerifyError::TooLong {
                    at: self.c.at(insn),
                }),
            }
        }
        self.computed(insn, &touched.dst);
    }
}
