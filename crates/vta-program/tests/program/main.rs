//! Formats and texts: configurations, instructions, bundles, assembly.

mod asm;
mod bundle;
mod config;
mod export;
mod network;
mod properties;
mod standalone;
