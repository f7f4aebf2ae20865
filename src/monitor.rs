//! How long work is followed and stopped.

use std::fmt;
use std::sync::Arc;

/// A phase of long work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Float values of samples are observed.
    Calibrate,
    /// Exponents of the integer network are chosen.
    Quantise,
    /// A network becomes a program.
    Compile,
    /// A program is proven.
    Verify,
    /// Launches are simulated.
    Simulate,
    /// Samples go through the float network.
    Float,
    /// Samples go through the program.
    Device,
    /// Points of a sweep or a front are computed.
    Points,
    /// An order of channels is searched for.
    Permute,
    /// A network is trained.
    Train,
    /// A network is trained while its blocks go.
    Prune,
}

impl Phase {
    /// A word for people: `calibrate`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calibrate => "calibrate",
            Self::Quantise => "choose scales",
            Self::Compile => "compile",
            Self::Verify => "verify",
            Self::Simulate => "simulate",
            Self::Float => "float",
            Self::Device => "device",
            Self::Points => "points",
            Self::Permute => "order channels",
            Self::Train => "training",
            Self::Prune => "pruning",
        }
    }
}

/// Follows long work: is told of its phases and steps, and is asked whether to
/// go on. Calls come from any thread, and phases may be inside each other.
///
/// ```
/// use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
///
/// #[derive(Default)]
/// struct Count { steps: AtomicUsize, stop: AtomicBool }
///
/// impl vta::Monitor for Count {
///     fn step(&self, _: vta::Phase) { self.steps.fetch_add(1, Ordering::Relaxed); }
///     fn is_cancelled(&self) -> bool { self.stop.load(Ordering::Relaxed) }
/// }
///
/// let count = std::sync::Arc::new(Count::default());
/// count.stop.store(true, Ordering::Relaxed);
/// let model = vta::Model::zoo("resnet8", 1)?.monitored(count);
/// let error = model.quantise(&vta::Calibration::default()).map(|_| ()).unwrap_err();
/// assert!(matches!(error, vta::Error::Cancelled));
/// # Ok::<(), vta::Error>(())
/// ```
pub trait Monitor: Send + Sync {
    /// A phase begins: `done` of its steps were done before, of so many in
    /// all, where that is known.
    fn begin(&self, phase: Phase, done: u64, steps: Option<u64>) {
        let _ = (phase, done, steps);
    }

    /// One more step of a phase is done.
    fn step(&self, phase: Phase) {
        let _ = phase;
    }

    /// How the phase stands, in words for people: `epoch 3, loss 0.210`.
    fn say(&self, phase: Phase, text: &str) {
        let _ = (phase, text);
    }

    /// A phase ends, also where it failed.
    fn end(&self, phase: Phase) {
        let _ = phase;
    }

    /// Whether the work shall stop; it then ends soon with
    /// [`Error::Cancelled`](crate::Error::Cancelled) and has written nothing.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Follows nothing and stops nothing.
impl Monitor for () {}

/// A monitor that stages pass on.
#[derive(Clone)]
pub(crate) struct Watch(Arc<dyn Monitor>);

impl Default for Watch {
    fn default() -> Self {
        Self(Arc::new(()))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    pub(crate) fn new(monitor: Arc<dyn Monitor>) -> Self {
        Self(monitor)
    }

    /// A phase that ends when the guard goes.
    pub(crate) fn phase(&self, phase: Phase, steps: Option<u64>) -> InPhase<'_> {
        self.resumed(phase, 0, steps)
    }

    /// The same, where `done` steps were done before.
    pub(crate) fn resumed(&self, phase: Phase, done: u64, steps: Option<u64>) -> InPhase<'_> {
        self.0.begin(phase, done, steps);
        InPhase { watch: self, phase }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// # Errors
    /// The monitor wants the work to stop.
    pub(crate) fn go_on(&self) -> Result<(), crate::Error> {
        match self.0.is_cancelled() {
            true => Err(crate::Error::Cancelled),
            false => Ok(()),
        }
    }
}

/// A phase that goes on.
pub(crate) struct InPhase<'a> {
    watch: &'a Watch,
    phase: Phase,
}

impl InPhase<'_> {
    /// One more step is done.
    pub(crate) fn step(&self) {
        self.watch.0.step(self.phase);
    }

    /// Says how it stands.
    #[cfg(feature = "train")]
    pub(crate) fn say(&self, text: &str) {
        self.watch.0.say(self.phase, text);
    }
}

impl Drop for InPhase<'_> {
    fn drop(&mut self) {
        self.watch.0.end(self.phase);
    }
}
