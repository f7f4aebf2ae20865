//! A budget of cycles, met by the network as it is quantised with its masks.

use super::work::Pruning;
use crate::{Calibration, Error, NetworkCycles};
use vta_net::sparse::Masks;
use vta_program::config::HwConfig;
use vta_prune::{Allocation, Met, Ranks, Target, meet};

/// How often masks are made at most: again where the network is quantised in another form
/// with them than they were asked for in.
const FORMS: usize = 4;

/// A budget of cycles of a network.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByCycles<'a> {
    pub pruning: &'a Pruning,
    pub target: &'a Target,
    pub calibration: &'a Calibration,
    pub config: &'a HwConfig,
}

/// What meets it.
pub(super) struct Found {
    pub met: Met,
    /// Cycles of the network that is quantised with these masks.
    pub cycles: NetworkCycles,
}

impl ByCycles<'_> {
    /// How many groups each layer keeps, in the form that the dense network has.
    pub fn estimate(&self) -> Result<Allocation, Error> {
        let model = self.pruning.model();
        let mut counter = model.cycle_counter(self.calibration, self.config)?;
        let ranks = self.ranks(None);
        let request = self.pruning.request(self.target, &ranks, false);
        let met = meet(&request, |m| counter.count(m).map(|c| c.total))?;
        Ok(met.allocation)
    }

    /// Masks with which the network meets the budget and no dropped block fits any more;
    /// with `among` only blocks of these masks are kept, which the network has already.
    ///
    /// Cycles depend on the form in which a network is quantised, and that on its blocks.
    /// So with the masks that were found it is quantised anew, and where it takes other
    /// cycles then, they are looked for in that form.
    pub fn meet(&self, among: Option<&Masks>) -> Result<Found, Error> {
        let model = self.pruning.model();
        let quantised = |masks: Masks| {
            let calibration = self.calibration;
            model.cycle_counter_with(masks, calibration, self.config)
        };
        let ranks = self.ranks(among);
        let request = self.pruning.request(self.target, &ranks, true);
        let mut counter = quantised(among.cloned().unwrap_or_default())?;
        let mut questions = 0;
        let mut best: Option<Found> = None;
        let mut last = (0, 0);
        for _ in 0..FORMS {
            let mut met = meet(&request, |m| counter.count(m).map(|c| c.total))?;
            let masks = met.kept.masks(self.pruning.layers());
            let asked = counter.count(&masks)?;
            counter = quantised(masks.clone())?;
            let cycles = counter.count(&masks)?;
            questions += met.questions;
            met.questions = questions;
            last = (met.limit, cycles.total);
            let same = cycles == asked;
            let fits = cycles.total <= met.limit;
            if same || (fits && best.as_ref().is_none_or(|b| b.cycles.total < cycles.total)) {
                best = Some(Found { met, cycles });
            }
            if same {
                break;
            }
        }
        best.ok_or(Error::Unsteady {
            budget: last.0,
            cycles: last.1,
        })
    }

    fn ranks(&self, among: Option<&Masks>) -> Ranks {
        let layers = self.pruning.layers();
        let ranks = Ranks::of(layers, &self.pruning.weights());
        match among {
            Some(masks) => ranks.among(layers, masks),
            None => ranks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, cost};
    use vta_prune::{AllocationRule, Budget, Costs, Dense, Ranking, layers};

    /// What has lost blocks already loses more, and gets none of them back.
    #[test]
    fn blocks_that_are_zero_stay_gone() -> Result<(), Error> {
        let config = HwConfig::default();
        let dense = Model::zoo("resnet8", 4)?;
        let table = cost::Measure::new(&dense, config.clone()).table(&[1.0, 0.0], 1)?;
        let target = |limit: u64| {
            let budget = Budget::AtMost(limit as f64);
            Target::new(AllocationRule::Lamp, Costs::Cycles(table.clone()), budget)
        };
        let all = layers(dense.graph(), &Dense::Ends, false, Ranking::MeanSquare)?;
        let first = Pruning::new(dense.clone(), all.clone())?;
        let masks = first.one_shot(&target(60_000), &config)?.masks;
        let lost = dense.mask(masks.clone())?.model().clone();
        let lost = Pruning::new(lost, all)?;
        let (target, calibration) = (target(52_000), Calibration::default());
        let by_cycles = lost.by_cycles(&target, &calibration, &config);
        let found = by_cycles.meet(Some(&masks))?;
        assert!(found.cycles.total <= 52_000 && found.cycles.total > 51_000);
        let fewer = found.met.kept.masks(lost.layers());
        for (name, mask) in &fewer {
            let both = mask.kept.clone() & &masks[name].kept;
            assert_eq!(both, mask.kept, "{name}");
        }
        let written = cost::simulate(lost.model(), &fewer, &calibration, &config)?;
        assert_eq!(written, found.cycles);
        // The report is of blocks that could come back: those that were not zero before.
        let returns = found.met.returns.expect("they were asked for");
        let kept = |masks: &Masks| masks.values().map(|m| m.count_kept() as u64).sum::<u64>();
        assert_eq!(returns.dropped, kept(&masks) - kept(&fewer));
        Ok(())
    }
}
