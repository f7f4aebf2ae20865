//! Run a program, get its cycles: `cargo run --release --example run_program [FILE]`.

fn main() -> Result<(), vta::Error> {
    let file = std::env::args().nth(1);
    let program = vta::Program::open(file.as_deref().unwrap_or("programs/kernels/gemm.vtasm"))?;
    program.verify()?;
    let run = program.run(&[])?;
    let stats = run.stats();
    println!("{} cycles", run.cycles());
    println!(
        "{} GEMM steps, {} bytes read",
        stats.gemm_steps, stats.bytes_read
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("it runs");
    }
}
