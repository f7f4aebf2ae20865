//! Quantisation: the integer reference, and networks from float to int8.

mod branches;
mod errors;
mod fuse;
mod layers;
mod masks;
mod naive;
mod reference;
mod scales;
mod shared;
mod zoo;
