//! Bytes of bundles.

use vta_program::program::{BundleError, Program, is_bundle};

pub(crate) fn run(data: &[u8]) {
    held(data);
}

/// Reads a bundle; what is read gives itself again. Returns it.
pub(crate) fn held(data: &[u8]) -> Option<Program> {
    let program = match Program::from_bytes(data) {
        Ok(program) => program,
        Err(e) => {
            assert!(!e.to_string().is_empty());
            let none = matches!(e, BundleError::NotABundle);
            assert_eq!(none, !is_bundle(data), "{e}");
            return None;
        }
    };
    program.validate().expect("what is read makes sense");
    let bytes = program.to_bytes().expect("what is read can be written");
    let again = Program::from_bytes(&bytes).expect("what is written can be read");
    assert!(program == again, "another program comes back");
    let twice = again.to_bytes().expect("it was written before");
    assert!(bytes == twice, "the same program gives other bytes");
    Some(program)
}
