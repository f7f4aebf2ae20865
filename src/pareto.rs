//! Accuracy against cycles: a row for each budget, method and configuration.
//!
//! ```
//! use vta::pareto::{Measurement, Method, Pareto, front};
//! use vta::rows::{Row, RowStore};
//! use vta::{Calibration, Model};
//!
//! let model = Model::zoo("lenet5", 1)?;
//! let by = Measurement::signal_to_noise(&model, Calibration::default())?;
//! let job = Pareto::new(model, by)?.budgets(vec![0.8, 0.6]).methods(vec![Method::Magnitude]);
//! let mut store = RowStore::default();
//! job.plan()?.run(&mut store)?;
//! let all: Vec<&Row> = store.rows().iter().collect();
//! assert_eq!(all.len(), 3);
//! assert!(!front(&all).is_empty());
//! # Ok::<(), vta::Error>(())
//! ```

mod front;
mod measure;
mod method;
#[cfg(feature = "train")]
mod training;

pub use front::{cycles_and_score, front, method_of};
pub use measure::{Measurement, Scored, unit_of};
pub use method::Method;
#[cfg(feature = "train")]
pub use training::Training;

use crate::cost::{CostTable, DENSITIES, Measure, SEED};
use crate::monitor::{Monitor, Phase, Watch};
use crate::pruning::Pruning;
use crate::rows::{Failure, Key, Outcome, Point, Row, RowStore};
use crate::sweep::Candidate;
use crate::{Calibration, Error, Model};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::collections::btree_map::{BTreeMap, Entry};
#[cfg(feature = "train")]
use std::path::PathBuf;
use std::sync::Arc;
use vta_net::quant::Exponents;
use vta_net::sparse::Masks;
use vta_program::config::HwConfig;
use vta_prune::{Budget, Costs, Dense, PruneLayer, Ranking, Target, layers};

/// The kind of points of a front.
pub const KIND: &str = "front";

/// Budgets where nobody says which: parts of the cycles of the dense network.
pub const BUDGETS: &[f64] = &[0.8, 0.65, 0.5, 0.4, 0.3];

/// Part of its blocks that each layer keeps at least.
const FLOOR: f64 = 0.1;

/// What the dense network is called, where others have a method.
const DENSE: &str = "dense";

/// A network that is pruned by several methods to several budgets, for several
/// configurations. The dense network is a point too.
pub struct Pareto<'a> {
    model: Model,
    layers: Vec<PruneLayer>,
    measurement: Measurement<'a>,
    #[cfg(feature = "train")]
    training: Option<(Training<'a>, PathBuf)>,
    configs: Vec<Candidate>,
    methods: Vec<Method>,
    budgets: Vec<f64>,
    monitor: Arc<dyn Monitor>,
}

/// The points of a front, each once.
pub struct Plan<'p, 'a> {
    job: &'p Pareto<'a>,
    places: Vec<Place>,
}

struct Place {
    config: usize,
    /// None for the dense network.
    pruned: Option<(Method, f64)>,
    key: Key,
    point: Point,
}

/// What all points on a configuration share.
struct Hardware<'p> {
    config: &'p HwConfig,
    /// Cycles of the dense network.
    dense: u64,
    table: CostTable,
}

/// A network that a point gave.
struct Network {
    model: Model,
    masks: Masks,
    exponents: Option<Exponents>,
}

impl<'a> Pareto<'a> {
    /// A dense network, and what it is measured by: on `de10`, by magnitude, with the
    /// [`BUDGETS`]. The first convolution and the last dense layer stay dense.
    ///
    /// # Errors
    /// A network without a layer that may lose blocks.
    pub fn new(model: Model, measurement: Measurement<'a>) -> Result<Self, Error> {
        let layers = layers(model.graph(), &Dense::Ends, false, Ranking::MeanSquare)?;
        Ok(Self {
            layers,
            model,
            measurement,
            #[cfg(feature = "train")]
            training: None,
            configs: vec![HwConfig::default().into()],
            methods: vec![Method::Magnitude],
            budgets: BUDGETS.to_vec(),
            monitor: Arc::new(()),
        })
    }

    /// What it is measured by.
    pub const fn measure(&self) -> &'static str {
        self.measurement.name()
    }

    /// The configurations.
    pub fn configs(mut self, configs: Vec<Candidate>) -> Self {
        self.configs = configs;
        self
    }

    /// The methods.
    pub fn methods(mut self, methods: Vec<Method>) -> Self {
        self.methods = methods;
        self
    }

    /// Parts of the dense network's cycles that are left at most.
    pub fn budgets(mut self, budgets: Vec<f64>) -> Self {
        self.budgets = budgets;
        self
    }

    /// How methods that train do it. Each run has a folder of its own in `folder` until
    /// its row is there, with its checkpoint.
    #[cfg(feature = "train")]
    pub fn training(mut self, training: Training<'a>, folder: PathBuf) -> Self {
        self.training = Some((training, folder));
        self
    }

    /// The work is followed and stopped by `monitor`.
    pub fn monitored(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.model = self.model.monitored(Arc::clone(&monitor));
        self.monitor = monitor;
        self
    }

    /// Its points: configurations outermost, then the dense network, then methods, then
    /// budgets.
    ///
    /// # Errors
    /// A method that trains, and nothing that says how.
    pub fn plan(&self) -> Result<Plan<'_, 'a>, Error> {
        let digest = self.model.digest();
        let (mut places, mut seen) = (Vec::new(), HashSet::new());
        for (config, candidate) in self.configs.iter().enumerate() {
            let of_method = |m: &Method| {
                let m = *m;
                self.budgets.iter().map(move |b| Some((m, *b)))
            };
            let pruned = self.methods.iter().flat_map(of_method);
            for pruned in std::iter::once(None).chain(pruned) {
                let point = Point::new(KIND)
                    .with("model", &digest)
                    .with("config", candidate.keys())
                    .with("measure", self.measurement.point());
                let point = self.decide(point, pruned)?;
                let key = point.key();
                if seen.insert(key.clone()) {
                    places.push(Place {
                        config,
                        pruned,
                        key,
                        point,
                    });
                }
            }
        }
        Ok(Plan { job: self, places })
    }

    /// What decides a network, in a point.
    fn decide(&self, point: Point, pruned: Option<(Method, f64)>) -> Result<Point, Error> {
        let Some((method, budget)) = pruned else {
            return Ok(point.with("method", DENSE));
        };
        let point = point.with("method", method.name()).with("budget", budget);
        let point = point.with("floor", FLOOR);
        match method.training() {
            None => Ok(point),
            #[cfg(feature = "train")]
            Some(_) => match &self.training {
                Some((training, _)) => Ok(point.with("training", training.identity(method))),
                None => Err(Error::NoTraining { method }),
            },
            #[cfg(not(feature = "train"))]
            Some(_) => Err(Error::NoTraining { method }),
        }
    }

    fn watch(&self) -> &Watch {
        self.model.watch()
    }

    fn hardware<'p>(&self, config: &'p HwConfig) -> Result<Hardware<'p>, Error> {
        let mut counter = (self.model).cycle_counter(&Calibration::default(), config)?;
        Ok(Hardware {
            dense: counter.count(&Masks::new())?.total,
            table: Measure::new(&self.model, config.clone()).table(DENSITIES, SEED)?,
            config,
        })
    }

    /// The pruned network of a point.
    fn network(&self, place: &Place, hardware: &Hardware<'_>) -> Result<Network, Error> {
        let Some((method, budget)) = place.pruned else {
            return Ok(Network {
                model: self.model.clone(),
                masks: Masks::new(),
                exponents: None,
            });
        };
        let limit = Budget::AtMost((hardware.dense as f64 * budget).floor());
        let costs = Costs::Cycles(hardware.table.clone());
        let target = Target {
            floor: FLOOR,
            ..Target::new(method.rule(), costs, limit)
        };
        match method.training() {
            None => {
                let pruning = Pruning::new(self.model.clone(), self.layers.clone())?;
                Ok(Network {
                    masks: pruning.one_shot(&target, hardware.config)?.masks,
                    model: self.model.clone(),
                    exponents: None,
                })
            }
            #[cfg(feature = "train")]
            Some(parts) => {
                let Some((training, _)) = &self.training else {
                    return Err(Error::NoTraining { method });
                };
                let done = training.run(&training::Asked {
                    model: &self.model,
                    layers: &self.layers,
                    parts,
                    target,
                    hardware: hardware.config,
                    folder: &self.folder(&place.key),
                    monitor: Arc::clone(&self.monitor),
                })?;
                Ok(Network {
                    model: self.model.with_graph(done.graph),
                    masks: done.masks,
                    exponents: done.exponents,
                })
            }
            #[cfg(not(feature = "train"))]
            Some(_) => Err(Error::NoTraining { method }),
        }
    }

    fn result(&self, place: &Place, hardware: &Hardware<'_>) -> Result<Map<String, Value>, Error> {
        let network = self.network(place, hardware)?;
        let (blocks, kept) = self.blocks(&network.masks);
        let masked = network.model.mask(network.masks)?;
        let scored = (self.measurement).score(masked, network.exponents, hardware.config)?;
        let mut result = Map::new();
        result.insert("blocks".into(), blocks.into());
        result.insert("kept".into(), kept.into());
        result.insert("cycles".into(), scored.cycles.into());
        result.insert("score".into(), scored.score.into());
        Ok(result)
    }

    /// Blocks of all layers that can lose some, and those that are kept.
    fn blocks(&self, masks: &Masks) -> (usize, usize) {
        let layers = self.model.mask_layers();
        let one = |l: &vta_net::sparse::MaskLayer| {
            let all = l.mask_dims().iter().product::<usize>();
            (
                all,
                masks.get(&l.weight_name).map_or(all, |m| m.count_kept()),
            )
        };
        let all = layers.iter().map(one);
        all.fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1))
    }

    fn row(&self, place: &Place, outcome: Outcome) -> Row {
        let names = BTreeMap::from([
            ("model".to_owned(), self.model.name().to_owned()),
            (
                "config".to_owned(),
                self.configs[place.config].name().to_owned(),
            ),
        ]);
        Row::new(place.point.clone(), names, outcome)
    }

    /// Where the run of a point has its checkpoint.
    #[cfg(feature = "train")]
    fn folder(&self, key: &Key) -> PathBuf {
        let folder = self.training.as_ref().map(|(_, folder)| folder.clone());
        folder.unwrap_or_default().join(key.as_str())
    }

    /// Removes what is left of the run of a point whose row is there.
    fn tidy(&self, place: &Place) -> Result<(), Error> {
        #[cfg(feature = "train")]
        if place.pruned.is_some_and(|(m, _)| m.training().is_some()) {
            let folder = self.folder(&place.key);
            if folder.exists() {
                std::fs::remove_dir_all(&folder).map_err(|e| Error::file(&folder, e))?;
            }
            // The last one takes the folder of all with it.
            if let Some(all) = folder.parent() {
                let _ = std::fs::remove_dir(all);
            }
        }
        #[cfg(not(feature = "train"))]
        let _ = place;
        Ok(())
    }
}

impl Plan<'_, '_> {
    /// The keys of its points, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.places.iter().map(|p| &p.key)
    }

    /// Computes the points that are not in the store, and adds their rows in order. A
    /// budget that cannot be met, or hardware that the network does not fit, is a row
    /// with the reason.
    ///
    /// # Errors
    /// Files that cannot be read or written; [`Error::Cancelled`]: a run of training then
    /// goes on from its checkpoint.
    pub fn run(&self, store: &mut RowStore) -> Result<(), Error> {
        let job = self.job;
        let done = self.keys().filter(|k| store.has(k)).count() as u64;
        let all = self.places.len() as u64;
        let progress = job.watch().resumed(Phase::Points, done, Some(all));
        let mut known = BTreeMap::new();
        for place in &self.places {
            if !store.has(&place.key) {
                job.watch().go_on()?;
                let hardware = match known.entry(place.config) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(first) => {
                        first.insert(match job.configs[place.config].hardware() {
                            Ok(config) => Failure::of(job.hardware(config))?,
                            Err(failure) => Err(failure),
                        })
                    }
                };
                let result = match hardware {
                    Ok(hardware) => Failure::of(job.result(place, hardware))?,
                    Err(failure) => Err(failure.clone()),
                };
                let outcome = result.map_or_else(Outcome::Error, Outcome::Result);
                store.append(job.row(place, outcome))?;
                progress.step();
            }
            job.tidy(place)?;
        }
        Ok(())
    }
}
