//! What the tests of the program start from.
pub use vta_test_support::golden;

/// Runs of the built `vta`.
pub mod command {
    use std::path::Path;
    pub use vta_test_support::command::{Ran, folder};

    /// Runs `vta` in a folder.
    pub fn vta(dir: &Path, args: &[&str]) -> Ran {
        vta_test_support::command::run(env!("CARGO_BIN_EXE_vta"), dir, args)
    }

    /// Runs `vta` where it has to succeed without a word on standard error.
    pub fn ok(dir: &Path, args: &[&str]) -> Ran {
        vta_test_support::command::ok(env!("CARGO_BIN_EXE_vta"), dir, args)
    }
}
