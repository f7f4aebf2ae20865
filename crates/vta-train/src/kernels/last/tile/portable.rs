//! The form for processors without one of their own: compilers make vectors of it.

use super::{GROUP, Tile};

/// Most rows of a tile.
const MOST: usize = 4;

/// All rows of a tile, with `G` groups.
///
/// # Safety
/// What the tile reaches is there.
pub(super) unsafe fn all<const G: usize>(mut t: Tile<'_>) {
    // SAFETY: as the caller's; rows are taken one part after the other.
    unsafe {
        while t.rows >= MOST {
            tile::<MOST, G>(&t);
            t.rows -= MOST;
            t.c = t.c.add(MOST * t.steps.c);
            t.a = t.a.add(MOST * t.steps.a);
        }
        match t.rows {
            3 => tile::<3, G>(&t),
            2 => tile::<2, G>(&t),
            1 => tile::<1, G>(&t),
            _ => {}
        }
    }
}

unsafe fn tile<const P: usize, const G: usize>(t: &Tile<'_>) {
    for g in 0..G {
        // SAFETY: as the caller's.
        unsafe {
            let c = t.c.add(g * GROUP);
            let mut sums = [[0f32; GROUP]; P];
            if t.add {
                for (p, sums) in sums.iter_mut().enumerate() {
                    *sums = c.add(p * t.steps.c).cast::<[f32; GROUP]>().read();
                }
            }
            for s in t.stretches {
                for k in 0..s.k {
                    let a = t.a.add(s.a + k * t.steps.a_k);
                    let b = t.b.add(s.b + k * t.steps.b_k + g * GROUP);
                    let w = b.cast::<[f32; GROUP]>().read();
                    for (p, sums) in sums.iter_mut().enumerate() {
                        let x = *a.add(p * t.steps.a);
                        for (sum, w) in sums.iter_mut().zip(&w) {
                            *sum += x * w;
                        }
                    }
                }
            }
            for (p, sums) in sums.iter().enumerate() {
                c.add(p * t.steps.c).cast::<[f32; GROUP]>().write(*sums);
            }
        }
    }
}
