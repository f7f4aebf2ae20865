//! A network on a configuration, compiled for one choice of masks after the other.

use crate::choice::{Chosen, Found};
use crate::error::CompileError;
use crate::frame::Frame;
use crate::launch::Schedules;
use crate::links::Links;
use crate::lower::{self, LayerMask};
use crate::options::{Options, Sparsity};
use crate::order;
use crate::placement::Placement;
use crate::program::{self, Values};
use crate::sample::Sample;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use vta_net::quant::{QConv, QNet, QNode, QOp};
use vta_net::sparse::BlockMask;
use vta_program::program::Program;

/// A network on a configuration, compiled for one choice of masks after the other.
///
/// It remembers how each layer was cut for the last mask that it had: where one layer's
/// mask changes, one layer is cut anew.
///
/// ```
/// use vta_compile::{Compiler, Options, Sparsity};
/// use vta_net::quant::{Calibration, QuantOptions, quantise};
/// use vta_net::{graph::zoo, sparse::BlockMask};
///
/// let graph = zoo::build("resnet8", 1).expect("a network of the zoo");
/// let net = quantise(&graph, &Calibration::noise(&graph, 1, 1)?, &QuantOptions::default())?;
/// let options = Options { sparsity: Sparsity::Sparse, ..Options::default() };
/// let mut compiler = Compiler::new(&net, &options)?;
/// let whole = compiler.compile()?;
///
/// let mut masks: Vec<Option<BlockMask>> = compiler.masks();
/// let mask = masks[2].as_mut().expect("a convolution");
/// mask.kept.set(0, false);
/// let timed = compiler.timed(&masks)?;
/// assert_eq!(timed.layers.len(), whole.layers.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Compiler<'n> {
    given: Cow<'n, QNet>,
    options: Options,
    /// Convolutions of the given network that the host packs where they lose nothing.
    packable: Vec<bool>,
    /// Those of them that lose something.
    unpacked: Vec<bool>,
    frame: Frame,
    /// For each node of the frame's network, what was chosen last.
    chosen: Vec<Option<Arc<Chosen>>>,
    /// What was found for layers that are cut alike.
    found: HashMap<Sample, Option<Found>>,
    schedules: Schedules,
}

impl<'n> Compiler<'n> {
    /// Lays out a network.
    ///
    /// # Errors
    /// A node or a tensor that does not fit the hardware.
    pub fn new(net: &'n QNet, options: &Options) -> Result<Self, CompileError> {
        Self::of(Cow::Borrowed(net), options)
    }

    /// The same of a network that it keeps.
    ///
    /// # Errors
    /// As [`Compiler::new`].
    pub fn owned(net: QNet, options: &Options) -> Result<Compiler<'static>, CompileError> {
        Compiler::of(Cow::Owned(net), options)
    }

    fn of(net: Cow<'n, QNet>, options: &Options) -> Result<Self, CompileError> {
        let links = Links::new(&net);
        let block = options.config.block as usize;
        let packable = net.nodes.iter();
        let packable: Vec<bool> = packable
            .map(|node| order::pack(&net, &links, node, block).is_some())
            .collect();
        let unpacked = unpacked(&net, &packable, None, options.sparsity);
        let frame = Frame::new(&net, &options.config, &unpacked)?;
        Ok(Self {
            chosen: vec![None; frame.net.nodes.len()],
            given: net,
            options: options.clone(),
            packable,
            unpacked,
            found: HashMap::new(),
            schedules: Schedules::default(),
            frame,
        })
    }

    /// The masks of the given network: for each node which blocks a sparse program keeps,
    /// none where a node has no weight.
    pub fn masks(&self) -> Vec<Option<BlockMask>> {
        let mask = |node: &QNode| match &node.op {
            QOp::Conv(conv) => Some(lower::mask_of(conv, self.options.sparsity).mask),
            _ => None,
        };
        self.given.nodes.iter().map(mask).collect()
    }

    /// The program of the network as it is.
    ///
    /// # Errors
    /// A layer that does not fit the hardware.
    pub fn compile(&mut self) -> Result<Program, CompileError> {
        self.unpack(None)?;
        self.program(None, Values::Packed)
    }

    /// The program that the network has with other masks, for its cycles alone: weights
    /// and maps of weights are not in it. `masks` has one for each node of the given
    /// network; a node without one has its own.
    ///
    /// # Errors
    /// A layer that does not fit the hardware.
    pub fn timed(&mut self, masks: &[Option<BlockMask>]) -> Result<Program, CompileError> {
        self.unpack(Some(masks))?;
        self.program(Some(masks), Values::LeftOut)
    }

    /// Lays the network out anew where convolutions that are packed begin to lose blocks,
    /// or no longer do.
    fn unpack(&mut self, masks: Option<&[Option<BlockMask>]>) -> Result<(), CompileError> {
        let unpacked = unpacked(&self.given, &self.packable, masks, self.options.sparsity);
        if unpacked != self.unpacked {
            self.frame = Frame::new(&self.given, &self.options.config, &unpacked)?;
            self.chosen = vec![None; self.frame.net.nodes.len()];
            self.schedules = Schedules::default();
            self.unpacked = unpacked;
        }
        Ok(())
    }

    fn program(
        &mut self,
        masks: Option<&[Option<BlockMask>]>,
        values: Values,
    ) -> Result<Program, CompileError> {
        let (frame, c) = (&self.frame, &self.options.config);
        let nodes = frame.net.nodes.iter().enumerate();
        let layers = nodes.filter_map(|(n, node)| match &node.op {
            QOp::Conv(conv) if frame.placements[n] == Placement::Conv => {
                let other = masks.and_then(|m| m.get(frame.given[n]?)?.as_ref());
                Some((n, conv, mask(conv, other, self.options.sparsity)))
            }
            _ => None,
        });
        let layers: Vec<_> = layers.collect();
        if values == Values::Packed {
            frame.weights_fit(&layers, c)?;
        }
        let is_new = |(n, _, mask): &&(usize, &QConv, LayerMask)| {
            let chosen = self.chosen[*n].as_ref();
            chosen.is_none_or(|chosen| chosen.mask != *mask)
        };
        let new: Vec<_> = layers.iter().filter(is_new).collect();
        let samples = new
            .par_iter()
            .map(|(n, conv, mask)| frame.sample(*n, conv, mask));
        let samples = samples.collect::<Result<Vec<_>, _>>()?;
        // Each sample that is not known yet, once.
        let mut unknown: Vec<(&Sample, usize, &QConv)> = Vec::new();
        let mut seen = HashSet::new();
        for (sample, (n, conv, _)) in samples.iter().zip(&new) {
            if let Some(sample) = sample
                && !self.found.contains_key(sample)
                && seen.insert(sample)
            {
                unknown.push((sample, *n, conv));
            }
        }
        let found = unknown.par_iter().map(|(sample, n, conv)| {
            let found = frame.find((*n, conv), sample, c)?;
            Ok(((*sample).clone(), found))
        });
        let found: Vec<Result<_, CompileError>> = found.collect();
        for found in found {
            let (sample, found) = found?;
            self.found.insert(sample, found);
        }
        let known = &self.found;
        let made = new
            .par_iter()
            .zip(&samples)
            .map(|((n, conv, mask), sample)| {
                let found = sample.as_ref().and_then(|s| known.get(s)?.as_ref());
                let chosen = frame.choose((*n, conv, mask), found, c)?;
                Ok((*n, Arc::new(chosen)))
            });
        let made: Vec<Result<_, CompileError>> = made.collect();
        for made in made {
            let (n, chosen) = made?;
            self.chosen[n] = Some(chosen);
        }
        self.schedules.update(&self.frame, &self.chosen, c)?;
        program::program(&self.frame, &self.schedules, &self.chosen, c, values)
    }
}

/// The mask of a convolution: another one where it fits.
fn mask(conv: &QConv, other: Option<&BlockMask>, sparsity: Sparsity) -> LayerMask {
    match other.filter(|m| m.dims == conv.weight.mask_dims()) {
        Some(mask) => LayerMask {
            mask: mask.clone(),
            sparse: true,
        },
        None => lower::mask_of(conv, sparsity),
    }
}

/// Convolutions that could be packed and lose something.
fn unpacked(
    net: &QNet,
    packable: &[bool],
    masks: Option<&[Option<BlockMask>]>,
    sparsity: Sparsity,
) -> Vec<bool> {
    let nodes = net.nodes.iter().enumerate();
    let is_unpacked = |(n, node): (usize, &QNode)| match &node.op {
        QOp::Conv(conv) if packable[n] => {
            let other = masks.and_then(|m| m.get(n)?.as_ref());
            mask(conv, other, sparsity).drops()
        }
        _ => false,
    };
    nodes.map(is_unpacked).collect()
}
