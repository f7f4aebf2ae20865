//! Curves as SVG: small panels, one below the other, with a shared axis.

use std::fmt::Write;

/// A line of a panel: a name, and points from left to right.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it shows.
    pub name: String,
    /// `(x, y)`; values that are no numbers are left out.
    pub points: Vec<(f64, f64)>,
}

/// Some lines with one axis upwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What is shown, with its unit.
    pub title: String,
    /// The lines, at most as many as there are colours.
    pub curves: Vec<Curve>,
}

pub(super) const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 170.0;
pub(super) const LEFT: f64 = 60.0;
pub(super) const RIGHT: f64 = 16.0;
pub(super) const TOP: f64 = 34.0;
const BOTTOM: f64 = 26.0;
/// Colours that are told apart without red and green (Okabe and Ito).
pub(super) const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// Panels as one picture; `axis` is what goes to the right.
pub fn curves(panels: &[Panel], axis: &str) -> String {
    let height = HEIGHT * panels.len() as f64 + 20.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let points = || {
        panels
            .iter()
            .flat_map(|p| &p.curves)
            .flat_map(|c| &c.points)
    };
    let x = range(points().map(|p| p.0));
    for (i, panel) in panels.iter().enumerate() {
        one(&mut out, panel, x, HEIGHT * i as f64);
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n</svg>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        height - 6.0,
        escape(axis)
    );
    out
}

fn one(out: &mut String, panel: &Panel, x: (f64, f64), top: f64) {
    let y = range(panel.curves.iter().flat_map(|c| &c.points).map(|p| p.1));
    let at = |(px, py): (f64, f64)| {
        let right = LEFT + (px - x.0) / (x.1 - x.0) * (WIDTH - LEFT - RIGHT);
        let down = top + HEIGHT - BOTTOM - (py - y.0) / (y.1 - y.0) * (HEIGHT - TOP - BOTTOM);
        (right, down)
    };
    let title = escape(&panel.title);
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>",
        top + 16.0
    );
    for value in [y.0, y.1] {
        let (_, down) = at((x.0, value));
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{down:.1}\" y2=\"{down:.1}\" stroke=\"#cccccc\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            down + 4.0,
            number(value)
        );
    }
    for (value, anchor) in [(x.0, "start"), (x.1, "end")] {
        let (right, down) = at((value, y.0));
        let _ = writeln!(
            out,
            "<text x=\"{right:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            down + 16.0,
            number(value)
        );
    }
    for (i, (curve, colour)) in panel.curves.iter().zip(COLOURS).enumerate() {
        let finite = curve.points.iter().filter(|p| p.1.is_finite());
        let line: Vec<String> = finite
            .map(|p| at(*p))
            .map(|(right, down)| format!("{right:.1},{down:.1}"))
            .collect();
        let name = escape(&curve.name);
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\">\
             <title>{name}</title></polyline>\
             <text x=\"{}\" y=\"{:.1}\" fill=\"{colour}\" text-anchor=\"end\">{name}</text>",
            line.join(" "),
            WIDTH - RIGHT - 110.0 * i as f64,
            top + 16.0
        );
    }
}

/// From the least to the largest value; never empty.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    match () {
        () if low > high => (0.0, 1.0),
        () if low == high => (low - 0.5, high + 0.5),
        () => (low, high),
    }
}

pub(super) fn number(v: f64) -> String {
    if v != 0.0 && v.abs() < 0.01 {
        return format!("{v:.1e}");
    }
    let text = format!("{v:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Curve, Panel, curves};

    #[test]
    fn a_line_from_corner_to_corner() {
        let curve = |points: &[(f64, f64)]| Curve {
            name: "a < b".into(),
            points: points.to_vec(),
        };
        let panel = Panel {
            title: "loss".into(),
            curves: vec![curve(&[(1.0, 2.0), (2.0, f64::NAN), (3.0, 0.5)])],
        };
        let svg = curves(&[panel], "epoch");
        let document = roxmltree::Document::parse(&svg).expect("well-formed");
        let line = document
            .descendants()
            .find(|n| n.has_tag_name("polyline"))
            .and_then(|n| n.attribute("points"));
        assert_eq!(line, Some("60.0,34.0 624.0,144.0"));
        assert!(svg.contains("a &lt; b") && svg.contains(">epoch<"));
        // Nothing to show is no reason to fail.
        let none = Panel {
            title: "none".into(),
            curves: vec![curve(&[])],
        };
        assert!(roxmltree::Document::parse(&curves(&[none], "x")).is_ok());
    }
}
