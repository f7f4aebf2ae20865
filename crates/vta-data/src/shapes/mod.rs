//! Data sets that the program makes itself: shapes on textured backgrounds.
//!
//! `shapes-cls` has one shape an image and its class, `shapes-det` several and
//! their boxes. Image `i` of a split is a function of (seed, split, i): asking
//! for more images does not change the first ones. All arithmetic is in
//! integers, so the same seed gives the same bytes on every machine.

mod background;
mod colour;
mod form;
mod paint;

use super::{BBox, Boxes, Dataset, Image, Purpose, Random, Sample, Split, iou};
use background::background;
use colour::{Colour, Range, apart};
use form::Form;
use paint::{Place, paint};
use rayon::prelude::*;

/// How many images each split has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// To train with.
    pub train: usize,
    /// To choose settings with.
    pub val: usize,
    /// To measure with.
    pub test: usize,
}

/// Images of `shapes-cls` where nothing is said.
pub const CLS_COUNTS: Counts = Counts {
    train: 8000,
    val: 1000,
    test: 2000,
};
/// Images of `shapes-det` where nothing is said.
pub const DET_COUNTS: Counts = Counts {
    train: 2000,
    val: 250,
    test: 500,
};
/// Seed where nothing is said.
pub const SEED: u64 = 1;

/// Height and width of an image of `shapes-cls`.
pub const CLS_SIDE: usize = 32;
/// Height and width of an image of `shapes-det`.
pub const DET_SIDE: usize = 96;

/// Classes of `shapes-cls`.
const CLS_FORMS: [Form; 10] = [
    Form::Disc,
    Form::Ring,
    Form::Square,
    Form::Frame,
    Form::Triangle,
    Form::Tent,
    Form::Cross,
    Form::Star,
    Form::Crescent,
    Form::Ell,
];
/// Classes of `shapes-det`.
const DET_FORMS: [Form; 6] = [
    Form::Disc,
    Form::Ring,
    Form::Square,
    Form::Triangle,
    Form::Cross,
    Form::Star,
];

/// Values of a shape; backgrounds are darker.
const BRIGHT: Range = 112..=255;

/// Pixels are cut into this many steps each way, in places and sizes.
const UNIT: i32 = 64;

/// `shapes-cls`: 10 classes, 3 x 32 x 32, each class in every tenth image.
pub fn classes(seed: u64, counts: Counts) -> Dataset<u16> {
    set("shapes-cls", &CLS_FORMS, counts, |split, i| {
        one(seed, split, i)
    })
}

/// `shapes-det`: 6 classes, 3 x 96 x 96, one to six shapes an image.
pub fn boxes(seed: u64, counts: Counts) -> Dataset<Boxes> {
    set("shapes-det", &DET_FORMS, counts, |split, i| {
        several(seed, split, i)
    })
}

fn set<L: super::Label>(
    name: &str,
    forms: &[Form],
    counts: Counts,
    make: impl Fn(Split, u64) -> Sample<L> + Sync,
) -> Dataset<L> {
    let mut set = Dataset::new(name, forms.iter().map(|f| f.name().into()).collect());
    for split in Split::ALL {
        let n = match split {
            Split::Train => counts.train,
            Split::Val => counts.val,
            Split::Test => counts.test,
        };
        let samples = (0..n as u64).into_par_iter().map(|i| make(split, i));
        *set.split_mut(split) = samples.collect();
    }
    set
}

/// An image of `shapes-cls`.
fn one(seed: u64, split: Split, i: u64) -> Sample<u16> {
    let label = (i % CLS_FORMS.len() as u64) as u16;
    let random = &mut Random::new(seed, Purpose::ShapesCls, split as u64, i);
    let (mut image, used) = background(random, CLS_SIDE);
    clutter(random, &mut image, &used, 2);
    let radius = random.between(6 * UNIT, 12 * UNIT);
    // A part of it may be outside: an eighth of its width at most.
    let margin = radius * 3 / 4;
    let end = CLS_SIDE as i32 * UNIT - margin;
    let x = random.between(margin, end);
    let y = random.between(margin, end);
    let place = Place::new(random, x, y, radius);
    let colour = apart(random, &BRIGHT, &used, 110);
    paint(&mut image, CLS_FORMS[usize::from(label)], &place, colour);
    if random.chance(1, 4) {
        // A bar in front of it.
        clutter(random, &mut image, &[colour], 1);
    }
    noise(random, &mut image, 18);
    Sample { image, label }
}

/// An image of `shapes-det`.
fn several(seed: u64, split: Split, i: u64) -> Sample<Boxes> {
    let random = &mut Random::new(seed, Purpose::ShapesDet, split as u64, i);
    let (mut image, used) = background(random, DET_SIDE);
    clutter(random, &mut image, &used, 6);
    let mut label: Boxes = Vec::new();
    for _ in 0..random.between(1, 6) {
        let class = random.below(DET_FORMS.len() as u32) as u16;
        let form = DET_FORMS[usize::from(class)];
        // Where it hides no other, if a few trials find such a place.
        for _ in 0..20 {
            let radius = random.between(7 * UNIT, 20 * UNIT);
            let end = DET_SIDE as i32 * UNIT - radius;
            let (x, y) = (random.between(radius, end), random.between(radius, end));
            let place = Place::new(random, x, y, radius);
            let Some([x0, y0, x1, y1]) = place.bounds(form, DET_SIDE) else {
                continue;
            };
            let b = BBox::new(class, x0 as f32, y0 as f32, x1 as f32, y1 as f32);
            if label.iter().any(|other| iou(other, &b) > 0.08) {
                continue;
            }
            let colour = apart(random, &BRIGHT, &used, 110);
            paint(&mut image, form, &place, colour);
            label.push(b);
            break;
        }
    }
    noise(random, &mut image, 18);
    Sample { image, label }
}

/// At most `n` bars of colours of their own, which belong to no class.
fn clutter(random: &mut Random, image: &mut Image, used: &[Colour], n: i32) {
    let side = image.width() as i32 * UNIT;
    for _ in 0..random.between(n / 3, n) {
        let (x, y) = (random.between(0, side), random.between(0, side));
        let long = random.between(3 * UNIT, 9 * UNIT);
        let place = Place::new(random, x, y, long);
        let colour = apart(random, &(0..=255), used, 24);
        paint(image, Form::Bar, &place, colour);
    }
}

/// Moves every value by up to `most`, small moves more often.
fn noise(random: &mut Random, image: &mut Image, most: i32) {
    let mut bytes = vec![0; image.data().len()];
    random.fill(&mut bytes);
    for (v, r) in image.data_mut().iter_mut().zip(bytes) {
        // The sum of two dice, from -15 to 15.
        let dice = i32::from(r & 15) + i32::from(r >> 4) - 15;
        *v = (i32::from(*v) + dice * most / 15).clamp(0, 255) as u8;
    }
}
