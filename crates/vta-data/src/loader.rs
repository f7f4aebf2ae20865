//! Batches of an epoch.

use super::{Augment, DataError, Fault, Label, Normalise, Sample, order, to_array};
use ndarray::Array4;

/// What a network is trained or measured with at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<L> {
    /// `[n, channels, height, width]`.
    pub images: Array4<f32>,
    /// What is known of each image, after all changes.
    pub labels: Vec<L>,
    /// Where each sample is in its split.
    pub indices: Vec<usize>,
}

/// Makes batches of samples.
///
/// A batch is a function of the samples, the fields here, the epoch and its
/// number: training that stops after any batch goes on with the next one.
#[derive(Debug, Clone)]
pub struct Loader<'a, L> {
    /// The samples.
    pub samples: &'a [Sample<L>],
    /// Samples of a batch; the last one of an epoch may have fewer.
    pub batch: usize,
    /// Seed of orders and changes.
    pub seed: u64,
    /// Another order in each epoch; else that of the samples.
    pub shuffle: bool,
    /// Leaves out a last batch that is not full.
    pub drop_last: bool,
    /// Random changes, if any.
    pub augment: Option<Augment>,
    /// How bytes become floats.
    pub normalise: Normalise,
}

impl<'a, L: Label> Loader<'a, L> {
    /// All samples in their order, unchanged: to measure with.
    pub fn plain(samples: &'a [Sample<L>], batch: usize, normalise: Normalise) -> Self {
        Self {
            samples,
            batch,
            seed: 0,
            shuffle: false,
            drop_last: false,
            augment: None,
            normalise,
        }
    }

    /// Another order in each epoch, with random changes: to train with.
    pub fn training(
        samples: &'a [Sample<L>],
        batch: usize,
        normalise: Normalise,
        augment: Augment,
        seed: u64,
    ) -> Self {
        Self {
            seed,
            shuffle: true,
            augment: Some(augment),
            ..Self::plain(samples, batch, normalise)
        }
    }

    /// Number of batches of an epoch.
    pub fn batches(&self) -> usize {
        let size = self.batch.max(1);
        match self.drop_last {
            true => self.samples.len() / size,
            false => self.samples.len().div_ceil(size),
        }
    }

    /// The batches of an epoch, from batch `first` on.
    pub fn epoch(&self, epoch: u64, first: usize) -> Batches<'_, 'a, L> {
        let n = self.samples.len();
        let order = match self.shuffle {
            true => order(n, self.seed, epoch),
            false => (0..n).collect(),
        };
        Batches {
            loader: self,
            order,
            epoch,
            next: first,
        }
    }

    /// One batch: these samples as they are seen in an epoch.
    ///
    /// # Errors
    /// A sample that does not exist, images of different sizes, no samples.
    pub fn batch(&self, epoch: u64, indices: &[usize]) -> Result<Batch<L>, DataError> {
        let sample = |i: &usize| {
            let n = self.samples.len();
            let sample = self.samples.get(*i);
            sample.ok_or_else(|| Fault::Request(format!("there is no sample {i}, there are {n}")))
        };
        let mut labels = Vec::with_capacity(indices.len());
        let images = match &self.augment {
            None => {
                let mut images = Vec::with_capacity(indices.len());
                for i in indices {
                    let sample = sample(i)?;
                    labels.push(sample.label.clone());
                    images.push(&sample.image);
                }
                to_array(images, &self.normalise)?
            }
            Some(augment) => {
                let mut images = Vec::with_capacity(indices.len());
                for i in indices {
                    let seen = augment.apply(sample(i)?, self.seed, epoch, *i as u64)?;
                    labels.push(seen.label);
                    images.push(seen.image);
                }
                to_array(&images, &self.normalise)?
            }
        };
        Ok(Batch {
            images,
            labels,
            indices: indices.to_vec(),
        })
    }
}

/// The batches of an epoch, in order.
#[derive(Debug)]
pub struct Batches<'l, 'a, L> {
    loader: &'l Loader<'a, L>,
    order: Vec<usize>,
    epoch: u64,
    next: usize,
}

impl<L: Label> Iterator for Batches<'_, '_, L> {
    type Item = Result<Batch<L>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.loader.batches() {
            return None;
        }
        let size = self.loader.batch.max(1);
        let begin = self.next * size;
        let end = (begin + size).min(self.order.len());
        self.next += 1;
        Some(self.loader.batch(self.epoch, &self.order[begin..end]))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.batches().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl<L: Label> ExactSizeIterator for Batches<'_, '_, L> {}
