//! Constants of a model: decoded initializers and what folding makes of them.

use super::error::{Fault, Problem, Res};
use super::proto::TensorProto;
use crate::graph::shape::{MAX_ELEMENTS, elements};
use ndarray::{ArrayD, IxDyn};
use vta_tensor::numbers::half;

/// ONNX's numbers of element types.
pub(super) mod ty {
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const UINT16: i32 = 4;
    pub const INT16: i32 = 5;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const BOOL: i32 = 9;
    pub const FLOAT16: i32 = 10;
    pub const DOUBLE: i32 = 11;
    pub const UINT32: i32 = 12;
    pub const UINT64: i32 = 13;
    pub const BFLOAT16: i32 = 16;

    /// Whether values of a type are held as f32.
    pub fn is_float(ty: i32) -> bool {
        matches!(ty, FLOAT | FLOAT16 | DOUBLE | BFLOAT16)
    }

    /// Whether values of a type are held as i64.
    pub fn is_int(ty: i32) -> bool {
        matches!(ty, UINT8..=INT64 | BOOL | UINT32 | UINT64)
    }

    /// Bounds of an integer type.
    pub fn range(ty: i32) -> (i64, i64) {
        match ty {
            UINT8 => (0, 255),
            INT8 => (-128, 127),
            UINT16 => (0, 65535),
            INT16 => (-32768, 32767),
            INT32 => (i32::MIN.into(), i32::MAX.into()),
            UINT32 => (0, u32::MAX.into()),
            UINT64 => (0, i64::MAX),
            BOOL => (0, 1),
            _ => (i64::MIN, i64::MAX),
        }
    }
}

/// Values, all floating types as f32, all integers and booleans as i64.
#[derive(Debug, Clone)]
pub(super) enum Values {
    Float(ArrayD<f32>),
    Int(ArrayD<i64>),
}

/// A constant tensor.
#[derive(Debug, Clone)]
pub(super) struct Const {
    /// Name of the initializer that the values come from.
    pub origin: String,
    /// ONNX's number of the element type.
    pub ty: i32,
    /// Whether a matrix is transposed against its initializer.
    pub flipped: bool,
    pub values: Values,
}

impl Const {
    pub fn ints(origin: &str, values: Vec<i64>) -> Self {
        let values = Values::Int(ndarray::Array1::from(values).into_dyn());
        Self {
            origin: origin.to_owned(),
            ty: ty::INT64,
            flipped: false,
            values,
        }
    }

    pub fn floats(origin: &str, values: Vec<f32>) -> Self {
        let values = Values::Float(ndarray::Array1::from(values).into_dyn());
        Self {
            origin: origin.to_owned(),
            ty: ty::FLOAT,
            flipped: false,
            values,
        }
    }

    /// The only value of a vector, without dimensions.
    pub fn as_scalar(&self) -> Self {
        let one = |len: usize| len == 1;
        let scalar = match &self.values {
            Values::Int(a) if one(a.len()) => {
                Values::Int(ndarray::arr0(a.iter().copied().sum()).into_dyn())
            }
            Values::Float(a) if one(a.len()) => {
                Values::Float(ndarray::arr0(a.iter().copied().sum()).into_dyn())
            }
            other => other.clone(),
        };
        self.with(scalar)
    }

    /// A constant with other values, of the same origin.
    pub fn with(&self, values: Values) -> Self {
        Self {
            origin: self.origin.clone(),
            ty: self.ty,
            flipped: self.flipped,
            values,
        }
    }

    pub fn dims(&self) -> &[usize] {
        match &self.values {
            Values::Float(a) => a.shape(),
            Values::Int(a) => a.shape(),
        }
    }

    pub fn len(&self) -> usize {
        match &self.values {
            Values::Float(a) => a.len(),
            Values::Int(a) => a.len(),
        }
    }

    /// All values as integers; floats must be whole.
    pub fn to_ints(&self) -> Res<Vec<i64>> {
        match &self.values {
            Values::Int(a) => Ok(a.iter().copied().collect()),
            Values::Float(a) => a
                .iter()
                .map(|v| {
                    if v.fract() == 0.0 && v.abs() < 9e18 {
                        Ok(*v as i64)
                    } else {
                        Err(Fault::value("a whole number", v))
                    }
                })
                .collect(),
        }
    }

    /// All values as f32.
    pub fn to_floats(&self) -> ArrayD<f32> {
        match &self.values {
            Values::Float(a) => a.clone(),
            Values::Int(a) => a.mapv(|v| v as f32),
        }
    }
}

/// The elements of `raw`, little-endian.
fn raw<const N: usize, T>(bytes: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<N>();
    elements.iter().map(|b| f(*b)).collect()
}

/// Dimensions and number of elements, checked to be within limits.
fn count(dims: &[i64]) -> Res<(Vec<usize>, usize)> {
    let wrong = || Fault::value("its dimensions", dims);
    let sizes: Vec<usize> = dims
        .iter()
        .map(|d| usize::try_from(*d).map_err(|_| wrong()))
        .collect::<Res<_>>()?;
    // A zero must not hide dimensions whose products overflow.
    let others: Vec<usize> = sizes.iter().copied().filter(|d| *d > 0).collect();
    let bounded = elements(&others).is_some_and(|n| n <= MAX_ELEMENTS);
    match elements(&sizes) {
        Some(n) if bounded => Ok((sizes, n)),
        _ => Err(wrong()),
    }
}

/// Bytes of an element in raw data.
fn bytes_of(data_type: i32) -> Res<usize> {
    Ok(match data_type {
        ty::UINT8 | ty::INT8 | ty::BOOL => 1,
        ty::UINT16 | ty::INT16 | ty::FLOAT16 | ty::BFLOAT16 => 2,
        ty::FLOAT | ty::INT32 | ty::UINT32 => 4,
        ty::INT64 | ty::UINT64 | ty::DOUBLE => 8,
        other => return Err(Problem::Type(other).into()),
    })
}

/// Bytes that a tensor's values take, raw.
pub(super) fn stored_bytes(proto: &TensorProto) -> Res<u64> {
    let (_, n) = count(&proto.dims)?;
    Ok(n as u64 * bytes_of(proto.data_type)? as u64)
}

/// Decodes a tensor of the file; nothing is allocated before the number of stored values is known to be right.
pub(super) fn decode(proto: TensorProto, name: &str) -> Res<Const> {
    read(proto, name).map_err(|mut f| {
        f.tensor = Some(name.to_owned());
        f
    })
}

fn read(proto: TensorProto, name: &str) -> Res<Const> {
    if proto.data_location == 1 || !proto.external_data.is_empty() {
        let (file, why) = (String::new(), "it is no initializer".into());
        return Err(Problem::External { file, why }.into());
    }
    let (sizes, n) = count(&proto.dims)?;
    let data_type = proto.data_type;
    let bytes_each = bytes_of(data_type)?;
    let mismatch = |got: usize, want: usize, unit| -> Fault {
        Problem::Data {
            dims: proto.dims.clone(),
            want: want.to_string(),
            got,
            unit,
        }
        .into()
    };
    let is_raw = !proto.raw_data.is_empty();
    if is_raw && proto.raw_data.len() != n * bytes_each {
        return Err(mismatch(proto.raw_data.len(), n * bytes_each, "bytes"));
    }
    let stored = match data_type {
        _ if is_raw => n,
        ty::FLOAT => proto.float_data.len(),
        ty::DOUBLE => proto.double_data.len(),
        ty::INT64 => proto.int64_data.len(),
        ty::UINT32 | ty::UINT64 => proto.uint64_data.len(),
        _ => proto.int32_data.len(),
    };
    if stored != n {
        return Err(mismatch(stored, n, "values"));
    }
    let b = &proto.raw_data;
    // The fields of small types hold bit patterns in int32.
    let bits = |v: &i32| *v as u16;
    let floats: Vec<f32> = match (data_type, is_raw) {
        (ty::FLOAT, true) => raw(b, f32::from_le_bytes),
        (ty::FLOAT, false) => proto.float_data,
        (ty::DOUBLE, true) => raw(b, |v| f64::from_le_bytes(v) as f32),
        (ty::DOUBLE, false) => proto.double_data.iter().map(|v| *v as f32).collect(),
        (ty::FLOAT16, true) => raw(b, |v| half(u16::from_le_bytes(v))),
        (ty::FLOAT16, false) => proto.int32_data.iter().map(|v| half(bits(v))).collect(),
        (ty::BFLOAT16, true) => raw(b, |v: [u8; 2]| f32::from_le_bytes([0, 0, v[0], v[1]])),
        (ty::BFLOAT16, false) => {
            let wide = |v: &i32| f32::from_bits(u32::from(bits(v)) << 16);
            proto.int32_data.iter().map(wide).collect()
        }
        _ => Vec::new(),
    };
    let ints: Vec<i64> = match (data_type, is_raw) {
        (ty::UINT8 | ty::BOOL, true) => raw(b, |v: [u8; 1]| v[0].into()),
        (ty::INT8, true) => raw(b, |v| i8::from_le_bytes(v).into()),
        (ty::UINT16, true) => raw(b, |v| u16::from_le_bytes(v).into()),
        (ty::INT16, true) => raw(b, |v| i16::from_le_bytes(v).into()),
        (ty::INT32, true) => raw(b, |v| i32::from_le_bytes(v).into()),
        (ty::UINT32, true) => raw(b, |v| u32::from_le_bytes(v).into()),
        (ty::INT64 | ty::UINT64, true) => raw(b, i64::from_le_bytes),
        (ty::INT64, false) => proto.int64_data,
        (ty::UINT32 | ty::UINT64, false) => proto.uint64_data.iter().map(|v| *v as i64).collect(),
        _ => proto.int32_data.iter().map(|v| i64::from(*v)).collect(),
    };
    let shape = IxDyn(&sizes);
    let wrong = |_| Fault::value("its dimensions", &sizes);
    let values = if ty::is_float(data_type) {
        Values::Float(ArrayD::from_shape_vec(shape, floats).map_err(wrong)?)
    } else {
        Values::Int(ArrayD::from_shape_vec(shape, ints).map_err(wrong)?)
    };
    Ok(Const {
        origin: name.to_owned(),
        ty: data_type,
        flipped: false,
        values,
    })
}
