//! Random networks on random configurations, as many as are asked for: what the
//! fuzz target `networks` holds them to, without a fuzzer.
//!
//! `cargo run --release --example networks -- FIRST_SEED NUMBER`

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use vta_test_support::numbers::Numbers;
use vta_test_support::random_network::{Case, Checked};

fn main() {
    let args: Vec<u64> = std::env::args()
        .skip(1)
        .map_while(|a| a.parse().ok())
        .collect();
    let [first, number] = args[..] else {
        eprintln!("usage: networks FIRST_SEED NUMBER");
        std::process::exit(2);
    };
    let (mut right, mut unfit, mut wrong) = (0u64, 0u64, 0u64);
    let (mut cycles, mut insns) = (0u64, 0u64);
    for seed in first..first + number {
        let of = || Case::random(&mut Numbers::new(seed)).check();
        match catch_unwind(AssertUnwindSafe(of)) {
            Ok(Ok(Checked::Right {
                cycles: c,
                insns: i,
            })) => {
                right += 1;
                cycles += c;
                insns += i;
            }
            Ok(Ok(Checked::DoesNotFit(_))) => unfit += 1,
            Ok(Err(what)) => {
                wrong += 1;
                println!("seed {seed}: {what}");
            }
            Err(_) => {
                wrong += 1;
                println!("seed {seed}: panic");
            }
        }
        if (seed - first + 1).is_multiple_of(10_000) || seed + 1 == first + number {
            println!(
                "seeds {first}..={seed}: {right} compiled, proven and right, {unfit} do not fit, {wrong} wrong; {insns} instructions, {cycles} cycles"
            );
            std::io::stdout().flush().expect("standard output");
        }
    }
    std::process::exit(i32::from(wrong > 0));
}
