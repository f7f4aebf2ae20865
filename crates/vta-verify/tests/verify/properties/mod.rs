//! Properties over random programs.

mod limits;
mod verify;
