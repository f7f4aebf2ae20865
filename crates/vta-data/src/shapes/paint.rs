//! Shapes into images: turned, stretched, with smooth edges.

use super::super::{Image, Random};
use super::UNIT;
use super::colour::Colour;
use super::form::{Form, RADIUS};

/// Points of a pixel that are tested, each way.
const POINTS: i32 = 4;

/// Where a shape is, and how it is turned and stretched.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Middle and radius, in parts of a pixel.
    x: i32,
    y: i32,
    radius: i32,
    /// From parts of a pixel to units of the shape, times 65536.
    matrix: [[i64; 2]; 2],
}

impl Place {
    /// A shape within `radius` of a place, turned by any angle, and up to a
    /// quarter narrower one way.
    pub(super) fn new(random: &mut Random, x: i32, y: i32, radius: i32) -> Self {
        // A direction: a random point of a ring, so all are equally likely.
        let (mut a, mut b) = (1i64, 0i64);
        for _ in 0..16 {
            let p = random.between(-1024, 1024);
            let q = random.between(-1024, 1024);
            if (256 * 256..=1024 * 1024).contains(&(p * p + q * q)) {
                (a, b) = (p.into(), q.into());
                break;
            }
        }
        let narrow = i64::from(random.between(75, 100));
        // (a, b) made 65536 long, times units of the shape over parts of a pixel.
        let length = ((a * a + b * b) as u64 * 65536).isqrt() as i64;
        let scaled = |n: i64, percent: i64| {
            n * 256 * 65536 * i64::from(RADIUS) * 100 / (length * i64::from(radius) * percent)
        };
        let matrix = [
            [scaled(a, 100), scaled(b, 100)],
            [scaled(-b, narrow), scaled(a, narrow)],
        ];
        Self {
            x,
            y,
            radius,
            matrix,
        }
    }

    /// Tested points of a pixel that are in the shape, 0 to 16.
    fn covers(&self, form: Form, column: i32, row: i32) -> i32 {
        let step = UNIT / POINTS;
        let mut n = 0;
        for i in 0..POINTS {
            for j in 0..POINTS {
                let dx = i64::from(column * UNIT + j * step + step / 2 - self.x);
                let dy = i64::from(row * UNIT + i * step + step / 2 - self.y);
                let [u, v] = self.matrix.map(|m| ((m[0] * dx + m[1] * dy) >> 16) as i32);
                n += i32::from(form.has(u, v));
            }
        }
        n
    }

    /// Pixels, first and behind the last, in which the shape can be.
    fn range(&self, middle: i32, side: usize) -> std::ops::Range<i32> {
        let first = (middle - self.radius).div_euclid(UNIT).max(0);
        let last = (middle + self.radius).div_euclid(UNIT) + 1;
        first..last.min(side as i32)
    }

    /// The box around the pixels that the shape covers at least half:
    /// left, top, right, bottom edge. None if there are no such pixels.
    pub(super) fn bounds(&self, form: Form, side: usize) -> Option<[i32; 4]> {
        let mut bounds: Option<[i32; 4]> = None;
        for row in self.range(self.y, side) {
            for column in self.range(self.x, side) {
                if 2 * self.covers(form, column, row) < POINTS * POINTS {
                    continue;
                }
                let [x0, y0, x1, y1] = bounds.unwrap_or([column, row, column, row]);
                bounds = Some([
                    x0.min(column),
                    y0.min(row),
                    x1.max(column + 1),
                    y1.max(row + 1),
                ]);
            }
        }
        bounds
    }
}

/// Paints a shape over what is there.
pub(super) fn paint(image: &mut Image, form: Form, place: &Place, colour: Colour) {
    let side = image.width();
    for row in place.range(place.y, image.height()) {
        for column in place.range(place.x, side) {
            let n = place.covers(form, column, row);
            if n == 0 {
                continue;
            }
            let at = row as usize * side + column as usize;
            let all = POINTS * POINTS;
            for (c, value) in colour.iter().enumerate() {
                let v = &mut image.plane_mut(c)[at];
                let mixed = i32::from(*v) * (all - n) + i32::from(*value) * n;
                *v = ((mixed + all / 2) / all) as u8;
            }
        }
    }
}
