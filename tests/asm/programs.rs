//! The committed programs.
