//! Cycles of networks over configurations: a row for each point.
//!
//! ```
//! use vta::{Calibration, Model, sweep::{Blocks, Sweep, candidates}};
//!
//! let sweep = Sweep::new(candidates("MEM_DATA_BITS=64|128")?)
//!     .network(Model::zoo("lenet5", 1)?, Calibration::default())
//!     .blocks(vec![Blocks::Density { density: 0.5, seed: 1 }]);
//! let mut rows = Vec::new();
//! sweep.plan().run(|_| false, |row| {
//!     rows.push(row);
//!     Ok(())
//! })?;
//! assert_eq!(rows.len(), 2);
//! assert!(rows[1].value("cycles").unwrap().as_u64() < rows[0].value("cycles").unwrap().as_u64());
//! # Ok::<(), vta::Error>(())
//! ```

mod candidate;
mod error;
mod grid;
mod shard;

pub use candidate::{Candidate, candidates};
pub use error::ConfigsError;
pub use grid::Grid;
pub use shard::Shard;

use crate::cycles::{CycleNetwork, NetworkCycles};
use crate::monitor::{Monitor, Phase, Watch};
use crate::rows::{Failure, Key, Outcome, Point, Row};
use crate::workers::in_order;
use crate::{Calibration, Error, Model, files};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::path::Path;
use std::sync::Arc;
use vta_net::sparse::{self, Masks};
use vta_program::program::sha256;

/// The kind of points of a sweep.
pub const KIND: &str = "cycles";

/// Which blocks a network loses.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Blocks {
    /// None but those that are zero in its weights.
    AsItIs,
    /// Each layer keeps this fraction of its blocks, chosen at random.
    Density {
        /// From 0 to 1.
        density: f64,
        /// Of the choice.
        seed: u64,
    },
    /// Those that masks drop.
    Masks {
        /// What they are called.
        name: String,
        /// A safetensors file.
        bytes: Vec<u8>,
    },
}

impl Blocks {
    /// Masks of a file. Whether they fit a network is seen when it is asked.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(Self::Masks {
            name: path.display().to_string(),
            bytes: files::read(path, sparse::MAX_FILE_BYTES)?,
        })
    }

    fn masks(&self, model: &Model) -> Result<Masks, Error> {
        match self {
            Self::AsItIs => Ok(Masks::new()),
            Self::Density { density, seed } => model.random_masks(*density, *seed),
            Self::Masks { bytes, .. } => Ok(sparse::read(bytes, &model.mask_layers())?),
        }
    }

    /// What decides it, in a point.
    fn decide(&self, point: Point) -> Point {
        match self {
            Self::AsItIs => point,
            Self::Density { density, seed } => point.with("density", density).with("seed", seed),
            Self::Masks { bytes, .. } => point.with("masks", sha256(bytes)),
        }
    }
}

/// Networks, the blocks that they lose, and configurations.
#[derive(Debug)]
pub struct Sweep {
    configs: Vec<Candidate>,
    networks: Vec<Network>,
    blocks: Vec<Blocks>,
    by_layer: bool,
    shard: Shard,
    watch: Watch,
}

#[derive(Debug)]
struct Network {
    model: Model,
    calibration: Calibration,
    /// What decides it, in all its points.
    point: Point,
}

/// The points of a sweep, each once.
#[derive(Debug)]
pub struct Plan<'a> {
    sweep: &'a Sweep,
    places: Vec<Place>,
}

/// A point, by its places in the lists of a sweep.
#[derive(Debug)]
struct Place {
    network: usize,
    config: usize,
    blocks: usize,
    key: Key,
}

/// A network that is asked, and the masks that it is asked about.
struct Asked {
    network: CycleNetwork,
    masks: Vec<Result<Masks, Failure>>,
}

impl Sweep {
    /// A sweep over configurations, of no network so far.
    pub fn new(configs: Vec<Candidate>) -> Self {
        Self {
            configs,
            networks: Vec::new(),
            blocks: Vec::new(),
            by_layer: false,
            shard: Shard::ALL,
            watch: Watch::default(),
        }
    }

    /// Adds a network, whose form is that which it has with these scales.
    pub fn network(mut self, model: Model, calibration: Calibration) -> Self {
        let point = Point::new(KIND)
            .with("model", model.digest())
            .with("calibration", calibration.point());
        self.networks.push(Network {
            model,
            calibration,
            point,
        });
        self
    }

    /// Which blocks each network loses, one after the other; as it is if nothing is said.
    pub fn blocks(mut self, blocks: Vec<Blocks>) -> Self {
        self.blocks = blocks;
        self
    }

    /// Whether rows also have the cycles of layers.
    pub const fn by_layer(mut self, yes: bool) -> Self {
        self.by_layer = yes;
        self
    }

    /// Only a part of the points.
    pub const fn shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// The sweep is followed and stopped by `monitor`.
    pub fn monitored(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.watch = Watch::new(monitor);
        self
    }

    /// Its points: networks outermost, then configurations, then blocks.
    pub fn plan(&self) -> Plan<'_> {
        let (mut places, mut seen) = (Vec::new(), HashSet::new());
        let mut n = 0;
        for network in 0..self.networks.len() {
            for config in 0..self.configs.len() {
                for blocks in 0..self.all_blocks().len() {
                    let key = self.point(network, config, blocks).key();
                    // Hardware that is named twice is one point.
                    if !seen.insert(key.clone()) {
                        continue;
                    }
                    if self.shard.has(n) {
                        places.push(Place {
                            network,
                            config,
                            blocks,
                            key,
                        });
                    }
                    n += 1;
                }
            }
        }
        Plan {
            sweep: self,
            places,
        }
    }

    fn all_blocks(&self) -> &[Blocks] {
        match self.blocks.is_empty() {
            true => &[Blocks::AsItIs],
            false => &self.blocks,
        }
    }

    fn point(&self, network: usize, config: usize, blocks: usize) -> Point {
        let point = self.networks[network].point.clone();
        let point = point.with("config", self.configs[config].keys());
        let point = self.all_blocks()[blocks].decide(point);
        match self.by_layer {
            true => point.with("layers", true),
            false => point,
        }
    }

    fn row(&self, place: &Place, outcome: Outcome) -> Row {
        let (network, config) = (&self.networks[place.network], &self.configs[place.config]);
        let mut names = BTreeMap::from([
            ("model".to_owned(), network.model.name().to_owned()),
            ("config".to_owned(), config.name().to_owned()),
        ]);
        if let Blocks::Masks { name, .. } = &self.all_blocks()[place.blocks] {
            names.insert("masks".to_owned(), name.clone());
        }
        let point = self.point(place.network, place.config, place.blocks);
        Row::new(point, names, outcome)
    }

    /// Quantises a network for all that it is asked.
    fn asked(&self, network: &Network) -> Result<Asked, Error> {
        let model = network.model.clone();
        let asked = CycleNetwork::new(model.zero_blocks(), &network.calibration)?;
        let masks = self.all_blocks().iter().map(|blocks| {
            let masks = blocks.masks(&network.model);
            if let Ok(masks) = &masks {
                asked.prepare(masks)?;
            }
            Failure::of(masks)
        });
        Ok(Asked {
            masks: masks.collect::<Result<_, Error>>()?,
            network: asked,
        })
    }

    fn outcome(&self, place: &Place, asked: &Asked) -> Result<Outcome, Error> {
        let config = self.configs[place.config].hardware();
        let question = config.and_then(|c| {
            Ok((
                c,
                asked.masks[place.blocks].as_ref().map_err(Failure::clone)?,
            ))
        });
        let (config, masks) = match question {
            Ok(question) => question,
            Err(failure) => return Ok(Outcome::Error(failure)),
        };
        let counter = asked.network.counter(config);
        let counted = counter.and_then(|mut counter| counter.count(masks));
        Ok(match Failure::of(counted)? {
            Ok(cycles) => Outcome::Result(result(&cycles, self.by_layer)),
            Err(failure) => Outcome::Error(failure),
        })
    }
}

/// What a row says of cycles.
fn result(cycles: &NetworkCycles, by_layer: bool) -> Map<String, Value> {
    let mut result = Map::new();
    result.insert("cycles".into(), cycles.total.into());
    result.insert("bytes_read".into(), cycles.bytes_read.into());
    result.insert("bytes_written".into(), cycles.bytes_written.into());
    if by_layer {
        let layers = cycles.layers.iter();
        let layers = layers.map(|(layer, cycles)| json!({"layer": layer, "cycles": cycles}));
        result.insert("layers".into(), layers.collect());
    }
    result
}

impl Plan<'_> {
    /// The keys of its points, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.places.iter().map(|p| &p.key)
    }

    /// Computes the points that are not `known` on all cores, and gives their rows in
    /// order: the same whatever the number of threads. Hardware that is none or that a
    /// network does not fit is a row with the reason.
    ///
    /// # Errors
    /// A network that cannot be quantised, what `each` says; [`Error::Cancelled`].
    pub fn run(
        &self,
        known: impl Fn(&Key) -> bool,
        mut each: impl FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sweep = self.sweep;
        let new: Vec<&Place> = self.places.iter().filter(|p| !known(&p.key)).collect();
        let mut asked = BTreeMap::new();
        for place in &new {
            sweep.watch.go_on()?;
            if let Entry::Vacant(first) = asked.entry(place.network) {
                first.insert(sweep.asked(&sweep.networks[place.network])?);
            }
        }
        let (done, all) = (self.places.len() - new.len(), self.places.len());
        let progress = (sweep.watch).resumed(Phase::Points, done as u64, Some(all as u64));
        let compute = |i: usize| {
            let place = new[i];
            Ok(sweep.row(place, sweep.outcome(place, &asked[&place.network])?))
        };
        in_order(new.len(), &sweep.watch, compute, |row| {
            progress.step();
            each(row)
        })
    }
}
