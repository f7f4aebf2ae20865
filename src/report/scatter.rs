//! Points as SVG: a colour and a shape for each series, and the front as a line of steps.

use super::curve::{COLOURS, Curve, LEFT, RIGHT, TOP, WIDTH, escape, number, range};
use std::fmt::Write;
use vta_tensor::numbers::thousands;

const HEIGHT: f64 = 400.0;
const BOTTOM: f64 = 46.0;
/// Half of the size of a point.
const SIZE: f64 = 5.0;
/// Room of a name of the legend, to the right.
const NAME: f64 = 92.0;

/// Series of points as one picture. `front` goes from left to right; `across` is what goes
/// to the right, in whole numbers, `up` what goes upwards.
pub fn scatter(series: &[Curve], front: &[(f64, f64)], across: &str, up: &str) -> String {
    let points = || series.iter().flat_map(|s| &s.points);
    let x = wider(range(points().map(|p| p.0)));
    let y = wider(range(points().map(|p| p.1)));
    let at = |(px, py): (f64, f64)| {
        let right = LEFT + (px - x.0) / (x.1 - x.0) * (WIDTH - LEFT - RIGHT);
        let down = HEIGHT - BOTTOM - (py - y.0) / (y.1 - y.0) * (HEIGHT - TOP - BOTTOM);
        (right, down)
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let (floor, middle) = (HEIGHT - BOTTOM, (LEFT + WIDTH - RIGHT) / 2.0);
    for value in ticks(x) {
        let (right, _) = at((value, y.0));
        let _ = writeln!(
            out,
            "<line x1=\"{right:.1}\" x2=\"{right:.1}\" y1=\"{TOP}\" y2=\"{floor}\" stroke=\"#eeeeee\"/>\
             <text x=\"{right:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            floor + 16.0,
            thousands(value.max(0.0) as u64),
        );
    }
    for value in ticks(y) {
        let (_, down) = at((x.0, value));
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{down:.1}\" y2=\"{down:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            down + 4.0,
            number(value),
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\">{}</text>",
        HEIGHT - 8.0,
        escape(across),
        escape(up)
    );
    steps(&mut out, front, at);
    for (i, (s, colour)) in series.iter().zip(COLOURS).enumerate() {
        let name = escape(&s.name);
        let right = WIDTH - RIGHT - NAME * (series.len().min(COLOURS.len()) - 1 - i) as f64;
        let mark = (right - 8.0 * s.name.chars().count() as f64 - 4.0, 14.0);
        shape(&mut out, i, colour, mark, &name);
        let _ = writeln!(
            out,
            "<text x=\"{right}\" y=\"18\" fill=\"{colour}\" text-anchor=\"end\">{name}</text>"
        );
        for p in s.points.iter().filter(|p| p.1.is_finite()) {
            let words = format!("{name}: {} {}", thousands(p.0.max(0.0) as u64), number(p.1));
            shape(&mut out, i, colour, at(*p), &words);
        }
    }
    out + "</svg>\n"
}

/// Some round values from one end to the other.
fn ticks((from, to): (f64, f64)) -> Vec<f64> {
    let rough = (to - from) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
    let step = steps.into_iter().find(|s| *s >= rough);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
    (first..=last).map(|n| n as f64 * step).collect()
}

/// A little room on both sides.
fn wider((from, to): (f64, f64)) -> (f64, f64) {
    let more = (to - from) * 0.05;
    (from - more, to + more)
}

/// What can be had for at most so much: to the right at first, then up.
fn steps(out: &mut String, front: &[(f64, f64)], at: impl Fn((f64, f64)) -> (f64, f64)) {
    let mut path = String::new();
    for p in front {
        let (right, down) = at(*p);
        let _ = match path.is_empty() {
            true => write!(path, "M{right:.1} {down:.1}"),
            false => write!(path, "H{right:.1}V{down:.1}"),
        };
    }
    if !path.is_empty() {
        let _ = writeln!(
            out,
            "<path d=\"{path}H{}\" fill=\"none\" stroke=\"#444444\" stroke-width=\"1.5\"/>",
            WIDTH - RIGHT
        );
    }
}

/// A point of a series: shapes differ too, not only colours.
fn shape(out: &mut String, series: usize, colour: &str, (x, y): (f64, f64), words: &str) {
    let (left, right, top, low) = (x - SIZE, x + SIZE, y - SIZE, y + SIZE);
    let d = match series % 3 {
        0 => format!(
            "M{left:.1} {y:.1}a{SIZE} {SIZE} 0 1 0 {} 0a{SIZE} {SIZE} 0 1 0 -{} 0",
            2.0 * SIZE,
            2.0 * SIZE
        ),
        1 => format!("M{left:.1} {y:.1}L{x:.1} {top:.1}L{right:.1} {y:.1}L{x:.1} {low:.1}z"),
        _ => format!("M{left:.1} {low:.1}L{x:.1} {top:.1}L{right:.1} {low:.1}z"),
    };
    let _ = writeln!(
        out,
        "<path d=\"{d}\" fill=\"{colour}\" fill-opacity=\"0.8\"><title>{words}</title></path>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks((29_030.0, 81_938.0)), [40_000.0, 60_000.0, 80_000.0]);
        assert_eq!(ticks((-0.1, 1.1)), [0.0, 0.5, 1.0]);
        assert_eq!(ticks((7.0, 7.9)).len(), 5);
    }

    #[test]
    fn each_point_is_there_and_the_front_is_steps() {
        let series = |name: &str, points: &[(f64, f64)]| Curve {
            name: name.into(),
            points: points.to_vec(),
        };
        let all = [
            series("a < b", &[(0.0, 0.0), (10.0, 1.0)]),
            series("c", &[(5.0, 0.2)]),
        ];
        let svg = scatter(&all, &[(0.0, 0.0), (10.0, 1.0)], "cycles", "accuracy");
        let document = roxmltree::Document::parse(&svg).expect("well-formed");
        let paths = |fill: &str| {
            let all = document.descendants().filter(|n| n.has_tag_name("path"));
            all.filter(|n| n.attribute("fill") == Some(fill)).count()
        };
        // With the marks of the legend.
        assert_eq!(
            (paths(COLOURS[0]), paths(COLOURS[1]), paths("none")),
            (3, 2, 1)
        );
        assert!(svg.contains("a &lt; b: 10 1"), "{svg}");
        // Nothing to show is no reason to fail.
        assert!(roxmltree::Document::parse(&scatter(&[], &[], "x", "y")).is_ok());
    }
}
