//! The rows of the method's table.

use vta::prune::{Method, Recipe};

/// A row of the table.
pub struct Row {
    /// Its folder, and its name in the table.
    pub name: &'static str,
    /// What it is, in a few words.
    pub what: &'static str,
    /// The method.
    pub method: Method,
    /// With how many seeds.
    pub seeds: Seeds,
    /// How far.
    pub how: How,
}

/// With how many seeds a row is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeds {
    One,
    /// All, but three at most.
    Some,
    All,
}

impl Seeds {
    pub fn of(self, all: u32) -> u32 {
        match self {
            Self::One => 1,
            Self::Some => all.min(3),
            Self::All => all,
        }
    }
}

/// How far a row goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The rate, in all epochs.
    Rate,
    /// The rate, in as many tenths of an epoch as fit in a fraction of the baseline's
    /// time, by what a step takes as a rule.
    Short,
    /// The rate, and at most a fraction of the multiply-accumulates of the uniform rule.
    Macs,
    /// A fraction of the cycles of the uniform rule, whatever the rate.
    Cycles,
}

/// The baseline.
const BASELINE: &str = "two-stage";
/// What multiply-accumulates and cycles are compared with.
pub const UNIFORM: &str = "uniform";
/// The method.
const FULL: &str = "full";

/// All rows: baselines; the method's parts, each to the row before it;
/// the two parts that are not in it, each to the row that is named; and the
/// method within other limits.
fn all() -> Vec<Row> {
    let row = |name, what, method, seeds| Row {
        name,
        what,
        method,
        seeds,
        how: How::Rate,
    };
    let one = Method::plain(Recipe::OneStage);
    let temporal = Method {
        temporal: true,
        ..one
    };
    let spatial = Method {
        spatial: true,
        ..one
    };
    let uniform = Method {
        quantisation: true,
        ..spatial
    };
    let full = Method::recommended();
    let permutation = Method {
        permutation: true,
        ..full
    };
    let plain = |recipe| Method::plain(recipe);
    vec![
        row("dense", "trained on", plain(Recipe::Dense), Seeds::One),
        row(
            "one-shot",
            "cut, trained on",
            plain(Recipe::OneShot),
            Seeds::One,
        ),
        row(
            BASELINE,
            "penalty, cut, trained on",
            plain(Recipe::TwoStage),
            Seeds::All,
        ),
        row("one-stage", "masks while training", one, Seeds::One),
        row(
            "spatial",
            "+ distillation from the dense network",
            spatial,
            Seeds::One,
        ),
        row(UNIFORM, "+ quantised at the end", uniform, Seeds::Some),
        row(FULL, "+ sparsity of each layer", full, Seeds::All),
        row(
            "temporal",
            "one-stage + self-distillation",
            temporal,
            Seeds::One,
        ),
        row(
            "permutation",
            "full + order of channels",
            permutation,
            Seeds::One,
        ),
        row("all", "full + both", Method::full(), Seeds::One),
        Row {
            how: How::Short,
            ..row(
                "short",
                "full in 0.6 of the time of two-stage",
                full,
                Seeds::All,
            )
        },
        Row {
            how: How::Macs,
            ..row(
                "macs",
                "full, 0.95 of the MACs of uniform",
                full,
                Seeds::Some,
            )
        },
        Row {
            how: How::Cycles,
            ..row(
                "cycles",
                "full, 0.95 of the cycles of uniform",
                full,
                Seeds::Some,
            )
        },
    ]
}

/// Names of all rows.
pub fn names() -> Vec<&'static str> {
    all().iter().map(|r| r.name).collect()
}

/// All rows, and whether each is wanted: if it has one of these names, or
/// measures one that has; without names each is.
pub fn rows(wanted: &[String]) -> Vec<(Row, bool)> {
    let named = |row: &Row| wanted.iter().any(|w| w == row.name);
    let needs = |how: How| -> &[&str] {
        match how {
            How::Rate => &[],
            // What it is to be compared with.
            How::Short => &[BASELINE, FULL],
            How::Macs | How::Cycles => &[UNIFORM],
        }
    };
    let all = all();
    let asked = all.iter().filter(|r| named(r));
    let needed: Vec<&str> = asked.flat_map(|r| needs(r.how)).copied().collect();
    let taken = |r: &Row| wanted.is_empty() || named(r) || needed.contains(&r.name);
    let wanted: Vec<bool> = all.iter().map(taken).collect();
    all.into_iter().zip(wanted).collect()
}
