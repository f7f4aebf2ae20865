//! Runs one target on files, as a fuzzer or the tests left them.
//!
//! `cargo run -p vta-fuzz --example input -- TARGET FILE...`

use std::process::exit;

#[global_allocator]
static ALLOCATOR: vta_fuzz::memory::Counting = vta_fuzz::memory::Counting;

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(target) = args.next().as_deref().and_then(vta_fuzz::target) else {
        eprintln!("usage: input TARGET FILE...");
        exit(2);
    };
    for file in args {
        let data = std::fs::read(&file).unwrap_or_else(|e| {
            eprintln!("{file}: {e}");
            exit(2);
        });
        println!("{file}");
        target.check(&data);
    }
}
