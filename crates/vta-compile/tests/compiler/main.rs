//! Compiled programs against the integer reference, bit for bit.

mod cases;
mod layers;
mod leaps;
mod limits;
mod listings;
mod mistakes;
mod networks;
