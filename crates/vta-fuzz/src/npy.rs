//! Arrays of NumPy.

use vta_tensor::npy::{Element, Npy};

/// A small file with these dimensions.
pub(crate) fn file(dims: &[usize]) -> Vec<u8> {
    let n: usize = dims.iter().product();
    Npy {
        dims: dims.to_vec(),
        element: Element::Int(1),
        bytes: (0..n).map(|i| i as u8).collect(),
    }
    .write()
}

pub(crate) fn run(data: &[u8]) {
    let array = match Npy::read(data) {
        Ok(array) => array,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    let n: usize = array.dims.iter().product();
    assert_eq!(array.bytes.len(), n * array.element.size());
    assert_eq!(array.floats().len(), n);
    let again = Npy::read(&array.write()).expect("what is written can be read");
    assert!(array == again, "another array comes back");
}
