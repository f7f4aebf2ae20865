//! Compiled programs against the integer reference, bit for bit.

mod cases;
mod event_driven;
mod kernels;
mod layers;
mod limits;
mod listings;
mod many;
mod mistakes;
mod networks;
mod random;
mod translation;
mod upsampling;
