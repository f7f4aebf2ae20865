//! What of a network on a configuration does not change with masks: who does what,
//! where tensors lie, in which order.

use crate::choice::{self, Chosen, Found};
use crate::error::{CompileError, no_room, unfit};
use crate::fit::DoesNotFit;
use crate::layers::Floors;
use crate::layout::MemoryLayout;
use crate::links::Links;
use crate::lower::{self, LayerMask};
use crate::lowered::Pooled;
use crate::map::{FMap, KernelWindow};
use crate::order::{self, Group};
use crate::placement::{self, Placement, pooled};
use crate::sample::{self, Sample};
use crate::search;
use std::collections::{HashMap, HashSet};
use vta_net::quant::{QConv, QNet};
use vta_program::config::HwConfig;
use vta_program::timing::{self, Geometry};

/// What does not change with masks.
pub(crate) struct Frame {
    /// The network as this hardware runs it.
    pub net: QNet,
    pub links: Links,
    pub placements: Vec<Placement>,
    /// For each convolution the pool that alone reads it.
    pub pool_of: Vec<Option<usize>>,
    pub layout: MemoryLayout,
    pub groups: Vec<Group>,
    /// For each node, which of the given network it is.
    pub given: Vec<Option<usize>>,
    /// For each node its operands that its launch makes.
    made_here: Vec<Vec<FMap>>,
}

impl Frame {
    /// Lays out a network; `unpacked` nodes of it are not packed by the host.
    ///
    /// # Errors
    /// A node or a tensor that does not fit the hardware.
    pub(crate) fn new(given: &QNet, c: &HwConfig, unpacked: &[bool]) -> Result<Self, CompileError> {
        let net = order::prepared(given, c, |n| unpacked[n]);
        let links = Links::new(&net);
        let placements = placement::placements(&net, &links, c);
        if timing::tears_elements(Geometry::new(c, c.out_bytes()))
            && let Some(first) = placements.iter().position(|p| p.on_device())
        {
            return Err(CompileError::torn(&net.nodes[first].name, c));
        }
        let layout = MemoryLayout::new(&net, &links, &placements, c.block)?;
        let groups = order::groups(&net, &links, &placements, &layout.aliases);
        let names = given.nodes.iter().zip(0..);
        let names: HashMap<&str, usize> = names.map(|(n, at)| (n.name.as_str(), at)).collect();
        let known = net
            .nodes
            .iter()
            .map(|n| names.get(n.name.as_str()).copied());
        let mut frame = Self {
            given: known.collect(),
            pool_of: pooled(&net, &links, &placements),
            made_here: vec![Vec::new(); net.nodes.len()],
            net,
            links,
            placements,
            layout,
            groups,
        };
        frame.made_here = frame.made_here()?;
        Ok(frame)
    }

    fn made_here(&self) -> Result<Vec<Vec<FMap>>, CompileError> {
        let mut all = vec![Vec::new(); self.net.nodes.len()];
        for group in &self.groups {
            let Group::Device(nodes) = group else {
                continue;
            };
            let mut made = HashSet::new();
            for &n in nodes {
                let node = &self.net.nodes[n];
                let map = |t| self.layout.map(&self.net, t).map_err(unfit(node));
                for &t in &node.inputs {
                    all[n].extend(Some(map(t)?).filter(|m| made.contains(&m.root)));
                }
                made.insert(map(node.output)?.root);
            }
        }
        Ok(all)
    }

    /// Maps of a node's operands and of its result: input, result, second operand.
    ///
    /// # Errors
    /// One of them is no map, or too large.
    pub(crate) fn maps(&self, n: usize) -> Result<(FMap, FMap, Option<FMap>), DoesNotFit> {
        let node = &self.net.nodes[n];
        let map = |t| self.layout.map(&self.net, t);
        let second = node.inputs.get(1).map(|&t| map(t)).transpose()?;
        Ok((map(node.inputs[0])?, map(node.output)?, second))
    }

    /// Checks that the weights of layers find room in DRAM, before any is packed.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn weights_fit(
        &self,
        layers: &[(usize, &QConv, LayerMask)],
        c: &HwConfig,
    ) -> Result<(), CompileError> {
        let mut elements = 0u64;
        for (n, conv, mask) in layers {
            let unfit = unfit(&self.net.nodes[*n]);
            let (input, output, _) = self.maps(*n).map_err(&unfit)?;
            let window = KernelWindow::new(&conv.window, &output).map_err(&unfit)?;
            let met = |ky, kx| {
                !window.valid(0, output.h, input.h, ky).is_empty()
                    && !window.valid(1, output.w, input.w, kx).is_empty()
            };
            elements += lower::least_elements(conv, mask, c.block as usize, met);
        }
        let bytes = elements * u64::from(c.wgt_bytes());
        self.layout.has_room(bytes, "weights")
    }

    /// A convolution on its maps.
    ///
    /// # Errors
    /// A map that is too large.
    fn layer<'a>(&'a self, n: usize, conv: &'a QConv) -> Result<sample::Layer<'a>, DoesNotFit> {
        Ok(sample::Layer {
            node: n,
            conv,
            maps: self.maps(n)?,
            pool: self.pool_of[n].and_then(|pool| self.pooled(pool)),
            made_here: &self.made_here[n],
        })
    }

    /// What a convolution is cut like; none where it is like no other.
    ///
    /// # Errors
    /// Sizes that are too large to compute with.
    pub(crate) fn sample(
        &self,
        n: usize,
        conv: &QConv,
        mask: &LayerMask,
    ) -> Result<Option<Sample>, CompileError> {
        let sample = self.layer(n, conv).and_then(|layer| layer.sample(mask));
        sample.map_err(unfit(&self.net.nodes[n]))
    }

    /// Looks for ways to cut layers of a sample, of which this convolution is one. None
    /// where no way fits: the layer itself says why, or finds one.
    ///
    /// # Errors
    /// Sizes that are too large to compute with.
    pub(crate) fn find(
        &self,
        (n, conv): (usize, &QConv),
        sample: &Sample,
        c: &HwConfig,
    ) -> Result<Option<Found>, CompileError> {
        let layer = self.layer(n, conv);
        let made = layer.and_then(|layer| layer.of_sample(sample, c.block));
        let (lowered, pool, made_here) = made.map_err(unfit(&self.net.nodes[n]))?;
        Ok(choice::find(&lowered, pool, &made_here, c).ok())
    }

    /// Lowers a convolution, and chooses how it is cut; with what was found for layers
    /// like it.
    ///
    /// # Errors
    /// It does not fit the hardware.
    pub(crate) fn choose(
        &self,
        (n, conv, mask): (usize, &QConv, &LayerMask),
        found: Option<&Found>,
        c: &HwConfig,
    ) -> Result<Chosen, CompileError> {
        let node = &self.net.nodes[n];
        let _span = tracing::debug_span!("layer", name = node.name).entered();
        let unfit = unfit(node);
        let layer = self.layer(n, conv).map_err(&unfit)?;
        let mut lowered = lower::conv(n, conv, mask, layer.maps, c.block).map_err(&unfit)?;
        let ways = choice::choose(&mut lowered, layer.pool, layer.made_here, found, c);
        let ways = ways.map_err(|why| no_room(node, c, why, |c| search::fits(&lowered, c)))?;
        Ok(Chosen {
            floors: Floors::conv(&lowered, c),
            mask: mask.clone(),
            lowered,
            ways,
        })
    }

    /// A pool, as a part of the convolution that it reads.
    fn pooled(&self, pool: usize) -> Option<Pooled> {
        let Placement::Pool(w) = self.placements[pool] else {
            return None;
        };
        let map = self
            .layout
            .map(&self.net, self.net.nodes[pool].output)
            .ok()?;
        let window = KernelWindow::new(&w, &map).ok()?;
        Some(Pooled { window, map })
    }
}
