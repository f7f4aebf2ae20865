//! A network for questions about cycles: what all configurations share.

use super::CycleCounter;
use crate::monitor::Watch;
use crate::{Calibration, Error, MaskedModel};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use vta_net::quant::{self, QNet};
use vta_net::sparse::{self, BlockMask, MaskLayer, Masks};
use vta_program::config::HwConfig;

/// A network, quantised for questions about its cycles on any configuration.
///
/// An integer network does not depend on the hardware. So one is enough for many
/// configurations, also on several threads: a clone is the same network.
///
/// ```
/// use vta::config::HwConfig;
/// use vta::{Calibration, Model, cycles::CycleNetwork, sparse::Masks};
///
/// let model = Model::zoo("resnet8", 1)?;
/// let network = CycleNetwork::new(model.zero_blocks(), &Calibration::default())?;
/// let mut cycles = Vec::new();
/// for config in ["de10", "wide128"].iter().filter_map(|c| HwConfig::built_in(c)) {
///     cycles.push(network.counter(&config)?.count(&Masks::new())?.total);
/// }
/// assert!(cycles[1] < cycles[0]);
/// # Ok::<(), vta::Error>(())
/// ```
#[derive(Clone)]
pub struct CycleNetwork(Arc<Shared>);

struct Shared {
    masked: MaskedModel,
    /// What was applied to it: it stays dropped.
    before: Masks,
    /// Masks that it is quantised with; a question can have these blocks back.
    formed: Masks,
    calibration: Calibration,
    layers: Vec<MaskLayer>,
    /// Dense layers whose mask lies the other way round in their weight.
    turned: BTreeSet<String>,
    /// Weights of which a mask changes more than which blocks are there.
    reshaping: BTreeSet<String>,
    /// The network as it is, with those of these weights that lost blocks.
    first: (BTreeSet<String>, Arc<QNet>),
    /// The other forms, by which of these weights lose blocks.
    others: Mutex<BTreeMap<BTreeSet<String>, Arc<QNet>>>,
}

impl CycleNetwork {
    /// Quantises a network: its cycles are counted in this form.
    ///
    /// # Errors
    /// A network that cannot be quantised; [`Error::Cancelled`].
    pub fn new(masked: MaskedModel, calibration: &Calibration) -> Result<Self, Error> {
        Self::with_form(masked, Masks::new(), calibration)
    }

    /// The same in the form that the network has when it is quantised with these masks.
    /// A layer without a mask in a question has all its blocks.
    ///
    /// # Errors
    /// As [`CycleNetwork::new`]; a mask that fits no layer.
    pub fn with_form(
        masked: MaskedModel,
        mut formed: Masks,
        calibration: &Calibration,
    ) -> Result<Self, Error> {
        formed.retain(|_, m| m.count_kept() < m.blocks());
        let net = match formed.is_empty() {
            true => masked.clone(),
            false => masked.model().clone().mask(formed.clone())?,
        };
        let net = net.quantise(calibration)?.net().clone();
        let (graph, before) = (masked.model().graph(), masked.masks());
        let reshaping = quant::reshaped_by_masks(graph)?;
        let lost = |w: &&String| before.contains_key(*w) || formed.contains_key(*w);
        let dropped = reshaping.iter().filter(lost);
        Ok(Self(Arc::new(Shared {
            calibration: calibration.clone(),
            layers: masked.model().mask_layers(),
            turned: sparse::turned(graph),
            first: (dropped.cloned().collect(), Arc::new(net)),
            others: Mutex::default(),
            reshaping,
            before,
            formed,
            masked,
        })))
    }

    /// What answers questions on a configuration.
    ///
    /// # Errors
    /// A node that does not fit the configuration.
    pub fn counter(&self, config: &HwConfig) -> Result<CycleCounter, Error> {
        CycleCounter::new(self.clone(), config)
    }

    /// Quantises what questions with these masks need, so that it is there for all
    /// counters that come.
    ///
    /// # Errors
    /// A network that cannot be quantised; [`Error::Cancelled`].
    pub fn prepare(&self, masks: &Masks) -> Result<(), Error> {
        self.net(&self.reshaped(masks), masks).map(drop)
    }

    /// The layers that can have masks.
    pub fn layers(&self) -> &[MaskLayer] {
        &self.0.layers
    }

    pub(super) fn watch(&self) -> &Watch {
        self.0.masked.watch()
    }

    pub(super) fn before(&self) -> &Masks {
        &self.0.before
    }

    /// Masks that the network is quantised with.
    pub(super) fn formed(&self) -> &Masks {
        &self.0.formed
    }

    /// Whether a dense layer's mask lies the other way round in its weight.
    pub(super) fn is_turned(&self, node: &str) -> bool {
        self.0.turned.contains(node)
    }

    /// The form of the network as it is, and the network.
    pub(super) fn first(&self) -> (&BTreeSet<String>, &QNet) {
        (&self.0.first.0, &self.0.first.1)
    }

    /// Weights that lose blocks by these masks, and of which that changes more than blocks.
    pub(super) fn reshaped(&self, masks: &Masks) -> BTreeSet<String> {
        let drops = |m: Option<&BlockMask>| m.is_some_and(|m| m.count_kept() < m.blocks());
        let all = self.0.reshaping.iter();
        let all = all.filter(|w| drops(masks.get(*w)) || drops(self.0.before.get(*w)));
        all.cloned().collect()
    }

    /// The network in the form that it has when these weights lose blocks.
    pub(super) fn net(
        &self,
        reshaped: &BTreeSet<String>,
        masks: &Masks,
    ) -> Result<Arc<QNet>, Error> {
        let Shared { first, others, .. } = &*self.0;
        if first.0 == *reshaped {
            return Ok(Arc::clone(&first.1));
        }
        let known = || others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(net) = known().get(reshaped) {
            return Ok(Arc::clone(net));
        }
        // Without the lock: quantising may take up other work that wants it.
        let lost = masks.iter().filter(|(w, _)| reshaped.contains(*w));
        let kept = self.0.formed.iter();
        let kept = kept.filter(|(w, _)| !self.0.reshaping.contains(*w));
        let all = kept.chain(lost).map(|(w, m)| (w.clone(), m.clone()));
        let masked = self.0.masked.model().clone().mask(all.collect())?;
        let net = Arc::new(masked.quantise(&self.0.calibration)?.net().clone());
        known().insert(reshaped.clone(), Arc::clone(&net));
        Ok(net)
    }
}
