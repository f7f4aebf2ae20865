//! What a detector learns from another with the same outputs.

use super::loss::cross_entropy;
use super::{BEFORE, Detect, OBJECT};
use crate::backend::Kernels;
use crate::{Pass, TrainError};
use burn_tensor::Tensor;
use burn_tensor::backend::AutodiffBackend;
use vta_data::Boxes;

/// Fraction of the weight that lies on boxes; the rest is on what is around them.
const FOREGROUND: f32 = 0.5;

impl Detect {
    /// How far the outputs of a batch are from a teacher's: for each place the
    /// divergence of its object, and weighted with the teacher's object that of
    /// its classes and the squared distance of its box; divided by the objects
    /// that the teacher sees. Equal outputs give 0.
    ///
    /// # Errors
    /// Outputs of another network.
    pub fn distillation_loss<A, B>(
        &self,
        student: &Pass<A>,
        teacher: &Pass<B>,
        n: usize,
    ) -> Result<Tensor<A, 1>, TrainError>
    where
        A: AutodiffBackend<InnerBackend = B> + Kernels,
        B: Kernels,
    {
        let students = self.detector().outputs(student, n)?;
        let teachers = self.detector().outputs(teacher, n)?;
        let mut sum: Option<Tensor<A, 1>> = None;
        let mut objects: Option<Tensor<A, 1>> = None;
        for (s, t) in students.into_iter().zip(teachers) {
            let t: Tensor<A, 5> = Tensor::from_inner(t);
            let [n, a, v, h, w] = s.dims();
            let values = |x: &Tensor<A, 5>, from: usize, to: usize| {
                x.clone().slice([0..n, 0..a, from..to, 0..h, 0..w])
            };
            let of = |from, to| (values(&s, from, to), values(&t, from, to));
            let (box_s, box_t) = of(0, OBJECT);
            let (object_s, object) = of(OBJECT, OBJECT + 1);
            let (class_s, class_t) = of(BEFORE, v);
            let boxes = (box_s - box_t).square() * object.clone();
            let classes = divergence(class_s, class_t) * object.clone();
            let here = boxes.sum() + divergence(object_s, object.clone()).sum() + classes.sum();
            let seen = object.sum();
            sum = Some(sum.map_or_else(|| here.clone(), |s| s + here.clone()));
            objects = Some(objects.map_or_else(|| seen.clone(), |o| o + seen.clone()));
        }
        match (sum, objects) {
            (Some(s), Some(o)) => Ok(s / o.clamp_min(1.0)),
            _ => Err(TrainError::Request("a detector without outputs".into())),
        }
    }

    /// How much each place of a map `[h, w]` over the images counts, `[n, h, w]`
    /// row by row: half of the weight is on boxes, each box the same however
    /// large, half on what is around them (as in focal distillation). The mean
    /// is 1; where there are no boxes, or nothing else, all count the same.
    pub fn foreground(&self, labels: &[Boxes], [h, w]: [usize; 2]) -> Vec<f32> {
        let [height, width] = self.detector().image;
        let scale = [h as f32 / height as f32, w as f32 / width as f32];
        let one = |boxes: &Boxes| {
            // 1 over the area of the smallest box on each place; 0 on none.
            let mut on = vec![0f32; h * w];
            for b in boxes {
                let span = |low: f32, high: f32, scale: f32, n: usize| {
                    let first = ((low * scale).floor().max(0.0) as usize).min(n - 1);
                    let end = ((high * scale).ceil().max(1.0) as usize).min(n);
                    first..end.max(first + 1)
                };
                let rows = span(b.y0, b.y1, scale[0], h);
                let columns = span(b.x0, b.x1, scale[1], w);
                let much = 1.0 / (rows.len() * columns.len()) as f32;
                for row in rows {
                    for place in &mut on[row * w..][columns.clone()] {
                        *place = place.max(much);
                    }
                }
            }
            let sum: f32 = on.iter().sum();
            let around = on.iter().filter(|x| **x == 0.0).count();
            if sum == 0.0 || around == 0 {
                return vec![1.0; h * w];
            }
            let all = (h * w) as f32;
            let weigh = |x: f32| match x > 0.0 {
                true => FOREGROUND * all * x / sum,
                false => (1.0 - FOREGROUND) * all / around as f32,
            };
            on.into_iter().map(weigh).collect()
        };
        labels.iter().flat_map(one).collect()
    }
}

/// Divergence of probabilities from a teacher's, each for itself.
fn divergence<K: Kernels>(student: Tensor<K, 5>, teacher: Tensor<K, 5>) -> Tensor<K, 5> {
    cross_entropy(student, teacher.clone()) - cross_entropy(teacher.clone(), teacher)
}
