//! The repository's root, and the folder `shared` beside it: models, data sets
//! and golden cases that are too large to be committed.

use std::env;
use std::path::{Path, PathBuf};

/// Set to 1 where tests must not be left out for want of shared files.
pub const REQUIRE: &str = "VTA_REQUIRE_SHARED";

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).expect("crates/ is in the root");
    root.to_owned()
}

/// A file or folder below `../shared`, by its path there. Where it is missing
/// there is nothing, and a line that says so: the test is left out.
///
/// # Panics
///
/// If it is missing although `VTA_REQUIRE_SHARED=1` is set, or although the
/// folder `../shared` itself is there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let required = env::var(REQUIRE).is_ok_and(|v| v == "1");
    below(&root().join("../shared"), path, required)
}

fn below(folder: &Path, path: &str, required: bool) -> Option<PathBuf> {
    let file = folder.join(path);
    if file.exists() {
        return Some(file);
    }
    let missing = file.display();
    assert!(!required, "{missing} is missing, and {REQUIRE}=1 is set");
    assert!(!folder.exists(), "{missing} is missing");
    println!("left out: {missing} is missing (with {REQUIRE}=1 that is an error)");
    None
}

#[cfg(test)]
mod tests {
    use super::{below, root};

    #[test]
    fn the_root_has_the_workspace() {
        assert!(root().join("crates/vta-test-support/Cargo.toml").is_file());
    }

    #[test]
    fn a_missing_folder_leaves_out() {
        let dir = tempfile::tempdir().expect("there is room for temporary files");
        assert_eq!(below(&dir.path().join("shared"), "models", false), None);
        let there = below(dir.path(), "", true);
        assert_eq!(there, Some(dir.path().join("")));
    }

    #[test]
    #[should_panic = "VTA_REQUIRE_SHARED=1 is set"]
    fn a_missing_folder_fails_where_it_is_required() {
        let dir = tempfile::tempdir().expect("there is room for temporary files");
        below(&dir.path().join("shared"), "models", true);
    }

    #[test]
    #[should_panic = "mnist.onnx is missing"]
    fn a_missing_file_of_the_folder_fails() {
        let dir = tempfile::tempdir().expect("there is room for temporary files");
        below(dir.path(), "mnist.onnx", false);
    }
}
