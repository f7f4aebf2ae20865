//! Just enough of protobuf's wire format to write ONNX files of any structure,
//! apart from the code that reads them.

/// A message under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    /// A whole number.
    pub(crate) fn int(mut self, field: u32, n: i64) -> Self {
        self.varint(u64::from(field) << 3);
        self.varint(n as u64);
        self
    }

    /// A number of single precision.
    pub(crate) fn float(mut self, field: u32, x: f32) -> Self {
        self.varint(u64::from(field) << 3 | 5);
        self.0.extend(x.to_le_bytes());
        self
    }

    /// Bytes or text.
    pub(crate) fn bytes(mut self, field: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// A message in it.
    pub(crate) fn message(self, field: u32, inner: &Self) -> Self {
        self.bytes(field, &inner.0)
    }

    /// The bytes of the message.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// `TensorProto` of single precision.
pub(crate) fn floats(name: &str, dims: &[i64], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, dims, 1, &raw)
}

/// `TensorProto` of 64-bit whole numbers.
pub(crate) fn ints(name: &str, dims: &[i64], values: &[i64]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, dims, 7, &raw)
}

/// `TensorProto` of a type.
pub(crate) fn tensor(name: &str, dims: &[i64], data_type: i64, raw: &[u8]) -> Message {
    let mut t = Message::default();
    for d in dims {
        t = t.int(1, *d);
    }
    t.int(2, data_type).bytes(8, name).bytes(9, raw)
}

/// `ValueInfoProto` of single precision.
pub(crate) fn value(name: &str, dims: &[i64]) -> Message {
    let mut shape = Message::default();
    for d in dims {
        shape = shape.message(1, &Message::default().int(1, *d));
    }
    let tensor = Message::default().int(1, 1).message(2, &shape);
    let of = Message::default().message(1, &tensor);
    Message::default().bytes(1, name).message(2, &of)
}

/// `ModelProto` of a graph.
pub(crate) fn model(opset: i64, graph: &Message) -> Vec<u8> {
    let set = Message::default().bytes(1, "").int(2, opset);
    Message::default()
        .int(1, 8)
        .message(7, graph)
        .message(8, &set)
        .finish()
}
