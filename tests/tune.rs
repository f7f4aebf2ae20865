//! Tuning: the trainer rounds as the device does.
#![cfg(feature = "prune")]

#[path = "tune/exponents.rs"]
mod exponents;
