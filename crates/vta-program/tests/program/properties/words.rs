//! Words and fields: nothing is lost in either direction.

use proptest::prelude::*;
use vta_program::isa::*;
use vta_test_support::cases;

/// Every format: its fields and its opcode.
const FORMATS: [(&[Field], u128); 5] = [
    (LOAD_FIELDS, 0),
    (STORE_FIELDS, 1),
    (GEMM_FIELDS, 2),
    (FINISH_FIELDS, 3),
    (ALU_FIELDS, 4),
];

/// Bits that the hardware decodes, reserved ones apart.
fn decoded(fields: &[Field]) -> u128 {
    let wanted = fields.iter().filter(|f| f.kind != Kind::Reserved);
    wanted.fold(0, |bits, f| bits | (((1 << f.width) - 1) << f.lsb))
}

fn format_of(word: u128) -> Option<&'static [Field]> {
    let found = FORMATS.iter().find(|f| f.1 == word & 7);
    found.map(|f| f.0)
}

/// Every field of every format set through its table entry comes out of the
/// decoder, the printer's table and the encoder with the same value.
#[test]
fn fields_survive_decoding_and_encoding() {
    for (fields, opcode) in FORMATS {
        for f in fields {
            if matches!(f.kind, Kind::Opcode | Kind::Reserved) {
                continue;
            }
            for value in [f.min(), f.max(), f.min() / 2, f.max() / 2, f.max() / 3] {
                let word = f.set(opcode, value).expect("it is in range");
                let legal = match f.kind {
                    Kind::Enum(names) => names.iter().any(|n| i128::from(n.0) == value),
                    _ => true,
                };
                let back = Insn::decode(word).map(|i| i.encode().expect("it was decoded"));
                assert_eq!(back.ok(), legal.then_some(word), "{} = {value}", f.name);
                assert_eq!(f.get(word), value, "{}", f.name);
            }
        }
    }
}

/// A value past either end of a field is refused, not cut.
#[test]
fn values_that_do_not_fit_are_refused() {
    for f in FORMATS.iter().flat_map(|f| f.0) {
        for value in [f.min() - 1, f.max() + 1] {
            assert!(f.set(0, value).is_err(), "{} = {value}", f.name);
        }
    }
}

/// No bit belongs to two fields.
#[test]
fn fields_are_disjoint_and_inside_the_word() {
    for (fields, opcode) in FORMATS {
        let mut seen = 0u128;
        for f in fields {
            assert!(f.lsb + f.width <= INST_BITS, "{}", f.name);
            let bits = ((1u128 << f.width) - 1) << f.lsb;
            assert_eq!(seen & bits, 0, "{} of opcode {opcode}", f.name);
            seen |= bits;
        }
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    /// Any 16 bytes decode or are refused; what decodes encodes to the same
    /// fields, and decodes again to the same instruction.
    #[test]
    fn any_word_decodes_to_its_own_fields(word: u128) {
        match Insn::decode(word) {
            Ok(insn) => {
                let back = insn.encode().expect("it was decoded");
                let mask = decoded(format_of(word).expect("its opcode is known"));
                prop_assert_eq!(back & mask, word & mask);
                prop_assert_eq!(back & !mask, 0, "reserved bits are written as 0");
                prop_assert_eq!(Insn::decode(back), Ok(insn));
            }
            Err(e) => {
                let of = format_of(word).and_then(|fields| fields.iter().find(|f| f.name == e.field));
                let bits = of.map_or(word & 7, |f| (word >> f.lsb) & ((1 << f.width) - 1));
                prop_assert_eq!(u128::from(e.value), bits);
            }
        }
    }

    /// Every 32-bit word is a micro-op.
    #[test]
    fn any_micro_op_decodes_to_its_own_fields(word: u32) {
        let uop = Uop::from_bits(word).expect("nothing is illegal");
        prop_assert_eq!(uop.to_bits(), Ok(word));
    }
}
