//! Data: made sets, readers, changes, sizes, average precision.

#[path = "data/augment.rs"]
mod augment;
#[path = "data/boxes.rs"]
mod boxes;
#[path = "data/decoders.rs"]
mod decoders;
#[path = "data/loader.rs"]
mod loader;
#[path = "data/make.rs"]
mod make;
#[path = "data/mutation.rs"]
mod mutation;
#[path = "data/precision.rs"]
mod precision;
#[path = "data/readers.rs"]
mod readers;
#[path = "data/resize.rs"]
mod resize;
#[path = "data/shapes.rs"]
mod shapes;
#[path = "data/shared.rs"]
mod shared;
#[path = "data/voc.rs"]
mod voc;
