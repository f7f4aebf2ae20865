//! Compiled programs against the integer reference, bit for bit.

mod support;

#[path = "compiler/cases.rs"]
mod cases;
#[path = "compiler/floors.rs"]
mod floors;
#[path = "compiler/layers.rs"]
mod layers;
#[path = "compiler/leaps.rs"]
mod leaps;
#[path = "compiler/mistakes.rs"]
mod mistakes;
#[path = "compiler/networks.rs"]
mod networks;
