//! Checkpoints: a safetensors file with all that a run needs to go on.
//!
//! Parameters are `param.<name>`, running statistics `mean.<node>` and
//! `var.<node>`, masks `mask.<weight>`, the optimiser's state is burn's own
//! record in bytes, values of hooks are `hook.<name>`. The rest is JSON in the
//! file's metadata, with a SHA-256 of everything.

use super::hooks::HookState;
use super::log::Log;
use super::trainer::Trainer;
use crate::data::Label;
use crate::graph::TensorId;
use crate::train::TrainError;
use crate::train::backend::Grad;
use crate::train::network::{Exponents, Mask, Running};
use crate::train::task::Task;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Largest checkpoint that is read.
pub const MAX_CHECKPOINT_BYTES: u64 = 4 << 30;
/// Key of the metadata; one only, because their order in the file is not fixed.
const KEY: &str = "vta-checkpoint";
/// Version of the file's form.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    sha256: String,
    state: State,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    step: u64,
    recipe: BTreeMap<String, String>,
    log: Log,
    eta: BTreeMap<String, f32>,
    exponents: Option<SavedExponents>,
    hook: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedExponents {
    weights: BTreeMap<String, Vec<i32>>,
    tensors: Vec<(usize, i32)>,
}

fn wrong(what: impl Into<String>) -> TrainError {
    TrainError::Checkpoint(what.into())
}

/// Bytes of floats, lowest byte first.
fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn digest(state: &State, parts: &BTreeMap<String, (Dtype, Vec<u8>)>) -> Result<String, TrainError> {
    let mut hash = Sha256::new();
    let json = serde_json::to_vec(state).map_err(|e| wrong(format!("cannot be written: {e}")))?;
    hash.update(json);
    for (name, (_, bytes)) in parts {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

pub(super) fn save<A: Grad, L: Label, T: Task<L>>(
    trainer: &Trainer<'_, A, L, T>,
    hook: HookState,
) -> Result<Vec<u8>, TrainError> {
    let network = &trainer.network;
    let mut parts: BTreeMap<String, (Dtype, Vec<u8>)> = BTreeMap::new();
    let mut add = |name: String, values: &[f32]| parts.insert(name, (Dtype::F32, bytes(values)));
    for p in network.params() {
        add(format!("param.{}", p.name), &p.values());
    }
    for r in network.running() {
        add(format!("mean.{}", r.node), &r.mean);
        add(format!("var.{}", r.node), &r.var);
    }
    for (name, mask) in network.masks() {
        add(format!("mask.{name}"), &mask.keep);
    }
    for (name, values) in &hook.values {
        add(format!("hook.{name}"), values);
    }
    parts.insert("optimiser".into(), (Dtype::U8, trainer.optimising.save()?));
    let state = State {
        step: trainer.step,
        recipe: trainer.settings.recipe(),
        log: trainer.log.clone(),
        eta: network.masks().iter().map(|(n, m)| (n.clone(), m.eta)).collect(),
        exponents: network.exponents().map(|e| SavedExponents {
            weights: e.weights.clone(),
            tensors: e.tensors.iter().map(|(t, e)| (t.0, *e)).collect(),
        }),
        hook: hook.text,
    };
    let header = Header {
        version: VERSION,
        sha256: digest(&state, &parts)?,
        state,
    };
    let cannot = |e: &dyn std::fmt::Display| wrong(format!("cannot be written: {e}"));
    let header = serde_json::to_string(&header).map_err(|e| cannot(&e))?;
    let mut views = Vec::new();
    for (name, (ty, bytes)) in &parts {
        let n = match ty {
            Dtype::F32 => bytes.len() / 4,
            _ => bytes.len(),
        };
        let view = TensorView::new(*ty, vec![n], bytes).map_err(|e| cannot(&e))?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([(KEY.to_owned(), header)]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| cannot(&e))
}

/// What is in a file, checked.
fn read(file: &[u8]) -> Result<(State, BTreeMap<String, (Dtype, Vec<u8>)>), TrainError> {
    let damaged = |e: &dyn std::fmt::Display| wrong(format!("is damaged: {e}"));
    let (_, metadata) = SafeTensors::read_metadata(file).map_err(|e| damaged(&e))?;
    let header = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
    let header = header.ok_or_else(|| wrong("is a safetensors file of something else"))?;
    let header: Header = serde_json::from_str(header).map_err(|e| damaged(&e))?;
    if header.version != VERSION {
        let (got, want) = (header.version, VERSION);
        return Err(wrong(format!("has version {got}, this program reads {want}")));
    }
    let tensors = SafeTensors::deserialize(file).map_err(|e| damaged(&e))?;
    let parts: BTreeMap<_, _> = tensors
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.dtype(), view.data().to_vec())))
        .collect();
    if digest(&header.state, &parts)? != header.sha256 {
        return Err(wrong("is damaged: its checksum is wrong"));
    }
    Ok((header.state, parts))
}

/// Puts a checkpoint into a run; what the hooks kept.
pub(super) fn load<A: Grad, L: Label, T: Task<L>>(
    trainer: &mut Trainer<'_, A, L, T>,
    file: &[u8],
) -> Result<HookState, TrainError> {
    let (state, mut parts) = read(file)?;
    let recipe = trainer.settings.recipe();
    let names: std::collections::BTreeSet<&String> =
        recipe.keys().chain(state.recipe.keys()).collect();
    for name in names {
        let of = |r: &BTreeMap<String, String>| r.get(name).cloned().unwrap_or("none".into());
        let (old, new) = (of(&state.recipe), of(&recipe));
        if old != new {
            return Err(wrong(format!("is of a run with {name} {old}, not {new}")));
        }
    }
    let mut take = |name: String| -> Result<Vec<f32>, TrainError> {
        match parts.remove(&name) {
            Some((Dtype::F32, bytes)) => Ok(bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()),
            _ => Err(wrong(format!("has no `{name}`"))),
        }
    };
    let network = &mut trainer.network;
    let names: Vec<String> = network.params().iter().map(|p| p.name.clone()).collect();
    for name in names {
        let values = take(format!("param.{name}"))?;
        network.set(&name, values)?;
    }
    let nodes: Vec<String> = network.running().iter().map(|r| r.node.clone()).collect();
    for node in nodes {
        let (mean, var) = (take(format!("mean.{node}"))?, take(format!("var.{node}"))?);
        network.set_running(Running { node, mean, var })?;
    }
    let masked: Vec<String> = network.masks().keys().cloned().collect();
    for name in masked {
        network.set_mask(&name, None)?;
    }
    for (name, eta) in &state.eta {
        let keep = take(format!("mask.{name}"))?;
        network.set_mask(name, Some(Mask { keep, eta: *eta }))?;
    }
    network.set_exponents(state.exponents.map(|e| Exponents {
        weights: e.weights,
        tensors: e.tensors.into_iter().map(|(t, e)| (TensorId(t), e)).collect(),
    }));
    let hooks: Vec<String> = parts
        .keys()
        .filter_map(|n| n.strip_prefix("hook."))
        .map(str::to_owned)
        .collect();
    let mut values = BTreeMap::new();
    for name in hooks {
        if let Some((_, bytes)) = parts.remove(&format!("hook.{name}")) {
            let chunks = bytes.chunks_exact(4);
            let floats = chunks.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            values.insert(name, floats.collect());
        }
    }
    let (_, optimiser) = parts.remove("optimiser").unwrap_or((Dtype::U8, Vec::new()));
    let device = trainer.network.device().clone();
    trainer.optimising.load(optimiser, &device)?;
    trainer.step = state.step;
    trainer.log = state.log;
    Ok(HookState {
        values,
        text: state.hook,
    })
}
