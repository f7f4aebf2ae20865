//! From the graph to a file.

mod functions;
mod host;
mod nodes;

use super::constant::ty;
use super::graph_builder::Names;
use super::proto::tensor_shape_proto::{Dimension, dimension::Value as Dim};
use super::proto::type_proto::Tensor;
use super::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
};
use crate::graph::{Constant, Dense, Graph, Node, Op, TensorId, Window};
use prost::Message;
use std::collections::HashMap;

/// Writes a graph as an ONNX model of opset 13 (19 where an average pool has a
/// dilation, which opset 13 cannot say).
///
/// [`import`](super::import()) gives the same graph again if it came from there
/// or has nothing that import folds. Weights keep their names, unless two with
/// different values have the same: then a number goes behind the second.
pub fn export(graph: &Graph) -> Vec<u8> {
    let dilated =
        |n: &Node| matches!(&n.op, Op::AveragePool { window, .. } if window.dilation != [1; 2]);
    let opset = if graph.nodes().any(dilated) { 19 } else { 13 };
    let mut writer = Writer {
        graph,
        opset,
        names: Names::default(),
        stored: HashMap::new(),
        out: GraphProto {
            name: graph.name.clone(),
            ..GraphProto::default()
        },
    };
    for t in graph.tensors() {
        writer.names.take(&t.name);
    }
    for node in graph.nodes() {
        writer.node(node);
    }
    let info = |t: &TensorId| value_info(&graph.tensor(*t).name, &graph.tensor(*t).dims);
    writer.out.input = graph.inputs.iter().map(info).collect();
    writer.out.output = graph.outputs.iter().map(info).collect();
    let model = ModelProto {
        ir_version: if opset == 13 { 7 } else { 9 },
        producer_name: "vta".to_owned(),
        graph: Some(writer.out),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: opset,
        }],
        functions: Vec::new(),
    };
    model.encode_to_vec()
}

fn value_info(name: &str, dims: &[usize]) -> ValueInfoProto {
    let dimension = |d: &usize| Dimension {
        value: Some(Dim::DimValue(*d as i64)),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(Tensor {
                elem_type: ty::FLOAT,
                shape: Some(TensorShapeProto {
                    dim: dims.iter().map(dimension).collect(),
                }),
            }),
        }),
    }
}

fn attribute(name: &str, ty: i32) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: ty,
        ..AttributeProto::default()
    }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto {
        f,
        ..attribute(name, 1)
    }
}

fn int(name: &str, i: usize) -> AttributeProto {
    AttributeProto {
        i: i as i64,
        ..attribute(name, 2)
    }
}

fn string(name: &str, s: &str) -> AttributeProto {
    AttributeProto {
        s: s.as_bytes().to_vec(),
        ..attribute(name, 3)
    }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        ints: values.iter().map(|v| *v as i64).collect(),
        ..attribute(name, 7)
    }
}

fn window(w: &Window) -> Vec<AttributeProto> {
    let mut out = vec![
        ints("kernel_shape", &w.kernel),
        ints("strides", &w.stride),
        ints("pads", &w.pads),
    ];
    if w.dilation != [1; 2] {
        out.push(ints("dilations", &w.dilation));
    }
    out
}

struct Writer<'a> {
    graph: &'a Graph,
    opset: i64,
    names: Names,
    /// Initializers by name.
    stored: HashMap<String, usize>,
    out: GraphProto,
}

impl Writer<'_> {
    fn dims(&self, t: TensorId) -> &[usize] {
        &self.graph.tensor(t).dims
    }

    /// Stores an initializer, once if it is there already; its name.
    fn store(&mut self, name: &str, dims: &[usize], ty: i32, raw_data: Vec<u8>) -> String {
        let mut tensor = TensorProto {
            dims: dims.iter().map(|d| *d as i64).collect(),
            data_type: ty,
            raw_data,
            ..TensorProto::default()
        };
        if let Some(at) = self.stored.get(name) {
            let there = &self.out.initializer[*at];
            if there.dims == tensor.dims && there.raw_data == tensor.raw_data {
                return name.to_owned();
            }
        }
        tensor.name = self.names.fresh(name);
        let name = tensor.name.clone();
        self.stored.insert(name.clone(), self.out.initializer.len());
        self.out.initializer.push(tensor);
        name
    }

    fn floats<'b>(
        &mut self,
        name: &str,
        dims: &[usize],
        values: impl IntoIterator<Item = &'b f32>,
    ) -> String {
        let mut raw = vec![0; 4 * dims.iter().product::<usize>()];
        for (bytes, v) in raw.chunks_exact_mut(4).zip(values) {
            bytes.copy_from_slice(&v.to_le_bytes());
        }
        self.store(name, dims, ty::FLOAT, raw)
    }

    fn ints(&mut self, name: &str, values: &[usize]) -> String {
        let raw = values.iter().flat_map(|v| (*v as i64).to_le_bytes());
        let raw = raw.collect();
        self.store(name, &[values.len()], ty::INT64, raw)
    }

    fn constant(&mut self, c: &Constant) -> String {
        self.floats(&c.name, c.values.shape(), &c.values)
    }

    /// The bias of a layer, none when it is zero.
    fn bias(&mut self, node: &str, bias: &ndarray::Array1<f32>) -> Option<String> {
        let name = format!("{node}.bias");
        let any = bias.iter().any(|b| *b != 0.0);
        any.then(|| self.floats(&name, &[bias.len()], bias))
    }

    pub(super) fn push(
        &mut self,
        name: &str,
        op: &str,
        input: Vec<String>,
        output: String,
        attribute: Vec<AttributeProto>,
    ) {
        self.push_all(name, op, input, vec![output], attribute);
    }

    /// A node with several results.
    fn push_all(
        &mut self,
        name: &str,
        op: &str,
        input: Vec<String>,
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        self.out.node.push(NodeProto {
            input,
            output,
            name: name.to_owned(),
            op_type: op.to_owned(),
            attribute,
            ..NodeProto::default()
        });
    }

    fn node(&mut self, node: &Node) {
        let name = &node.name;
        let mut input: Vec<String> = node
            .inputs
            .iter()
            .map(|t| self.graph.tensor(*t).name.clone())
            .collect();
        let output = self.graph.tensor(node.output).name.clone();
        let mut op = node.op.name();
        let attributes = match &node.op {
            Op::Conv(c) => {
                let (co, ci, kh, kw) = c.weight.dim();
                input.push(self.floats(&c.weight_name, &[co, ci, kh, kw], c.weight.iter()));
                input.extend(self.bias(name, &c.bias));
                let mut attributes = window(&c.window);
                attributes.push(int("group", c.groups));
                attributes
            }
            Op::Dense(dense) => return self.dense(node, dense, input, output),
            Op::Elementwise(functions) => {
                let x = input.remove(0);
                return functions::push(self, name, functions, x, output);
            }
            Op::AddConst(c) | Op::MulConst(c) => {
                input.push(self.constant(c));
                vec![]
            }
            Op::Scale { scale, shift } => {
                let c = scale.len();
                input.push(self.floats(&format!("{name}.scale"), &[c], scale));
                input.push(self.floats(&format!("{name}.shift"), &[c], shift));
                input.push(self.floats(&format!("{name}.mean"), &[c], &vec![0.0; c]));
                input.push(self.floats(&format!("{name}.var"), &[c], &vec![1.0; c]));
                vec![float("epsilon", 0.0)]
            }
            Op::Add | Op::Mul | Op::MatMul | Op::Relu | Op::Sigmoid => vec![],
            Op::Clip { min, max } => {
                for (bound, value, open) in [
                    ("min", *min, *min <= f32::MIN),
                    ("max", *max, *max >= f32::MAX),
                ] {
                    input.push(if open {
                        String::new()
                    } else {
                        self.floats(&format!("{name}.{bound}"), &[], [&value])
                    });
                }
                vec![]
            }
            Op::LeakyRelu { alpha } => vec![float("alpha", *alpha)],
            Op::Softmax { axis } | Op::Concat { axis } => vec![int("axis", *axis)],
            Op::MaxPool(w) => window(w),
            Op::AveragePool {
                window: w,
                count_include_pad,
            } => {
                let mut attributes = window(w);
                attributes.push(int("count_include_pad", (*count_include_pad).into()));
                attributes
            }
            Op::ReduceMean { axes } => {
                let keep = self.dims(node.output).len() == self.dims(node.inputs[0]).len();
                let mut attributes = vec![int("keepdims", keep.into())];
                if self.opset < 18 {
                    attributes.push(ints("axes", axes));
                } else {
                    input.push(self.ints(&format!("{name}.axes"), axes));
                }
                attributes
            }
            Op::Slice { axis, start, step } => {
                let len = self.dims(node.output)[*axis];
                let end = start + (len - 1) * step + 1;
                for (what, value) in [
                    ("start", *start),
                    ("end", end),
                    ("axis", *axis),
                    ("step", *step),
                ] {
                    input.push(self.ints(&format!("{name}.{what}"), &[value]));
                }
                vec![]
            }
            Op::Resize { factor } => {
                op = "Resize";
                let scales = [1.0, 1.0, factor[0] as f32, factor[1] as f32];
                input.push(String::new());
                input.push(self.floats(&format!("{name}.scales"), &[4], &scales));
                vec![
                    string("mode", "nearest"),
                    string("coordinate_transformation_mode", "asymmetric"),
                    string("nearest_mode", "floor"),
                ]
            }
            Op::Reshape => {
                let dims = self.dims(node.output).to_vec();
                input.push(self.ints(&format!("{name}.shape"), &dims));
                vec![]
            }
            Op::Transpose { perm } => vec![ints("perm", perm)],
            Op::Pad { pads, value } => {
                let before = pads.iter().map(|p| p.0);
                let flat: Vec<usize> = before.chain(pads.iter().map(|p| p.1)).collect();
                input.push(self.ints(&format!("{name}.pads"), &flat));
                input.push(self.floats(&format!("{name}.value"), &[], [value]));
                vec![]
            }
            Op::Host(op) => return host::push(self, name, op, &node.inputs, output),
        };
        // Operands left out at the end need no empty name.
        while input.last().is_some_and(String::is_empty) {
            input.pop();
        }
        self.push(name, op, input, output, attributes);
    }

    /// A matrix of two dimensions is a Gemm; others are MatMul and Add.
    fn dense(&mut self, node: &Node, dense: &Dense, mut input: Vec<String>, output: String) {
        let name = &node.name;
        let (out, width) = dense.weight.dim();
        let weight = if dense.transposed {
            self.floats(&dense.weight_name, &[width, out], dense.weight.t())
        } else {
            self.floats(&dense.weight_name, &[out, width], dense.weight.iter())
        };
        let bias = self.bias(name, &dense.bias);
        if self.dims(node.inputs[0]).len() == 2 {
            input.push(weight);
            input.extend(bias);
            let attributes = vec![int("transB", (!dense.transposed).into())];
            return self.push(name, "Gemm", input, output, attributes);
        }
        if dense.transposed {
            input.push(weight);
        } else {
            let turned = self.names.fresh(&format!("{name}.transposed"));
            let perm = vec![ints("perm", &[1, 0])];
            let turn = format!("{name}.transpose");
            self.push(&turn, "Transpose", vec![weight], turned.clone(), perm);
            input.push(turned);
        }
        match bias {
            None => self.push(name, "MatMul", input, output, vec![]),
            Some(bias) => {
                let product = self.names.fresh(&format!("{name}.product"));
                self.push(name, "MatMul", input, product.clone(), vec![]);
                let sum = format!("{name}.add");
                self.push(&sum, "Add", vec![product, bias], output, vec![]);
            }
        }
    }
}
