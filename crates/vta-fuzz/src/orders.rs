//! Program order against the units side by side, where the verifier proves that
//! they are the same.

use crate::programs::{OUT, Program, tame, wild};
use arbitrary::{Result, Unstructured};
use std::cell::Cell;
use vta_program::mem::Dram;
use vta_program::program::Program as Bundle;
use vta_sim::fsim::{self, Stop};
use vta_sim::tsim::{NoSink, Options, Status};

thread_local! {
    static PROVEN: Cell<u64> = const { Cell::new(0) };
}

/// How many programs were proven in this thread.
#[cfg(test)]
pub(crate) fn proven() -> u64 {
    PROVEN.get()
}

pub(crate) fn run(data: &[u8]) {
    let _ = differ(&mut Unstructured::new(data));
}

fn differ(u: &mut Unstructured<'_>) -> Result<()> {
    let p = if u.ratio(7, 8)? { tame(u)? } else { wild(u)? };
    held(&p);
    Ok(())
}

/// What is proven ends with FINISH in both, with the same bytes.
fn held(p: &Program) {
    let image = p.image();
    let outputs = Vec::new();
    let config = p.config.clone();
    let bundle = Bundle::from_image(image.clone(), p.insn_addr, p.count(), outputs, config)
        .expect("the instructions are in the image");
    if let Err(errors) = vta_verify::check(&bundle) {
        assert!(!errors.is_empty());
        assert!(errors.iter().all(|e| !e.to_string().is_empty()));
        return;
    }
    PROVEN.set(PROVEN.get() + 1);
    let mut dram = Dram::new(image.clone());
    let limits = fsim::Limits::default();
    let functional = fsim::run(&p.config, &mut dram, p.insn_addr, p.count(), limits);
    let functional = functional.expect("what is proven stays inside DRAM");
    assert_eq!(functional.stop, Stop::Finish, "{p:?}");
    let (timed, left) = p.run(&image, Options::default(), &mut NoSink);
    let timed = timed.expect("what is proven stays inside DRAM");
    assert_eq!(timed.status, Status::Ok, "{p:?}");
    assert_eq!(timed.acc_writes, functional.acc_writes, "{p:?}");
    let (dram, left) = (dram.bytes(), left.bytes());
    if let Some(at) = dram.iter().zip(left).position(|(a, b)| a != b) {
        panic!("byte {at:#x} (results are at {OUT:#x}) differs: {p:?}");
    }
}

#[cfg(test)]
mod tests {
    /// The target is worth its executions: of random bytes the verifier proves
    /// about one program in ten.
    #[test]
    fn many_programs_are_proven() {
        let mut n = vta_test_support::numbers::Numbers::new(3);
        for _ in 0..3000 {
            let data: Vec<u8> = (0..100).map(|_| n.next() as u8).collect();
            super::run(&data);
        }
        assert!(super::proven() > 100, "{}", super::proven());
    }
}
