//! Kernels in single precision: products of matrices and convolutions.
//!
//! A result is the same in every run and on any number of threads. It is not the same
//! on every machine: products are summed in the order that suits its vectors.

pub mod conv;
pub mod depthwise;
pub mod gather;
pub mod matrix;
