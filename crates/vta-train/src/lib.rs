//! Training networks ([`train`]), also while their blocks go ([`tune`]).

pub mod train;
pub mod tune;
