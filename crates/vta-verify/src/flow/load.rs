//! LOAD.

use super::{Flow, Weight};
use crate::error::VerifyError;
use crate::names::Place;
use crate::transfer::Transfer;
use vta_program::config::Scratchpad;
use vta_program::isa::Insn;
use vta_program::timing::{self, Geometry, Rows};

impl Flow<'_> {
    pub(super) fn load(&mut self, insn: u32, t: &Transfer) {
        self.report.loads += 1;
        let bytes = t.row_bytes();
        let mut rows = t.rows();
        let undefined = rows.find_map(|r| self.dram.first_undefined(r.addr, bytes));
        if let Some(addr) = undefined {
            self.errors.push(VerifyError::UndefinedDram {
                by: format!("launch {}, {}", self.c.launch.name, self.c.at(insn)),
                addr,
            });
        }
        if let Some(beats) = self.counter_wraps(insn, t.pad) {
            self.errors.push(VerifyError::EndsEarly {
                at: self.c.at(insn),
                beats,
            });
        }
        for row in t.rows() {
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
            Scratchpad::Uop => self.load_uops(insn, t),
            Scratchpad::Acc => {
                self.acc.insert_range(t.elements.start, t.elements.end);
                for e in t.elements.clone() {
                    self.accumulator_changed(insn, e);
                }
            }
            Scratchpad::Inp => {
                self.inp.insert_range(t.elements.start, t.elements.end);
                for e in t.elements.clone() {
                    let found = self.inp_places.write(&mut self.judge, insn, e as usize);
                    self.race(insn, found, Place::Element(Scratchpad::Inp, e));
                }
            }
            Scratchpad::Wgt => self.load_weights(insn, t),
            Scratchpad::Out => {}
        }
    }

    /// The beats at which the counter of a load's beats comes round, if it can.
    fn counter_wraps(&self, insn: u32, pad: Scratchpad) -> Option<u64> {
        let c = self.c.config;
        let Insn::Load(l) = &self.c.insns[insn as usize] else {
            return None;
        };
        let rows = Rows::of_load(Geometry::new(c, c.elem_bytes(pad)), l);
        timing::counter_wraps(c, pad, &rows)
    }

    fn load_uops(&mut self, insn: u32, t: &Transfer) {
        let elements = t.elements.start as usize..t.elements.end as usize;
        // Padding is zeros.
        self.uops[elements].fill(Some(0));
        for row in t.rows() {
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
            self.race(insn, found, Place::Element(Scratchpad::Wgt, e));
            self.weight[e as usize] = None;
        }
        let mut pruned = None;
        for row in t.rows() {
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
}
