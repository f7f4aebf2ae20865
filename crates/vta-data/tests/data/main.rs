//! Data: made sets, readers, changes, sizes, average precision.

mod augment;
mod boxes;
mod decoders;
mod loader;
mod make;
mod mutation;
mod precision;
mod readers;
mod resize;
mod shapes;
mod shared;
mod voc;
