//! STORE.

use super::{Flow, Out};
use crate::dram::Writer;
use crate::error::VerifyError;
use crate::names::Place;
use crate::transfer::Transfer;
use vta_program::config::Scratchpad;
use vta_program::timing::{self, Geometry};

impl Flow<'_> {
    pub(super) fn store(&mut self, insn: u32, t: &Transfer) {
        self.report.stores += 1;
        let c = self.c.config;
        if timing::tears_elements(Geometry::new(c, c.out_bytes())) {
            self.errors.push(VerifyError::TornStore {
                at: self.c.at(insn),
                element: c.out_bytes(),
                burst: c.beat_bytes() << c.mem_len_bits,
            });
        }
        let mut reported = false;
        for e in t.elements.clone() {
            let found = self.out_places.read(&mut self.judge, insn, e as usize);
            self.race(insn, found, Place::Element(Scratchpad::Out, e));
            let error = match self.out[e as usize] {
                Out::Fresh => continue,
                Out::Unwritten => VerifyError::Unwritten {
                    at: self.c.at(insn),
                    pad: Scratchpad::Out,
                    element: e,
                },
                Out::Stale(by) => VerifyError::StaleOut {
                    store: Box::new(self.c.at(insn)),
                    element: e,
                    by: Box::new(self.c.at(by)),
                },
            };
            if !reported {
                self.errors.push(error);
                reported = true;
            }
        }
        let bytes = t.row_bytes();
        let (mut instructions, mut outside) = (false, false);
        for row in t.rows() {
            self.report.stored_bytes += bytes;
            let mut first = None;
            for (place, addr) in self.stored.places(row.addr, bytes) {
                let found = self.dram_places.write(&mut self.judge, insn, place);
                first = first.or(found.map(|f| (f, addr)));
            }
            if let Some((found, addr)) = first {
                self.race(insn, Some(found), Place::Dram(addr));
            }
            if let Some(of) = self.tables.code.overwritten(row.addr, bytes)
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
        let (row, rows) = t.in_dram();
        self.dram
            .write_rows(row, rows, Writer::Insn(self.step, insn));
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
