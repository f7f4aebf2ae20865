//! Leaps over what is known beforehand, where nobody listens to events.
//!
//! A store shares nothing with reads: its end is known when it begins. A load
//! that streams repeats itself: when the state after the last beat of a burst
//! is what it was after that of an earlier burst, but for the place in the
//! row, then as many such periods can be leapt over as the row has and no
//! other part wakes in. Both give what ticking gives (property `jump`).

use super::parts::{PARTS, Part};
use super::{Machine, Sink};
use crate::isa::Unit;
use crate::tsim::dram::PortView;
use crate::tsim::gen_vme_cmd::Place;
use crate::tsim::tensor_load::LoadView;
use crate::tsim::tensor_store::{Span, TensorStore};
use crate::tsim::vme::{Client, VmeView, WriteChannel};

/// A store that was leapt over, until it ends or the run does.
#[derive(Debug, Clone)]
pub(super) struct StoreLeap {
    /// The cycle in which it ends.
    pub end: u64,
    span: Span,
    /// The cycle from which on it is not ticked, and the state before that.
    from: u64,
    tensor: TensorStore,
    write: WriteChannel,
}

/// State of a stream of bursts in the cycle of a last beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct View {
    client: Client,
    load: LoadView,
    vme: VmeView,
    port: PortView,
    /// When the parts of the stream wake, from this cycle on.
    wake: [u64; 3],
}

/// Where a stream was last seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    cycle: u64,
    place: Place,
    view: View,
}

/// The parts that a stream keeps busy.
const STREAM: [Part; 3] = [Part::Load, Part::Vme, Part::Port];

impl Machine<'_> {
    /// Leaps over the store that has begun in this cycle.
    pub(super) fn leap_store(&mut self) {
        let head = self.queues[Unit::Store as usize].head();
        let Some(span) = self.store.span(head) else {
            return;
        };
        self.store_leap = Some(StoreLeap {
            end: self.cycle + span.cycles,
            span,
            from: self.cycle + 1,
            tensor: self.store.tensor.clone(),
            write: self.write.clone(),
        });
    }

    /// Before the tick in which the store ends: the state is that of its last cycle.
    pub(super) fn land_store(&mut self) {
        if let Some(leap) = self.store_leap.take_if(|l| l.end == self.cycle) {
            self.store.tensor.finish();
            self.write.respond();
            // The tick counts nothing: the response has no beat.
            self.stats.write_beats += leap.span.beats;
            self.stats.write_bursts += leap.span.bursts;
        }
    }

    /// The run ends before the store: ticks it up to `cycle`.
    pub(super) fn settle_store(&mut self, cycle: u64) {
        let Some(leap) = self.store_leap.take() else {
            return;
        };
        let (mut tensor, mut write) = (leap.tensor, leap.write);
        for _ in leap.from..cycle {
            let out = tensor.out(&write);
            tensor.tick(None, out, &write);
            let written = write.tick(out.cmd, out.data);
            self.stats.write_beats += u64::from(written.w);
            self.stats.write_bursts += u64::from(written.aw.is_some());
        }
        self.store.tensor = tensor;
        self.write = write;
    }

    /// Leaps over whole periods of a load that streams.
    pub(super) fn leap_stream(&mut self, max_cycles: u64) {
        if !self.port.beat().is_some_and(|b| b.last) {
            return;
        }
        let Some((place, view)) = self.stream() else {
            self.seen_stream = None;
            return;
        };
        let now = Seen {
            cycle: self.cycle,
            place,
            view,
        };
        let Some(before) = self.seen_stream.replace(now) else {
            return;
        };
        if before.view != view || place.read_nb <= before.place.read_nb {
            return;
        }
        let period = self.cycle - before.cycle;
        let beats = place.read_nb - before.place.read_nb;
        let load = &self.load.tensor[usize::from(view.client == Client::Wgt)];
        let (burst, beat_log) = load.burst();
        let others = [Part::Fetch, Part::Compute, Part::Store];
        let wakes = others.into_iter().map(|p| self.wake[p as usize]);
        let horizon = wakes.min().unwrap_or(0).min(max_cycles);
        // The last commands of a row are left to ticks.
        let in_row = u64::from(place.left.saturating_sub(burst + 1) / beats);
        let n = in_row.min(horizon.saturating_sub(self.cycle) / period);
        if n == 0 || !beats.is_multiple_of(burst) {
            return;
        }
        let moved = n as u32 * beats;
        let bytes = moved << beat_log;
        self.load.tensor[usize::from(view.client == Client::Wgt)].advance(moved);
        self.vme.advance(view.client, bytes);
        self.port.advance(bytes);
        self.stats.read_beats[view.client as usize] += u64::from(moved);
        self.stats.read_bursts[view.client as usize] += u64::from(moved / burst);
        self.cycle += n * period;
        for p in STREAM {
            let wake = &mut self.wake[p as usize];
            *wake = wake.saturating_add(n * period);
            self.synced[p as usize] += n * period;
        }
        self.seen_stream = None;
    }

    /// The state, if one load streams full bursts and nobody else reads.
    fn stream(&mut self) -> Option<(Place, View)> {
        let client = self.vme.lone_client()?;
        let at = match client {
            Client::Inp => 0,
            Client::Wgt => 1,
            _ => return None,
        };
        self.sync(Part::Load, self.cycle);
        self.sync(Part::Port, self.cycle);
        let (load, place) = self.load.tensor[at].view()?;
        let (burst, _) = self.load.tensor[at].burst();
        let len = (burst - 1) as u16;
        let vme = self.vme.view(client);
        if vme.waiting.is_some_and(|w| w != len) {
            return None;
        }
        let view = View {
            client,
            load,
            vme,
            port: self.port.view(len)?,
            wake: STREAM.map(|p| self.wake[p as usize].saturating_sub(self.cycle)),
        };
        Some((place, view))
    }
}

const _: () = assert!(PARTS == 6, "every part but those of a stream bounds a leap");

/// Whether a run may leap: nobody wants to see what happens on the way.
pub(super) const fn leaps<S: Sink>(jump: bool) -> bool {
    jump && !S::ENABLED
}
