//! Checkpoints of training.

use vta_train::{Checkpoint, TrainError};

pub(crate) fn run(data: &[u8]) {
    let read = match Checkpoint::decode(data) {
        Ok(read) => read,
        Err(e) => {
            assert!(matches!(e, TrainError::Checkpoint(_)), "{e}");
            return assert!(!e.to_string().is_empty());
        }
    };
    let bytes = read.encode().expect("what is read can be written");
    let again = Checkpoint::decode(&bytes).expect("what is written can be read");
    assert!(again.names().eq(read.names()), "other names come back");
    let twice = again.encode().expect("it was written before");
    assert!(bytes == twice, "the same checkpoint gives other bytes");
}
