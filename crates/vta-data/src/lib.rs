//! Data for training, pruning and measuring: images with a class or with boxes.
//!
//! Two sets need no file: [`shapes`] makes them from a seed, the same bytes on
//! every machine. Readers take CIFAR records, IDX files, folders of images and
//! Pascal VOC; [`open`] tells them apart. What is wrong in a file is a
//! [`DataError`] with the file's name, and sizes that a file declares are
//! checked before memory is taken.
//!
//! Nothing here is random without a seed: orders come from (seed, epoch), each
//! changed image from (seed, epoch, index), so training can resume bit for bit.
//! This layer imports nothing of the compiler or the simulators.

mod augment;
mod batch;
mod bbox;
pub mod cifar;
mod contact_sheet;
mod dataset;
mod decode;
mod error;
mod evaluate;
mod files;
mod fit;
pub mod folder;
pub mod idx;
mod image;
mod loader;
mod nms;
mod open;
mod random;
mod resize;
pub mod shapes;
pub mod voc;

pub use augment::Augment;
pub use batch::{Normalise, to_array};
pub use bbox::{BBox, Boxes, iou};
pub use contact_sheet::{contact_sheet, contact_sheet_of_boxes};
pub use dataset::{Dataset, Label, Sample, Split};
pub use decode::{decode, encode_png};
pub use error::{DataError, Fault};
pub use evaluate::{ApRule, Detection, Evaluation, evaluate};
pub use files::{Disk, Entry, Files, Memory};
pub use fit::{Fit, Letterbox};
pub use image::Image;
pub use loader::{Batch, Batches, Loader};
pub use nms::nms;
pub use open::{BUILT_IN, Data, OpenOptions, open};
pub use random::{Purpose, Random, chosen, order};
pub use resize::resize;
