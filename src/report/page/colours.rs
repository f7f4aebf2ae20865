//! Colours of the page can be told apart by colour-blind readers too.
//!
//! Colour vision as in Machado, Oliveira and Fernandes (2009), at full
//! severity; distances in Oklab.

use super::STYLE;

/// A linear colour, as a row of red, green and blue.
type Rgb = [f64; 3];

/// What a reader sees, and the smallest distance that is asked for.
const READERS: [(&str, [Rgb; 3], f64); 4] = [
    (
        "all cones",
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        0.1,
    ),
    (
        "protanopia",
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        0.1,
    ),
    (
        "deuteranopia",
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        0.1,
    ),
    (
        "tritanopia",
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
        0.075,
    ),
];

/// Colours that stand beside each other in one chart.
const CHARTS: [&[&str]; 2] = [
    &[
        "gemm",
        "alu",
        "overhead",
        "token-load",
        "token-compute",
        "token-store",
        "arbitration",
        "latency",
        "beats",
        "instructions",
        "queue",
        "idle",
    ],
    &["a", "b", "instructions", "latency", "queue", "alu"],
];

fn times(m: &[Rgb; 3], v: Rgb) -> Rgb {
    m.map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum())
}

fn linear(hex: &str) -> Rgb {
    let n = u32::from_str_radix(hex, 16).expect("a colour is six hexadecimal digits");
    [16, 8, 0].map(|shift| {
        let c = f64::from((n >> shift) & 255) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    })
}

fn oklab(rgb: Rgb) -> Rgb {
    let cones = times(
        &[
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ],
        rgb,
    );
    times(
        &[
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ],
        cones.map(|c| c.max(0.0).cbrt()),
    )
}

/// The colour of a variable after a place of the style sheet.
fn variable<'a>(style: &'a str, name: &str) -> &'a str {
    let mark = format!("--{name}: #");
    let from = style.find(&mark).expect("the variable is set") + mark.len();
    &style[from..from + 6]
}

fn distance(a: &str, b: &str, reader: &[Rgb; 3]) -> f64 {
    let seen = |hex| oklab(times(reader, linear(hex)).map(|c| c.clamp(0.0, 1.0)));
    let (a, b) = (seen(a), seen(b));
    let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

#[test]
fn colours_are_told_apart_by_all_readers() {
    let dark = STYLE.find("prefers-color-scheme: dark").expect("a scheme");
    for (scheme, style) in [("light", STYLE), ("dark", &STYLE[dark..])] {
        for chart in CHARTS {
            for (i, a) in chart.iter().enumerate() {
                for b in &chart[..i] {
                    for (reader, matrix, least) in &READERS {
                        let d = distance(variable(style, a), variable(style, b), matrix);
                        assert!(d >= *least, "{scheme}, {reader}: {a} and {b}: {d:.3}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_measure_finds_red_and_green() {
    // Red and green of the same lightness: far apart, and alike without one kind of cone.
    let of = |n: usize| distance("c0392b", "4d7f17", &READERS[n].1);
    assert!(of(0) > 0.2, "{}", of(0));
    assert!(of(2) < 0.1, "{}", of(2));
}
