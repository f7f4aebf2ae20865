//! The steps of a program, in order, on one DRAM: the one loop for whoever runs
//! programs. What only looks at instructions walks over
//! [`Program::launches`] instead.

use std::ops::{ControlFlow, Range};
use vta_program::mem::Dram;
use vta_program::program::{HostStep, Launch, Program, Step};

/// Runs some steps: `host` and `launch` each of their kind, until a launch
/// breaks off, as one does that did not end well. Says whether one did.
///
/// # Errors
/// Those of `host` and `launch`.
///
/// # Panics
/// If `steps` are not all of the program.
pub fn each_step<E>(
    program: &Program,
    steps: Range<usize>,
    dram: &mut Dram,
    mut host: impl FnMut(&HostStep, &mut Dram) -> Result<(), E>,
    mut launch: impl FnMut(&Launch, &mut Dram) -> Result<ControlFlow<()>, E>,
) -> Result<ControlFlow<()>, E> {
    for step in &program.steps[steps] {
        match step {
            Step::Host(h) => host(h, dram)?,
            Step::Launch(l) => {
                if launch(l, dram)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Runs the launches of a program without moving data, for which the host has
/// nothing to do: on a DRAM as it is before the first step.
///
/// # Errors
/// Those of `launch`.
pub fn each_launch<E>(
    program: &Program,
    launch: impl FnMut(&Launch, &mut Dram) -> Result<ControlFlow<()>, E>,
) -> Result<ControlFlow<()>, E> {
    let mut dram = Dram::new(program.dram_image());
    let all = 0..program.steps.len();
    each_step(program, all, &mut dram, |_, _| Ok(()), launch)
}
