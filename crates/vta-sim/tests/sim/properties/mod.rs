//! Properties over random instructions and programs.
//!
//! The seed is fixed; `PROPTEST_RNG_SEED` sets another, `PROPTEST_CASES` another
//! number of cases.

mod bytes;
mod data;
mod forms;
mod jump;
mod naive;
mod order;
mod programs;
mod rename;
mod upstream;
