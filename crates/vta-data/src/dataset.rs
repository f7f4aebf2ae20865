//! Data sets: samples in three splits.

use super::random::shuffle;
use super::{BBox, Boxes, DataError, Fault, Fit, Image, Purpose, Random};

/// An image and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<L> {
    /// The image.
    pub image: Image,
    /// Its class (`u16`), or its boxes ([`Boxes`]).
    pub label: L,
}

/// What can be known of an image: a class, or boxes.
pub trait Label: Clone + Send + Sync + std::fmt::Debug {
    /// Calls with the class of everything in the image.
    fn each_class(&self, f: impl FnMut(u16));

    /// All of it as bytes, the same on every machine: others for another label.
    fn to_bytes(&self) -> Vec<u8>;

    /// Follows its image through a mirror; `width` and `height` of the image.
    fn flip(&mut self, horizontal: bool, width: f32, height: f32);

    /// Follows its image through a change of scale and a move to a window of
    /// `size` (width, height). What is hardly visible any more is left out.
    fn moved(&mut self, scale: [f32; 2], by: [f32; 2], size: [f32; 2]);
}

impl Label for u16 {
    fn each_class(&self, mut f: impl FnMut(u16)) {
        f(*self);
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.to_le_bytes().into()
    }

    fn flip(&mut self, _: bool, _: f32, _: f32) {}

    fn moved(&mut self, _: [f32; 2], _: [f32; 2], _: [f32; 2]) {}
}

/// A box stays if at least this fraction of it is still in the image.
const VISIBLE: f32 = 0.3;
/// A box stays if it is at least so many pixels wide and high.
const SMALLEST: f32 = 1.0;

impl Label for Boxes {
    fn each_class(&self, mut f: impl FnMut(u16)) {
        self.iter().for_each(|b| f(b.class));
    }

    fn to_bytes(&self) -> Vec<u8> {
        let one = |b: &BBox| {
            let mut bytes = b.class.to_le_bytes().to_vec();
            let edges = [b.x0, b.y0, b.x1, b.y1];
            bytes.extend(edges.iter().flat_map(|e| e.to_le_bytes()));
            bytes.push(b.difficult.into());
            bytes
        };
        self.iter().flat_map(one).collect()
    }

    fn flip(&mut self, horizontal: bool, width: f32, height: f32) {
        for b in self {
            *b = if horizontal {
                BBox {
                    x0: width - b.x1,
                    x1: width - b.x0,
                    ..*b
                }
            } else {
                BBox {
                    y0: height - b.y1,
                    y1: height - b.y0,
                    ..*b
                }
            };
        }
    }

    fn moved(&mut self, scale: [f32; 2], by: [f32; 2], size: [f32; 2]) {
        let moved = self.iter().filter_map(|b| {
            let whole = b.moved(scale, by);
            let seen = whole.clipped(size[0], size[1]);
            let large = seen.width() >= SMALLEST && seen.height() >= SMALLEST;
            (large && seen.area() >= VISIBLE * whole.area()).then_some(seen)
        });
        *self = moved.collect();
    }
}

/// One of the three parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// To train with.
    Train,
    /// To choose settings with.
    Val,
    /// To measure with.
    Test,
}

impl Split {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// Its name: `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// A data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset<L> {
    /// Its name.
    pub name: String,
    /// Names of the classes; labels are indices of them.
    pub classes: Vec<String>,
    /// To train with.
    pub train: Vec<Sample<L>>,
    /// To choose settings with; may be empty.
    pub val: Vec<Sample<L>>,
    /// To measure with; may be empty.
    pub test: Vec<Sample<L>>,
    /// What was wrong in the files and has been put right, in order.
    pub repaired: Vec<DataError>,
}

impl<L: Label> Dataset<L> {
    /// A set without samples.
    pub fn new(name: impl Into<String>, classes: Vec<String>) -> Self {
        Self {
            name: name.into(),
            classes,
            train: Vec::new(),
            val: Vec::new(),
            test: Vec::new(),
            repaired: Vec::new(),
        }
    }

    /// The samples of a split.
    pub fn split(&self, split: Split) -> &[Sample<L>] {
        match split {
            Split::Train => &self.train,
            Split::Val => &self.val,
            Split::Test => &self.test,
        }
    }

    /// The samples of a split, to change them.
    pub fn split_mut(&mut self, split: Split) -> &mut Vec<Sample<L>> {
        match split {
            Split::Train => &mut self.train,
            Split::Val => &mut self.val,
            Split::Test => &mut self.test,
        }
    }

    /// What is measured while training goes on: the validation images, else the test images.
    pub fn held_out(&self) -> &[Sample<L>] {
        match self.val.is_empty() {
            true => &self.test,
            false => &self.val,
        }
    }

    /// The set with images and labels in the size that is wanted; what has that size stays.
    ///
    /// # Errors
    /// A size without pixels, or with too many.
    pub fn fitted(mut self, fit: Fit) -> Result<Self, Fault> {
        let Some(size) = fit.size() else {
            return Ok(self);
        };
        for split in Split::ALL {
            for Sample { image, label } in self.split_mut(split) {
                if [image.height(), image.width()] != size {
                    *image = fit.apply(image.clone(), label)?;
                }
            }
        }
        Ok(self)
    }

    /// How often each class is in a split.
    pub fn counts(&self, split: Split) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for sample in self.split(split) {
            sample.label.each_class(|c| {
                if let Some(n) = counts.get_mut(usize::from(c)) {
                    *n += 1;
                }
            });
        }
        counts
    }

    /// Channels, height and width, if all images have the same.
    pub fn dims(&self) -> Option<[usize; 3]> {
        let mut all = Split::ALL
            .iter()
            .flat_map(|s| self.split(*s))
            .map(|s| s.image.dims());
        let first = all.next()?;
        all.all(|d| d == first).then_some(first)
    }

    /// Takes `n` samples out of the training split, chosen by the seed, and
    /// adds them to another; both keep their order.
    ///
    /// # Errors
    /// No sample would be left to train with, or they would go back to it.
    pub fn hold_out(&mut self, n: usize, into: Split, seed: u64) -> Result<(), Fault> {
        if into == Split::Train || n >= self.train.len() {
            let have = self.train.len();
            let into = into.name();
            return Err(Fault::Request(format!(
                "{n} of {have} training samples cannot be held out for {into}"
            )));
        }
        let mut chosen: Vec<usize> = (0..self.train.len()).collect();
        shuffle(
            &mut chosen,
            &mut Random::new(seed, Purpose::HoldOut, into as u64, 0),
        );
        let mut out = vec![false; self.train.len()];
        chosen[..n].iter().for_each(|i| out[*i] = true);
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for (sample, out) in std::mem::take(&mut self.train).into_iter().zip(out) {
            if out { &mut held } else { &mut kept }.push(sample);
        }
        self.train = kept;
        self.split_mut(into).extend(held);
        Ok(())
    }
}
