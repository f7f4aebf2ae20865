//! The convolution of maps with channels last: as they are where kernels for them fit,
//! else with channels first in between.

use super::memory::owning;
use crate::kernels::last::{self, Blocks, to_first, to_last};
use crate::kernels::{self, conv::Geometry};
use burn_flex::FlexTensor;

/// `y [n, ho, wo, co]`.
pub(super) fn run(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> FlexTensor {
    let y = match last::fits(g) {
        true => last::forward(g, x, weight, bias),
        false => {
            let x = to_first(x, g.ci, g.in_plane());
            let y = kernels::conv::forward(g, &x, weight, bias);
            to_last(&y, g.co, g.out_plane())
        }
    };
    owning(y, [g.n, g.output[0], g.output[1], g.co])
}

/// The gradient of the input.
pub(super) fn input_gradient(g: &Geometry, dy: &[f32], weight: &[f32]) -> FlexTensor {
    let dx = match last::fits_input_gradient(g) {
        true => last::input_gradient(g, dy, weight),
        false => {
            let dy = to_first(dy, g.co, g.out_plane());
            let dx = kernels::input_gradient(g, &dy, weight);
            to_last(&dx, g.ci, g.in_plane())
        }
    };
    owning(dx, [g.n, g.input[0], g.input[1], g.ci])
}

/// The gradient of the weight `[co, ci, kh, kw]`, in these blocks at least.
pub(super) fn weight_gradient(
    g: &Geometry,
    x: &[f32],
    dy: &[f32],
    taken: Option<&Blocks>,
) -> Vec<f32> {
    if last::fits(g) {
        let [kh, kw] = g.window.kernel;
        let taken = taken.cloned();
        let taken = taken.unwrap_or_else(|| Blocks::all([g.co, g.ci, kh, kw]));
        return last::weight_gradient(g, x, dy, &taken);
    }
    let x = to_first(x, g.ci, g.in_plane());
    let dy = to_first(dy, g.co, g.out_plane());
    kernels::weight_gradient(g, &x, &dy)
}
