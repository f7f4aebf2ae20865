//! Beats in flight of a load: what its counter can hold (`blocksInFlight` in
//! core/TensorLoadNarrowVME.scala, `clInFlight` in core/TensorLoadWideVME.scala).
//!
//! The counter has as many bits as the scratchpad's size in beats asks for, not
//! as the load's. Rows of a wide load read every beat that they touch, so a load
//! can have far more beats than its scratchpad. A counter that comes round says
//! that nothing is in flight: the load ends early, or the next beat is one that
//! nobody asked for.

use super::memory::TAGS;
use super::{Bursts, Geometry, Rows};
use crate::config::{HwConfig, Scratchpad};

/// Bursts of one client that can be commanded and not yet returned: a tag each,
/// and one in the client's queue of the memory engine.
const BURSTS: usize = TAGS + 1;

/// Beats at which the counter of loads into a scratchpad comes round to 0.
///
/// ```
/// use vta_program::config::{HwConfig, Scratchpad};
/// use vta_program::timing::load_counter;
///
/// let c = HwConfig::de10();
/// // 2048 inputs of two beats each.
/// assert_eq!(load_counter(&c, Scratchpad::Inp), 4096);
/// // Two micro-ops in a beat, and a bit to spare.
/// assert_eq!(load_counter(&c, Scratchpad::Uop), 2048);
/// ```
pub const fn load_counter(c: &HwConfig, pad: Scratchpad) -> u64 {
    let geo = Geometry::new(c, c.elem_bytes(pad));
    let depth = c.depth(pad) as u64;
    if geo.is_narrow() {
        depth << (geo.elem_log - geo.beat_log)
    } else {
        2 * (depth >> (geo.beat_log - geo.elem_log))
    }
}

/// Whether the counter of a load of these rows can come round: the beats at which
/// it does. What else is on the bus decides whether it will.
pub fn counter_wraps(c: &HwConfig, pad: Scratchpad, rows: &Rows) -> Option<u64> {
    let geo = Geometry::new(c, c.elem_bytes(pad));
    let wraps = load_counter(c, pad);
    if (BURSTS as u64) << geo.len_bits < wraps {
        return None;
    }
    (most_in_flight(geo, rows) >= wraps).then_some(wraps)
}

/// Most beats of a load that can be commanded and not yet returned.
fn most_in_flight(geo: Geometry, rows: &Rows) -> u64 {
    let mut bursts = Bursts::new(geo, rows);
    let mut out = [0; BURSTS];
    let (mut sum, mut most) = (0, 0);
    for place in (0..BURSTS).cycle() {
        let Some(beats) = bursts.next() else { break };
        sum = sum + u64::from(beats) - out[place];
        out[place] = beats.into();
        most = most.max(sum);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(y_size: u32, x_size: u32, x_stride: u32) -> Rows {
        Rows {
            addr: 4096,
            x_size,
            y_size,
            x_stride,
        }
    }

    #[test]
    fn what_is_in_flight_is_bursts_that_follow_each_other() {
        let geo = Geometry::new(&HwConfig::de10(), 16);
        // Two beats each, and no more than 17 of them.
        assert_eq!(most_in_flight(geo, &rows(5, 1, 9)), 10);
        assert_eq!(most_in_flight(geo, &rows(40, 1, 9)), 34);
        // Bursts of 16.
        assert_eq!(most_in_flight(geo, &rows(1, 100, 0)), 200);
        assert_eq!(most_in_flight(geo, &rows(1, 1000, 0)), 17 * 16);
        assert_eq!(most_in_flight(geo, &rows(0, 7, 0)), 0);
    }

    #[test]
    fn rows_of_a_wide_load_count_each_beat_that_they_touch() {
        let c = HwConfig {
            mem_data_bits: 512,
            inp_depth: 32,
            ..HwConfig::de10()
        };
        // Four inputs in a beat, 8 beats, a bit to spare.
        assert_eq!(load_counter(&c, Scratchpad::Inp), 16);
        let wraps = |rows| counter_wraps(&c, Scratchpad::Inp, &rows);
        assert_eq!(wraps(rows(1, 32, 0)), None);
        assert_eq!(wraps(rows(15, 1, 5)), None);
        assert_eq!(wraps(rows(16, 1, 5)), Some(16));
    }
}
