//! Detection: networks that say for each place of a map which boxes are there.
//!
//! An output is `[1, anchors, 5 + classes, rows, columns]`. At each place and
//! anchor it has a centre `sx, sy` (0 to 1), a size `tw, th`, an objectness and
//! a score of each class (0 to 1). With cells of `c` pixels, the box of column
//! `x` has its centre at `(x + 2 sx - 0.5) c` and is `exp(tw)` times as wide as
//! its anchor; rows and heights likewise. Half a cell beyond the own one can be
//! reached, so up to three cells learn a box.
//!
//! A [`Detector`] knows anchors and classes; [`Detect`] is its task in
//! training; [`Detector::decode`] makes boxes of outputs, no matter what
//! computed them; [`Detect::distillation_loss`] and [`Detect::foreground`] let detectors teach.

mod anchors;
mod assign;
mod decode;
mod distillation;
mod file;
mod loss;
mod overlap;

pub use anchors::anchors;
pub use decode::Rules;
pub use loss::{Detect, Weights};

use super::TrainError;
use vta_data::{Boxes, Sample};
use vta_net::graph::Graph;

/// Values of a box before its classes: centre, size, objectness.
const BEFORE: usize = 5;
/// Where objectness is among the values of a box.
const OBJECT: usize = 4;

/// What the outputs of a network mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    classes: Vec<String>,
    /// Height and width of images.
    image: [usize; 2],
    heads: Vec<Head>,
}

/// An output: a map of boxes.
#[derive(Debug, Clone, PartialEq)]
struct Head {
    /// Rows and columns.
    map: [usize; 2],
    /// Widths and heights in pixels.
    anchors: Vec<[f32; 2]>,
}

impl Detector {
    /// A detector with given anchors, width and height in pixels, for each
    /// output of a network.
    ///
    /// # Errors
    /// A network that is no detector of these classes, anchors that do not fit
    /// its outputs or have no area.
    pub fn new(
        graph: &Graph,
        classes: &[String],
        anchors: Vec<Vec<[f32; 2]>>,
    ) -> Result<Self, TrainError> {
        let (image, maps) = shape(graph, classes.len())?;
        let numbers: Vec<usize> = anchors.iter().map(Vec::len).collect();
        let want: Vec<usize> = maps.iter().map(|m| m.0).collect();
        if numbers != want {
            return Err(TrainError::Size {
                name: "anchors".into(),
                want,
                got: numbers,
            });
        }
        let good = |a: &f32| a.is_finite() && *a > 0.0;
        if let Some(bad) = anchors.iter().flatten().find(|a| !a.iter().all(good)) {
            let why = format!("an anchor of {} x {} has no area", bad[0], bad[1]);
            return Err(TrainError::Request(why));
        }
        let heads = maps.into_iter().zip(anchors);
        Ok(Self {
            classes: classes.to_vec(),
            image,
            heads: heads
                .map(|((_, map), anchors)| Head { map, anchors })
                .collect(),
        })
    }

    /// A detector whose anchors follow the boxes of samples: as many groups of
    /// similar sizes, the smallest at the finest map.
    ///
    /// # Errors
    /// As [`Detector::new`]; no boxes.
    pub fn fit(
        graph: &Graph,
        classes: &[String],
        samples: &[Sample<Boxes>],
    ) -> Result<Self, TrainError> {
        let (_, maps) = shape(graph, classes.len())?;
        let boxes = samples.iter().flat_map(|s| &s.label);
        let all = anchors(boxes, maps.iter().map(|m| m.0).sum())?;
        // From the finest map to the coarsest, each as many as it has.
        let mut order: Vec<usize> = (0..maps.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(maps[*i].1[0] * maps[*i].1[1]));
        let mut rest = all.into_iter();
        let mut chosen = vec![Vec::new(); maps.len()];
        for i in order {
            chosen[i] = rest.by_ref().take(maps[i].0).collect();
        }
        Self::new(graph, classes, chosen)
    }

    /// Names of the classes; a box has an index of them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Height and width of the images.
    pub fn image(&self) -> [usize; 2] {
        self.image
    }

    /// Anchors of each output, width and height in pixels.
    pub fn anchors(&self) -> impl Iterator<Item = &[[f32; 2]]> {
        self.heads.iter().map(|h| &h.anchors[..])
    }

    /// Values of a box.
    fn values(&self) -> usize {
        BEFORE + self.classes.len()
    }

    /// Width and height of a head's cells in pixels.
    fn cell(&self, head: &Head) -> [f32; 2] {
        let ratio = |i: usize| self.image[i] as f32 / head.map[i] as f32;
        [ratio(1), ratio(0)]
    }

    /// Dimensions of an output without its batch.
    fn dims(&self, head: &Head) -> [usize; 4] {
        let [h, w] = head.map;
        [head.anchors.len(), self.values(), h, w]
    }
}

/// Height and width of the images; anchors, rows and columns of each output.
type Shape = ([usize; 2], Vec<(usize, [usize; 2])>);

fn shape(graph: &Graph, classes: usize) -> Result<Shape, TrainError> {
    let bad = |why: String| TrainError::Network {
        network: graph.name.clone(),
        why,
    };
    let input = graph.inputs.first().map(|t| &graph.tensor(*t).dims[..]);
    let Some(&[1, _, height, width]) = input else {
        return Err(bad(format!("its input {input:?} is no image")));
    };
    let values = BEFORE + classes;
    let map = |dims: &[usize]| match *dims {
        [1, anchors, v, h, w] if v == values && anchors * h * w > 0 => Ok((anchors, [h, w])),
        _ => Err(bad(format!(
            "its output {dims:?} is not [1, anchors, {values}, rows, columns], \
             as a detector of {classes} classes has"
        ))),
    };
    let maps = graph.outputs.iter().map(|t| map(&graph.tensor(*t).dims));
    Ok(([height, width], maps.collect::<Result<_, _>>()?))
}
