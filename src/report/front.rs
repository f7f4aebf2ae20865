//! A front as people see it: the picture, and what its page shows.

use super::curve::Curve;
use super::scatter::scatter;
use crate::pareto::{cycles_and_score, front, method_of, unit_of};
use crate::rows::{Outcome, Row};
use serde_json::{Value, json};

/// Version of the shape of the object.
const SCHEMA_VERSION: u32 = 1;

/// What a page about a front shows. `command` is what made it, `measure` what the scores are.
pub fn front_data(title: &str, command: &str, measure: &str, rows: &[&Row]) -> Value {
    let best = front(rows);
    let of = |row: &Row| {
        json!({
            "key": row.key().as_str(), "method": method_of(row), "budget": row.point().get("budget"),
            "config": row.name("config"),
        })
    };
    let (mut points, mut failed) = (Vec::new(), Vec::new());
    for row in rows {
        let mut json = of(row);
        match &row.outcome {
            Outcome::Result(all) => {
                for name in ["cycles", "score", "kept", "blocks"] {
                    json[name] = json!(all.get(name));
                }
                json["front"] = json!(best.contains(row));
                points.push((row, json));
            }
            Outcome::Error(failure) => {
                json["message"] = json!(failure.message);
                failed.push(json);
            }
        }
    }
    points.sort_by_key(|(row, _)| cycles_and_score(row).map(|(cycles, _)| cycles));
    let points: Vec<Value> = points.into_iter().map(|(_, json)| json).collect();
    json!({
        "schema_version": SCHEMA_VERSION,
        "title": title, "command": command, "measure": measure, "unit": unit_of(measure).0,
        "lead": "What can be had for how many cycles: budgets, methods and configurations side by side.",
        "points": points, "failed": failed,
    })
}

/// A front as a picture: cycles to the right, scores upwards.
pub fn front_picture(measure: &str, rows: &[&Row]) -> String {
    let (unit, factor) = unit_of(measure);
    let at =
        |row: &Row| cycles_and_score(row).map(|(cycles, score)| (cycles as f64, factor * score));
    let mut series = Vec::<Curve>::new();
    for row in rows {
        let Some(point) = at(row) else { continue };
        match series.iter_mut().find(|s| s.name == method_of(row)) {
            Some(s) => s.points.push(point),
            None => series.push(Curve {
                name: method_of(row).into(),
                points: vec![point],
            }),
        }
    }
    let best: Vec<(f64, f64)> = front(rows).into_iter().filter_map(at).collect();
    scatter(
        &series,
        &best,
        "cycles of one inference",
        &format!("{measure}, {unit}"),
    )
}
