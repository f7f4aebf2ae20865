//! The `vta` command.

fn main() -> std::process::ExitCode {
    vta::cli::main()
}
