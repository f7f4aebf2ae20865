//! What several tests start from.
#![allow(dead_code)] // every test takes a part

pub mod programs;
