//! Looks for ways to cut a convolution: the best by the formula are put into the
//! schedule one after the other.

use crate::conv::{Part, WeightCuts};
use crate::device::Scratchpads;
use crate::fit::DoesNotFit;
use crate::lowered::LoweredConv;
use crate::schedule::Schedule;
use crate::tiling::{Cuts, Formula, candidates, kernel_parts, sizes};
use crate::ways::{self, Effort, SegmentStarts, Way};
use vta_program::config::HwConfig;

/// Widths of a tile that are looked at, from the widest; narrower ones where none fits.
const WIDTHS: usize = 8;

/// What a search tries.
const EFFORT: Effort = Effort {
    tried: 48,
    ops: 72_000,
    kept: 16,
    before: u64::MAX,
};

/// The best ways that are found to cut a layer, best first; the schedule stays as it is.
///
/// # Errors
/// None fits.
pub(crate) fn search(
    lowered: &LoweredConv,
    c: &HwConfig,
    (scratchpads, schedule, at): (&Scratchpads, &mut Schedule, SegmentStarts),
) -> Result<Vec<Way>, DoesNotFit> {
    let f = Formula::new(lowered, c, scratchpads.acc.size());
    let widths = sizes(lowered.stored().w);
    let (wide, kernel) = (
        &widths[..widths.len().min(WIDTHS)],
        Part {
            size: f.kernel,
            whole_rows: true,
        },
    );
    let mut known = WeightCuts::default();
    let mut best = |widths: &[u32], parts: &[Part], tight: bool, before: u64| {
        let cuts = Cuts {
            widths,
            parts,
            tight,
        };
        let tilings = candidates(&f, &cuts);
        let effort = Effort { before, ..EFFORT };
        let place = (scratchpads, &mut *schedule, at);
        ways::best_of(&tilings, lowered, &mut known, c, place, effort)
    };
    let whole = best(wide, &[kernel], false, u64::MAX);
    // A kernel is cut where inputs of all of it leave no room for loads to run ahead.
    if let Ok(whole) = &whole
        && whole.first().is_some_and(|way| f.runs_ahead(&way.tiling))
    {
        return Ok(whole.clone());
    }
    let parts = kernel_parts(f.kernel);
    let before = whole.as_ref().ok().and_then(|all| all.first());
    let before = before.map_or(u64::MAX, |way| way.end);
    match (whole, best(wide, &parts, false, before)) {
        (_, Ok(cut)) if !cut.is_empty() => Ok(cut),
        (Ok(whole), _) if !whole.is_empty() => Ok(whole),
        (whole, cut) => {
            let parts: Vec<_> = [kernel].into_iter().chain(parts).collect();
            let found = best(&widths, &parts, true, u64::MAX);
            // A field that is too narrow says more than that there is no room.
            let says_more = |why: &DoesNotFit| *why != DoesNotFit::NoRoom;
            let mut said = [whole.err(), cut.err()].into_iter().flatten();
            found.map_err(|why| said.find(says_more).unwrap_or(why))
        }
    }
}

/// Whether a layer fits a configuration that does nothing else.
pub(crate) fn fits(lowered: &LoweredConv, c: &HwConfig) -> bool {
    let schedule = &mut Schedule::new(c);
    let place = (&Scratchpads::new(c), schedule, SegmentStarts::START);
    search(lowered, c, place).is_ok()
}
