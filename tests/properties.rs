//! Properties over random instructions and programs.
//!
//! The seed is fixed; `PROPTEST_RNG_SEED` sets another, `PROPTEST_CASES` another
//! number of cases.

use vta_test_support::runs as support;

#[path = "properties/bytes.rs"]
mod bytes;
#[path = "properties/data.rs"]
mod data;
#[path = "properties/forms.rs"]
mod forms;
#[path = "properties/jump.rs"]
mod jump;
#[path = "properties/limits.rs"]
mod limits;
#[path = "properties/naive.rs"]
mod naive;
#[path = "properties/order.rs"]
mod order;
#[path = "properties/pipelines.rs"]
mod pipelines;
#[path = "properties/programs.rs"]
mod programs;
#[path = "properties/rename.rs"]
mod rename;
#[path = "properties/upstream.rs"]
mod upstream;
#[path = "properties/verify.rs"]
mod verify;
#[path = "properties/words.rs"]
mod words;

use proptest::test_runner::{Config, RngSeed};

/// A run of `cases` cases from the printed seed.
fn cases(cases: u32) -> Config {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    config
}
