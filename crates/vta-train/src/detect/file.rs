//! A detector as JSON, beside its network.

use super::Detector;
use crate::TrainError;
use serde_json::{Value, json};
use vta_net::graph::Graph;

impl Detector {
    /// Name of the file beside a network's.
    pub const FILE: &'static str = "detector.json";

    /// Classes, anchors (width and height in pixels, a list for each output) and
    /// the images that the network was trained with.
    pub fn to_json(&self) -> String {
        let number = |v: &f32| {
            // The shortest text that is read as the same f32.
            let text = v.to_string();
            text.parse::<f64>().unwrap_or_else(|_| f64::from(*v))
        };
        let size = |a: &[f32; 2]| json!([number(&a[0]), number(&a[1])]);
        let anchors = self
            .anchors()
            .map(|a| a.iter().map(size).collect::<Value>());
        let anchors: Value = anchors.collect();
        let [height, width] = self.image;
        let all = json!({
            "anchors": anchors,
            "classes": self.classes,
            "image": { "height": height, "width": width, "fit": "letterbox" },
        });
        format!("{all:#}\n")
    }

    /// Reads what [`to_json`](Self::to_json) wrote, for a network.
    ///
    /// # Errors
    /// Another text, or one that is not for this network.
    pub fn from_json(text: &str, graph: &Graph) -> Result<Self, TrainError> {
        let bad = |what: String| TrainError::Request(format!("{}: {what}", Self::FILE));
        let all: Value = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let list = |v: &Value, what: &str| {
            let list = v.as_array().cloned();
            list.ok_or_else(|| bad(format!("`{what}` is no list where there should be one")))
        };
        let name = |v: Value| {
            let name = v.as_str().map(str::to_owned);
            name.ok_or_else(|| bad("a class is no text".into()))
        };
        let classes = list(&all["classes"], "classes")?.into_iter().map(name);
        let classes = classes.collect::<Result<Vec<_>, _>>()?;
        let size = |v: &Value| match (v[0].as_f64(), v[1].as_f64(), v.get(2)) {
            (Some(w), Some(h), None) => Ok([w as f32, h as f32]),
            _ => Err(bad(format!("the anchor {v} is no width and height"))),
        };
        let anchors = list(&all["anchors"], "anchors")?
            .iter()
            .map(|head| list(head, "anchors")?.iter().map(size).collect())
            .collect::<Result<Vec<Vec<_>>, TrainError>>()?;
        let detector = Self::new(graph, &classes, anchors)?;
        let side = |name: &str| all["image"][name].as_u64();
        let got = [side("height"), side("width")];
        if got != detector.image.map(|n| Some(n as u64)) {
            let [h, w] = detector.image;
            let what = format!("is for other images than {h} x {w}, which the network takes");
            return Err(bad(what));
        }
        Ok(detector)
    }
}
