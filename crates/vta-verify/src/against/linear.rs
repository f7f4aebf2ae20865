//! Linear upsampling: each input has its share of an output.

use super::canonical::Linear;
use super::expr::Vector;
use super::flaw::Flaw;
use super::layer::{Layers, Place, Scene, half};
use vta_net::quant::Map;

/// Largest shift with which a mean of int8 stays in 31 bits.
const MOST_SHIFT: u8 = 23;

/// The factors and where an output lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upsampling {
    pub factor: [usize; 2],
    pub half_pixel: bool,
}

/// The inputs of output `o` along an axis of `inputs`, and of what their shares are parts:
/// an input has the less, the farther it is; the edge has what is beyond it.
fn shares(o: usize, factor: usize, half_pixel: bool, inputs: usize) -> (Vec<(usize, i64)>, i64) {
    let (o, factor) = (o as i64, factor as i64);
    let (at, one) = match half_pixel {
        true => (2 * o + 1 - factor, 2 * factor),
        false => (o, factor),
    };
    let mut shares: Vec<(usize, i64)> = Vec::new();
    for i in at / one - 1..=at / one + 1 {
        let share = one - (at - i * one).abs();
        let input = i.clamp(0, inputs as i64 - 1) as usize;
        match shares.last_mut() {
            _ if share <= 0 => {}
            Some(last) if last.0 == input => last.1 += share,
            _ => shares.push((input, share)),
        }
    }
    (shares, one)
}

impl Layers<'_> {
    /// Whether a sum shifted by `shift` is that of an upsampling at a place: the rounded
    /// mean of its inputs.
    pub(super) fn linear(
        &self,
        how: Upsampling,
        (sum, shift): (&Linear, &[u8]),
        (planes, map): (&[u32], Map),
        place: Place,
        scene: Scene<'_>,
    ) -> Result<(), Flaw> {
        let lanes = shift.len();
        let by = shift.first().copied().unwrap_or(0);
        if by > MOST_SHIFT || shift.iter().any(|s| *s != by) || !sum.nested.is_empty() {
            return Err(Flaw::Arithmetic("no sum of shares with one shift"));
        }
        let constants = sum.constant[..lanes].iter().enumerate();
        for (lane, &found) in constants {
            if found != half(by) {
                return Err(Flaw::Bias {
                    channel: place.block * self.block + lane,
                    found,
                    expected: half(by),
                });
            }
        }
        let plane = planes.get(place.block).copied().unwrap_or(u32::MAX);
        let axis =
            |o: usize, i: usize, inputs: usize| shares(o, how.factor[i], how.half_pixel, inputs);
        let (rows, of_rows) = axis(place.y, 0, map.h);
        let (columns, of_columns) = axis(place.x, 1, map.w);
        // Each input, its share, and what is found of it.
        let mut inputs: Vec<(Vector, i64, i64)> = Vec::new();
        for &(y, share_y) in &rows {
            for &(x, share_x) in &columns {
                let pixel = (y * map.w + x) as u32;
                inputs.push((Vector { plane, pixel }, share_y * share_x, 0));
            }
        }
        for term in sum.terms() {
            let stray = || Flaw::Stray(scene.tensors.words(term.inp));
            let input = inputs.iter_mut().find(|i| i.0 == term.inp);
            let input = input.ok_or_else(stray)?;
            let weight = self.diagonal(term.wgt, lanes, scene.memory);
            input.2 += i64::from(weight.ok_or_else(stray)?);
        }
        let (all, one) = (of_rows * of_columns, 1i64 << by);
        match inputs
            .iter()
            .find(|(_, share, found)| found * all != share * one)
        {
            None => Ok(()),
            Some((of, share, found)) => Err(Flaw::Share {
                of: scene.tensors.words(*of),
                found: (*found, one),
                expected: (*share, all),
            }),
        }
    }
}
