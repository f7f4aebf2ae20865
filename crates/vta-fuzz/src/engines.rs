//! The event engine against the cycle engine.

use crate::programs::{Program, tame, wild};
use arbitrary::{Result, Unstructured};
use std::convert::Infallible;
use vta_sim::tsim::{Event, NoSink, Options, Sink, Stop};

/// Wants every event, keeps none but their number and a sum.
#[derive(Default, PartialEq, Eq, Debug)]
struct Heard {
    events: u64,
    last: u64,
}

impl Sink for Heard {
    type Error = Infallible;

    fn event(&mut self, cycle: u64, _: Event) -> std::result::Result<(), Stop> {
        assert!(cycle >= self.last, "events are in the order of cycles");
        (self.events, self.last) = (self.events + 1, cycle);
        Ok(())
    }
}

pub(crate) fn run(data: &[u8]) {
    let _ = differ(&mut Unstructured::new(data));
}

fn differ(u: &mut Unstructured<'_>) -> Result<()> {
    let max_cycles = match u.int_in_range(0..=7)? {
        0..=2 => u.int_in_range(0..=1000)?,
        3 => 4000,
        _ => 1000,
    };
    let other = u.arbitrary()?;
    let program = if u.ratio(3, 4)? { wild(u)? } else { tame(u)? };
    same(&program, max_cycles, other);
    Ok(())
}

/// Jumping and ticking give the same run; so does listening, or leaving data out.
fn same(p: &Program, max_cycles: u64, listening: bool) {
    let image = p.image();
    let options = Options {
        max_cycles,
        data: true,
        jump: true,
    };
    let (events, left) = p.run(&image, options, &mut NoSink);
    let ticking = Options {
        jump: false,
        ..options
    };
    let (ticks, ticked) = p.run(&image, ticking, &mut NoSink);
    assert_eq!(events, ticks, "{p:?}");
    assert!(left == ticked, "other bytes: {p:?}");
    if let Ok(outcome) = &events {
        let most = max_cycles.saturating_add(1);
        assert!(outcome.cycles <= most, "{outcome:?}");
    }
    if listening {
        let mut heard = Heard::default();
        let (listened, _) = p.run(&image, options, &mut heard);
        assert_eq!(events, listened, "{p:?}");
        return;
    }
    let timing = Options {
        data: false,
        ..options
    };
    // Without data nothing leaves DRAM but instructions and micro-ops.
    let (timed, untouched) = p.run(&image, timing, &mut NoSink);
    assert!(events.is_err() || events == timed, "{timed:?}: {p:?}");
    assert!(
        untouched.bytes() == image,
        "bytes moved without data: {p:?}"
    );
}
