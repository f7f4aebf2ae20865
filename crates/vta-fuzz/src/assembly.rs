//! Assembly text.

use vta_program::asm::{AsmOptions, assemble, disassemble, validate};

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let files = |path: &str| -> std::io::Result<Vec<u8>> {
        match path {
            "x.npy" => Ok(crate::npy::file(&[2, 3])),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    };
    let options = AsmOptions {
        read: Some(&files),
        ..AsmOptions::default()
    };
    let program = match assemble(&text, &options) {
        Ok(program) => program,
        Err(errors) => {
            assert!(!errors.to_string().is_empty());
            return;
        }
    };
    // A launch of nothing can be written, but is no program.
    if let Err(e) = program.validate() {
        assert!(!e.to_string().is_empty());
    }
    validate(&program).expect("what is assembled can be disassembled");
    let listing = disassemble(&program).expect("what is assembled can be disassembled");
    let again = assemble(&listing, &AsmOptions::default())
        .unwrap_or_else(|e| panic!("its own listing is refused: {e}\n{listing}"));
    assert!(
        program == again,
        "its own listing gives another program:\n{listing}"
    );
}
