//! Program order: where tokens order everything, time changes no byte.

use super::programs::{pipeline, placed, serial};
use proptest::prelude::*;
use vta_program::isa::*;
use vta_program::strategies::{Bases, serial_order};
use vta_sim::fsim::Stop;
use vta_sim::tsim::{AssertCause, Status};
use vta_test_support::cases;
use vta_test_support::runs::*;

/// Both simulators stop at the same place with the same DRAM. Returns whether
/// they came to FINISH.
fn same_bytes(p: &Program) -> Result<bool, TestCaseError> {
    let (functional, expected) = p.fsim().expect("it stays inside DRAM");
    let (timed, dram) = p.outcome();
    match (functional.stop, &timed.status) {
        (Stop::Finish, Status::Ok) => {
            prop_assert_eq!(functional.acc_writes, timed.acc_writes);
            prop_assert!(expected.bytes() == dram.bytes(), "DRAM differs");
            Ok(true)
        }
        (
            Stop::Hazard { insn, hazard },
            Status::Assert {
                insn: at, cause, ..
            },
        ) => {
            prop_assert_eq!(Some(insn), *at);
            prop_assert_eq!(AssertCause::Bypass(hazard), *cause);
            Ok(false)
        }
        other => Err(TestCaseError::fail(format!("{other:?}"))),
    }
}

/// What waits for ever in one is named by the other.
#[test]
fn endless_instruction_stops_both() {
    let row = Load {
        dram_base: 0x800,
        y_size: 1,
        x_size: 1,
        ..LOAD
    };
    let no_rows = Insn::Load(Load { y_size: 0, ..row });
    let at_zero = Insn::Load(Load {
        dram_base: 0,
        ..row
    });
    // The second row wraps to address 0.
    let back_to_zero = Insn::Load(Load {
        dram_base: 0x0fff_ff00,
        x_stride: 0x100,
        y_size: 2,
        ..row
    });
    // A micro-op of the first beat that is not the first.
    let in_the_beat = Insn::Load(Load {
        dram_base: 1,
        ..Load {
            memory_type: MemoryType::Uop,
            ..row
        }
    });
    let nothing = Insn::Store(Store {
        dram_base: 0x800,
        x_size: 1,
        ..STORE
    });
    for (config, insn, endless) in [
        ("de10", no_rows, true),
        ("wide512", no_rows, true),
        ("de10", at_zero, true),
        ("wide128", at_zero, true),
        ("de10", back_to_zero, true),
        ("de10", in_the_beat, true),
        ("wide128", nothing, true),
        ("de10", nothing, false),
    ] {
        let words = serial_order(&[insn]).into_iter().map(Word::word);
        let p = Program::of(config, words);
        let functional = p.fsim().expect("it stays inside DRAM").0.stop;
        let stop = match endless {
            true => Stop::Endless { insn: 0 },
            false => Stop::Finish,
        };
        assert_eq!(functional, stop, "{config} {insn:?}");
        let hang = matches!(p.outcome().0.status, Status::Hang { .. });
        assert_eq!(hang, endless, "{config} {insn:?}");
    }
}

proptest! {
    #![proptest_config(cases(150))]

    /// One instruction after the other.
    #[test]
    fn serial_program_gives_the_same_bytes(p in serial()) {
        same_bytes(&p)?;
    }

    /// All three units at work.
    #[test]
    fn double_buffered_pipeline_gives_the_same_bytes(p in pipeline()) {
        let finished = same_bytes(&placed(&p, Bases::default()))?;
        prop_assert!(finished);
    }
}
