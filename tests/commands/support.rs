//! What the tests of the program start from.
pub use vta_test_support::golden;

/// All files of a folder, by their paths in `dir`.
#[cfg(feature = "train")]
pub fn files(
    folder: &std::path::Path,
    dir: &std::path::Path,
) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut all = std::collections::BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(dir).expect("it is in it");
            let name = name.display().to_string();
            all.insert(name, std::fs::read(&path).expect("a file"));
        }
    }
    all
}

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
