//! Properties over random programs.

mod verify;
