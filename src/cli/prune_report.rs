//! What `vta prune` says.

use super::prune_work::Cycles;
use crate::prune::Summary;
use crate::prune::permute::Outcome;
use crate::report::{Cell, Table};
use serde_json::{Value, json};
use std::path::Path;

/// A pruned network.
pub struct Report<'a> {
    /// The network.
    pub model: &'a str,
    /// The folder of results.
    pub out: &'a Path,
    /// What is left of it.
    pub summary: Summary,
    /// Its cycles, if the budget was in cycles.
    pub cycles: Option<&'a Cycles>,
    /// What it costs in the units of the budget.
    pub cost: f64,
    /// What an order of channels gained.
    pub outcome: Option<Outcome>,
}

fn percent(part: f64) -> Cell {
    Cell::Number(format!("{:.1} %", 100.0 * part))
}

fn part(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}

impl Report<'_> {
    /// As text.
    pub fn text(&self) -> String {
        let s = &self.summary;
        let mut head = vec![
            "layer",
            "kept",
            "blocks",
            "weights kept",
            "MACs kept",
            "energy kept",
        ];
        if self.cycles.is_some() {
            head.extend(["cycles by table", "simulated"]);
        }
        head.push("stays dense");
        let mut t = Table::new(&head);
        for l in &s.layers {
            let mut row: Vec<Cell> = vec![
                l.node.as_str().into(),
                l.kept.into(),
                l.blocks.into(),
                l.kept_weights.into(),
                l.kept_macs.into(),
                percent(l.kept_energy),
            ];
            if let Some(c) = self.cycles {
                let rounded = c.predicted.get(&l.weight_name).map(|p| p.round() as u64);
                row.push(rounded.into());
                row.push(c.simulated.get(&l.weight_name).copied().into());
            }
            row.push(l.keep_dense.as_str().into());
            t.row(row);
        }
        let mut text = format!(
            "{}: pruned by magnitude, not trained since\n\n{t}\n",
            self.model
        );
        text += &format!(
            "blocks dropped: {:.1} % of those that may go\nweights kept: {:.1} %, multiply-accumulates kept: {:.1} %\n",
            100.0 * s.block_sparsity,
            100.0 * part(s.kept_weights, s.weights),
            100.0 * part(s.kept_macs, s.macs),
        );
        if let Some(o) = &self.outcome {
            text += &format!(
                "order of channels: kept blocks hold {:.1} % of the energy of their layers, {:.1} % before\n",
                100.0 * o.after,
                100.0 * o.before
            );
        }
        if let Some(c) = self.cycles {
            for (i, (predicted, simulated)) in c.rounds.iter().enumerate() {
                text += &format!(
                    "round {}: {predicted:.0} cycles by the table, {simulated} simulated\n",
                    i + 1
                );
            }
            text += &format!(
                "budget {} cycles: {} simulated",
                c.budget, c.simulated_total
            );
            text += match c.simulated_total <= c.budget {
                true => ", met\n",
                false => {
                    ", NOT met: layers cannot go lower by these rules, or the table is too far off; try a smaller budget\n"
                }
            };
        }
        let out = self.out.display();
        text += &format!("\n{out}: model.onnx, masks.safetensors, report.json\n");
        text += &format!("next: vta compare {out}/model.onnx --masks {out}/masks.safetensors\n");
        text
    }

    /// As JSON: also the report file.
    pub fn json(&self) -> Value {
        let mut json = json!({
            "model": self.model,
            "recipe": "one_shot",
            "trained": false,
            "summary": self.summary,
            "cost": self.cost,
        });
        if let Some(o) = &self.outcome {
            json["permutation"] =
                json!({ "before": o.before, "after": o.after, "orders": o.orders });
        }
        if let Some(c) = self.cycles {
            let rounds = c.rounds.iter();
            let rounds = rounds.map(|(p, s)| json!({ "predicted": p, "simulated": s }));
            json["cycles"] = json!({
                "budget": c.budget,
                "predicted": c.total,
                "simulated": c.simulated_total,
                "met": c.simulated_total <= c.budget,
                "rounds": rounds.collect::<Vec<_>>(),
                "predicted_by_weight": c.predicted,
                "simulated_by_weight": c.simulated,
            });
        }
        json
    }
}
