//! Fields, words, instructions and micro-ops, without a thought of what they do.

use crate::isa::{FORMATS, Field, Insn, Kind, Uop};
use proptest::prelude::*;
use proptest::sample::select;

/// A value that a field can have: of named values one of the names, else any
/// number of its range, its ends more often. Opcodes and reserved bits are 0.
/// Shrinks to 0 or the first name.
pub fn field(f: &Field) -> BoxedStrategy<i128> {
    match f.kind {
        Kind::Opcode | Kind::Reserved => Just(0).boxed(),
        Kind::Enum(names) => {
            let values: Vec<i128> = names.iter().map(|n| n.0.into()).collect();
            select(values).boxed()
        }
        Kind::Uint | Kind::Int | Kind::Flag => {
            let (min, max) = (f.min(), f.max());
            prop_oneof![
                2 => Just(0),
                1 => Just(1.min(max)),
                4 => min..=max,
                1 => Just(min),
                1 => Just(max),
            ]
            .boxed()
        }
    }
}

/// The words of a format with every field legal.
fn words_of(opcode: u8, fields: &'static [Field]) -> BoxedStrategy<u128> {
    let values: Vec<_> = fields.iter().map(field).collect();
    values
        .prop_map(move |values| {
            let wanted = fields.iter().zip(values);
            let wanted = wanted.filter(|(f, _)| !matches!(f.kind, Kind::Opcode | Kind::Reserved));
            wanted.fold(opcode.into(), |word, (f, v)| {
                f.set(word, v).expect("the value is in the field's range")
            })
        })
        .boxed()
}

/// Any instruction: every format, every field, every value that encodes.
/// Most make no sense in a program.
pub fn any_insn() -> impl Strategy<Value = Insn> {
    let formats: Vec<_> = FORMATS.iter().map(|f| words_of(f.1, f.2)).collect();
    let word = (0..formats.len()).prop_flat_map(move |n| formats[n].clone());
    word.prop_map(|w| Insn::decode(w).expect("every field is legal"))
}

/// Any 128 bits as they may stand in memory: mostly an instruction, sometimes
/// with reserved bits set, sometimes bits that nothing decodes.
pub fn word() -> impl Strategy<Value = u128> {
    let insn = any_insn()
        .prop_map(|i| i.encode().expect("it was decoded"))
        .boxed();
    let reserved = (insn.clone(), any::<u128>()).prop_map(|(word, bits)| {
        let format = FORMATS.iter().find(|f| u128::from(f.1) == word & 7);
        let fields = format.map_or(&[][..], |f| f.2).iter();
        fields
            .filter(|f| f.kind == Kind::Reserved)
            .fold(word, |w, f| {
                f.set(w, f.get(bits)).expect("bits of the field itself")
            })
    });
    prop_oneof![8 => insn, 1 => reserved, 1 => any::<u128>()]
}

/// Any micro-op.
pub fn uop() -> impl Strategy<Value = Uop> {
    any::<u32>().prop_map(|bits| Uop::from_bits(bits).expect("every word is a micro-op"))
}
