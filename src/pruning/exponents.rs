//! Exponents of networks while they are trained.

use crate::{Error, evaluate};
use vta_data::Sample;
use vta_net::graph::Graph;
use vta_net::quant::{self, Calibration, Method, PerChannel, QuantOptions};
use vta_tensor::host::Tensor;
use vta_train::pruning_aware::Calibrate;

/// Images by which exponents are chosen.
const CALIBRATION: usize = 64;

/// Chooses exponents by these samples, each by its own error: training makes up
/// for what a search over whole networks would gain. One for each weight, since
/// shifts of single channels would make cycles depend on values.
pub fn chooser<'a>(samples: Vec<Vec<Tensor>>) -> Calibrate<'a> {
    Box::new(move |graph: &Graph| {
        let seen = Calibration::observe(graph, samples.clone())?;
        let options = QuantOptions {
            method: Method::Mse,
            per_channel: PerChannel::Never,
            fit_steps: false,
            merge_branches: false,
            correct_bias: false,
            ..QuantOptions::default()
        };
        let net = quant::quantise(graph, &seen, &options)?;
        Ok(quant::Exponents::of(&net))
    })
}

/// The first images, as the network's input takes them.
///
/// # Errors
/// Images that do not fit the network.
pub fn calibration<L>(graph: &Graph, samples: &[Sample<L>]) -> Result<Vec<Vec<Tensor>>, Error> {
    let first = samples.iter().take(CALIBRATION);
    first.map(|s| evaluate::input(graph, &s.image)).collect()
}
