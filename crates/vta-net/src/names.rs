//! Names that are made up: never one that somebody has.

use std::collections::HashSet;

/// The names of a network's nodes, or of its tensors.
#[derive(Debug, Clone, Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// These are taken.
    pub fn new(taken: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(taken.into_iter().map(Into::into).collect())
    }

    /// A name that nobody has yet, and nobody else gets: this one, else with
    /// `_` behind it.
    pub fn unique(&mut self, mut name: String) -> String {
        while !self.0.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_a_name_twice() {
        let mut names = Names::new(["x.rows", "x.rows_"]);
        assert_eq!(names.unique("y".into()), "y");
        assert_eq!(names.unique("y".into()), "y_");
        assert_eq!(names.unique("x.rows".into()), "x.rows__");
    }
}
