//! A sink of one's own stops a run at the first store:
//! `cargo run --release --example own_sink`.

use std::convert::Infallible;
use vta::isa::Unit;
use vta::tsim::{Event, Sink, Stop};

/// Stops where the first store starts.
struct FirstStore;

impl Sink for FirstStore {
    type Error = Infallible;

    fn event(&mut self, _cycle: u64, event: Event) -> Result<(), Stop> {
        match event {
            Event::InsnStart {
                unit: Unit::Store, ..
            } => Err(Stop::Enough),
            _ => Ok(()),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = vta::Program::open("programs/kernels/gemm.vtasm")?;
    let outcome = &program.observe(&mut FirstStore, vta::MAX_CYCLES)?[0];
    println!("{:?} in cycle {}", outcome.status, outcome.cycles);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("it runs");
    }
}
