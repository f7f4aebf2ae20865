//! Puts layers into the instruction schedules of launches, one after the other.

use crate::choice::Chosen;
use crate::device::Scratchpads;
use crate::error::{CompileError, no_room, unfit};
use crate::fit::{self, DoesNotFit};
use crate::frame::Frame;
use crate::layers::Floors;
use crate::lowered::{LoweredPool, LoweredRearrange, LoweredResize};
use crate::order::Group;
use crate::placement::Placement;
use crate::pool;
use crate::rearrange;
use crate::resize;
use crate::schedule::{Mark, Schedule};
use crate::search::search;
use crate::ways::{Place, SegmentStarts, Way};
use std::sync::Arc;
use vta_program::config::HwConfig;

/// Weight elements of a layer, in order.
#[derive(Debug, Clone)]
pub(crate) enum WeightElements {
    /// Tiles of a convolution, or the identity.
    Order(Vec<Option<usize>>),
    /// Their bytes.
    Bytes(Vec<u8>),
}

impl WeightElements {
    /// Diagonals with these values.
    fn diagonals(values: &[i8], block: u32) -> Self {
        let block = block as usize;
        let mut bytes = Vec::with_capacity(values.len() * block * block);
        values
            .iter()
            .for_each(|v| push_diagonal(v.cast_unsigned(), block, &mut bytes));
        Self::Bytes(bytes)
    }

    /// Elements.
    fn count(&self, c: &HwConfig) -> usize {
        match self {
            Self::Order(order) => order.len(),
            Self::Bytes(bytes) => bytes.len() / c.wgt_bytes() as usize,
        }
    }
}

/// Adds an element with a value on the diagonal.
pub(crate) fn push_diagonal(value: u8, block: usize, bytes: &mut Vec<u8>) {
    for o in 0..block {
        bytes.extend((0..block).map(|i| if i == o { value } else { 0 }));
    }
}

/// A layer in the schedule.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// Where its weights and biases start in their segments.
    pub at: SegmentStarts,
    /// Its weight elements, in order.
    pub elements: WeightElements,
    /// Cycles that it cannot go below.
    pub floors: Floors,
}

/// A point before a layer, to go back to.
struct Before {
    node: usize,
    chosen: Option<Arc<Chosen>>,
    mark: Mark,
    scratchpads: Scratchpads,
    at: SegmentStarts,
}

/// A launch.
struct Launch {
    schedule: Schedule,
    scratchpads: Scratchpads,
    before: Vec<Before>,
}

/// The launches of a network, as far as they are scheduled.
#[derive(Default)]
pub(crate) struct Schedules {
    launches: Vec<Launch>,
    /// By node.
    placed: Vec<Option<Placed>>,
    /// Ends of the segments.
    end: Option<SegmentStarts>,
}

impl Schedules {
    /// The schedule of a launch.
    pub(crate) fn of(&self, launch: usize) -> Option<&Schedule> {
        self.launches.get(launch).map(|l| &l.schedule)
    }

    /// A node's layer.
    pub(crate) fn placed(&self, node: usize) -> Option<&Placed> {
        self.placed.get(node)?.as_ref()
    }

    /// Where the segments of weights and biases end.
    pub(crate) fn end(&self) -> SegmentStarts {
        self.end.unwrap_or(SegmentStarts::START)
    }

    /// Schedules all launches. What is scheduled stays, up to the first layer for which
    /// something else was chosen.
    ///
    /// # Errors
    /// A layer that does not fit the hardware.
    pub(crate) fn update(
        &mut self,
        frame: &Frame,
        chosen: &[Option<Arc<Chosen>>],
        c: &HwConfig,
    ) -> Result<(), CompileError> {
        self.placed.resize(frame.net.nodes.len(), None);
        let mut at = self.back_to_change(chosen).unwrap_or(SegmentStarts::START);
        let groups = frame.groups.iter().filter_map(|group| match group {
            Group::Device(nodes) => Some(nodes),
            Group::Host(_) => None,
        });
        for (k, nodes) in groups.enumerate() {
            if self.launches.len() == k {
                self.launches.push(Launch {
                    schedule: Schedule::new(c),
                    scratchpads: Scratchpads::new(c),
                    before: Vec::with_capacity(nodes.len()),
                });
            }
            let launch = &mut self.launches[k];
            let there = launch.before.len();
            let (fused, layers): (Vec<usize>, Vec<usize>) =
                nodes.iter().partition(|n| fused(frame, chosen, **n));
            fused.iter().for_each(|&n| self.placed[n] = None);
            for &n in layers.iter().skip(there) {
                let node = &frame.net.nodes[n];
                let _span = tracing::debug_span!("layer", name = node.name).entered();
                launch.before.push(Before {
                    node: n,
                    chosen: chosen[n].clone(),
                    mark: launch.schedule.mark(),
                    scratchpads: launch.scratchpads.clone(),
                    at,
                });
                let place = (&mut launch.scratchpads, &mut launch.schedule);
                let placed = match &chosen[n] {
                    Some(chosen) => conv(chosen, c, place, at).map_err(unfit(node))?,
                    None => rows(frame, n, c, place, at)?,
                };
                at = after(&placed, chosen[n].as_deref(), c).map_err(unfit(node))?;
                let bytes = u64::from(at.weights) * u64::from(c.wgt_bytes());
                frame.layout.has_room(bytes, &node.name)?;
                self.placed[n] = Some(placed);
            }
            if let Some(&last) = nodes.last()
                && there < launch.before.len()
            {
                let node = &frame.net.nodes[last];
                launch.schedule.finish(last).map_err(unfit(node))?;
            }
        }
        self.end = Some(at);
        Ok(())
    }

    /// Takes out what is behind the first layer for which something else was chosen, and
    /// gives where its weights and biases start.
    fn back_to_change(&mut self, chosen: &[Option<Arc<Chosen>>]) -> Option<SegmentStarts> {
        let same = |b: &Before| match (&b.chosen, &chosen[b.node]) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        // A schedule that was not ended is none.
        let end = self.end.take();
        if end.is_none() {
            self.launches.clear();
        }
        let first = self.launches.iter().enumerate().find_map(|(k, launch)| {
            let changed = launch.before.iter().position(|b| !same(b))?;
            Some((k, changed))
        });
        let Some((k, changed)) = first else {
            return end;
        };
        self.launches.truncate(k + 1);
        let launch = &mut self.launches[k];
        let mut behind = launch.before.drain(changed..);
        let before = behind.next()?;
        drop(behind);
        launch.schedule.rollback(&before.mark);
        launch.scratchpads = before.scratchpads;
        Some(before.at)
    }
}

/// Whether a pool is in the tile of its convolution.
pub(crate) fn fused(frame: &Frame, chosen: &[Option<Arc<Chosen>>], n: usize) -> bool {
    let input = frame.net.nodes[n].inputs.first();
    let conv = input.and_then(|&t| frame.links.maker(t));
    let conv = conv.filter(|&conv| frame.pool_of[conv] == Some(n));
    let chosen = conv.and_then(|conv| chosen[conv].as_ref());
    chosen.is_some_and(|chosen| chosen.lowered.pool.is_some())
}

/// Where the weights and biases of the layer behind one start.
fn after(
    placed: &Placed,
    chosen: Option<&Chosen>,
    c: &HwConfig,
) -> Result<SegmentStarts, DoesNotFit> {
    let lanes = chosen.map_or(0, |chosen| {
        let shifts = chosen.lowered.shifts.as_ref().map_or(0, Vec::len);
        chosen.lowered.bias.len() + shifts
    });
    let SegmentStarts { weights, biases } = placed.at;
    let (weights, biases) = (weights as usize, biases as usize);
    Ok(SegmentStarts {
        weights: fit::count(
            "weight elements of the program",
            weights + placed.elements.count(c),
        )?,
        biases: fit::count("biases of the program", biases + lanes / c.block as usize)?,
    })
}

/// Puts a convolution into the schedule where the layers before left off, in the way of
/// those that were chosen that ends first there.
fn conv(
    chosen: &Chosen,
    c: &HwConfig,
    (scratchpads, schedule): (&mut Scratchpads, &mut Schedule),
    at: SegmentStarts,
) -> Result<Placed, DoesNotFit> {
    let lowered = &chosen.lowered;
    let mark = schedule.mark();
    let before = scratchpads.clone();
    let mut why = DoesNotFit::NoRoom;
    let mut put = |way: &Way, rewound: bool, how: How, schedule: &mut Schedule| {
        scratchpads.clone_from(&before);
        if rewound {
            scratchpads.rewind();
        }
        let mut place = Place {
            scratchpads: &mut *scratchpads,
            schedule,
            at,
        };
        match how {
            How::Beginning => way.end_in(lowered, c, &mut place),
            How::Whole => way.apply(lowered, c, &mut place).map(|()| 0),
        }
    };
    let mut order = Vec::with_capacity(chosen.ways.len());
    for way in &chosen.ways {
        // What fits an empty scratchpad fits from its first element on.
        for rewound in [false, true] {
            let end = put(way, rewound, How::Beginning, schedule);
            schedule.rollback(&mark);
            match end {
                Ok(end) => {
                    order.push((end, way, rewound));
                    break;
                }
                Err(e) => why = e,
            }
        }
    }
    order.sort_by_key(|(end, ..)| *end);
    let placed = |way: &Way| Placed {
        at,
        elements: WeightElements::Order(way.weights.order().to_vec()),
        floors: chosen.floors,
    };
    for (_, way, rewound) in order {
        // Its end may not fit where its beginning does.
        for rewound in [rewound, true] {
            match put(way, rewound, How::Whole, schedule) {
                Ok(_) => return Ok(placed(way)),
                Err(e) => why = e,
            }
            schedule.rollback(&mark);
        }
    }
    // Tokens that others left on their way are in the way of all of them.
    let found = search(lowered, c, (&before, &mut *schedule, at)).map_err(|_| why)?;
    let way = found.first().ok_or(why)?;
    put(way, false, How::Whole, schedule)?;
    Ok(placed(way))
}

/// How much of a layer is put into the schedule.
#[derive(Debug, Clone, Copy)]
enum How {
    Beginning,
    Whole,
}

/// Puts a layer of whole rows into the schedule.
fn rows(
    frame: &Frame,
    n: usize,
    c: &HwConfig,
    (scratchpads, schedule): (&mut Scratchpads, &mut Schedule),
    at: SegmentStarts,
) -> Result<Placed, CompileError> {
    let node = &frame.net.nodes[n];
    let unfit = unfit(node);
    let (input, output, _) = frame.maps(n).map_err(&unfit)?;
    let maps = (input, output);
    let mut place = Place {
        scratchpads,
        schedule,
        at,
    };
    let mut device = place.device(n, c);
    let (elements, floors) = match &frame.placements[n] {
        Placement::Pool(w) => {
            let lowered = LoweredPool::new(w, maps).map_err(&unfit)?;
            let fits = |c: &HwConfig| pool::tile(&lowered, &Scratchpads::new(c)).is_some();
            pool::pool(&lowered, &mut device).map_err(|why| no_room(node, c, why, fits))?;
            let identity = WeightElements::diagonals(&[1], c.block);
            (identity, Floors::pool(&lowered, c))
        }
        Placement::Resize(how) => {
            let lowered = LoweredResize::new(*how, maps).map_err(&unfit)?;
            let fits = |c: &HwConfig| resize::tile(&lowered, &Scratchpads::new(c)).is_some();
            resize::resize(&lowered, &mut device).map_err(|why| no_room(node, c, why, fits))?;
            let weights = WeightElements::diagonals(&lowered.weights, c.block);
            (weights, Floors::resize(&lowered, c))
        }
        Placement::Rearrange(of) => {
            let lowered = LoweredRearrange::new(of, maps, c.block).map_err(&unfit)?;
            let fits = |c: &HwConfig| rearrange::tile(&lowered, &Scratchpads::new(c)).is_some();
            let done = rearrange::rearrange(&lowered, &mut device);
            done.map_err(|why| no_room(node, c, why, fits))?;
            let bytes = lowered.contents.iter().map(|w| w.cast_unsigned());
            let picks = WeightElements::Bytes(bytes.collect());
            (picks, Floors::rearrange(&lowered, c))
        }
        Placement::Conv | Placement::Host => {
            let none = WeightElements::Order(Vec::new());
            (none, Floors::default())
        }
    };
    Ok(Placed {
        at,
        elements,
        floors,
    })
}
