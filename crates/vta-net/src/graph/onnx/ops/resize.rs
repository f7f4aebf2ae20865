//! `Resize`: nearest repeats or picks elements, linear by whole factors is an operator
//! of its own, all else is weighted sums along each axis.

use super::super::constant::Const;
use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use super::range::picked;
use super::unsupported;
use crate::graph::shape::{MAX_ELEMENTS, elements};
use crate::graph::{Constant, HostOp, Op};
use ndarray::{ArrayD, IxDyn};
use std::rc::Rc;

/// How one axis is resized.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    from: usize,
    to: usize,
    scale: f64,
    /// Start and end of `tf_crop_and_resize`.
    roi: (f64, f64),
}

/// Sizes after resizing and the scales, for each dimension.
fn lines(n: &OnnxNode<'_>, dims: &[usize]) -> Res<Vec<Line>> {
    let list = |c: &Rc<Const>| c.to_floats().iter().copied().collect::<Vec<f32>>();
    let (scales, target) = match n.opset {
        ..=8 => (n.floats("scales")?, None),
        9 | 10 => (Some(list(n.constant(1)?)), None),
        _ if n.op() == "Upsample" => (Some(list(n.constant(1)?)), None),
        _ => (n.optional_constant(2)?.map(list), n.optional_ints(3)?),
    };
    let scales = scales.filter(|s| !s.is_empty());
    let target = target.filter(|t| !t.is_empty());
    let at = match n.ints("axes")? {
        Some(a) => a.iter().map(|a| axis(*a, dims.len())).collect::<Res<_>>()?,
        None => (0..dims.len()).collect::<Vec<_>>(),
    };
    let mut out: Vec<Line> = dims
        .iter()
        .map(|d| Line {
            from: *d,
            to: *d,
            scale: 1.0,
            roi: (0.0, 1.0),
        })
        .collect();
    match (scales, target) {
        (_, Some(target)) if target.len() == at.len() => {
            let policy = n.string("keep_aspect_ratio_policy", "stretch")?;
            let ratios = at
                .iter()
                .zip(&target)
                .map(|(a, t)| *t as f64 / dims[*a] as f64);
            let common = match policy.as_str() {
                "stretch" => None,
                "not_larger" => Some(ratios.fold(f64::INFINITY, f64::min)),
                "not_smaller" => Some(ratios.fold(0.0, f64::max)),
                other => return Err(unsupported("keep_aspect_ratio_policy", other)),
            };
            for (a, t) in at.iter().zip(&target) {
                let wrong = || Fault::value("the sizes", &target);
                let size = usize::try_from(*t).map_err(|_| wrong())?;
                let scaled = common.map(|s| (s * dims[*a] as f64).round());
                let to = scaled.map_or(size, |s| s as usize);
                out[*a].to = to;
                out[*a].scale = common.unwrap_or(to as f64 / dims[*a] as f64);
            }
        }
        (Some(scales), None) if scales.len() == at.len() => {
            for (a, s) in at.iter().zip(&scales) {
                let size = (dims[*a] as f64 * f64::from(*s)).floor();
                if !(0.0..1e9).contains(&size) {
                    return Err(Fault::value("the scales", &scales));
                }
                (out[*a].to, out[*a].scale) = (size as usize, f64::from(*s));
            }
        }
        _ => {
            return Err(Fault::form(
                "one scale or size for each dimension is needed",
            ));
        }
    }
    if n.opset >= 11 && n.string("coordinate_transformation_mode", "")? == "tf_crop_and_resize" {
        let roi = n.optional_constant(1)?.map(list).unwrap_or_default();
        if roi.len() != 2 * at.len() {
            return Err(Fault::value("the number of values of roi", roi.len()));
        }
        for (i, a) in at.iter().enumerate() {
            out[*a].roi = (roi[i].into(), roi[i + at.len()].into());
        }
    }
    Ok(out)
}

/// Attributes that say which inputs an output is made of.
struct Modes {
    coordinate: String,
    nearest: String,
    antialias: bool,
    exclude_outside: bool,
    cubic: f64,
}

impl Modes {
    fn of(n: &OnnxNode<'_>) -> Res<Self> {
        let (coordinate, nearest) = if n.opset < 11 {
            ("asymmetric".to_owned(), "floor".to_owned())
        } else {
            (
                n.string("coordinate_transformation_mode", "half_pixel")?,
                n.string("nearest_mode", "round_prefer_floor")?,
            )
        };
        Ok(Self {
            coordinate,
            nearest,
            antialias: n.int("antialias", 0)? != 0,
            exclude_outside: n.int("exclude_outside", 0)? != 0,
            cubic: f64::from(n.float("cubic_coeff_a", -0.75)?),
        })
    }

    /// Where an output element lies among the inputs.
    fn coordinate(&self, x: usize, line: &Line) -> Res<f64> {
        let (x, last) = (x as f64, (line.from - 1) as f64);
        let half = (x + 0.5) / line.scale - 0.5;
        Ok(match self.coordinate.as_str() {
            "asymmetric" => x / line.scale,
            "half_pixel" => half,
            "half_pixel_symmetric" => {
                let adjust = line.to as f64 / (line.scale * line.from as f64);
                let center = line.from as f64 / 2.0;
                center * (1.0 - adjust) + half
            }
            "pytorch_half_pixel" if line.to > 1 => half,
            // The length is not rounded, as ONNX's reference has it.
            "align_corners" => match line.scale * line.from as f64 - 1.0 {
                0.0 => 0.0,
                length => x * last / length,
            },
            "pytorch_half_pixel" => 0.0,
            "tf_half_pixel_for_nn" => (x + 0.5) / line.scale,
            "tf_crop_and_resize" => {
                let (start, end) = line.roi;
                match line.to {
                    0 | 1 => (start + end) * last / 2.0,
                    to => start * last + x * (end - start) * last / (to - 1) as f64,
                }
            }
            other => return Err(unsupported("coordinate_transformation_mode", other)),
        })
    }

    /// Whether an output lies outside of the input and has the value for that.
    fn outside(&self, at: f64, line: &Line) -> bool {
        self.coordinate == "tf_crop_and_resize" && !(0.0..=(line.from - 1) as f64).contains(&at)
    }

    /// The input element that an output is.
    fn nearest(&self, at: f64, line: &Line) -> Res<usize> {
        let at = match self.nearest.as_str() {
            "floor" => at.floor(),
            "ceil" => at.ceil(),
            "round_prefer_floor" | "" => (at - 0.5).ceil(),
            "round_prefer_ceil" => (at + 0.5).floor(),
            other => return Err(unsupported("nearest_mode", other)),
        };
        Ok(at.clamp(0.0, (line.from - 1) as f64) as usize)
    }

    /// The inputs that an output is made of, with their weights.
    fn sum(&self, mode: &str, at: f64, line: &Line) -> Vec<(usize, f64)> {
        // Where the result is smaller, an antialiasing filter is as much wider.
        let narrow = match self.antialias {
            true => line.scale.min(1.0),
            false => 1.0,
        };
        let reach = if mode == "cubic" { 2.0 } else { 1.0 } / narrow;
        let weight = |distance: f64| {
            let d = (distance * narrow).abs();
            match mode {
                "cubic" => cubic(d, self.cubic),
                _ => (1.0 - d).max(0.0),
            }
        };
        let (first, last) = (
            (at - reach).floor() as i64 + 1,
            (at + reach).ceil() as i64 - 1,
        );
        let top = line.from as i64 - 1;
        let mut sum: Vec<(usize, f64)> = Vec::new();
        for i in first..=last.max(first) {
            let inside = (0..=top).contains(&i);
            if !inside && self.exclude_outside {
                continue;
            }
            sum.push((i.clamp(0, top) as usize, weight(at - i as f64)));
        }
        let total: f64 = sum.iter().map(|s| s.1).sum();
        if (self.exclude_outside || self.antialias) && total != 0.0 {
            sum.iter_mut().for_each(|s| s.1 /= total);
        }
        sum.retain(|s| s.1 != 0.0);
        sum
    }
}

/// Keys' cubic kernel at a distance.
fn cubic(d: f64, a: f64) -> f64 {
    if d <= 1.0 {
        ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
    } else {
        0.0
    }
}

pub(super) fn resize(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let lines = lines(n, &dims)?;
    let modes = Modes::of(n)?;
    let crops = modes.coordinate == "tf_crop_and_resize";
    if !crops && lines.iter().all(|l| l.to == l.from && l.scale == 1.0) {
        im.bind(n, 0, Value::Tensor(x));
        return Ok(());
    }
    let to: Vec<usize> = lines.iter().map(|l| l.to).collect();
    if elements(&to).is_none_or(|n| n == 0 || n > MAX_ELEMENTS) {
        return Err(Fault::value("the sizes", &to));
    }
    match n.string("mode", "nearest")?.as_str() {
        "nearest" => nearest(im, n, &lines, &modes),
        mode @ ("linear" | "cubic") => weighted(im, n, mode, &lines, &modes),
        other => Err(unsupported("mode", other)),
    }
}

fn nearest(im: &mut Importer, n: &OnnxNode<'_>, lines: &[Line], modes: &Modes) -> Res<()> {
    let mut x = n.tensor(0)?;
    let mut sources = Vec::new();
    for line in lines {
        let source = |o: usize| modes.nearest(modes.coordinate(o, line)?, line);
        sources.push((0..line.to).map(source).collect::<Res<Vec<usize>>>()?);
    }
    // Whole factors down and right are the device's.
    let times = |l: &Line| l.to / l.from;
    let plain = lines.len() == 4
        && lines.iter().zip(&sources).enumerate().all(|(i, (l, s))| {
            let t = times(l);
            t > 0
                && l.to % l.from == 0
                && (i >= 2 || t == 1)
                && s.iter().enumerate().all(|(o, s)| *s == o / t)
        });
    if plain && modes.coordinate != "tf_crop_and_resize" {
        let factor = [times(&lines[2]), times(&lines[3])];
        return im.result(n, Op::Resize { factor }, &[x]);
    }
    for (axis, (line, source)) in lines.iter().zip(&sources).enumerate() {
        if line.to != line.from || !source.iter().copied().eq(0..line.from) {
            x = picked(im, n, x, axis, source)?;
        }
    }
    finish(im, n, x, lines, modes)
}

fn weighted(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    mode: &str,
    lines: &[Line],
    modes: &Modes,
) -> Res<()> {
    let mut x = n.tensor(0)?;
    if let Some(op) = whole(mode, lines, modes) {
        return im.result(n, Op::Host(op), &[x]);
    }
    for (axis, line) in lines.iter().enumerate() {
        let mut sums = Vec::with_capacity(line.to);
        for o in 0..line.to {
            sums.push(modes.sum(mode, modes.coordinate(o, line)?, line));
        }
        let same = line.to == line.from && sums.iter().enumerate().all(|(o, s)| *s == [(o, 1.0)]);
        if same {
            continue;
        }
        let taps = sums.iter().map(Vec::len).max().unwrap_or(1).max(1);
        im.budget.take(&[line.to, taps])?;
        let (mut indices, mut weights) = (Vec::new(), Vec::new());
        for sum in &sums {
            for k in 0..taps {
                let (i, w) = sum.get(k).copied().unwrap_or((0, 0.0));
                indices.push(i);
                weights.push(w as f32);
            }
        }
        let op = HostOp::Interpolate {
            axis,
            taps,
            indices,
            weights,
        };
        x = im.step(n, Op::Host(op), &[x])?;
    }
    finish(im, n, x, lines, modes)
}

/// Linear upsampling of maps by whole factors.
fn whole(mode: &str, lines: &[Line], modes: &Modes) -> Option<HostOp> {
    let half_pixel = match modes.coordinate.as_str() {
        "half_pixel" | "half_pixel_symmetric" | "pytorch_half_pixel" => true,
        "asymmetric" => false,
        _ => return None,
    };
    let [batch, channels, rows, columns] = lines else {
        return None;
    };
    let factor = |l: &Line| {
        let times = l.to / l.from.max(1);
        (times > 0 && l.to == l.from * times && l.scale == times as f64).then_some(times)
    };
    let still = factor(batch) == Some(1) && factor(channels) == Some(1);
    (mode == "linear" && still).then_some(HostOp::ResizeLinear {
        factor: [factor(rows)?, factor(columns)?],
        half_pixel,
    })
}

/// Outputs that lie outside of the input get the value for that.
fn finish(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: crate::graph::TensorId,
    lines: &[Line],
    modes: &Modes,
) -> Res<()> {
    let to = im.dims(x).to_vec();
    let mut outside: Vec<Vec<bool>> = Vec::new();
    for line in lines {
        let is = |o: usize| Ok(modes.outside(modes.coordinate(o, line)?, line));
        outside.push((0..line.to).map(is).collect::<Res<_>>()?);
    }
    if outside.iter().flatten().all(|o| !o) {
        return im.reshape(n, x, &to);
    }
    im.budget.take(&to)?;
    let inside = ArrayD::from_shape_fn(IxDyn(&to), |at| {
        let any = outside.iter().enumerate().any(|(i, o)| o[at[i]]);
        f32::from(u8::from(!any))
    });
    let value = n.float("extrapolation_value", 0.0)?;
    let beyond = inside.mapv(|i| (1.0 - i) * value);
    let constant = |suffix: &str, values| Constant {
        name: format!("{}.{suffix}", n.name),
        values,
    };
    let y = im.step(n, Op::MulConst(constant("inside", inside)), &[x])?;
    im.result(n, Op::AddConst(constant("outside", beyond)), &[y])
}
