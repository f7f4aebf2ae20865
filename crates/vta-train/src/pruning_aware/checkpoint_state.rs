//! What a checkpoint holds of a run of pruning.

use crate::backend::Kernels;
use crate::{Checkpoint, CheckpointError, Network, TrainError};
use vta_net::quant::Exponents;
use vta_prune::Pruner;

/// The state of a run, without its settings.
pub(super) struct CheckpointState<B: Kernels> {
    pub pruner: Pruner,
    pub temporal_teacher: Option<Network<B>>,
    pub exponents: Option<Exponents>,
    pub last_losses: [f64; 2],
}

const PRUNER: &str = "hooks/pruner";
const EXPONENTS: &str = "hooks/exponents";
const TEACHER: &str = "hooks/teacher";
const LOSSES: [&str; 2] = ["hooks/spatial", "hooks/temporal"];

fn array(weight: &str) -> String {
    format!("hooks/zu/{weight}")
}

pub(super) fn save<B: Kernels>(
    pruner: &Pruner,
    temporal_teacher: Option<&Network<B>>,
    exponents: Option<&Exponents>,
    last_losses: [f64; 2],
    to: &mut Checkpoint,
) {
    let mut pruner = pruner.clone();
    let arrays = pruner.detach();
    // Maps with keys of text, numbers and lists: nothing in it can fail.
    to.put_text(PRUNER, serde_json::to_string(&pruner).unwrap_or_default());
    for (layer, values) in pruner.layers().iter().zip(arrays) {
        to.put(array(&layer.weight_name), values);
    }
    for (name, loss) in LOSSES.iter().zip(last_losses) {
        to.put_number(*name, loss.to_bits());
    }
    to.put_number(TEACHER, temporal_teacher.is_some().into());
    if let Some(network) = temporal_teacher {
        for p in network.params() {
            to.put(format!("{TEACHER}/param/{}", p.name), p.values());
        }
    }
    to.put_text(
        EXPONENTS,
        exponents.map(Exponents::to_json).unwrap_or_default(),
    );
}

/// The state of a run with the same settings as `now`, of the same network.
pub(super) fn load<B: Kernels>(
    now: &Pruner,
    network: &Network<B>,
    from: &Checkpoint,
) -> Result<CheckpointState<B>, TrainError> {
    let bad = |what: String| TrainError::from(CheckpointError::Run(what));
    let text = from.text(PRUNER)?;
    let mut pruner: Pruner =
        serde_json::from_str(text).map_err(|e| bad(format!("has a broken pruner: {e}")))?;
    if !pruner.same_run(now) {
        return Err(bad(
            "is of a run with another plan, budget or sparsity allocation".into(),
        ));
    }
    let arrays = now.layers().iter().map(|l| {
        let values = from.get(&array(&l.weight_name), l.blocks.len())?;
        Ok(values.to_vec())
    });
    let arrays = arrays.collect::<Result<Vec<_>, TrainError>>()?;
    pruner
        .attach(arrays)
        .map_err(|e| bad(format!("has broken arrays: {e}")))?;
    let temporal_teacher = match from.number(TEACHER)? {
        0 => None,
        _ => Some(temporal_teacher(network, from)?),
    };
    let exponents = match from.text(EXPONENTS)? {
        "" => None,
        text => Some(
            Exponents::from_json(text).map_err(|e| bad(format!("has broken exponents: {e}")))?,
        ),
    };
    let mut last_losses = [0.0; 2];
    for (name, loss) in LOSSES.iter().zip(&mut last_losses) {
        *loss = f64::from_bits(from.number(name)?);
    }
    Ok(CheckpointState {
        pruner,
        temporal_teacher,
        exponents,
        last_losses,
    })
}

/// The teacher of self-distillation; its running statistics are not used.
fn temporal_teacher<B: Kernels>(
    network: &Network<B>,
    from: &Checkpoint,
) -> Result<Network<B>, TrainError> {
    let mut temporal_teacher = network.clone();
    temporal_teacher.drop_masks();
    temporal_teacher.set_exponents(None);
    for p in network.params() {
        let n = p.dims.iter().product();
        let values = from.get(&format!("{TEACHER}/param/{}", p.name), n)?;
        temporal_teacher.set(&p.name, values.to_vec())?;
    }
    Ok(temporal_teacher)
}
