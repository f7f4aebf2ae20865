//! Instruction words.

use vta_program::asm::insn_text;
use vta_program::isa::{FORMATS, Insn, Kind, Uop};

pub(crate) fn run(data: &[u8]) {
    for bytes in data.chunks(16).take(2) {
        let mut word = [0; 16];
        word[..bytes.len()].copy_from_slice(bytes);
        let word = u128::from_le_bytes(word);
        insn(word);
        uop(word as u32);
    }
}

fn insn(word: u128) {
    let text = insn_text(word);
    assert!(!text.is_empty() && !text.contains('\n'), "{word:#x}");
    match Insn::decode(word) {
        Ok(insn) => {
            let back = insn.encode().expect("what was decoded is in range");
            assert_eq!(Insn::decode(back), Ok(insn), "{word:#x}");
            let format = FORMATS.iter().find(|f| f.1 == insn.opcode());
            let fields = format.expect("every opcode has a format").2;
            // Reserved bits are all that a decoded word may lose.
            let mut reserved = 0;
            for f in fields.iter().filter(|f| f.kind == Kind::Reserved) {
                reserved |= ((1u128 << f.width) - 1) << f.lsb;
            }
            let used: u128 = fields
                .iter()
                .map(|f| ((1u128 << f.width) - 1) << f.lsb)
                .fold(0, |a, b| a | b);
            assert_eq!((word ^ back) & used & !reserved, 0, "{word:#x}: {insn:?}");
            // What cannot be asked of any instruction without an answer.
            let _ = (insn.steps(), insn.unit(), insn.deps(), insn.is_sync());
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

fn uop(bits: u32) {
    if let Ok(uop) = Uop::from_bits(bits) {
        let back = uop.to_bits().expect("what was decoded is in range");
        assert_eq!(Uop::from_bits(back), Ok(uop), "{bits:#x}");
    }
}
