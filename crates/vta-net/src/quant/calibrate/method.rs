//! Ways to choose a step from a tensor's statistics.

use super::histogram::Histogram;
use super::stats::Stats;

/// How steps of activations are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Method {
    /// The smallest step that cuts nothing off.
    MinMax,
    /// The smallest step that cuts off at most this fraction of the values.
    Percentile(f64),
    /// The least divergence (Kullback-Leibler) of the distributions before and after.
    Kl,
    /// The least squared error of the tensor.
    Mse,
    /// All of these are tried, the network with the least error of its outputs
    /// is taken, and its steps are changed one by one while that helps.
    #[default]
    Best,
}

/// What [`Method::Best`] tries, best guess first.
pub(crate) const TRIED: [Method; 4] = [
    Method::Mse,
    Method::Kl,
    Method::Percentile(1e-4),
    Method::MinMax,
];

impl Method {
    /// The exponent for tensors that share it; none if all are zero.
    pub(crate) fn exponent(self, members: &[&Stats]) -> Option<i32> {
        let largest =
            |one: &dyn Fn(&Stats) -> Option<i32>| members.iter().filter_map(|s| one(s)).max();
        match self {
            Self::MinMax => largest(&Stats::exponent),
            Self::Percentile(fraction) => largest(&|s| percentile(s, fraction)),
            Self::Kl => largest(&kl),
            Self::Mse | Self::Best => {
                let top = largest(&Stats::exponent)?;
                let error = |e: i32| members.iter().map(|s| s.error(e)).sum::<f64>();
                let candidates = (0..=3).map(|d| top - d);
                candidates.min_by(|a, b| error(*a).total_cmp(&error(*b)))
            }
        }
    }
}

/// Upper ends of the candidates' ranges, in bins.
fn limit(histogram: &Histogram, exponent: i32) -> usize {
    histogram.within(127.5 * 2_f64.powi(exponent))
}

fn percentile(stats: &Stats, fraction: f64) -> Option<i32> {
    let allowed = (fraction * stats.count) as u64;
    let histogram = stats.histogram.as_ref()?;
    stats.candidates()?.find(|e| {
        let cut: u64 = histogram.bins()[limit(histogram, *e)..].iter().sum();
        cut <= allowed
    })
}

fn kl(stats: &Stats) -> Option<i32> {
    // Zeros are exact with any step, and behind a ReLU most values are zeros or near.
    let histogram = stats.histogram.as_ref()?;
    let mut bins = histogram.bins().to_vec();
    bins[0] = bins[1];
    let score = |e: i32| divergence(&bins, limit(histogram, e));
    let candidates = stats.candidates()?.rev();
    candidates.min_by(|a, b| score(*a).total_cmp(&score(*b)))
}

/// Divergence of magnitudes, with all beyond `limit` in the last bin, from
/// what 128 levels keep of those within.
fn divergence(histogram: &[u64], limit: usize) -> f64 {
    let beyond: u64 = histogram[limit..].iter().sum();
    let mut p: Vec<f64> = histogram[..limit].iter().map(|n| *n as f64).collect();
    let mut q = vec![0.; limit];
    let levels = 128.min(limit);
    for level in 0..levels {
        let bins = level * limit / levels..(level + 1) * limit / levels;
        let sum: f64 = p[bins.clone()].iter().sum();
        let filled = p[bins.clone()].iter().filter(|n| **n > 0.).count();
        for i in bins {
            if p[i] > 0. {
                q[i] = sum / filled as f64;
            }
        }
    }
    p[limit - 1] += beyond as f64;
    let (total_p, total_q): (f64, f64) = (p.iter().sum(), q.iter().sum());
    if total_q == 0. {
        return f64::INFINITY;
    }
    let terms = p.iter().zip(&q).filter(|(p, _)| **p > 0.);
    terms
        .map(|(p, q)| {
            let p = p / total_p;
            // A bin that only holds what was cut off.
            let q = (q / total_q).max(1e-9);
            p * (p / q).ln()
        })
        .sum()
}
