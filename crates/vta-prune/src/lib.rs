//! Which weight blocks go, and when ([`prune`]), and what kept blocks cost ([`cost`]).

pub mod cost;
pub mod prune;
