//! Cycles of a network over configurations: `cargo run --release --example sweep`.

use vta::rows::Outcome;
use vta::sweep::{Blocks, Sweep, candidates};
use vta::{Calibration, Model};

fn main() -> Result<(), vta::Error> {
    let dense_and_sparse = [1.0, 0.25].map(|density| Blocks::Density { density, seed: 1 });
    // The last one is no hardware: a bus of 512 bits has no room for so many micro-ops.
    let sweep = Sweep::new(candidates("UOP_DEPTH=2048|8192,MEM_DATA_BITS=64..512")?)
        .network(Model::zoo("resnet8", 1)?, Calibration::default())
        .blocks(dense_and_sparse.into());
    sweep.plan().run(
        |_| false,
        |row| {
            let config = row.name("config");
            match &row.outcome {
                Outcome::Result(all) => println!("{config}: {} cycles", all["cycles"]),
                Outcome::Error(failure) => println!("{config}: {}", failure.message),
            }
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("it runs");
    }
}
