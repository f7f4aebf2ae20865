//! Ends from outside: Ctrl-C, and the signals that ask a program to end.
//!
//! Long work that can go on later is asked to stop and writes where it stands;
//! a second signal ends it at once, and other commands end with the first. What
//! was being written is then removed.

use super::{CliError, EXIT_STOPPED};
use std::sync::atomic::{AtomicBool, Ordering};
use vta::program::atomic::abandon;

/// Whether the work stops by itself when it is asked to.
static GENTLE: AtomicBool = AtomicBool::new(false);
/// Whether it is asked to.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether the work shall stop.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// From now on the first signal only asks.
pub fn gently() {
    GENTLE.store(true, Ordering::SeqCst);
}

/// What a signal does.
fn signalled() {
    if GENTLE.load(Ordering::SeqCst) && !ASKED.swap(true, Ordering::SeqCst) {
        return;
    }
    let _abandoned = abandon();
    super::eprint_all("error: stopped\n");
    std::process::exit(EXIT_STOPPED.into());
}

/// Listens for signals, but for those that whoever started the program has it
/// ignore (`nohup`, a job in the background of a script).
///
/// # Errors
/// The system has no such signals.
#[cfg(unix)]
pub fn listen() -> Result<(), CliError> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    let error = |e: std::io::Error| CliError::new("signal", e);
    let ignored = ignored();
    let listened = |s: &i32| ignored >> (s - 1) & 1 == 0;
    if listened(&SIGXFSZ) {
        // A file that may not grow is then an error like a full disk.
        let flag = std::sync::Arc::<AtomicBool>::default();
        signal_hook::flag::register(SIGXFSZ, flag).map_err(error)?;
    }
    let ends = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(listened);
    let mut signals = signal_hook::iterator::Signals::new(ends).map_err(error)?;
    let wait = move || signals.forever().for_each(|_| signalled());
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)
        .map_err(error)?;
    Ok(())
}

/// The signals that are ignored, a bit for each from that of signal 1 on; none
/// where the system does not say.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    line.and_then(|l| u64::from_str_radix(l.trim(), 16).ok())
        .unwrap_or(0)
}

/// Listens for Ctrl-C.
///
/// # Errors
/// The system has no such signal.
#[cfg(not(unix))]
pub fn listen() -> Result<(), CliError> {
    ctrlc::set_handler(signalled).map_err(|e| CliError::new("signal", e))
}
