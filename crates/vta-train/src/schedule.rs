//! The learning rate over the steps: a straight rise, then half a cosine.

/// A schedule of the learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f64,
    /// Steps of the rise; 0 starts at the peak.
    pub warm_up: u64,
    /// All steps.
    pub steps: u64,
    /// The last rate, as a fraction of the highest.
    pub last: f64,
}

impl Schedule {
    /// The rate of a step, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.peak * (step + 1) as f64 / self.warm_up as f64;
        }
        let span = self.steps.saturating_sub(self.warm_up + 1).max(1);
        let progress = ((step - self.warm_up) as f64 / span as f64).min(1.0);
        // libm: the same bits on every machine.
        let fall = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * progress));
        self.peak * (self.last + (1.0 - self.last) * fall)
    }
}
