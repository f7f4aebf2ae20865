//! What `vta prune` says.

use serde_json::{Value, json};
use std::path::Path;
use vta::evaluate;
use vta::program::sha256;
use vta::prune::permute::Outcome;
use vta::prune::{Returns, Summary};
use vta::pruning::Cycles;
use vta::report::{Cell, Table, thousands};

/// The name of the report in its folder.
pub const REPORT: &str = "report.json";

/// SHA-256 of files by their names: what belongs together in a folder.
pub fn sums(files: &[(&str, Vec<u8>)]) -> Value {
    let one = |(name, bytes): &(&str, Vec<u8>)| ((*name).to_owned(), json!(sha256(bytes)));
    files.iter().map(one).collect()
}

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
    /// How it was trained, and what came of it.
    pub trained: Option<Trained>,
}

/// What training gave.
pub struct Trained {
    /// The data.
    pub data: String,
    /// What a score measures.
    pub metric: &'static str,
    /// Images that were measured.
    pub test: usize,
    /// Score of the float network, from 0 to 1.
    pub float: f64,
    /// Score of the int8 program on the device.
    pub device: f64,
    /// Score of the float network before.
    pub before: f64,
    /// Cycles of one image.
    pub cycles: evaluate::Cycles,
    /// The limit of cycles, if there is one.
    pub limit: Option<u64>,
    /// Cycles by the table, if there is such a limit.
    pub predicted: Option<f64>,
    /// What came back under it, and what did not.
    pub returns: Option<Returns>,
    /// Seconds of training.
    pub seconds: f64,
    /// Images that were trained with, as often as they were seen.
    pub images: u64,
    /// Whether exponents were trained with.
    pub quantised: bool,
}

impl Trained {
    fn text(&self) -> String {
        let percent = |part: f64| format!("{:.2} %", 100.0 * part);
        let evaluate::Cycles { dense, sparse } = self.cycles;
        let mut text = format!(
            "\n{} of {} test images: {} in floats, {} as int8 on the device; the dense network {} in floats\n\
             cycles of an image: {} sparse, {} dense, {:.2} times fewer\n",
            self.metric,
            self.test,
            percent(self.float),
            percent(self.device),
            percent(self.before),
            thousands(sparse),
            thousands(dense),
            dense as f64 / sparse.max(1) as f64,
        );
        if let Some(limit) = self.limit {
            text += &budget(limit, sparse, self.returns.as_ref());
        }
        text += &format!(
            "trained for {:.0} s with {} images\n",
            self.seconds,
            thousands(self.images)
        );
        text
    }

    fn json(&self) -> Value {
        let mut cycles = json!({ "dense": self.cycles.dense, "sparse": self.cycles.sparse });
        if let Some(limit) = self.limit {
            cycles["budget"] = json!(limit);
            cycles["predicted"] = json!(self.predicted);
            cycles["met"] = json!(self.cycles.sparse <= limit);
            cycles["free"] = json!(limit.saturating_sub(self.cycles.sparse));
            cycles["returns"] = json!(self.returns);
        }
        json!({
            "data": self.data, "metric": self.metric, "test_images": self.test,
            "float": self.float, "device": self.device, "float_before": self.before,
            "cycles": cycles, "images": self.images,
        })
    }
}

/// A budget, cycles under it, and what a block more would cost.
fn budget(budget: u64, cycles: u64, returns: Option<&Returns>) -> String {
    let mut text = format!(
        "budget {} cycles: {} simulated",
        thousands(budget),
        thousands(cycles)
    );
    text += &match budget.checked_sub(cycles) {
        Some(free) => format!(", met, {} left\n", thousands(free)),
        None => ", NOT met: give a smaller budget\n".to_owned(),
    };
    let Some(r) = returns else { return text };
    if let Some(c) = &r.cheapest {
        text += &format!(
            "the cheapest block to have back: one of {}, for {} cycles",
            c.layer,
            thousands(c.cycles)
        );
        text += &match (thousands(r.asked), thousands(r.dropped)) {
            // The only one, or the next of the rule.
            _ if r.dropped == 1 => "\n".to_owned(),
            (asked, dropped) if asked == dropped => format!(" (all {dropped} were asked for)\n"),
            (asked, dropped) => format!(" ({asked} of {dropped} were asked for)\n"),
        };
    }
    text
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
        let mut head = vec!["layer", "kept", "blocks", "weights kept", "MACs kept"];
        // What was dropped is zero after training: the rest has all energy.
        let energies = self.trained.is_none();
        if energies {
            head.push("energy kept");
        }
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
            ];
            if energies {
                row.push(percent(l.kept_energy));
            }
            if let Some(c) = self.cycles {
                let rounded = c.predicted.get(&l.weight_name).map(|p| p.round() as u64);
                row.push(rounded.into());
                row.push(c.simulated.get(&l.weight_name).copied().into());
            }
            row.push(l.keep_dense.as_str().into());
            t.row(row);
        }
        let how = match self.trained {
            Some(_) => "pruned while training",
            None => "pruned by magnitude, not trained since",
        };
        let mut text = format!("{}: {how}\n\n{t}\n", self.model);
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
            text += &budget(c.budget, c.simulated_total, c.returns.as_ref());
        }
        let out = self.out.display();
        let Some(t) = &self.trained else {
            text += &format!("\n{out}: model.onnx, masks.safetensors, report.json\n");
            text +=
                &format!("next: vta compare {out}/model.onnx --masks {out}/masks.safetensors\n");
            return text;
        };
        text += &t.text();
        let quantisation = match t.quantised {
            true => " quantisation.json,",
            false => "",
        };
        text += &format!(
            "\n{out}: model.onnx, masks.safetensors,{quantisation} report.json, log.csv, times.csv, curves.svg\n"
        );
        text += &format!("next: vta eval {out} --data {} --device\n", t.data);
        text
    }

    /// As JSON: also the report file.
    pub fn json(&self) -> Value {
        let mut json = json!({
            "model": self.model,
            "trained": self.trained.is_some(),
            "summary": self.summary,
            "cost": self.cost,
        });
        if let Some(o) = &self.outcome {
            json["permutation"] =
                json!({ "before": o.before, "after": o.after, "orders": o.orders });
        }
        match &self.trained {
            Some(t) => json["training"] = t.json(),
            None => json["recipe"] = json!("one_shot"),
        }
        if let Some(c) = self.cycles {
            json["cycles"] = json!({
                "budget": c.budget,
                "predicted": c.total,
                "simulated": c.simulated_total,
                "met": c.simulated_total <= c.budget,
                "free": c.budget.saturating_sub(c.simulated_total),
                "questions": c.questions,
                "returns": c.returns,
                "predicted_by_weight": c.predicted,
                "simulated_by_weight": c.simulated,
            });
        }
        json
    }
}
