//! Cycles of a network while it is trained.

use crate::{Calibration, CycleCounter, Error, Model};
use vta_net::quant::Exponents;
use vta_net::sparse::Masks;
use vta_program::config::HwConfig;

/// Counts cycles of a network that is trained. Which blocks its weights have lost so far
/// does not matter: masks say it, and with given exponents values have no part in the form.
pub(super) struct Counting<'a> {
    /// The dense network.
    model: Model,
    hardware: &'a HwConfig,
    /// How it is quantised before it is trained with exponents.
    before: Calibration,
    /// The counter of the form that was asked for last, and its exponents.
    counter: Option<(Option<Exponents>, CycleCounter)>,
}

impl<'a> Counting<'a> {
    pub const fn new(model: Model, hardware: &'a HwConfig, before: Calibration) -> Self {
        Self {
            model,
            hardware,
            before,
            counter: None,
        }
    }

    /// Cycles with masks, and with the exponents that it is trained with, if there are any yet.
    pub fn count(&mut self, known: Option<&Exponents>, masks: &Masks) -> Result<u64, Error> {
        let counter = match self.counter.take() {
            Some((exponents, counter)) if exponents.as_ref() == known => counter,
            _ => {
                let given = known.map(|e| Calibration::exponents(e.clone()));
                let calibration = given.as_ref().unwrap_or(&self.before);
                self.model.cycle_counter(calibration, self.hardware)?
            }
        };
        let (_, counter) = self.counter.insert((known.cloned(), counter));
        Ok(counter.count(masks)?.total)
    }
}
