//! Alternating directions: what one layer's weights are pulled to.

use super::Blocks;
use serde::{Deserialize, Serialize};

/// The state of one layer: `Z`, `U`, `M` and `rho`.
///
/// `Z` is the nearest weight with `k` groups, `U` the sum of what is between
/// the weight and it, `M` the kept groups. An update makes `Z = W + U` and
/// `U = 0` where kept, `Z = 0` and `U = W + U` where dropped. So one of the two
/// is zero everywhere, and one array, as large as the weight, holds both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Admm {
    blocks: Blocks,
    /// `Z` where the group is kept, `U` where it is dropped.
    zu: Vec<f32>,
    /// `M`, by group.
    kept: Vec<bool>,
    rho: f32,
}

impl Admm {
    /// All groups kept, `Z = W`, `U = 0`, no penalty.
    ///
    /// # Panics
    /// `w` has another number of elements than `blocks`.
    pub fn new(blocks: Blocks, w: &[f32]) -> Self {
        assert_eq!(w.len(), blocks.len(), "elements of the weight");
        Self {
            zu: w.to_vec(),
            kept: vec![true; blocks.groups()],
            blocks,
            rho: 0.0,
        }
    }

    /// `Z = top-k of (W + U)`, `M` its support, `U += W - Z`, and
    /// `|U| <= |W|` in each group.
    ///
    /// Sums are in f64 and in the order of the elements.
    ///
    /// # Panics
    /// `w` has another number of elements.
    pub fn update(&mut self, w: &[f32], k: usize) {
        let sum = self.shifted(w);
        let kept = self.blocks.top(&sum, k);
        self.project(w, sum, kept);
    }

    /// As [`Admm::update`] with these groups kept instead of the `k` strongest.
    ///
    /// # Panics
    /// `w` or `kept` has another number of elements or groups.
    pub fn update_to(&mut self, w: &[f32], kept: Vec<bool>) {
        assert_eq!(kept.len(), self.blocks.groups(), "groups of the weight");
        self.project(w, self.shifted(w), kept);
    }

    fn project(&mut self, w: &[f32], sum: Vec<f32>, kept: Vec<bool>) {
        self.kept = kept;
        self.zu = sum;
        self.clip(w);
    }

    /// `W + U`: what groups are ranked by.
    ///
    /// # Panics
    /// `w` has another number of elements.
    pub fn shifted(&self, w: &[f32]) -> Vec<f32> {
        let mut sum = self.duals();
        assert_eq!(w.len(), sum.len(), "elements of the weight");
        sum.iter_mut().zip(w).for_each(|(u, w)| *u += w);
        sum
    }

    /// Shrinks `U` of each dropped group to the length of `W` there: the pull
    /// on a weight is never more than twice the weight.
    fn clip(&mut self, w: &[f32]) {
        let (of_u, of_w) = (self.blocks.energies(&self.zu), self.blocks.energies(w));
        let (kept, zu) = (&self.kept, &mut self.zu);
        self.blocks.runs(|group, at, n| {
            if !kept[group] && of_u[group] > of_w[group] {
                let scale = (of_w[group] / of_u[group]).sqrt();
                for u in &mut zu[at..at + n] {
                    *u = (f64::from(*u) * scale) as f32;
                }
            }
        });
    }

    /// Whether it is a state of these blocks, its array aside.
    pub(super) fn is_of(&self, blocks: &Blocks) -> bool {
        let rho = self.rho.is_finite() && self.rho >= 0.0;
        self.blocks == *blocks && self.kept.len() == blocks.groups() && rho
    }

    /// Takes out the array that holds `Z` and `U`.
    pub(super) fn detach(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.zu)
    }

    /// Puts it back.
    pub(super) fn attach(&mut self, zu: Vec<f32>) {
        self.zu = zu;
    }

    /// Another weight of the penalty; `U` is scaled so that `rho U` stays.
    pub fn set_rho(&mut self, rho: f32) {
        if self.rho > 0.0 && rho > 0.0 && rho != self.rho {
            self.scale_duals(f64::from(self.rho) / f64::from(rho));
        }
        self.rho = rho;
    }

    /// `U = 0`, as the two-stage baseline does at each `rho`.
    pub fn reset_duals(&mut self) {
        self.scale_duals(0.0);
    }

    fn scale_duals(&mut self, by: f64) {
        let (kept, zu) = (&self.kept, &mut self.zu);
        self.blocks.runs(|group, at, n| {
            if !kept[group] {
                for u in &mut zu[at..at + n] {
                    *u = (f64::from(*u) * by) as f32;
                }
            }
        });
    }

    /// `rho / 2 |W - Z + U|^2`.
    ///
    /// # Panics
    /// `w` has another number of elements.
    pub fn penalty(&self, w: &[f32]) -> f64 {
        if self.rho == 0.0 {
            return 0.0;
        }
        let target = self.target();
        assert_eq!(w.len(), target.len(), "elements of the weight");
        let squares = w.iter().zip(&target).map(|(w, t)| {
            let d = f64::from(*w) - f64::from(*t);
            d * d
        });
        0.5 * f64::from(self.rho) * squares.sum::<f64>()
    }

    /// Adds the penalty's gradient, `rho (W - Z + U)`.
    ///
    /// # Panics
    /// `w` or `gradient` has another number of elements.
    pub fn add_gradient(&self, w: &[f32], gradient: &mut [f32]) {
        assert_eq!(
            (w.len(), gradient.len()),
            (self.zu.len(), self.zu.len()),
            "elements of the weight"
        );
        if self.rho == 0.0 {
            return;
        }
        self.blocks.runs(|group, at, n| {
            let sign = if self.kept[group] { -1.0 } else { 1.0 };
            for i in at..at + n {
                gradient[i] += self.rho * (w[i] + sign * self.zu[i]);
            }
        });
    }

    /// `Z - U`: what the penalty pulls the weight to.
    pub fn target(&self) -> Vec<f32> {
        let mut target = self.zu.clone();
        self.blocks.runs(|group, at, n| {
            if !self.kept[group] {
                target[at..at + n].iter_mut().for_each(|u| *u = -*u);
            }
        });
        target
    }

    /// `Z`.
    pub fn projection(&self) -> Vec<f32> {
        let mut z = self.zu.clone();
        self.blocks.project(&mut z, &self.kept);
        z
    }

    /// `U`.
    pub fn duals(&self) -> Vec<f32> {
        let mut u = self.zu.clone();
        let dropped: Vec<bool> = self.kept.iter().map(|k| !k).collect();
        self.blocks.project(&mut u, &dropped);
        u
    }

    /// `M`: which groups are kept.
    pub fn kept(&self) -> &[bool] {
        &self.kept
    }

    /// Number of kept groups.
    pub fn count_kept(&self) -> usize {
        self.kept.iter().filter(|k| **k).count()
    }

    /// The blocks.
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// The penalty's weight.
    pub fn rho(&self) -> f32 {
        self.rho
    }

    /// What each weight is multiplied with in the forward pass:
    /// 1 where kept, `1 - eta` where dropped.
    pub fn factors(&self, eta: f32) -> Vec<f32> {
        self.blocks.spread(&self.kept, 1.0, 1.0 - eta)
    }
}
