//! Quantisation: the integer reference, and networks from float to int8.

#[path = "quant/naive.rs"]
mod naive;
#[path = "quant/reference.rs"]
mod reference;
#[path = "quant/zoo.rs"]
mod zoo;
