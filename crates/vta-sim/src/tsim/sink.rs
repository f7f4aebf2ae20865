//! Who receives events: one sink or several, which may end a run.

use super::event::Event;
use std::convert::Infallible;

/// Why a sink ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop<E = Infallible> {
    /// It has seen enough.
    Enough,
    /// It cannot go on.
    Failed(E),
}

impl<E> From<E> for Stop<E> {
    fn from(e: E) -> Self {
        Self::Failed(e)
    }
}

/// A run that a sink ended, and in which cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped<E> {
    /// The cycle of the event that it did not want to go past.
    pub cycle: u64,
    /// Why.
    pub stop: Stop<E>,
}

/// Receives events. With `ENABLED` false the simulator makes none.
///
/// Sinks compose: a pair of sinks is a sink, so pairs nest; so are an
/// `Option`, a `Vec` of sinks of one type, and a `Vec` of boxed ones
/// ([`DynSink`]). Each receives every event, also that with which another
/// ends the run.
pub trait Sink {
    /// Whether events are wanted.
    const ENABLED: bool = true;

    /// Whether everything is wanted, in its cycle. Without, single beats,
    /// write commands and responses may be missing, and the run is faster;
    /// `WriteBeat` and `WriteEnd` come when their store ends, and `State` of a
    /// unit when its instruction starts or ends.
    const CYCLES: bool = Self::ENABLED;

    /// Whether what happens between the ends of instructions is wanted. Without, there
    /// may be nothing but `InsnEnd`, and the run is faster still.
    const BETWEEN: bool = Self::ENABLED;

    /// What it can fail with; [`Infallible`] if it cannot.
    type Error: std::error::Error + 'static;

    /// An event of a cycle. Cycles never go back, but for what comes late
    /// without `CYCLES`; the states of a module are in order in any case.
    /// With `CYCLES`, within a cycle: instruction ends (load, compute, store),
    /// bus events, dispatches, then the rest.
    ///
    /// # Errors
    /// Ends the run in this cycle: [`Stop::Enough`] with
    /// [`Status::Stopped`](super::Status::Stopped), an error with
    /// [`RunError::Sink`](super::RunError::Sink).
    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<Self::Error>>;

    /// Whether the run shall end, with [`Status::Stopped`](super::Status::Stopped):
    /// asked now and then, also where no events are wanted and inside of long
    /// instructions, whose data are then moved in part.
    #[inline(always)]
    fn wants_stop(&self) -> bool {
        false
    }
}

/// A sink, and a question that ends the run.
///
/// ```
/// use vta_program::{config::HwConfig, mem::Dram};
/// use vta_sim::tsim::{NoSink, Options, Status, Until, run};
///
/// // Cycle by cycle until a slow memory gives the first instruction.
/// let config = HwConfig { mem_delay: 4096, ..HwConfig::de10() };
/// let options = Options { jump: false, ..Options::default() };
/// let mut sink = Until::new(|| true, NoSink);
/// let mut dram = Dram::new(vec![0; 8192]);
/// let outcome = run(&config, &mut dram, 4096, 1, options, &mut sink)?;
/// assert_eq!(outcome.status, Status::Stopped);
/// # Ok::<(), vta_sim::tsim::RunError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Until<F, S> {
    stop: F,
    sink: S,
}

impl<F: Fn() -> bool, S: Sink> Until<F, S> {
    /// `sink`, until `stop` says true.
    pub const fn new(stop: F, sink: S) -> Self {
        Self { stop, sink }
    }
}

impl<F: Fn() -> bool, S: Sink> Sink for Until<F, S> {
    const ENABLED: bool = S::ENABLED;
    const CYCLES: bool = S::CYCLES;
    const BETWEEN: bool = S::BETWEEN;
    type Error = S::Error;

    #[inline(always)]
    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<S::Error>> {
        self.sink.event(cycle, event)
    }

    fn wants_stop(&self) -> bool {
        (self.stop)() || self.sink.wants_stop()
    }
}

/// How the engines hand on events.
pub(super) trait Emit: Sink {
    /// An event, and its cycle if it ends the run.
    #[inline(always)]
    fn emit(&mut self, cycle: u64, event: Event) -> Result<(), Stopped<Self::Error>> {
        self.event(cycle, event)
            .map_err(|stop| Stopped { cycle, stop })
    }

    /// Asks whether to go on in a cycle.
    #[inline(always)]
    fn go_on(&self, cycle: u64) -> Result<(), Stopped<Self::Error>> {
        if self.wants_stop() {
            let stop = Stop::Enough;
            return Err(Stopped { cycle, stop });
        }
        Ok(())
    }
}

impl<S: Sink> Emit for S {}

/// Wants no events.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    const ENABLED: bool = false;
    type Error = Infallible;

    #[inline(always)]
    fn event(&mut self, _: u64, _: Event) -> Result<(), Stop> {
        Ok(())
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    const ENABLED: bool = S::ENABLED;
    const CYCLES: bool = S::CYCLES;
    const BETWEEN: bool = S::BETWEEN;
    type Error = S::Error;

    #[inline(always)]
    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<S::Error>> {
        (**self).event(cycle, event)
    }

    #[inline(always)]
    fn wants_stop(&self) -> bool {
        (**self).wants_stop()
    }
}

impl<S: Sink> Sink for Option<S> {
    const ENABLED: bool = S::ENABLED;
    const CYCLES: bool = S::CYCLES;
    const BETWEEN: bool = S::BETWEEN;
    type Error = S::Error;

    #[inline]
    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<S::Error>> {
        match self {
            Some(s) => s.event(cycle, event),
            None => Ok(()),
        }
    }

    fn wants_stop(&self) -> bool {
        self.as_ref().is_some_and(S::wants_stop)
    }
}

/// The error of one of two sinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Either<A, B> {
    /// Of the first.
    #[error(transparent)]
    First(A),
    /// Of the second.
    #[error(transparent)]
    Second(B),
}

impl<A: Sink, B: Sink> Sink for (A, B) {
    const ENABLED: bool = A::ENABLED || B::ENABLED;
    const CYCLES: bool = A::CYCLES || B::CYCLES;
    const BETWEEN: bool = A::BETWEEN || B::BETWEEN;
    type Error = Either<A::Error, B::Error>;

    #[inline]
    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<Self::Error>> {
        let first = self.0.event(cycle, event).map_err(|s| match s {
            Stop::Enough => Stop::Enough,
            Stop::Failed(e) => Stop::Failed(Either::First(e)),
        });
        let second = self.1.event(cycle, event).map_err(|s| match s {
            Stop::Enough => Stop::Enough,
            Stop::Failed(e) => Stop::Failed(Either::Second(e)),
        });
        first.and(second)
    }

    fn wants_stop(&self) -> bool {
        self.0.wants_stop() || self.1.wants_stop()
    }
}

impl<S: Sink> Sink for Vec<S> {
    const ENABLED: bool = S::ENABLED;
    const CYCLES: bool = S::CYCLES;
    const BETWEEN: bool = S::BETWEEN;
    type Error = S::Error;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<S::Error>> {
        let mut done = Ok(());
        for s in self {
            done = done.and(s.event(cycle, event));
        }
        done
    }

    fn wants_stop(&self) -> bool {
        self.iter().any(S::wants_stop)
    }
}

/// A sink behind a pointer, all events wanted in their cycles: what it is made
/// of is not known before the run.
pub trait DynSink<E> {
    /// As [`Sink::event`].
    ///
    /// # Errors
    /// Ends the run.
    fn dyn_event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<E>>;

    /// As [`Sink::wants_stop`].
    fn dyn_wants_stop(&self) -> bool;
}

impl<S: Sink> DynSink<S::Error> for S {
    fn dyn_event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<S::Error>> {
        self.event(cycle, event)
    }

    fn dyn_wants_stop(&self) -> bool {
        self.wants_stop()
    }
}

impl<E: std::error::Error + 'static> Sink for Box<dyn DynSink<E> + '_> {
    type Error = E;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<E>> {
        (**self).dyn_event(cycle, event)
    }

    fn wants_stop(&self) -> bool {
        (**self).dyn_wants_stop()
    }
}
