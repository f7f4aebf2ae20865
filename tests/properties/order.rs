//! Program order: where tokens order everything, time changes no byte.

use super::pipelines::{Bases, pipeline};
use super::programs::serial;
use crate::cases;
use crate::support::Program;
use proptest::prelude::*;
use vta::fsim::Stop;
use vta::tsim::{AssertCause, Status};

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
        let finished = same_bytes(&p.program(Bases::default()))?;
        prop_assert!(finished);
    }
}
