//! Energies of a layer's groups as sums over the channels of a pool.

use super::Pool;
use crate::PruneLayer;
use std::collections::BTreeMap;
use vta_net::sparse::BLOCK;

/// Squares of a layer's weights, in the order that its channels have now.
#[derive(Debug, Clone)]
pub(super) struct Squares {
    pub layer: PruneLayer,
    /// Row by row, as the weight.
    pub squares: Vec<f64>,
    pub conv_groups: usize,
    /// Groups that it keeps.
    pub kept: usize,
    pub input: usize,
    pub output: usize,
    sizes: Vec<u64>,
}

impl Squares {
    pub fn new(
        layer: &PruneLayer,
        squares: Vec<f64>,
        kept: usize,
        conv_groups: usize,
        [input, output]: [usize; 2],
    ) -> Self {
        Self {
            sizes: layer.blocks.sizes(),
            layer: layer.clone(),
            squares,
            conv_groups,
            kept,
            input,
            output,
        }
    }

    fn energies(&self) -> Vec<f64> {
        let mut energies = vec![0.0; self.layer.blocks.groups()];
        self.layer.blocks.runs(|group, at, n| {
            energies[group] += self.squares[at..at + n].iter().sum::<f64>();
        });
        energies
    }

    /// Fraction of the energy that the kept groups hold.
    pub fn value(&self) -> f64 {
        kept_part(&self.energies(), self.kept, self, &mut Vec::new()).0
    }

    /// Rows (or columns) in another order.
    pub fn permute(&mut self, rows: &[usize], columns: &[usize]) {
        let [co, ci, kh, kw] = self.layer.blocks.weight();
        let positions = kh * kw;
        let per_group = co / self.conv_groups.max(1);
        let old = self.squares.clone();
        for (row, from) in rows.iter().enumerate() {
            let first = row / per_group.max(1) * ci;
            let first = if self.conv_groups > 1 { first } else { 0 };
            for column in 0..ci {
                let source = columns[first + column] - first;
                let to = (row * ci + column) * positions;
                let from = (from * ci + source) * positions;
                self.squares[to..to + positions].copy_from_slice(&old[from..from + positions]);
            }
        }
    }
}

/// Fraction of the energy that the strongest groups hold, and the score of the
/// weakest of them: the threshold.
fn kept_part(energies: &[f64], k: usize, of: &Squares, order: &mut Vec<usize>) -> (f64, f64) {
    let scores = of.layer.blocks.scores(energies, &of.sizes);
    order.clear();
    order.extend(0..energies.len());
    let total: f64 = energies.iter().sum();
    if k == 0 || k >= energies.len() || total <= 0.0 {
        return (if k == 0 { 0.0 } else { 1.0 }, 0.0);
    }
    let by_score = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    let (strong, last, _) = order.select_nth_unstable_by(k - 1, by_score);
    let last = *last;
    strong.sort_unstable();
    let sum: f64 = strong.iter().map(|u| energies[*u]).sum();
    ((sum + energies[last]) / total, scores[last])
}

/// One side of a layer, as the channels of a pool make it up: its columns if
/// it reads them, its rows if it makes them.
#[derive(Debug)]
pub(super) struct View<'a> {
    of: &'a Squares,
    /// For each channel and position: energies of the groups of a line of blocks.
    features: Vec<Vec<f64>>,
    /// For each place and position: which line of blocks.
    pub lines: Vec<Vec<usize>>,
    /// For each line of blocks, its groups in the order of features.
    groups: Vec<Vec<usize>>,
    energies: Vec<f64>,
    total: f64,
    pub value: f64,
    threshold: f64,
    by_size: bool,
    order: Vec<usize>,
}

impl<'a> View<'a> {
    /// The view of a layer that reads (`columns`) or makes a pool's channels;
    /// `None` where it does neither.
    pub fn new(of: &'a Squares, pool: &Pool, columns: bool) -> Option<Self> {
        let places = pool
            .places
            .get(if columns { &of.input } else { &of.output })?;
        let [co, ci, kh, kw] = of.layer.blocks.weight();
        let each = kh * kw / of.layer.blocks.mask_blocks();
        let (n_ci, n_co) = (ci.div_ceil(BLOCK), co.div_ceil(BLOCK));
        let position = |p: usize| if each == 1 { 0 } else { p };
        let per_group = co / of.conv_groups.max(1);
        let (lines, across) = if columns { (n_ci, n_co) } else { (n_co, n_ci) };
        let mut features = Vec::new();
        let mut of_lines = Vec::new();
        for positions in places {
            let mut feature = vec![0.0; positions.len() * across * each];
            let mut line = Vec::new();
            for (nth, &at) in positions.iter().enumerate() {
                let feature = &mut feature[nth * across * each..][..across * each];
                let mut add = |row: usize, column: usize, block: usize| {
                    let from = (row * ci + column) * kh * kw;
                    for p in 0..kh * kw {
                        feature[block * each + position(p)] += of.squares[from + p];
                    }
                };
                if columns {
                    let (conv_group, column) = match of.conv_groups > 1 {
                        true => (at / ci, at % ci),
                        false => (0, at),
                    };
                    let rows = conv_group * per_group..(conv_group + 1) * per_group;
                    rows.for_each(|row| add(row, column, row / BLOCK));
                    line.push(column / BLOCK);
                } else {
                    (0..ci).for_each(|column| add(at, column, column / BLOCK));
                    line.push(at / BLOCK);
                }
            }
            features.push(feature);
            of_lines.push(line);
        }
        let group = |line: usize, other: usize, p: usize| {
            let (row, column) = if columns {
                (other, line)
            } else {
                (line, other)
            };
            (row * n_ci + column) * each + p
        };
        let groups = (0..lines).map(|line| {
            let others = (0..across).flat_map(|o| (0..each).map(move |p| (o, p)));
            others.map(|(o, p)| group(line, o, p)).collect()
        });
        let energies = of.energies();
        let mut view = Self {
            features,
            lines: of_lines,
            groups: groups.collect(),
            total: energies.iter().sum(),
            by_size: of.layer.blocks.scores(&[1.0], &[2]) != [1.0],
            energies,
            of,
            value: 0.0,
            threshold: 0.0,
            order: Vec::new(),
        };
        view.refresh();
        Some(view)
    }

    /// Groups that one exchange looks at.
    pub fn work(&self) -> u64 {
        2 * self.features.first().map_or(0, Vec::len) as u64
    }

    /// Fraction of the layer's energy that a channel has.
    pub fn share(&self, channel: usize) -> f64 {
        let sum: f64 = self.features[channel].iter().sum();
        if self.total > 0.0 {
            sum / self.total
        } else {
            0.0
        }
    }

    fn refresh(&mut self) {
        (self.value, self.threshold) =
            kept_part(&self.energies, self.of.kept, self.of, &mut self.order);
    }

    /// What exchanging the channels `of` at two `places` adds to the fraction of
    /// the energy above the threshold, as long as the threshold stays.
    pub fn gain(&self, places: [usize; 2], of: [usize; 2]) -> f64 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let mut gain = 0.0;
        self.each(places, of, |group, add| {
            let floor = self.threshold
                * if self.by_size {
                    self.of.sizes[group] as f64
                } else {
                    1.0
                };
            let now = self.energies[group];
            gain += (now + add - floor).max(0.0) - (now - floor).max(0.0);
        });
        gain / self.total
    }

    /// Exchanges the channels.
    pub fn exchange(&mut self, places: [usize; 2], of: [usize; 2]) {
        let mut energies = std::mem::take(&mut self.energies);
        self.each(places, of, |group, add| energies[group] += add);
        self.energies = energies;
        self.refresh();
    }

    /// Calls `f` with each group that an exchange changes, and by how much.
    fn each(&self, [a, b]: [usize; 2], [x, y]: [usize; 2], mut f: impl FnMut(usize, f64)) {
        let n = self.groups.first().map_or(0, Vec::len);
        for (nth, (at, to)) in self.lines[a].iter().zip(&self.lines[b]).enumerate() {
            if at == to {
                continue;
            }
            let x = &self.features[x][nth * n..][..n];
            let y = &self.features[y][nth * n..][..n];
            for (i, (x, y)) in x.iter().zip(y).enumerate() {
                f(self.groups[*at][i], y - x);
                f(self.groups[*to][i], x - y);
            }
        }
    }
}

/// The two sides of each layer that a pool makes up. A layer that reads and
/// makes the same channels is seen by its columns.
pub(super) fn views<'a>(layers: &'a [Squares], pool: &Pool) -> Vec<View<'a>> {
    let view = |l: &'a Squares| View::new(l, pool, true).or_else(|| View::new(l, pool, false));
    layers.iter().filter_map(view).collect()
}

/// Lines of blocks of each place, over all views: places with the same can
/// exchange channels to no effect.
pub(super) fn same_lines(views: &[View<'_>], places: usize) -> Vec<usize> {
    let mut seen: BTreeMap<Vec<&[usize]>, usize> = BTreeMap::new();
    (0..places)
        .map(|place| {
            let key: Vec<&[usize]> = views.iter().map(|v| v.lines[place].as_slice()).collect();
            let next = seen.len();
            *seen.entry(key).or_insert(next)
        })
        .collect()
}
