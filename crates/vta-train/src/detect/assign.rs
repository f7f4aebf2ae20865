//! Which places of the maps are to find which box.

use super::anchors::alike;
use super::{BEFORE, Detector, Head};
use ndarray::ArrayD;
use std::collections::BTreeMap;
use vta_data::{BBox, Boxes};

/// A box is learned by anchors that differ from it by at most this factor in
/// width and height, and always by the one that is most alike.
const FACTOR: f32 = 3.0;

/// A place that is to find a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub sample: usize,
    pub anchor: usize,
    pub row: usize,
    pub column: usize,
    /// The box.
    pub bbox: BBox,
    /// How alike box and anchor are, 0 to 1.
    alike: f32,
}

impl Detector {
    /// The places of each head that are to find the boxes of a batch, in order;
    /// where two boxes want the same, it learns the one that is more like its anchor.
    pub(super) fn assign(&self, labels: &[Boxes]) -> Vec<Vec<Found>> {
        let mut all = vec![BTreeMap::new(); self.heads.len()];
        for (sample, boxes) in labels.iter().enumerate() {
            for b in boxes {
                self.places(sample, b, &mut all);
            }
        }
        all.into_iter().map(|m| m.into_values().collect()).collect()
    }

    fn places(&self, sample: usize, b: &BBox, all: &mut [Places]) {
        let b = b.clipped(self.image[1] as f32, self.image[0] as f32);
        let size = [b.width(), b.height()];
        if !(size[0] > 0.0 && size[1] > 0.0) {
            return;
        }
        let most = self.heads.iter().flat_map(|h| &h.anchors);
        let most = most.map(|a| alike(*a, size)).fold(0.0, f32::max);
        for (head, places) in self.heads.iter().zip(all) {
            let cells = self.cells(head, &b);
            for (anchor, a) in head.anchors.iter().enumerate() {
                let alike = alike(*a, size);
                let apart = |i: usize| (size[i] / a[i]).max(a[i] / size[i]);
                if alike < most && apart(0).max(apart(1)) > FACTOR {
                    continue;
                }
                for (row, column) in cells.clone() {
                    let found = Found {
                        sample,
                        anchor,
                        row,
                        column,
                        bbox: b,
                        alike,
                    };
                    let key = (sample, anchor, row, column);
                    let old: Option<&Found> = places.get(&key);
                    // A box that does not count makes way for one that does.
                    let rank = |f: &Found| (!f.bbox.difficult, f.alike);
                    if old.is_none_or(|o| rank(&found) > rank(o)) {
                        places.insert(key, found);
                    }
                }
            }
        }
    }

    /// The cell of a box's centre, and the nearest beside and above or below it.
    fn cells(&self, head: &Head, b: &BBox) -> Vec<(usize, usize)> {
        let [cw, ch] = self.cell(head);
        let [rows, columns] = head.map;
        let (row, other_row) = pair((b.y0 + b.y1) / (2.0 * ch), rows);
        let (column, other_column) = pair((b.x0 + b.x1) / (2.0 * cw), columns);
        let beside = other_column.map(|c| (row, c));
        let above = other_row.map(|r| (r, column));
        [Some((row, column)), beside, above]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What a place that finds a box has as centre and size: `sx, sy, tw, th`.
    pub(super) fn target(&self, head: &Head, f: &Found) -> [f32; 4] {
        let [cw, ch] = self.cell(head);
        let b = &f.bbox;
        let s = |at: f32, cell: usize| (at - cell as f32 + 0.5) / 2.0;
        [
            s((b.x0 + b.x1) / (2.0 * cw), f.column),
            s((b.y0 + b.y1) / (2.0 * ch), f.row),
            (b.width() / head.anchors[f.anchor][0]).ln(),
            (b.height() / head.anchors[f.anchor][1]).ln(),
        ]
    }

    /// The outputs that find exactly these boxes in an image: of each place that
    /// learns a box, objectness and the score of its class are 1; all else is 0.
    pub fn encode(&self, boxes: &Boxes) -> Vec<ArrayD<f32>> {
        let all = self.assign(std::slice::from_ref(boxes));
        let one = |(head, places): (&Head, Vec<Found>)| {
            let [a, v, h, w] = self.dims(head);
            let mut out = ArrayD::zeros(vec![1, a, v, h, w]);
            for f in places.iter().filter(|f| !f.bbox.difficult) {
                let mut put = |i: usize, value| {
                    if let Some(o) = out.get_mut(&[0, f.anchor, i, f.row, f.column][..]) {
                        *o = value;
                    }
                };
                for (i, t) in self.target(head, f).into_iter().enumerate() {
                    put(i, t);
                }
                put(super::OBJECT, 1.0);
                put(BEFORE + usize::from(f.bbox.class), 1.0);
            }
            out
        };
        self.heads.iter().zip(all).map(one).collect()
    }
}

/// Places of a head: (sample, anchor, row, column).
type Places = BTreeMap<(usize, usize, usize, usize), Found>;

/// The cell of a coordinate in cells, and the neighbour that is nearer.
fn pair(at: f32, n: usize) -> (usize, Option<usize>) {
    let cell = (at.max(0.0) as usize).min(n - 1);
    let other = match at - cell as f32 {
        part if part < 0.5 => cell.checked_sub(1),
        _ => Some(cell + 1).filter(|c| *c < n),
    };
    (cell, other)
}
