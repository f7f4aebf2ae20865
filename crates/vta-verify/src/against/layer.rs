//! Whether what a store writes is what the network says of the element.

use super::canonical::{Canonical, Core, Linear};
use super::expr::{Proven, Term, Value, Vector};
use super::flaw::Flaw;
use super::linear::Upsampling;
use super::memory::Memory;
use super::moved::Rearranged;
use super::products::Products;
use super::tensors::{MadeUp, TensorIndex, Tensors};
use std::collections::{HashMap, HashSet};
use vta_net::graph::Window;
use vta_net::quant::{Map, QConv, QNet, QOp};
use vta_tensor::host::HostOp;

/// A vector of a tensor: block of channels, row, column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub block: usize,
    pub y: usize,
    pub x: usize,
}

/// What is known of the network's layers.
pub(super) struct Layers<'a> {
    net: &'a QNet,
    /// Lanes of a vector.
    pub(super) block: usize,
    /// Tensors that lie in DRAM; others are only inside of a layer's tile.
    stored: HashSet<usize>,
    /// Of each convolution, by the tensor that it reads.
    products: HashMap<(usize, usize), Products>,
}

/// Where everything is while a store is looked at.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub memory: &'a Memory,
    pub tensors: &'a Tensors,
}

/// A value under limits, shift and slope.
struct Found {
    outer: Canonical,
    slope: Option<Vec<u8>>,
    inner: Inner,
}

enum Inner {
    Linear(Box<Linear>),
    Largest(Vec<Value>),
}

/// What is around the sum of a convolution: limits, shifts, slope.
struct Around {
    outer: Canonical,
    slope: Option<Vec<u8>>,
}

/// How the values of a pool's window are found.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// In DRAM.
    Stored(&'a [u32]),
    /// Made in the tile, by a convolution.
    Made(usize, &'a QConv),
}

fn arithmetic(what: &'static str) -> Flaw {
    Flaw::Arithmetic(what)
}

/// Takes a value apart, inside of what is there already.
fn found(outer: Canonical, slope: Option<Vec<u8>>, value: &Value) -> Result<Found, Flaw> {
    let lanes = outer.lanes;
    let mut outer = match slope {
        // A slope is between what is outside and what is inside.
        Some(_) => {
            let inside = Canonical::open(lanes).with(value).map_err(arithmetic)?;
            if !inside.is_plain() {
                return Err(arithmetic(
                    "a slope of something that is limited or shifted",
                ));
            }
            Canonical {
                of: inside.of,
                ..outer
            }
        }
        None => outer.with(value).map_err(arithmetic)?,
    };
    match std::mem::replace(&mut outer.of, Core::Open) {
        Core::Linear(sum) => Ok(Found {
            outer,
            slope,
            inner: Inner::Linear(sum),
        }),
        Core::Largest(all) => Ok(Found {
            outer,
            slope,
            inner: Inner::Largest(all),
        }),
        Core::Slope(of, by) if slope.is_none() => found(outer, Some(by), &of),
        Core::Slope(..) => Err(arithmetic("a slope of a slope")),
        Core::Open => Err(arithmetic("nothing")),
    }
}

/// Whether limits, shift and slope are those.
fn same_around(found: &Found, expected: &Around) -> Result<(), Flaw> {
    let lanes = found.outer.lanes;
    let shifts = found.outer.shift.iter().zip(&expected.outer.shift);
    for (channel, (found, expected)) in shifts.take(lanes).enumerate() {
        if found != expected {
            return Err(Flaw::Shift {
                channel,
                found: *found,
                expected: *expected,
            });
        }
    }
    if found.slope != expected.slope {
        let of = |s: &Option<Vec<u8>>| s.clone().unwrap_or_default();
        return Err(Flaw::Slope {
            found: of(&found.slope),
            expected: of(&expected.slope),
        });
    }
    if found.outer.limits != expected.outer.limits {
        return Err(Flaw::Limits {
            found: found.outer.limits,
            expected: expected.outer.limits,
        });
    }
    Ok(())
}

/// Rounding of a shift: a half.
pub(super) const fn half(shift: u8) -> i32 {
    match shift {
        0 => 0,
        s => 1 << (s - 1),
    }
}

impl Around {
    /// Of the sum of a convolution's products, as far as its second operand,
    /// for the channels from `first`.
    fn sum(conv: &QConv, mut outer: Canonical, first: usize) -> Result<Self, Flaw> {
        outer.shr(|lane| conv.shift.of(first + lane));
        let slope = conv.leaky.clone().map(|mut s| {
            s.sort_unstable();
            s
        });
        match slope {
            Some(s) if s.is_empty() => {
                outer.max(0).map_err(arithmetic)?;
                Ok(Self { outer, slope: None })
            }
            slope => Ok(Self { outer, slope }),
        }
    }

    /// Of all: limits and the last shift.
    fn result(conv: &QConv, lanes: usize) -> Result<Canonical, Flaw> {
        let mut outer = Canonical::open(lanes);
        let (lo, hi) = conv.clamp;
        outer.max(lo.into()).map_err(arithmetic)?;
        outer.min(hi.into()).map_err(arithmetic)?;
        outer.shr(|_| conv.post_shift);
        Ok(outer)
    }

    fn is_plain(&self) -> bool {
        self.outer.is_plain() && self.slope.is_none()
    }
}

impl<'a> Layers<'a> {
    /// Of a network; `stored` are the tensors that have a place in DRAM.
    pub fn new(net: &'a QNet, block: usize, stored: HashSet<usize>) -> Self {
        Self {
            net,
            block,
            stored,
            products: HashMap::new(),
        }
    }

    /// Whether a value is an element of a tensor.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(
        &mut self,
        value: &Value,
        t: TensorIndex,
        place: Place,
        scene: Scene<'_>,
    ) -> Result<(), Flaw> {
        let net = self.net;
        let tensor = scene.tensors.get(t);
        let Some(n) = tensor.node else {
            return Err(arithmetic("a store to a tensor that no layer makes"));
        };
        let lanes = self.lanes(tensor.map(), place);
        let open = Canonical::open(lanes);
        match &net.nodes[n].op {
            QOp::Conv(conv) => {
                let outer = Around::result(conv, lanes)?;
                let value = found(open, None, value)?;
                self.conv((n, conv), outer, &value, place, scene)
            }
            QOp::MaxPool(w) => self.pool(n, w, &found(open, None, value)?, place, scene),
            QOp::Host(HostOp::Resize { factor: [fy, fx] }) => {
                let (planes, map) = operand(scene.tensors, net, n, 0)?;
                let pixel = place.y / fy * map.w + place.x / fx;
                let plane = planes.get(place.block).copied().unwrap_or(u32::MAX);
                let pixel = pixel as u32;
                self.copy(&found(open, None, value)?, Vector { plane, pixel }, scene)
            }
            QOp::Host(HostOp::ResizeLinear { factor, half_pixel }) => {
                let how = Upsampling {
                    factor: *factor,
                    half_pixel: *half_pixel,
                };
                let value = found(open, None, value)?;
                let Inner::Linear(sum) = &value.inner else {
                    return Err(arithmetic("the largest of several values"));
                };
                if !limits_keep_int8(&value) {
                    return Err(arithmetic("limits or slopes where there are none"));
                }
                let of = operand(scene.tensors, net, n, 0)?;
                self.linear(how, (sum, &value.outer.shift[..lanes]), of, place, scene)
            }
            QOp::Host(HostOp::Rearrange { split, perm, .. }) => {
                let value = found(open, None, value)?;
                let Inner::Linear(sum) = &value.inner else {
                    return Err(Flaw::Moved(None));
                };
                if !keeps_int8(&value) {
                    return Err(arithmetic("limits or shifts where there are none"));
                }
                let (planes, from) = operand(scene.tensors, net, n, 0)?;
                let to = map_of(scene.tensors, net.nodes[n].output.0)?;
                let how = Rearranged { split, perm };
                self.rearranged(how, sum, (planes, from, to), (place, lanes), scene)
            }
            QOp::Host(_) => Err(arithmetic("an operator of the host, on the device")),
        }
    }

    fn lanes(&self, map: Option<Map>, place: Place) -> usize {
        let channels = map.map_or(0, |m| m.c);
        channels
            .saturating_sub(place.block * self.block)
            .min(self.block)
    }

    /// Whether a weight element is `value` on its diagonal, as far as lanes are read.
    fn is_diagonal(&self, wgt: u32, value: i8, lanes: usize, memory: &Memory) -> bool {
        let block = self.block;
        let bytes = (block * block) as u64;
        let element = memory.image(u64::from(wgt) * bytes, bytes);
        let rows = element.chunks_exact(block).take(lanes).enumerate();
        let mut rows = rows.map(|(o, row)| {
            row.iter().enumerate().all(|(c, w)| {
                let expected = if c == o { value } else { 0 };
                w.cast_signed() == expected
            })
        });
        !element.is_empty() && rows.all(|same| same)
    }

    /// The value on the diagonal of a weight element that has nothing else, as far as
    /// lanes are read.
    pub(super) fn diagonal(&self, wgt: u32, lanes: usize, memory: &Memory) -> Option<i8> {
        let bytes = (self.block * self.block) as u64;
        let first = memory.image(u64::from(wgt) * bytes, bytes).first()?;
        let value = first.cast_signed();
        self.is_diagonal(wgt, value, lanes, memory).then_some(value)
    }

    /// The only vector of a sum that is nothing but this vector.
    fn only(&self, sum: &Linear, lanes: usize, memory: &Memory) -> Option<Vector> {
        let mut terms = sum.terms();
        let (term, more) = (terms.next()?, terms.next());
        let zero = sum.constant[..lanes].iter().all(|c| *c == 0);
        let single = more.is_none() && zero && sum.nested.is_empty();
        let copied = single && self.is_diagonal(term.wgt, 1, lanes, memory);
        copied.then_some(term.inp)
    }

    /// Whether a value is a vector, which is in int8: limits that it keeps are none.
    fn copy(&self, value: &Found, expected: Vector, scene: Scene<'_>) -> Result<(), Flaw> {
        let Inner::Linear(sum) = &value.inner else {
            return Err(Flaw::Moved(None));
        };
        let lanes = value.outer.lanes;
        if !keeps_int8(value) {
            return Err(arithmetic("limits or shifts where there are none"));
        }
        match self.only(sum, lanes, scene.memory) {
            Some(v) if v == expected => Ok(()),
            Some(v) => Err(Flaw::Moved(Some(scene.tensors.words(v)))),
            None => Err(Flaw::Moved(None)),
        }
    }

    /// A convolution's element, whose limits and last shift are `result`.
    fn conv(
        &mut self,
        (n, conv): (usize, &QConv),
        result: Canonical,
        value: &Found,
        place: Place,
        scene: Scene<'_>,
    ) -> Result<(), Flaw> {
        let lanes = value.outer.lanes;
        let first = place.block * self.block;
        let channel = |flaw| match flaw {
            Flaw::Shift {
                channel,
                found,
                expected,
            } => Flaw::Shift {
                channel: first + channel,
                found,
                expected,
            },
            other => other,
        };
        let Inner::Linear(sum) = &value.inner else {
            return Err(arithmetic("the largest of several values"));
        };
        let has_residual = self.net.nodes[n].inputs.len() > 1;
        if !has_residual {
            let around = Around::sum(conv, result, first)?;
            same_around(value, &around).map_err(channel)?;
            return self.sum((n, conv), sum, place, scene, None);
        }
        let outside = Around {
            outer: result,
            slope: None,
        };
        same_around(value, &outside).map_err(channel)?;
        let around = Around::sum(conv, Canonical::open(lanes), first)?;
        let residual = self.residual(n, conv, place, scene)?;
        if around.is_plain() {
            return self.sum((n, conv), sum, place, scene, Some(residual));
        }
        // What was shifted, and the second operand.
        let mut added = false;
        for term in sum.terms() {
            if added || !self.is_residual(term, residual, lanes, scene) {
                return Err(Flaw::Residual(Some(scene.tensors.words(term.inp))));
            }
            added = true;
        }
        if !added {
            return Err(Flaw::Residual(None));
        }
        if let Some(lane) = sum.constant[..lanes].iter().position(|c| *c != 0) {
            return Err(Flaw::Bias {
                channel: first + lane,
                found: sum.constant[lane],
                expected: 0,
            });
        }
        let [shifted] = sum.nested.as_slice() else {
            return Err(arithmetic(
                "a second operand that is added to something else than the shifted sum",
            ));
        };
        let inside = found(Canonical::open(lanes), None, shifted)?;
        same_around(&inside, &around).map_err(channel)?;
        let Inner::Linear(sum) = &inside.inner else {
            return Err(arithmetic("the largest of several values"));
        };
        self.sum((n, conv), sum, place, scene, None)
    }

    /// The second operand's vector, and what it is multiplied by.
    fn residual(
        &self,
        n: usize,
        conv: &QConv,
        place: Place,
        scene: Scene<'_>,
    ) -> Result<(Vector, i8), Flaw> {
        let (planes, map) = operand(scene.tensors, self.net, n, 1)?;
        let plane = planes.get(place.block).copied().unwrap_or(u32::MAX);
        let pixel = (place.y * map.w + place.x) as u32;
        Ok((
            Vector { plane, pixel },
            1i8.wrapping_shl(conv.residual_shift.into()),
        ))
    }

    fn is_residual(
        &self,
        term: Term,
        (vector, factor): (Vector, i8),
        lanes: usize,
        scene: Scene<'_>,
    ) -> bool {
        term.inp == vector && self.is_diagonal(term.wgt, factor, lanes, scene.memory)
    }

    /// The sum of a convolution's products and its start; with a second operand
    /// where nothing is between.
    fn sum(
        &mut self,
        (n, conv): (usize, &QConv),
        sum: &Linear,
        place: Place,
        scene: Scene<'_>,
        residual: Option<(Vector, i8)>,
    ) -> Result<(), Flaw> {
        let proven = Proven {
            node: n,
            block: place.block,
            y: place.y,
            x: place.x,
        };
        let cell = sum.proven();
        if !sum.nested.is_empty() {
            return Err(arithmetic(
                "a sum of something else than products and constants",
            ));
        }
        let output = map_of(scene.tensors, self.net.nodes[n].output.0)?;
        let lanes = self.lanes(Some(output), place);
        let first = place.block * self.block;
        for (lane, &found) in sum.constant[..lanes].iter().enumerate() {
            let channel = first + lane;
            let shift = conv.shift.of(channel);
            let post = half(conv.post_shift).wrapping_shl(shift.into());
            let expected = conv.bias[channel]
                .wrapping_add(half(shift))
                .wrapping_add(post);
            if found != expected {
                return Err(Flaw::Bias {
                    channel,
                    found,
                    expected,
                });
            }
        }
        if cell.is_some_and(|c| c.get() == Some(proven)) {
            return Ok(());
        }
        let reads = self.reads(n, conv, sum, scene)?;
        let mut products = match self.products.remove(&reads) {
            Some(products) => products,
            None => self.new_products((n, conv), reads.1, scene)?,
        };
        let mut rest = residual;
        let checked = products.check(
            sum,
            (place.block, place.y, place.x),
            (scene.memory, scene.tensors),
            |term, flaw| match rest {
                Some(r) if self.is_residual(term, r, lanes, scene) => {
                    rest = None;
                    Ok(())
                }
                _ => Err(flaw.unwrap_or_else(|| Flaw::Stray(scene.tensors.words(term.inp)))),
            },
        );
        let has_products = products.found() > 0;
        self.products.insert(reads, products);
        checked?;
        if rest.is_some() {
            return Err(Flaw::Residual(None));
        }
        if let Some(cell) = cell
            && residual.is_none()
            && has_products
        {
            cell.set(Some(proven));
        }
        Ok(())
    }

    /// Which tensor a sum reads: the layer's operand, or what the host laid out of it.
    fn reads(
        &self,
        n: usize,
        conv: &QConv,
        sum: &Linear,
        scene: Scene<'_>,
    ) -> Result<(usize, usize), Flaw> {
        let operand = self.net.nodes[n].inputs.first();
        let operand = operand
            .ok_or_else(|| arithmetic("a layer without an operand"))?
            .0;
        let first = sum.terms().next();
        let read = first.and_then(|t| scene.tensors.of_plane(t.inp.plane));
        if let Some((t, _)) = read
            && let Some(MadeUp::Im2col(of, window)) = scene.tensors.get(t).made_up
            && of.0 == operand
            && window == conv.window
            && conv.groups == 1
        {
            return Ok((n, t.0));
        }
        Ok((n, operand))
    }

    fn new_products(
        &self,
        (n, conv): (usize, &QConv),
        reads: usize,
        scene: Scene<'_>,
    ) -> Result<Products, Flaw> {
        let tensor = scene.tensors.get(TensorIndex(reads));
        let map = map_of(scene.tensors, reads)?;
        let operand = self.net.nodes[n].inputs.first().map(|t| t.0);
        let planes = &tensor.planes;
        Ok(match operand == Some(reads) {
            true => Products::new(conv, planes, map, self.block),
            false => Products::of_im2col(conv, planes, map, self.block),
        })
    }

    /// The largest values of a window.
    fn pool(
        &mut self,
        n: usize,
        window: &Window,
        value: &Found,
        place: Place,
        scene: Scene<'_>,
    ) -> Result<(), Flaw> {
        let net = self.net;
        let of = net.nodes[n].inputs[0].0;
        let map = map_of(scene.tensors, of)?;
        let tensor = scene.tensors.get(TensorIndex(of));
        let source = match tensor.node.map(|m| (m, &net.nodes[m].op)) {
            Some((m, QOp::Conv(conv))) if !self.stored.contains(&of) => Source::Made(m, conv),
            _ => Source::Stored(&tensor.planes),
        };
        let met = |axis: usize, at: usize, inputs: usize| {
            window
                .axis(axis)
                .inputs_read(at, inputs)
                .collect::<Vec<_>>()
        };
        let (rows, cols) = (met(0, place.y, map.h), met(1, place.x, map.w));
        let mut missing: Vec<[usize; 2]> = Vec::new();
        for &y in &rows {
            missing.extend(cols.iter().map(|&x| [y, x]));
        }
        let window = missing.clone();
        let values = match &value.inner {
            Inner::Largest(all) => {
                let each = all.iter();
                let each = each.map(|v| found(value.outer.clone(), value.slope.clone(), v));
                each.collect::<Result<Vec<_>, _>>()?
            }
            Inner::Linear(sum) => vec![Found {
                outer: value.outer.clone(),
                slope: value.slope.clone(),
                inner: Inner::Linear(sum.clone()),
            }],
        };
        let mut least = false;
        for v in &values {
            let is = match source {
                Source::Stored(planes) => match self.pixel(v, planes, place, scene)? {
                    Some(pixel) => vec![[pixel as usize / map.w, pixel as usize % map.w]],
                    None => {
                        least = true;
                        continue;
                    }
                },
                Source::Made(m, conv) => self.positions((m, conv), v, &window, place, scene)?,
            };
            if let Some([y, x]) = is.iter().find(|p| !window.contains(p)) {
                let pixel = (y * map.w + x) as u32;
                let plane = tensor.planes.get(place.block).copied();
                let plane = plane.unwrap_or(u32::MAX);
                let of = scene.tensors.words(Vector { plane, pixel });
                return Err(Flaw::OutsideWindow(Some(of)));
            }
            missing.retain(|p| !is.contains(p));
        }
        // Where weights repeat, sums of several positions are one.
        if let Source::Made(m, conv) = source {
            let mut rest = Vec::new();
            for p in missing {
                if !self.has_position((m, conv), &values, p, place, scene)? {
                    rest.push(p);
                }
            }
            missing = rest;
        }
        match missing.first() {
            Some(&[y, x]) => Err(Flaw::NotCompared { y, x }),
            None if window.is_empty() && !least => Err(arithmetic(
                "a window on padding alone, without the least value",
            )),
            None => Ok(()),
        }
    }

    /// Whether one of several values is a convolution's at a position.
    fn has_position(
        &mut self,
        (m, conv): (usize, &QConv),
        values: &[Found],
        [y, x]: [usize; 2],
        place: Place,
        scene: Scene<'_>,
    ) -> Result<bool, Flaw> {
        for value in values {
            let outer = Around::result(conv, value.outer.lanes)?;
            let at = Place { y, x, ..place };
            if self.conv((m, conv), outer, value, at, scene).is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The pixel of a stored operand that a value is; none for the least value.
    fn pixel(
        &self,
        value: &Found,
        planes: &[u32],
        place: Place,
        scene: Scene<'_>,
    ) -> Result<Option<u32>, Flaw> {
        let lanes = value.outer.lanes;
        let Inner::Linear(sum) = &value.inner else {
            return Err(Flaw::OutsideWindow(None));
        };
        let vector = self.only(sum, lanes, scene.memory);
        let vector = vector.ok_or(Flaw::OutsideWindow(None))?;
        // The smaller of an int8 and -128.
        let (lo, hi) = value.outer.limits;
        let unshifted = value.outer.shift[..lanes].iter().all(|s| *s == 0);
        if unshifted && value.slope.is_none() && lo <= hi && hi == i32::from(i8::MIN) {
            return Ok(None);
        }
        if !keeps_int8(value) {
            return Err(arithmetic("limits or shifts where there are none"));
        }
        match Some(&vector.plane) == planes.get(place.block) {
            true => Ok(Some(vector.pixel)),
            false => Err(Flaw::OutsideWindow(Some(scene.tensors.words(vector)))),
        }
    }

    /// Which of these positions of a convolution a value is: one that has
    /// products, or all that meet nothing but padding and zeros.
    fn positions(
        &mut self,
        (m, conv): (usize, &QConv),
        value: &Found,
        window: &[[usize; 2]],
        place: Place,
        scene: Scene<'_>,
    ) -> Result<Vec<[usize; 2]>, Flaw> {
        // What a sum with products was found to be.
        let proven = || match &value.inner {
            Inner::Linear(sum) => sum.proven().and_then(|p| p.get()).map(|p| [p.y, p.x]),
            Inner::Largest(_) => None,
        };
        let (mut is, mut first) = (Vec::new(), None);
        let here = proven().filter(|p| window.contains(p));
        for [y, x] in here.into_iter().chain(window.iter().copied()) {
            let outer = Around::result(conv, value.outer.lanes)?;
            let at = Place { y, x, ..place };
            match self.conv((m, conv), outer, value, at, scene) {
                Ok(()) => {
                    is.push([y, x]);
                    if proven().is_some() {
                        break;
                    }
                }
                Err(flaw) => {
                    // The sum of another position has strays: what else is wrong says more.
                    let stray = matches!(flaw, Flaw::Stray(_));
                    match &first {
                        None => first = Some(flaw),
                        Some(Flaw::Stray(_)) if !stray => first = Some(flaw),
                        _ => {}
                    }
                }
            }
        }
        match is.is_empty() {
            true => Err(first.unwrap_or(Flaw::OutsideWindow(None))),
            false => Ok(is),
        }
    }
}

/// Whether limits and slope leave int8 as it is.
fn limits_keep_int8(value: &Found) -> bool {
    let (lo, hi) = value.outer.limits;
    lo <= i8::MIN.into() && hi >= i8::MAX.into() && value.slope.is_none()
}

/// Whether limits and shifts leave int8 as it is.
fn keeps_int8(value: &Found) -> bool {
    let lanes = value.outer.lanes;
    limits_keep_int8(value) && value.outer.shift[..lanes].iter().all(|s| *s == 0)
}

/// The map of a tensor.
fn map_of(tensors: &Tensors, t: usize) -> Result<Map, Flaw> {
    let map = tensors.get(TensorIndex(t)).map();
    map.ok_or_else(|| arithmetic("a tensor that is no map"))
}

/// Planes and map of an operand.
fn operand<'t>(
    tensors: &'t Tensors,
    net: &QNet,
    n: usize,
    which: usize,
) -> Result<(&'t [u32], Map), Flaw> {
    let of = net.nodes[n].inputs.get(which);
    let of = of.ok_or_else(|| arithmetic("a layer without its operand"))?;
    let tensor = tensors.get(TensorIndex(of.0));
    Ok((&tensor.planes, map_of(tensors, of.0)?))
}
