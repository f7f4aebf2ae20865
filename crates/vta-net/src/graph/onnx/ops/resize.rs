//! Nearest neighbour upsampling.

use super::super::constant::Const;
use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use super::unsupported;
use crate::graph::Op;
use std::rc::Rc;

/// Sizes after resizing and the scales, for each dimension.
fn sizes(n: &OnnxNode<'_>, dims: &[usize]) -> Res<Vec<(usize, f64)>> {
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
    let mut out: Vec<(usize, f64)> = dims.iter().map(|d| (*d, 1.0)).collect();
    match (scales, target) {
        (_, Some(target)) if target.len() == at.len() => {
            for (a, t) in at.iter().zip(&target) {
                let size = usize::try_from(*t).map_err(|_| Fault::value("the sizes", &target))?;
                out[*a] = (size, size as f64 / dims[*a] as f64);
            }
        }
        (Some(scales), None) if scales.len() == at.len() => {
            for (a, s) in at.iter().zip(&scales) {
                let size = (dims[*a] as f64 * f64::from(*s)).floor();
                if !(0.0..1e9).contains(&size) {
                    return Err(Fault::value("the scales", &scales));
                }
                out[*a] = (size as usize, f64::from(*s));
            }
        }
        _ => {
            return Err(Fault::form(
                "one scale or size for each dimension is needed",
            ));
        }
    }
    Ok(out)
}

/// Which input element each output element along an axis takes.
fn source(n: &OnnxNode<'_>, from: usize, to: usize, scale: f64) -> Res<Vec<usize>> {
    let (mode, nearest) = if n.opset < 11 {
        ("asymmetric".to_owned(), "floor".to_owned())
    } else {
        (
            n.string("coordinate_transformation_mode", "half_pixel")?,
            n.string("nearest_mode", "round_prefer_floor")?,
        )
    };
    let coordinate = |x: f64| match mode.as_str() {
        "asymmetric" => Ok(x / scale),
        "half_pixel" | "half_pixel_symmetric" => Ok((x + 0.5) / scale - 0.5),
        "pytorch_half_pixel" if to > 1 => Ok((x + 0.5) / scale - 0.5),
        "align_corners" if to > 1 => Ok(x * (from - 1) as f64 / (to - 1) as f64),
        "tf_half_pixel_for_nn" => Ok((x + 0.5) / scale),
        "pytorch_half_pixel" | "align_corners" => Ok(0.0),
        other => Err(unsupported("coordinate_transformation_mode", other)),
    };
    let round = |x: f64| match nearest.as_str() {
        "floor" => Ok(x.floor()),
        "ceil" => Ok(x.ceil()),
        "round_prefer_floor" | "" => Ok((x - 0.5).ceil()),
        "round_prefer_ceil" => Ok((x + 0.5).floor()),
        other => Err(unsupported("nearest_mode", other)),
    };
    (0..to)
        .map(|x| Ok(round(coordinate(x as f64)?)?.clamp(0.0, (from - 1) as f64) as usize))
        .collect()
}

pub(super) fn resize(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let sizes = sizes(n, &dims)?;
    if sizes
        .iter()
        .zip(&dims)
        .all(|(s, d)| s.0 == *d && s.1 == 1.0)
    {
        im.bind(n, 0, Value::Tensor(x));
        return Ok(());
    }
    let mode = n.string("mode", "nearest")?;
    if mode != "nearest" {
        return Err(unsupported("mode", &mode));
    }
    if n.has("keep_aspect_ratio_policy") {
        let policy = n.string("keep_aspect_ratio_policy", "stretch")?;
        if policy != "stretch" {
            return Err(unsupported("keep_aspect_ratio_policy", &policy));
        }
    }
    let mut factor = [1; 2];
    let mut whole = dims.len() == 4;
    for (i, (size, scale)) in sizes.iter().enumerate() {
        let times = size / dims[i];
        whole &= times > 0 && size % dims[i] == 0 && (i >= 2 || times == 1) && *size < 1 << 24;
        if !whole {
            break;
        }
        let plain = source(n, dims[i], *size, *scale)?;
        whole &= plain.iter().enumerate().all(|(o, s)| *s == o / times);
        if i >= 2 {
            factor[i - 2] = times;
        }
    }
    if !whole {
        let target: Vec<usize> = sizes.iter().map(|s| s.0).collect();
        return Err(Fault::form(format!(
            "only repetition by whole factors down and right is supported, not {dims:?} to {target:?} in this mode"
        )));
    }
    im.result(n, Op::Resize { factor }, &[x])
}
