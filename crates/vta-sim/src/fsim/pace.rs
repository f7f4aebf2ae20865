//! Stops inside of long instructions.

/// Steps between two questions: some tens of milliseconds.
const EVERY: u64 = 1 << 22;

/// Asks now and then whether an instruction of many steps shall be broken off.
pub struct Pace<'a> {
    left: u64,
    stop: &'a dyn Fn() -> bool,
    stopped: bool,
}

impl<'a> Pace<'a> {
    /// Goes on until `stop` says true.
    pub const fn new(stop: &'a dyn Fn() -> bool) -> Self {
        Self {
            left: EVERY,
            stop,
            stopped: false,
        }
    }

    /// Never stops.
    pub const fn free() -> Self {
        Self::new(&|| false)
    }

    /// Whether an instruction was broken off.
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// So many steps are done; says whether to go on.
    #[inline(always)]
    pub(super) fn done(&mut self, steps: u64) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                true
            }
            None => self.ask(),
        }
    }

    #[cold]
    fn ask(&mut self) -> bool {
        self.left = EVERY;
        self.stopped |= (self.stop)();
        !self.stopped
    }

    /// How often something of so many steps can be done between two questions.
    pub(super) const fn times(steps: u64) -> u64 {
        let times = EVERY / if steps == 0 { 1 } else { steps };
        if times == 0 { 1 } else { times }
    }
}
