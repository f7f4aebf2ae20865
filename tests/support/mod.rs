//! What several tests start from.
#![allow(dead_code)] // every test takes a part

pub mod command;
pub mod golden;
pub mod network;
pub mod programs;
