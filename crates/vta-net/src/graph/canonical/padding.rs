//! Padding of maps, which windows behind it can take in.

use crate::graph::Op;

/// The padding of a map `[1, c, h, w]` by rows and columns, as windows have it
/// (top, left, bottom, right), and its value; none for any other operator.
pub(crate) fn map_padding(op: &Op) -> Option<([usize; 4], f32)> {
    match op {
        Op::Pad { pads, value } => match pads[..] {
            [(0, 0), (0, 0), (top, bottom), (left, right)] => {
                Some(([top, left, bottom, right], *value))
            }
            _ => None,
        },
        _ => None,
    }
}
