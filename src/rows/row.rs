//! Rows: a point and what came of it, as a line.

use super::point::{Key, Point, canonical};
use crate::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A point, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    key: Key,
    /// What people call it: names of the network, of the configuration. They decide nothing.
    pub names: BTreeMap<String, String>,
    /// All that decides it.
    point: Point,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a point.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Numbers by name.
    Result(Map<String, Value>),
    /// Why there are none, as with hardware that does not fit.
    Error(Failure),
}

/// Why a point has no result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// What sort of thing is wrong: a stable word, that of [`Error::kind`].
    pub kind: String,
    /// What is wrong.
    pub message: String,
}

impl From<&Error> for Failure {
    fn from(e: &Error) -> Self {
        Self {
            kind: e.kind().into(),
            message: e.to_string(),
        }
    }
}

impl Failure {
    /// What is wrong with a point is a result of it. What is wrong with files, and a wish
    /// to stop, is not.
    pub(crate) fn of<T>(found: Result<T, Error>) -> Result<Result<T, Self>, Error> {
        match found {
            Ok(found) => Ok(Ok(found)),
            Err(e @ (Error::Cancelled | Error::File { .. } | Error::In { .. })) => Err(e),
            Err(e) => Ok(Err(Self::from(&e))),
        }
    }
}

/// A line of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    names: BTreeMap<String, String>,
    point: Map<String, Value>,
    result: Option<Map<String, Value>>,
    error: Option<Failure>,
}

impl Row {
    /// A row of a point.
    pub fn new(point: Point, names: BTreeMap<String, String>, outcome: Outcome) -> Self {
        Self {
            key: point.key(),
            names,
            point,
            outcome,
        }
    }

    /// What it is found by.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// All that decides it.
    pub const fn point(&self) -> &Point {
        &self.point
    }

    /// A value of its result.
    pub fn value(&self, name: &str) -> Option<&Value> {
        match &self.outcome {
            Outcome::Result(all) => all.get(name),
            Outcome::Error(_) => None,
        }
    }

    /// What it is called; nothing where it has no such name.
    pub fn name(&self, of: &str) -> &str {
        self.names.get(of).map_or("", String::as_str)
    }

    /// How each row begins, up to its key.
    pub(super) const BEGIN: &str = "{\"key\":\"";

    /// The line without its end: the same bytes for the same row.
    pub fn to_line(&self) -> String {
        let part = |name: &str, value: Value| format!(",\"{name}\":{}", canonical(&value));
        let parts = self.parts();
        let parts = parts.into_iter().map(|(name, value)| part(name, value));
        format!(
            "{}{}\"{}}}",
            Self::BEGIN,
            self.key,
            parts.collect::<String>()
        )
    }

    /// The same as an object.
    pub fn to_json(&self) -> Value {
        let mut all = Map::new();
        all.insert("key".into(), self.key.as_str().into());
        let parts = self.parts().into_iter();
        all.extend(parts.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(all)
    }

    /// All but the key, in order.
    fn parts(&self) -> [(&'static str, Value); 3] {
        let names = self.names.iter();
        let names = names.map(|(of, name)| (of.clone(), Value::from(name.as_str())));
        [
            ("names", Value::Object(names.collect())),
            ("point", self.point.to_json()),
            match &self.outcome {
                Outcome::Result(all) => ("result", Value::Object(all.clone())),
                Outcome::Error(failure) => {
                    ("error", serde_json::to_value(failure).unwrap_or_default())
                }
            },
        ]
    }

    /// A row of its line.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn from_line(line: &str) -> Result<Self, String> {
        let read: Line = serde_json::from_str(line).map_err(|e| {
            let place = format!(" at line {} column {}", e.line(), e.column());
            e.to_string().replace(&place, "")
        })?;
        let outcome = match (read.result, read.error) {
            (Some(result), None) => Outcome::Result(result),
            (None, Some(failure)) => Outcome::Error(failure),
            _ => return Err("a row has either a result or an error".into()),
        };
        let row = Self::new(Point::of(read.point), read.names, outcome);
        match row.key.as_str() == read.key {
            true => Ok(row),
            false => Err("its key is not the digest of its point".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_is_read_back_and_changed_points_are_seen() {
        let names = BTreeMap::from([("model".to_owned(), "a \"b\"\n".to_owned())]);
        let point = Point::new("test").with("density", 0.1).with("n", 3);
        let result = json!({ "cycles": 12, "energy": 0.1 + 0.2 });
        let result = result.as_object().expect("an object").clone();
        let row = Row::new(point.clone(), names.clone(), Outcome::Result(result));
        let line = row.to_line();
        assert!(!line.contains('\n') && line.starts_with(Row::BEGIN));
        assert_eq!(Row::from_line(&line).as_ref(), Ok(&row));

        let failure = Failure {
            kind: "config".into(),
            message: "too small".into(),
        };
        let failed = Row::new(point, names, Outcome::Error(failure));
        assert_eq!(Row::from_line(&failed.to_line()).as_ref(), Ok(&failed));
        assert_eq!(failed.value("cycles"), None);

        let other = line.replace("\"n\":3", "\"n\":4");
        let wrong = Row::from_line(&other).expect_err("the key is that of another point");
        assert!(wrong.contains("digest"), "{wrong}");
        for bad in ["", "{}", "[1]", "null", &line[..line.len() - 1]] {
            assert!(Row::from_line(bad).is_err(), "{bad}");
        }
    }
}
