//! What `vta info` says of a network: tensors, host steps, layers.

use serde_json::{Value, json};
use vta::program::{Layer, On, Program, Region, Step};
use vta::report::Table;

fn dims(r: &Region) -> String {
    let all: Vec<String> = r.dims.iter().map(usize::to_string).collect();
    all.join("x")
}

fn name_of(value: impl serde::Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

pub(super) fn text(program: &Program) -> String {
    let mut tensors = Table::new(&["tensor", "", "type", "layout", "address", "exponent"]);
    let kinds = [("input", &program.inputs), ("output", &program.outputs)];
    for (kind, regions) in kinds {
        for r in regions {
            tensors.row([
                format!("{kind} {}", r.tensor).into(),
                dims(r).into(),
                r.dtype.to_string().into(),
                name_of(r.layout).into(),
                r.addr.into(),
                r.exponent.map_or("-".into(), |e| e.to_string()).into(),
            ]);
        }
    }
    let mut steps = Table::new(&["step", "on", "what"]);
    for s in &program.steps {
        let (name, on, what) = match s {
            Step::Launch(l) => (&l.name, "device", "launch"),
            Step::Host(h) => (&h.name, "host", h.op.name()),
        };
        steps.row([name.clone().into(), on.into(), what.into()]);
    }
    let mut layers = Table::new(&["layer", "operators", "on", "blocks", "kept", "MACs", "why"]);
    for l in &program.layers {
        layers.row([
            l.name.clone().into(),
            l.op.clone().into(),
            name_of(l.on).into(),
            l.blocks.into(),
            l.kept.into(),
            l.macs.into(),
            l.why.clone().into(),
        ]);
    }
    [tensors, steps, layers]
        .iter()
        .filter(|t| !t.is_empty())
        .map(|t| format!("\n{t}"))
        .collect()
}

pub(super) fn add_json(program: &Program, object: &mut Value) {
    let layer = |l: &Layer| {
        json!({
            "name": l.name, "op": l.op, "on": l.on, "step": l.step, "why": l.why,
            "blocks": l.blocks, "kept": l.kept, "macs": l.macs,
            "compute_floor": l.compute_floor, "memory_floor": l.memory_floor,
            "output": l.output,
        })
    };
    let step = |s: &Step| match s {
        Step::Launch(l) => json!({ "name": l.name, "on": On::Device }),
        Step::Host(h) => json!({
            "name": h.name, "on": On::Host, "op": h.op.name(),
            "inputs": h.inputs, "output": h.output,
        }),
    };
    object["inputs"] = json!(program.inputs);
    object["outputs"] = json!(program.outputs);
    object["steps"] = program.steps.iter().map(step).collect();
    object["layers"] = program.layers.iter().map(layer).collect();
}
