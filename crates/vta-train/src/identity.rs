//! What makes a run the run that it is: all that changes its results, by name.
//!
//! A run that is stopped goes on only as itself. Its identity is in its
//! checkpoint, and [`Identity::differences`] names what has changed since.
//! Networks, images and other long things are there as SHA-256. What changes no
//! result (threads, paths, where a run stops) is not in it.

use super::backend::Kernels;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use vta_data::{Label, Sample};

/// How values that are digests begin.
const DIGEST: &str = "sha256:";

/// All that changes the results of a run, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(BTreeMap<String, String>);

/// Something that was otherwise when a run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub name: String,
    /// What it was; nothing if it was not there.
    pub then: Option<String>,
    /// What it is now; nothing if it is not there any more.
    pub now: Option<String>,
}

impl Identity {
    /// What the program adds to each run: its version, and the backend.
    pub fn of_program<K: Kernels>(device: &K::Device) -> Self {
        let mut identity = Self::default();
        identity.put("version of vta", env!("CARGO_PKG_VERSION"));
        identity.put("backend", K::name(device));
        identity
    }

    /// Adds a value; the same name again replaces it.
    pub fn put(&mut self, name: impl Into<String>, value: impl fmt::Display) {
        self.0.insert(name.into(), value.to_string());
    }

    /// Adds something long: only whether it is the same is kept.
    pub fn put_digest<P: AsRef<[u8]>>(
        &mut self,
        name: impl Into<String>,
        parts: impl IntoIterator<Item = P>,
    ) {
        let mut sha = Sha256::new();
        for part in parts {
            let part = part.as_ref();
            sha.update((part.len() as u64).to_le_bytes());
            sha.update(part);
        }
        let hex = sha.finalize().iter().fold(String::new(), |mut hex, b| {
            let _ = write!(hex, "{b:02x}");
            hex
        });
        self.put(name, format_args!("{DIGEST}{hex}"));
    }

    /// Adds images and what is known of them, as they are before any random change.
    pub fn put_samples<L: Label>(&mut self, name: &str, samples: &[Sample<L>]) {
        self.put(format!("number of {name}"), samples.len());
        let parts = samples.iter().flat_map(|s| {
            let dims = s.image.dims().map(|n| n as u64);
            let dims: Vec<u8> = dims.iter().flat_map(|n| n.to_le_bytes()).collect();
            let image = std::borrow::Cow::Borrowed(s.image.data());
            [dims.into(), image, s.label.to_bytes().into()]
        });
        self.put_digest(name, parts);
    }

    /// Adds every number and text of a value, as `prefix.field`.
    ///
    /// A value that is no JSON is left out; none of this project's is.
    pub fn put_all(&mut self, prefix: &str, value: &impl Serialize) {
        if let Ok(value) = serde_json::to_value(value) {
            self.flatten(prefix, &value);
        }
    }

    fn flatten(&mut self, prefix: &str, value: &Value) {
        match value {
            Value::Object(all) => all
                .iter()
                .for_each(|(key, v)| self.flatten(&format!("{prefix}.{key}"), v)),
            Value::String(text) => self.put(prefix, text),
            other => self.put(prefix, other),
        }
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        let all = other.0.iter().map(|(k, v)| (k.clone(), v.clone()));
        self.0.extend(all);
    }

    /// What is otherwise now than it was `then`: in the order of names, what is
    /// long behind what has a value to be told.
    pub fn differences(&self, then: &Self) -> Vec<Difference> {
        let mut names: Vec<&String> = self.0.keys().chain(then.0.keys()).collect();
        names.sort();
        names.dedup();
        let one = |name: &String| {
            let (then, now) = (then.0.get(name), self.0.get(name));
            (then != now).then(|| Difference {
                name: name.clone(),
                then: then.cloned(),
                now: now.cloned(),
            })
        };
        let mut all: Vec<Difference> = names.into_iter().filter_map(one).collect();
        all.sort_by_key(Difference::is_long);
        all
    }

    /// As it is kept in a checkpoint.
    pub(crate) fn to_json(&self) -> String {
        // A map of texts: nothing in it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Difference {
    /// Whether only a digest is known.
    fn is_long(&self) -> bool {
        let both = [&self.then, &self.now];
        both.iter()
            .any(|v| v.as_ref().is_some_and(|v| v.starts_with(DIGEST)))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (&self.then, &self.now) {
            _ if self.is_long() => write!(f, "the {name} changed"),
            (Some(then), Some(now)) => write!(f, "{name} was {then}, is {now}"),
            (Some(then), None) => write!(f, "{name} was {then}, is not there"),
            (None, now) => write!(
                f,
                "{name} was not there, is {}",
                now.as_deref().unwrap_or_default()
            ),
        }
    }
}

/// Differences as a list in words.
pub(crate) fn listed(all: &[Difference]) -> String {
    let all: Vec<String> = all.iter().map(Difference::to_string).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let (mut then, mut now) = (Identity::default(), Identity::default());
        then.put("epochs", 4);
        now.put("epochs", 8.5);
        then.put_digest("network", ["ab", "c"]);
        now.put_digest("network", ["a", "bc"]);
        then.put("seed", 1);
        now.put("seed", 1);
        now.put_all("plan", &serde_json::json!({ "a": { "b": 1 }, "c": "d" }));
        then.put("gone", true);
        let all = now.differences(&then);
        let want = "epochs was 4, is 8.5; gone was true, is not there; \
                    plan.a.b was not there, is 1; plan.c was not there, is d; the network changed";
        assert_eq!(listed(&all), want);
        let read: Identity = serde_json::from_str(&now.to_json()).expect("JSON");
        assert!(now.differences(&read).is_empty());
    }

    /// Parts are told apart by their lengths, not only by their bytes.
    #[test]
    fn digests_know_where_parts_end() {
        let of = |parts: &[&str]| {
            let mut i = Identity::default();
            i.put_digest("x", parts);
            i
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    }
}
