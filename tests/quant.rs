//! Quantisation: the integer reference, and networks from float to int8.

#[path = "quant/errors.rs"]
mod errors;
#[path = "quant/layers.rs"]
mod layers;
#[path = "quant/masks.rs"]
mod masks;
#[path = "quant/naive.rs"]
mod naive;
#[path = "quant/reference.rs"]
mod reference;
#[path = "quant/scales.rs"]
mod scales;
#[path = "quant/shared.rs"]
mod shared;
#[path = "quant/zoo.rs"]
mod zoo;
