//! Writes ONNX files field by field, independent of the library's bindings.

/// Protocol buffer fields.
#[derive(Debug, Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.0.push(v as u8);
    }

    pub fn int(mut self, field: u64, v: i64) -> Self {
        self.varint(field << 3);
        self.varint(v as u64);
        self
    }

    pub fn float(mut self, field: u64, v: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(v.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u64, v: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(v.len() as u64);
        self.0.extend(v);
        self
    }

    pub fn text(self, field: u64, v: &str) -> Self {
        self.bytes(field, v.as_bytes())
    }

    pub fn message(self, field: u64, v: Self) -> Self {
        self.bytes(field, &v.0)
    }
}

pub enum Attr {
    Int(i64),
    Float(f32),
    Text(&'static str),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Tensor(Message),
    Graph(Message),
    /// The attribute of the call of a function.
    Of(&'static str),
}

pub const FLOAT: i64 = 1;
pub const INT8: i64 = 3;
pub const UINT8: i64 = 2;
pub const INT32: i64 = 6;
pub const INT64: i64 = 7;

/// A tensor with its bytes.
pub fn raw(name: &str, ty: i64, dims: &[i64], bytes: &[u8]) -> Message {
    let mut m = Message::default();
    for d in dims {
        m = m.int(1, *d);
    }
    m.int(2, ty).text(8, name).bytes(9, bytes)
}

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> Message {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    raw(name, FLOAT, dims, &bytes)
}

pub fn ints(name: &str, values: &[i64]) -> Message {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    raw(name, INT64, &[values.len() as i64], &bytes)
}

pub fn scalar(name: &str, value: f32) -> Message {
    floats(name, &[], &[value])
}

/// Ascending values, as many as dimensions say.
pub fn ramp(name: &str, dims: &[i64]) -> Message {
    let n = dims.iter().product::<i64>();
    let values: Vec<f32> = (0..n).map(|i| i as f32 - 1.5).collect();
    floats(name, dims, &values)
}

/// A dimension of an input: its size, or a name.
pub enum Dim {
    Size(i64),
    Name(&'static str),
}

/// A model with one graph.
pub struct Model {
    pub opset: i64,
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    functions: Vec<Message>,
}

impl Model {
    pub fn new(opset: i64) -> Self {
        Self {
            opset,
            nodes: vec![],
            initializers: vec![],
            inputs: vec![],
            outputs: vec![],
            functions: vec![],
        }
    }

    pub fn input(self, name: &str, dims: &[i64]) -> Self {
        let dims: Vec<Dim> = dims.iter().map(|d| Dim::Size(*d)).collect();
        self.open_input(name, FLOAT, &dims)
    }

    pub fn open_input(mut self, name: &str, ty: i64, dims: &[Dim]) -> Self {
        let mut shape = Message::default();
        for d in dims {
            let dim = Message::default();
            shape = shape.message(
                1,
                match d {
                    Dim::Size(v) => dim.int(1, *v),
                    Dim::Name(n) => dim.text(2, n),
                },
            );
        }
        let tensor = Message::default().int(1, ty).message(2, shape);
        let ty = Message::default().message(1, tensor);
        let info = Message::default().text(1, name).message(2, ty);
        self.inputs.push(info);
        self
    }

    pub fn output(mut self, name: &str) -> Self {
        self.outputs.push(Message::default().text(1, name));
        self
    }

    pub fn init(mut self, tensor: Message) -> Self {
        self.initializers.push(tensor);
        self
    }

    /// A node without name.
    pub fn node(self, op: &str, inputs: &[&str], outputs: &[&str], attrs: &[(&str, Attr)]) -> Self {
        self.named("", op, inputs, outputs, attrs)
    }

    pub fn named(
        mut self,
        name: &str,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attrs: &[(&str, Attr)],
    ) -> Self {
        let mut m = Message::default();
        for i in inputs {
            m = m.text(1, i);
        }
        for o in outputs {
            m = m.text(2, o);
        }
        m = m.text(3, name).text(4, op);
        for (name, attr) in attrs {
            let a = Message::default().text(1, name);
            let a = match attr {
                Attr::Int(v) => a.int(3, *v).int(20, 2),
                Attr::Float(v) => a.float(2, *v).int(20, 1),
                Attr::Text(v) => a.text(4, v).int(20, 3),
                Attr::Tensor(v) => a.message(5, v.clone()).int(20, 4),
                Attr::Graph(v) => a.message(6, v.clone()).int(20, 5),
                Attr::Of(v) => a.text(21, v).int(20, 2),
                Attr::Floats(v) => v.iter().fold(a, |a, v| a.float(7, *v)).int(20, 6),
                Attr::Ints(v) => v.iter().fold(a, |a, v| a.int(8, *v)).int(20, 7),
            };
            m = m.message(5, a);
        }
        self.nodes.push(m);
        self
    }

    /// A function of the domain `local`, with the nodes of another model.
    pub fn function(mut self, name: &str, inputs: &[&str], outputs: &[&str], body: &Self) -> Self {
        let mut f = Message::default().text(1, name).text(10, "local");
        for i in inputs {
            f = f.text(4, i);
        }
        for o in outputs {
            f = f.text(5, o);
        }
        for n in &body.nodes {
            f = f.message(7, n.clone());
        }
        self.functions.push(f);
        self
    }

    /// A call of such a function.
    pub fn call(
        mut self,
        name: &str,
        inputs: &[&str],
        outputs: &[&str],
        attrs: &[(&str, Attr)],
    ) -> Self {
        self = self.named("call", name, inputs, outputs, attrs);
        if let Some(node) = self.nodes.pop() {
            self.nodes.push(node.text(7, "local"));
        }
        self
    }

    /// Its graph, for the attribute of a node.
    pub fn graph_message(&self) -> Message {
        let mut graph = Message::default();
        for n in &self.nodes {
            graph = graph.message(1, n.clone());
        }
        graph = graph.text(2, "g");
        for i in &self.initializers {
            graph = graph.message(5, i.clone());
        }
        for i in &self.inputs {
            graph = graph.message(11, i.clone());
        }
        for o in &self.outputs {
            graph = graph.message(12, o.clone());
        }
        graph
    }

    pub fn bytes(&self) -> Vec<u8> {
        let opset = Message::default().int(2, self.opset);
        let mut model = Message::default()
            .int(1, 8)
            .message(7, self.graph_message())
            .message(8, opset);
        for f in &self.functions {
            model = model.message(25, f.clone());
        }
        model.0
    }

    pub fn import_with(
        &self,
        options: &vta_net::graph::onnx::ImportOptions,
    ) -> Result<vta_net::graph::Graph, vta_net::graph::onnx::OnnxError> {
        vta_net::graph::onnx::import_with(&self.bytes(), "m.onnx", options)
    }

    pub fn import(&self) -> Result<vta_net::graph::Graph, vta_net::graph::onnx::OnnxError> {
        vta_net::graph::onnx::import(&self.bytes(), "m.onnx")
    }

    /// The graph, when the model is right.
    pub fn graph(&self) -> vta_net::graph::Graph {
        self.import().unwrap_or_else(|e| panic!("{e}"))
    }

    /// The message, when it is wrong.
    pub fn error(&self) -> String {
        match self.import() {
            Ok(_) => panic!("the model should not be imported"),
            Err(e) => e.to_string(),
        }
    }
}
