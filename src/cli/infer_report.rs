//! What `vta infer` says.

use super::{EXIT_DIFFERS, Output, Paint};
use serde_json::{Value, json};
use std::time::Duration;
use vta::Simulator;

use vta::printable::printable;
use vta::program::Program;
use vta::quant::Noise;
use vta::reference::Verdict;
use vta::report::{Cell, Table, thousands};

/// Samples that are shown one by one, in text and in JSON.
const SHOWN: usize = 16;
/// Classes that are shown of one sample.
const TOP: usize = 5;

/// What the network said of one sample.
pub struct Prediction {
    /// Cycles of the device; none where they are not counted.
    pub cycles: Option<u64>,
    /// Values of each output.
    pub outputs: Vec<Vec<f32>>,
    /// The same of the float network, where it was asked for.
    pub float: Option<Vec<Vec<f32>>>,
    /// Wall time of the host's steps.
    pub host: Duration,
}

/// The predictions to all samples.
pub struct Report<'a> {
    /// What was run.
    pub model: String,
    /// On which simulator.
    pub sim: Simulator,
    /// How many samples, the first ones, were simulated with their time.
    pub timed: usize,
    /// The program.
    pub program: &'a Program,
    /// For each sample.
    pub predictions: Vec<Prediction>,
    /// How far each layer is from the float network's, where that was asked for.
    pub noise: Vec<Noise>,
    /// Classes that the samples are of.
    pub labels: Option<Vec<u8>>,
    /// How each sample compares with the reference, where that was asked for.
    pub verdicts: Option<Vec<Verdict>>,
}

/// The strongest values and where they are; the first of equals first.
fn top(values: &[f32], n: usize) -> Vec<(usize, f32)> {
    let mut all: Vec<(usize, f32)> = values.iter().copied().enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(n);
    all
}

/// The class of a prediction.
fn class(outputs: &[Vec<f32>]) -> Option<usize> {
    let first = outputs.first()?;
    top(first, 1).first().map(|t| t.0)
}

fn fraction(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}

impl Report<'_> {
    /// Whether the first output is a vector of classes.
    fn classifies(&self) -> bool {
        let Some(first) = self.program.outputs.first() else {
            return false;
        };
        let elements: usize = first.dims.iter().product();
        elements > 1 && first.dims.contains(&elements)
    }

    /// How many samples have the class that their label says, for the device
    /// or the float network.
    fn correct(&self, of: impl Fn(&Prediction) -> Option<usize>) -> Option<usize> {
        let labels = self.labels.as_ref().filter(|_| self.classifies())?;
        let pairs = self.predictions.iter().zip(labels);
        Some(pairs.filter(|(a, l)| of(a) == Some(**l as usize)).count())
    }

    fn float_class(prediction: &Prediction) -> Option<usize> {
        class(prediction.float.as_deref()?)
    }

    /// The first sample that differs from the reference.
    fn first_difference(&self) -> Option<(usize, &Verdict)> {
        let verdicts = self.verdicts.iter().flatten().enumerate();
        verdicts.into_iter().find(|(_, v)| v.first.is_some())
    }

    /// Cycles of one sample: they do not depend on data.
    fn cycles(&self) -> Option<u64> {
        self.predictions.first().and_then(|a| a.cycles)
    }

    /// Text, JSON and exit code.
    pub fn output(&self, paint: Paint) -> Output {
        Output {
            exit: match self.first_difference() {
                Some(_) => EXIT_DIFFERS,
                None => 0,
            },
            ..Output::ok(self.text(paint), self.json())
        }
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = format!("{}\n\n", printable(&self.model));
        text += &match self.predictions.as_slice() {
            [one] => self.one(one),
            several if several.len() <= SHOWN => self.several(),
            _ => String::new(),
        };
        if !text.ends_with("\n\n") {
            text.push('\n');
        }
        text += &self.layers();
        let mut t = Table::default();
        let mut line = |name: &str, value: String| t.row([name.into(), value.into()]);
        let n = self.predictions.len();
        line("samples", thousands(n as u64));
        if let Some(correct) = self.correct(|a| class(&a.outputs)) {
            line(
                "correct",
                format!("{correct} ({:.2} %)", 100.0 * fraction(correct, n)),
            );
        }
        if let Some(correct) = self.correct(Self::float_class).filter(|_| self.has_float()) {
            line(
                "float correct",
                format!("{correct} ({:.2} %)", 100.0 * fraction(correct, n)),
            );
        }
        if let Some(error) = self.float_error() {
            line("float error", format!("{error:.4} of the outputs' size"));
        }
        match self.cycles() {
            Some(cycles) if self.timed < n => line(
                "cycles",
                format!("{} a sample, counted on the first", thousands(cycles)),
            ),
            Some(cycles) => line("cycles", format!("{} a sample", thousands(cycles))),
            None => line("cycles", format!("not counted by {}", self.sim.name())),
        }
        let host: Duration = self.predictions.iter().map(|a| a.host).sum();
        if host > Duration::ZERO {
            let each = 1e3 * host.as_secs_f64() / n.max(1) as f64;
            line("host", format!("{each:.2} ms of this machine a sample"));
        }
        if let Some(verdicts) = &self.verdicts {
            let verdict = Cell::Painted(self.verdict_text(verdicts, paint));
            t.row(["reference".into(), verdict]);
        }
        text + &t.to_string()
    }

    fn verdict_text(&self, verdicts: &[Verdict], paint: Paint) -> String {
        match self.first_difference() {
            None => {
                let tensors = verdicts.iter().map(|v| v.compared).min().unwrap_or(0);
                format!("{}, {tensors} tensors of each sample", paint.good("equal"))
            }
            Some((sample, verdict)) => {
                let Some(d) = &verdict.first else {
                    return String::new();
                };
                format!(
                    "{}: sample {sample}, layer {}, tensor {}, element {:?} is {}, reference {}; {} elements differ",
                    paint.bad("differs"),
                    printable(&d.layer),
                    printable(&d.tensor),
                    d.element,
                    d.program,
                    d.reference,
                    thousands(d.elements as u64),
                )
            }
        }
    }

    /// The outputs of a single sample.
    fn one(&self, prediction: &Prediction) -> String {
        if self.classifies() {
            let mut t = Table::new(&["class", "value"]);
            for (class, value) in top(&prediction.outputs[0], TOP) {
                t.row([(class as u64).into(), Cell::Number(format!("{value:.4}"))]);
            }
            return t.to_string();
        }
        let mut t = Table::new(&[
            "output",
            "dimensions",
            "least",
            "mean",
            "most",
            "first values",
        ]);
        for (region, values) in self.program.outputs.iter().zip(&prediction.outputs) {
            let least = values.iter().copied().fold(f32::INFINITY, f32::min);
            let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
            let mean = sum / values.len().max(1) as f64;
            let first: Vec<String> = values.iter().take(6).map(|v| format!("{v:.4}")).collect();
            t.row([
                region.tensor.clone().into(),
                format!("{:?}", region.dims).into(),
                Cell::Number(format!("{least:.4}")),
                Cell::Number(format!("{mean:.4}")),
                Cell::Number(format!("{most:.4}")),
                first.join(" ").into(),
            ]);
        }
        t.to_string()
    }

    /// A line for each sample.
    fn several(&self) -> String {
        if !self.classifies() {
            return String::new();
        }
        let mut head = vec!["sample", "class", "value"];
        head.extend(self.labels.as_ref().map(|_| "label"));
        let mut t = Table::new(&head);
        for (n, prediction) in self.predictions.iter().enumerate() {
            let best = top(&prediction.outputs[0], 1);
            let (class, value) = best.first().copied().unwrap_or((0, f32::NAN));
            let label = self.labels.as_ref().map(|l| Cell::from(u64::from(l[n])));
            let value = Cell::Number(format!("{value:.4}"));
            let row = [(n as u64).into(), (class as u64).into(), value];
            t.row(row.into_iter().chain(label));
        }
        t.to_string()
    }

    /// Where accuracy goes: a line for each layer.
    fn layers(&self) -> String {
        if self.noise.is_empty() {
            return String::new();
        }
        let mut t = Table::new(&["layer", "signal to noise dB", "worst channel", "its dB"]);
        for layer in &self.noise {
            let all = layer.decibels();
            let all = match all.is_finite() {
                true => Cell::Number(format!("{all:.1}")),
                false => Cell::Number("exact".into()),
            };
            let (channel, worst) = match layer.worst() {
                Some((c, worst)) => (c.to_string(), format!("{worst:.1}")),
                None => ("-".into(), "-".into()),
            };
            let name = layer.node.clone().into();
            t.row([name, all, Cell::Number(channel), Cell::Number(worst)]);
        }
        format!("{t}\n")
    }

    fn has_float(&self) -> bool {
        self.predictions.iter().any(|a| a.float.is_some())
    }

    /// Root of the mean square of the error against the float network, in
    /// units of the root of the mean square of its outputs.
    fn float_error(&self) -> Option<f64> {
        if !self.has_float() {
            return None;
        }
        let (mut error, mut size) = (0.0, 0.0);
        for a in &self.predictions {
            let float = a.float.iter().flatten().flatten();
            for (y, f) in a.outputs.iter().flatten().zip(float) {
                error += f64::from(y - f).powi(2);
                size += f64::from(*f).powi(2);
            }
        }
        Some((error / size.max(f64::MIN_POSITIVE)).sqrt())
    }

    fn json(&self) -> Value {
        let n = self.predictions.len();
        let accuracy = |of: &dyn Fn(&Prediction) -> Option<usize>| {
            self.correct(of).map(|correct| fraction(correct, n))
        };
        let host: Duration = self.predictions.iter().map(|a| a.host).sum();
        let mut json = json!({
            "model": self.model,
            "config": self.program.config.name,
            "sim": self.sim.name(),
            "samples": n,
            "cycles": self.cycles(),
            "timed_samples": self.timed,
            "host_wall_seconds": host.as_secs_f64(),
            "correct": self.correct(|a| class(&a.outputs)),
            "accuracy": accuracy(&|a| class(&a.outputs)),
        });
        if self.has_float() {
            json["float_accuracy"] = json!(accuracy(&Self::float_class));
            json["float_error"] = json!(self.float_error());
            json["layers"] = self.noise.iter().map(layer_json).collect();
        }
        if self.classifies() {
            let classes = self.predictions.iter().map(|a| json!(class(&a.outputs)));
            json["classes"] = classes.collect();
        }
        if n <= SHOWN {
            json["outputs"] = self
                .predictions
                .iter()
                .map(|a| self.outputs_json(a))
                .collect();
        }
        if let Some(verdicts) = &self.verdicts {
            let difference = self.first_difference();
            let compared = verdicts.iter().map(|v| v.compared).min();
            json["reference"] = json!({
                "equal": difference.is_none(),
                "tensors": compared,
            });
            if let Some((sample, Verdict { first: Some(d), .. })) = difference {
                json["reference"]["first"] = json!({
                    "sample": sample, "layer": d.layer, "tensor": d.tensor, "element": d.element,
                    "elements": d.elements, "program": d.program, "reference": d.reference,
                });
            }
        }
        json
    }

    fn outputs_json(&self, prediction: &Prediction) -> Value {
        let outputs = self.program.outputs.iter().zip(&prediction.outputs);
        outputs
            .map(|(r, values)| json!({ "name": r.tensor, "dims": r.dims, "values": values }))
            .collect()
    }
}

/// Signal to noise of a layer; null where nothing differs.
fn layer_json(layer: &Noise) -> Value {
    let all = Some(layer.decibels()).filter(|d| d.is_finite());
    let worst = layer.worst();
    json!({
        "name": layer.node,
        "signal_to_noise_db": all,
        "worst_channel": worst.map(|w| w.0),
        "worst_channel_db": worst.map(|w| w.1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_come_first_and_equals_in_order() {
        assert_eq!(
            top(&[1.0, 3.0, 3.0, 2.0], 3),
            [(1, 3.0), (2, 3.0), (3, 2.0)]
        );
        assert_eq!(class(&[vec![0.0, 0.0]]), Some(0));
        assert_eq!(class(&[]), None);
    }
}
