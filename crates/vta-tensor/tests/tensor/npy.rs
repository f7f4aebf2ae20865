//! `.npy` files, against the crate `ndarray-npy`.

use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use ndarray_npy::{ReadNpyExt, WritableElement, WriteNpyExt};
use proptest::prelude::*;
use vta_tensor::npy::{Element, Npy, NpyError};

/// A file of another writer, in one order of elements or the other.
fn file<T: WritableElement + Clone>(dims: &[usize], fortran: bool, values: Vec<T>) -> Vec<u8> {
    let c = ArrayD::from_shape_vec(IxDyn(dims), values).unwrap();
    let mut file = Vec::new();
    if fortran {
        let mut f = ArrayD::from_shape_fn(IxDyn(dims).f(), |i| c[&i].clone());
        f.as_slice_memory_order_mut().unwrap();
        f.write_npy(&mut file).unwrap();
    } else {
        c.write_npy(&mut file).unwrap();
    }
    file
}

fn dims() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..5usize, 0..5)
}

proptest! {
    #[test]
    fn what_another_writes_is_read(dims in dims(), fortran: bool, seed: i64) {
        let n = dims.iter().product::<usize>();
        let values = |i: usize| seed.wrapping_mul(i as i64 * 7919 + 1);
        macro_rules! check {
            ($($t:ty, $element:expr);*) => {$({
                let values: Vec<$t> = (0..n).map(|i| values(i) as $t).collect();
                let file = file(&dims, fortran, values.clone());
                let read = Npy::read(&file).unwrap();
                prop_assert_eq!(&read.dims, &dims);
                prop_assert_eq!(read.element, $element);
                let floats: Vec<f32> = values.iter().map(|v| *v as f32).collect();
                prop_assert_eq!(read.floats(), floats);
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                prop_assert_eq!(read.bytes, bytes);
            })*};
        }
        check!(i8, Element::Int(1); i16, Element::Int(2); i32, Element::Int(4); i64, Element::Int(8);
            u8, Element::Uint(1); u16, Element::Uint(2); u32, Element::Uint(4); u64, Element::Uint(8);
            f32, Element::Float(4); f64, Element::Float(8));
    }

    #[test]
    fn what_is_written_another_reads(dims in dims(), seed: u32) {
        let n = dims.iter().product::<usize>() as u32;
        let values: Vec<f32> = (0..n).map(|i| seed.wrapping_mul(i + 1) as f32).collect();
        let array = Npy::of_floats(&dims, values.iter().copied());
        let file = array.write();
        prop_assert_eq!((file.len() - 4 * values.len()) % 64, 0);
        let read = ArrayD::<f32>::read_npy(&file[..]).unwrap();
        prop_assert_eq!(read.shape(), &dims[..]);
        prop_assert_eq!(read.into_raw_vec_and_offset().0, values);
        prop_assert_eq!(Npy::read(&file), Ok(array));
    }

    /// Damage is an error or another array, never a panic.
    #[test]
    fn damaged_files_are_no_panic(at in 0..200usize, byte: u8, cut in 0..200usize) {
        let mut file = file(&[2, 3], false, vec![1i16, 2, 3, 4, 5, 6]);
        let n = file.len();
        file[at % n] = byte;
        let _ = Npy::read(&file);
        prop_assert!(Npy::read(&file[..cut % n]).is_err());
    }
}

fn with(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x02\x00".to_vec();
    file.extend((header.len() as u32).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

#[test]
fn headers_of_other_writers() {
    // Big-endian; spaces, quotes and order of keys as they come; long numbers of Python 2.
    let header = "{ \"shape\":(2L ,), 'fortran_order' : False,'descr':'>u2'}\n";
    let read = Npy::read(&with(header, &[1, 2, 3, 4])).unwrap();
    assert_eq!(read.floats(), [258.0, 772.0]);
    // A single number.
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }";
    let read = Npy::read(&with(header, &1.5f64.to_le_bytes())).unwrap();
    assert_eq!((read.dims.len(), read.floats()), (0, vec![1.5]));
}

#[test]
fn what_is_no_array_is_said() {
    let header = |descr: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
    };
    let error = |file: &[u8]| Npy::read(file).unwrap_err().to_string();
    assert_eq!(error(b"PK"), "it does not begin with \\x93NUMPY");
    assert_eq!(error(b"\x93NUMPY\x04\x00"), "version 4.0 is not known");
    assert_eq!(error(b"\x93NUMPY\x01\x00\xff"), "its header is cut off");
    let e = error(&with("{'descr': [1], }", &[]));
    assert!(e.starts_with("its header is no dictionary"), "{e}");
    assert_eq!(error(&with("{}", &[])), "its header has no `descr`");
    for descr in ["'<c8'", "'|b1'", "'=i4'", "'<i3'", "''"] {
        let e = error(&with(&header(descr, "(1,)"), &[0; 8]));
        let want = format!(
            "elements of type `{}` cannot be read",
            descr.trim_matches('\'')
        );
        assert_eq!(e, want);
    }
    let small = with(&header("'<i4'", "(2, 3)"), &[0; 20]);
    assert_eq!(error(&small), "20 bytes of data, its shape needs 24");
    let huge = with(&header("'<i4'", "(4294967296, 4294967296)"), &[]);
    let needed = usize::MAX;
    assert_eq!(Npy::read(&huge), Err(NpyError::Size { needed, got: 0 }));
}

#[test]
fn half_precision() {
    let mut file = Npy::of_floats(&[2], [0.0f32, 0.0].into_iter()).write();
    let at = file
        .windows(4)
        .position(|w| w == b"'<f4")
        .expect("its type");
    file[at..at + 4].copy_from_slice(b"'<f2");
    file.truncate(file.len() - 4);
    let n = file.len();
    file[n - 4..].copy_from_slice(&[0x00, 0x3c, 0x00, 0xc2]);
    assert_eq!(Npy::read(&file).expect("it reads").floats(), [1.0, -3.0]);
}
