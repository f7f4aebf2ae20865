//! Convolutions: gathered columns times weights, a tile of pixels at a time.

use super::gather::{Reach, Tile, gather};
use super::matrix::{Layout, product};
use rayon::prelude::*;
use std::cell::RefCell;
use vta_tensor::Window;

/// Pixels of a tile, about: its gathered columns stay in the second cache.
const TILE_PIXELS: usize = 256;

/// Sizes of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    /// Images.
    pub n: usize,
    /// Input channels.
    pub ci: usize,
    /// Input rows and columns.
    pub input: [usize; 2],
    /// Output channels.
    pub co: usize,
    /// Output rows and columns.
    pub output: [usize; 2],
    /// Kernel, stride, dilation, padding.
    pub window: Window,
    /// Groups.
    pub groups: usize,
}

impl Geometry {
    /// Sizes from the input `[n, ci, h, w]` and the weight `[co, ci / groups, kh, kw]`;
    /// none where they do not suit each other.
    pub fn new(x: [usize; 4], weight: [usize; 4], window: Window, groups: usize) -> Option<Self> {
        let [n, ci, h, w] = x;
        let [co, per_group, kh, kw] = weight;
        let fits = groups > 0
            && per_group * groups == ci
            && co.is_multiple_of(groups)
            && window.kernel == [kh, kw];
        fits.then_some(())?;
        Some(Self {
            n,
            ci,
            input: [h, w],
            co,
            output: window.output(h, w)?,
            window,
            groups,
        })
    }

    /// Pixels of a plane of the input.
    pub const fn in_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Pixels of a plane of the output.
    pub const fn out_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Weights of one output channel.
    pub fn depth(&self) -> usize {
        self.ci / self.groups * self.window.kernel[0] * self.window.kernel[1]
    }

    /// Output channels of a group.
    pub const fn outputs(&self) -> usize {
        self.co / self.groups
    }

    /// Whether the columns are the input itself: 1 x 1, every pixel once.
    pub fn is_point(&self) -> bool {
        let w = &self.window;
        w.kernel == [1, 1] && w.stride == [1, 1] && w.pads == [0; 4]
    }

    /// Images that are worked on together.
    pub fn images_of_part(&self) -> usize {
        (TILE_PIXELS / self.out_plane().max(1)).max(1)
    }

    /// The tiles of a part of `images` images.
    pub fn tiles(&self, images: usize) -> impl Iterator<Item = Tile> + use<> {
        let [h, w] = self.output;
        let rows = match images {
            1 => TILE_PIXELS.div_ceil(w.max(1)).clamp(1, h.max(1)),
            _ => h.max(1),
        };
        (0..h).step_by(rows).map(move |r| Tile {
            images: 0..images,
            rows: r..(r + rows).min(h),
        })
    }
}

thread_local! {
    /// Columns, and a product, of the tile at work: too large to be made anew each time.
    static SCRATCH: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Calls with two slices of these lengths and any content.
pub fn with_scratch<R>(lengths: [usize; 2], f: impl FnOnce(&mut [f32], &mut [f32]) -> R) -> R {
    SCRATCH.with(|scratch| {
        // Not borrowed while `f` runs: it may be entered again on this thread.
        let [mut a, mut b] = scratch.take();
        for (v, n) in [(&mut a, lengths[0]), (&mut b, lengths[1])] {
            if v.len() < n {
                v.resize(n, 0.0);
            }
        }
        let result = f(&mut a[..lengths[0]], &mut b[..lengths[1]]);
        scratch.replace([a, b]);
        result
    })
}

/// `y [n, co, ho, wo]` from `x [n, ci, h, w]`, `weight [co, ci / groups, kh, kw]`
/// and `bias [co]`.
///
/// # Panics
/// Slices of other sizes: a mistake in the caller.
pub fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (p, part) = (g.out_plane(), g.images_of_part());
    assert_eq!(x.len(), g.n * g.ci * g.in_plane());
    assert_eq!(weight.len(), g.co * g.depth());
    let mut y = vec![0.0; g.n * g.co * p];
    if y.is_empty() {
        return y;
    }
    let reach = Reach::new(g);
    let image = g.ci * g.in_plane();
    y.par_chunks_mut(part * g.co * p)
        .zip(x.par_chunks(part * image))
        .for_each(|(y, x)| {
            if let Some(bias) = bias {
                for (plane, b) in y.chunks_exact_mut(p).zip(bias.iter().cycle()) {
                    plane.fill(*b);
                }
            }
            let images = x.len() / image;
            for tile in g.tiles(images) {
                for group in 0..g.groups {
                    tile_forward(g, &reach, (x, weight, y), &tile, group, bias.is_some());
                }
            }
        });
    y
}

fn tile_forward(
    g: &Geometry,
    reach: &Reach,
    (x, weight, y): (&[f32], &[f32], &mut [f32]),
    tile: &Tile,
    group: usize,
    add: bool,
) {
    let (depth, outputs, p) = (g.depth(), g.outputs(), g.out_plane());
    let pixels = tile.pixels(g);
    let inputs = g.ci / g.groups;
    let channels = group * inputs..(group + 1) * inputs;
    let a = &weight[group * outputs * depth..][..outputs * depth];
    let la = Layout::by_rows(outputs, depth, depth);
    let single = tile.images.len() == 1;
    let offset = tile.rows.start * g.output[1];
    if single && g.is_point() {
        let b = &x[channels.start * p + offset..];
        let y = &mut y[group * outputs * p + offset..];
        let (ly, lb) = (
            Layout::by_rows(outputs, pixels, p),
            Layout::by_rows(depth, pixels, p),
        );
        return product((y, ly), (a, la), (b, lb), add);
    }
    let temporary = if single { 0 } else { outputs * pixels };
    with_scratch([depth * pixels, temporary], |columns, product_| {
        gather(g, reach, x, channels, tile, columns);
        let b = (&*columns, Layout::by_rows(depth, pixels, pixels));
        if single {
            let y = &mut y[group * outputs * p + offset..];
            product((y, Layout::by_rows(outputs, pixels, p)), (a, la), b, add);
            return;
        }
        let lp = Layout::by_rows(outputs, pixels, pixels);
        product((product_, lp), (a, la), b, false);
        // Several whole images: [channel][image] becomes [image][channel].
        for (c, row) in product_.chunks_exact(pixels).enumerate() {
            for (image, from) in row.chunks_exact(p).enumerate() {
                let to = &mut y[(image * g.co + group * outputs + c) * p..][..p];
                match add {
                    true => to.iter_mut().zip(from).for_each(|(y, v)| *y += v),
                    false => to.copy_from_slice(from),
                }
            }
        }
    });
}
