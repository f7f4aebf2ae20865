//! What holds of the parts of a program that describe a network.

use super::{Layer, On, Program, ProgramError, Region, Step, WeightMap};
use std::collections::{BTreeMap, BTreeSet};

/// Names that are any text, but there, and only once.
fn check_texts<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), ProgramError> {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if name.is_empty() {
            return Err(ProgramError::NoName { what, index });
        }
        if !seen.insert(name) {
            return Err(ProgramError::DuplicateName {
                what,
                name: name.clone(),
            });
        }
    }
    Ok(())
}

impl Program {
    /// Checks host steps, inputs, outputs and layers.
    pub(super) fn validate_network(&self) -> Result<(), ProgramError> {
        let hosts = || {
            self.steps.iter().filter_map(|s| match s {
                Step::Host(h) => Some(h),
                Step::Launch(_) => None,
            })
        };
        check_texts("host step", hosts().map(|h| &h.name))?;
        for h in hosts() {
            h.check(self.dram_bytes.into(), self.config.block)?;
        }
        check_texts("input", self.inputs.iter().map(|r| &r.tensor))?;
        // A network may give one tensor as several outputs.
        let mut seen = BTreeMap::new();
        let outputs = self.outputs.iter();
        let others = outputs.filter(|r| seen.insert(&r.tensor, *r) != Some(*r));
        check_texts("output", others.map(|r| &r.tensor))?;
        for r in &self.inputs {
            self.validate_region(r, || "input".into())?;
        }
        for r in &self.outputs {
            self.validate_region(r, || "output".into())?;
        }
        check_texts("layer", self.layers.iter().map(|l| &l.name))?;
        self.layers.iter().try_for_each(|l| self.validate_layer(l))
    }

    fn validate_region(
        &self,
        region: &Region,
        of: impl Fn() -> String,
    ) -> Result<(), ProgramError> {
        let checked = region.check(self.dram_bytes.into(), self.config.block);
        checked.map_err(|source| ProgramError::Region { of: of(), source })
    }

    fn validate_layer(&self, l: &Layer) -> Result<(), ProgramError> {
        let wrong = |what: String| ProgramError::Layer {
            layer: l.name.clone(),
            what,
        };
        match (self.steps.get(l.step as usize), l.on) {
            (Some(Step::Launch(_)), On::Device) | (Some(Step::Host(_)), On::Host) => {}
            (Some(_), _) => {
                return Err(wrong(format!("step {} is not where it runs", l.step)));
            }
            (None, _) => return Err(wrong(format!("there is no step {}", l.step))),
        }
        if l.kept > l.blocks {
            return Err(wrong(format!("{} of {} blocks kept", l.kept, l.blocks)));
        }
        self.validate_region(&l.output, || format!("layer {}", l.name))?;
        match &l.weights {
            Some(w) => self.validate_weights(w).map_err(wrong),
            None => Ok(()),
        }
    }

    fn validate_weights(&self, w: &WeightMap) -> Result<(), String> {
        let element = u64::from(self.config.block).pow(2);
        let bytes = u64::from(w.count) * element;
        if !u64::from(w.addr).is_multiple_of(element) {
            return Err(format!("weights at {} are not at a whole element", w.addr));
        }
        if u64::from(w.addr) + bytes > self.dram_bytes.into() {
            return Err(format!(
                "{} weight elements at {} are outside the {} bytes of DRAM",
                w.count, w.addr, self.dram_bytes
            ));
        }
        if w.mask_dims.is_empty() {
            if !w.mask.is_empty() || !w.block_of.is_empty() {
                return Err("a mask without dimensions".into());
            }
            return Ok(());
        }
        let blocks = w
            .mask_dims
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d));
        let digits = w.mask.bytes().all(|b| b == b'0' || b == b'1');
        if w.mask_dims.len() != 4 || blocks != Some(w.mask.len()) || !digits {
            return Err(format!(
                "a mask of {} digits for {:?} blocks",
                w.mask.len(),
                w.mask_dims
            ));
        }
        if w.block_of.len() != w.count as usize {
            return Err(format!(
                "blocks of {} of {} weight elements",
                w.block_of.len(),
                w.count
            ));
        }
        match w.block_of.iter().find(|&&b| b as usize >= w.mask.len()) {
            Some(b) => Err(format!("block {b} of {}", w.mask.len())),
            None => Ok(()),
        }
    }
}
