//! How property tests run.

use proptest::test_runner::{Config, RngSeed};

/// A run of `cases` cases from a fixed seed, which is printed. `PROPTEST_RNG_SEED`
/// sets another, `PROPTEST_CASES` another number of cases.
pub fn cases(cases: u32) -> Config {
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
