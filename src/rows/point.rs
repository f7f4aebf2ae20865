//! Points: all that decides a result.

use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use vta_program::program::sha256;

/// All that decides a result, by name, and nothing else: no paths, no number of threads.
///
/// ```
/// use vta::rows::Point;
///
/// let point = Point::new("cycles").with("model", "12ab").with("density", 0.5);
/// let again = Point::new("cycles").with("density", 0.5).with("model", "12ab");
/// assert_eq!(point.key(), again.key());
/// assert_ne!(point.key(), Point::new("cycles").key());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Point(Map<String, Value>);

/// What a point is found by: the SHA-256 of its canonical text, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(super) String);

impl Point {
    /// A point of a kind of result. The version of this program is a part of it: another
    /// one may compute something else.
    pub fn new(kind: &str) -> Self {
        Self(Map::new())
            .with("kind", kind)
            .with("vta", env!("CARGO_PKG_VERSION"))
    }

    /// A point as a file has it.
    pub(super) const fn of(all: Map<String, Value>) -> Self {
        Self(all)
    }

    /// The same with something more; the same name again replaces it.
    ///
    /// A value that is no JSON, as a number that is infinite, is `null`.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.0.insert(name.into(), value);
        self
    }

    /// A part of it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Its key.
    pub fn key(&self) -> Key {
        Key(sha256(self.canonical().as_bytes()))
    }

    /// As an object.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Its only text: JSON without spaces, names in order.
    pub fn canonical(&self) -> String {
        canonical_map(&self.0)
    }
}

impl Key {
    /// Hexadecimal digits of a key.
    pub(super) const DIGITS: usize = 64;

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON without spaces, names in order: also where other crates of a build have maps
/// of JSON keep the order in which they were filled.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(all) => canonical_map(all),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().map(canonical).collect();
            format!("[{}]", all.join(","))
        }
        other => other.to_string(),
    }
}

fn canonical_map(all: &Map<String, Value>) -> String {
    let mut all: Vec<_> = all.iter().collect();
    all.sort_by_key(|(name, _)| *name);
    let one = |(name, value): (&String, &Value)| {
        format!("{}:{}", Value::from(name.as_str()), canonical(value))
    };
    let all: Vec<String> = all.into_iter().map(one).collect();
    format!("{{{}}}", all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// The key is that of the text that is read back, whatever is in the point.
        #[test]
        fn the_canonical_text_is_read_back(value in any_value()) {
            let point = Point::new("test").with("value", &value);
            let text = point.canonical();
            let read: Map<String, Value> = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(Point::of(read).key(), point.key());
        }
    }
}
