//! From outputs to boxes.

use super::{BEFORE, Detector, Head, OBJECT};
use crate::TrainError;
use ndarray::ArrayD;
use vta_data::{BBox, Detection, nms};

/// Which boxes of a network's outputs count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Least score: objectness times that of the class.
    pub score: f32,
    /// Boxes of a class that overlap a better one by more are left out.
    pub overlap: f32,
    /// At most so many boxes of an image.
    pub limit: usize,
}

impl Default for Rules {
    /// To measure with: nearly all boxes, as average precision wants them.
    fn default() -> Self {
        Self {
            score: 0.01,
            overlap: 0.45,
            limit: 100,
        }
    }
}

/// Sizes are within a factor of `exp` of this to their anchor.
pub(super) const SIZE: f32 = 6.0;

impl Detector {
    /// The boxes in the outputs of one image, best first, in pixels of the
    /// network's input and within it.
    ///
    /// Outputs are in the order of the network's, each `[1, anchors, 5 +
    /// classes, rows, columns]`, from whatever computed them: floats or the
    /// device.
    ///
    /// # Errors
    /// Outputs of another number or other dimensions.
    pub fn decode(
        &self,
        outputs: &[ArrayD<f32>],
        rules: &Rules,
    ) -> Result<Vec<Detection>, TrainError> {
        self.check(outputs)?;
        let rows: Vec<Vec<f32>> = outputs
            .iter()
            .map(|o| o.iter().copied().collect())
            .collect();
        let rows: Vec<&[f32]> = rows.iter().map(|r| &r[..]).collect();
        Ok(self.decode_rows(&rows, rules))
    }

    fn check(&self, outputs: &[ArrayD<f32>]) -> Result<(), TrainError> {
        let error = |name: String, want, got| Err(TrainError::Size { name, want, got });
        if outputs.len() != self.heads.len() {
            let (want, got) = (vec![self.heads.len()], vec![outputs.len()]);
            return error("outputs".into(), want, got);
        }
        for (i, (o, head)) in outputs.iter().zip(&self.heads).enumerate() {
            let mut want = self.dims(head).to_vec();
            want.insert(0, 1);
            if o.shape() != want {
                return error(format!("output {i}"), want, o.shape().to_vec());
            }
        }
        Ok(())
    }

    /// As [`decode`](Self::decode), of outputs as rows of as many values as they must have.
    pub(super) fn decode_rows(&self, outputs: &[&[f32]], rules: &Rules) -> Vec<Detection> {
        let mut all = Vec::new();
        for (head, values) in self.heads.iter().zip(outputs) {
            self.candidates(head, values, rules.score, &mut all);
        }
        nms(&all, rules.overlap, rules.limit)
    }

    /// All boxes of a head with at least a score.
    fn candidates(&self, head: &Head, values: &[f32], least: f32, all: &mut Vec<Detection>) {
        let [_, v, h, w] = self.dims(head);
        let cell = self.cell(head);
        let planes = values.chunks_exact(v * h * w);
        for (anchor, planes) in head.anchors.iter().zip(planes) {
            for place in 0..h * w {
                let value = |i: usize| planes[i * h * w + place];
                let object = value(OBJECT);
                // Scores of classes are at most 1.
                if object.is_nan() || object < least {
                    continue;
                }
                let axis = |i: usize, at: usize, end: usize| {
                    let middle = (at as f32 + 2.0 * value(i) - 0.5) * cell[i];
                    let half = anchor[i] * value(2 + i).clamp(-SIZE, SIZE).exp() / 2.0;
                    let clip = |x: f32| x.clamp(0.0, end as f32);
                    (clip(middle - half), clip(middle + half))
                };
                let (x0, x1) = axis(0, place % w, self.image[1]);
                let (y0, y1) = axis(1, place / w, self.image[0]);
                for class in 0..self.classes.len() {
                    let score = object * value(BEFORE + class);
                    if score >= least {
                        let bbox = BBox::new(class as u16, x0, y0, x1, y1);
                        all.push(Detection { bbox, score });
                    }
                }
            }
        }
    }
}
