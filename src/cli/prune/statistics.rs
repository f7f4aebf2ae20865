//! A mean and how sure it is.

/// A mean with half of its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half of the interval by Student's distribution; none of one value.
    pub half: Option<f64>,
}

/// Quantiles of Student's distribution at 97.5 %, for 1, 2, ... degrees of freedom.
const STUDENT: [f64; 15] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131,
];

impl Mean {
    /// Of something of each.
    pub fn of<T>(all: &[T], f: impl Fn(&T) -> f64) -> Self {
        let n = all.len() as f64;
        let mean = all.iter().map(&f).sum::<f64>() / n;
        let squares: f64 = all.iter().map(|x| (f(x) - mean).powi(2)).sum();
        let half = (all.len() > 1).then(|| {
            let degrees = (all.len() - 1).min(STUDENT.len());
            STUDENT[degrees - 1] * (squares / (n - 1.0) / n).sqrt()
        });
        Self { mean, half }
    }

    /// As percent.
    pub fn percent(&self) -> String {
        match self.half {
            Some(half) => format!("{:.2} ± {:.2} %", 100.0 * self.mean, 100.0 * half),
            None => format!("{:.2} %", 100.0 * self.mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mean;

    #[test]
    fn interval_of_three() {
        let m = Mean::of(&[1.0, 2.0, 3.0], |x| *x);
        // s = 1, t(2) = 4.303: 4.303 / sqrt(3).
        assert_eq!(m.mean, 2.0);
        assert!((m.half.unwrap_or(0.0) - 2.4843).abs() < 1e-3);
        assert_eq!(Mean::of(&[1.0], |x| *x).half, None);
        assert_eq!(Mean::of(&[0.5, 0.5], |x| *x).percent(), "50.00 ± 0.00 %");
    }
}
