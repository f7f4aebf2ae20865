//! Shapes as tests of points.

/// A shape around the origin, within a circle of radius [`RADIUS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Disc,
    Ring,
    Square,
    Frame,
    Triangle,
    /// A triangle of three lines.
    Tent,
    Cross,
    Star,
    Crescent,
    /// A letter L.
    Ell,
    /// A thin line; no class.
    Bar,
}

/// Radius of the circle around a shape, in its own units.
pub(super) const RADIUS: i32 = 1024;

/// Directions of the sides of a triangle, times 1024.
const THREE: [[i32; 2]; 3] = [[0, 1024], [887, -512], [-887, -512]];
/// Directions of the sides of the pentagon within a star, times 1024.
const FIVE: [[i32; 2]; 5] = [
    [0, 1024],
    [974, 316],
    [602, -828],
    [-602, -828],
    [-974, 316],
];
/// How far a point is in a direction.
fn along(d: &[i32; 2], u: i32, v: i32) -> i32 {
    (d[0] * u + d[1] * v) >> 10
}

impl Form {
    /// Its name as a class.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Disc => "disc",
            Self::Ring => "ring",
            Self::Square => "square",
            Self::Frame => "frame",
            Self::Triangle => "triangle",
            Self::Tent => "tent",
            Self::Cross => "cross",
            Self::Star => "star",
            Self::Crescent => "crescent",
            Self::Ell => "ell",
            Self::Bar => "bar",
        }
    }

    /// Whether a point, at most a few radii away, is in the shape.
    pub(super) fn has(self, u: i32, v: i32) -> bool {
        let within = |u: i32, v: i32, r: i32| u * u + v * v <= r * r;
        let square = u.abs().max(v.abs());
        let triangle = || THREE.iter().map(|d| along(d, u, v)).max().unwrap_or(0);
        match self {
            Self::Disc => within(u, v, 940),
            Self::Ring => within(u, v, 980) && !within(u, v, 600),
            Self::Square => square <= 720,
            Self::Frame => (440..=724).contains(&square),
            Self::Triangle => triangle() <= 512,
            Self::Tent => (230..=512).contains(&triangle()),
            Self::Cross => u.abs().min(v.abs()) <= 270 && square <= 980,
            // Each point of a star is beyond one side of its pentagon at most.
            Self::Star => FIVE.iter().filter(|d| along(d, u, v) <= 316).count() >= 4,
            Self::Crescent => within(u, v, 1000) && !within(u - 460, v, 800),
            Self::Ell => {
                let frame = u.abs() <= 560 && v.abs() <= 850;
                frame && (u <= -140 || v >= 430)
            }
            Self::Bar => u.abs() <= 1000 && v.abs() <= 180,
        }
    }
}
