//! Random programs on the built-in configurations.

use proptest::prelude::*;
use vta_program::strategies::{self, Bases, Pipeline, built_in_configs};
use vta_test_support::runs::Program;

/// With wrong tokens, hazards, endless loops, illegal words.
pub fn racy() -> impl Strategy<Value = Program> {
    strategies::racy(built_in_configs()).prop_map(|l| Program::from(&l))
}

/// One instruction after the other.
pub fn serial() -> impl Strategy<Value = Program> {
    strategies::serial(built_in_configs()).prop_map(|l| to_the_end(Program::from(&l)))
}

/// A pipeline, still to be placed.
pub fn pipeline() -> impl Strategy<Value = Pipeline> {
    strategies::pipeline(built_in_configs())
}

/// A pipeline with its things at these places.
pub fn placed(p: &Pipeline, at: Bases) -> Program {
    to_the_end(Program::from(&p.listing(at)))
}

/// With as many cycles as it takes.
fn to_the_end(mut p: Program) -> Program {
    p.options.max_cycles = 1_000_000;
    p
}
