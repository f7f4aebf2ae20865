//! ONNX models by structure: random nodes whose shapes mostly fit.

use crate::networks::{small, survives, through};
use crate::programs::config;
use crate::protobuf::{Message, floats, ints, model, tensor, value};
use arbitrary::{Result, Unstructured};
use vta_compile::Sparsity;
use vta_net::graph::onnx::import;
use vta_test_support::numbers::Numbers;

pub(crate) fn run(data: &[u8]) {
    let _ = models(&mut Unstructured::new(data));
}

fn models(u: &mut Unstructured<'_>) -> Result<()> {
    let config = config(u)?;
    let sparsity = *u.choose(&[Sparsity::Dense, Sparsity::Sparse])?;
    let bytes = Model::random(u)?;
    let graph = match import(&bytes, "fuzz.onnx") {
        Ok(graph) => graph,
        Err(e) => {
            assert!(e.to_string().starts_with("fuzz.onnx"), "{e}");
            return Ok(());
        }
    };
    if small(&graph) {
        survives(&graph);
        through(&graph, &config, sparsity);
    }
    Ok(())
}

/// A model under construction.
struct Model<'u, 'b> {
    u: &'u mut Unstructured<'b>,
    graph: Message,
    /// Computed tensors and their dimensions, as far as they are known.
    tensors: Vec<(String, Vec<i64>)>,
    names: usize,
}

/// Operators that keep the dimensions of their one operand.
const SAME: [&str; 8] = [
    "Relu",
    "Sigmoid",
    "Identity",
    "Dropout",
    "LeakyRelu",
    "Softmax",
    "Clip",
    "Tanh",
];

impl<'u, 'b> Model<'u, 'b> {
    fn random(u: &'u mut Unstructured<'b>) -> Result<Vec<u8>> {
        let opset = match u.int_in_range(0..=9)? {
            0 => u.int_in_range(6..=22)?,
            1..=4 => 13,
            5 | 6 => 11,
            _ => 18,
        };
        let mut m = Model {
            u,
            graph: Message::default().bytes(2, "fuzz"),
            tensors: Vec::new(),
            names: 0,
        };
        for n in 0..m.u.int_in_range(1..=2)? {
            let (c, h, w) = (m.size(20)?, m.size(9)?, m.size(9)?);
            let dims = match m.u.int_in_range(0..=7)? {
                0 => vec![1, c],
                1 => vec![1, c, h],
                _ => vec![1, c, h, w],
            };
            let name = format!("x{n}");
            m.graph = std::mem::take(&mut m.graph).message(11, &value(&name, &dims));
            m.tensors.push((name, dims));
        }
        for _ in 0..m.u.int_in_range(1..=8)? {
            if m.u.is_empty() {
                break;
            }
            m.node()?;
        }
        let count = m.tensors.len();
        let mut outputs = vec![count - 1];
        if m.u.ratio(1, 4)? {
            outputs.push(m.u.choose_index(count)?);
        }
        let mut graph = m.graph;
        for n in outputs {
            let (name, dims) = &m.tensors[n];
            graph = graph.message(12, &value(name, dims));
        }
        Ok(model(opset, &graph))
    }

    /// Mostly small, at least 1.
    fn size(&mut self, most: i64) -> Result<i64> {
        let n = self.u.int_in_range(1..=most)?;
        Ok(if self.u.ratio(1, 12)? { n + 24 } else { n })
    }

    fn name(&mut self, of: &str) -> Result<String> {
        self.names += 1;
        // Names that programs make of their own, and the same one twice.
        Ok(match self.u.int_in_range(0..=30)? {
            0 => format!("{of}:1"),
            1 => String::new(),
            2 => "launch-0".to_owned(),
            3 => format!("{of}.quantize"),
            _ => format!("{of}{}", self.names),
        })
    }

    /// One of the tensors; later ones more often.
    fn pick(&mut self) -> Result<(String, Vec<i64>)> {
        let n = self.tensors.len();
        let at = match self.u.ratio(2, 3)? {
            true => n - 1,
            false => self.u.choose_index(n)?,
        };
        Ok(self.tensors[at].clone())
    }

    /// A constant of single precision with values from a seed.
    fn weight(&mut self, dims: &[i64]) -> Result<String> {
        self.names += 1;
        let name = format!("w{}", self.names);
        let n = dims.iter().product::<i64>().clamp(0, 1 << 14) as usize;
        let mut numbers = Numbers::new(self.u.arbitrary::<u16>()?.into());
        let kind = self.u.int_in_range(0..=11)?;
        let of = |bits: u64| -> f32 {
            let x = (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
            match kind {
                0 => 0.0,
                1 => x * 1e3,
                2 => x * 1e-6,
                3 if bits & 7 != 0 => 0.0,
                _ => x,
            }
        };
        let mut values: Vec<f32> = (0..n).map(|_| of(numbers.next())).collect();
        if kind == 4 {
            // Whole blocks of zeros.
            let cut = n / 2;
            values[..cut].fill(0.0);
        }
        let t = floats(&name, dims, &values);
        self.graph = std::mem::take(&mut self.graph).message(5, &t);
        Ok(name)
    }

    /// A constant of whole numbers.
    fn numbers(&mut self, values: &[i64]) -> String {
        self.names += 1;
        let name = format!("n{}", self.names);
        let t = ints(&name, &[values.len() as i64], values);
        self.graph = std::mem::take(&mut self.graph).message(5, &t);
        name
    }

    /// Adds a node; the attributes are pairs of a name and numbers.
    fn add(
        &mut self,
        op: &str,
        inputs: &[String],
        attributes: &[Message],
        dims: Vec<i64>,
    ) -> Result<()> {
        let output = format!("t{}", self.tensors.len());
        let mut node = Message::default();
        for i in inputs {
            node = node.bytes(1, i);
        }
        let name = self.name(op)?;
        node = node.bytes(2, &output).bytes(3, name).bytes(4, op);
        for a in attributes {
            node = node.message(5, a);
        }
        self.graph = std::mem::take(&mut self.graph).message(1, &node);
        self.tensors.push((output, dims));
        Ok(())
    }

    fn ints(&mut self, name: &str, values: &[i64]) -> Result<Message> {
        let mut a = Message::default().bytes(1, name);
        for v in values {
            // A wrong number now and then.
            let v = match self.u.ratio(1, 60)? {
                true => *self
                    .u
                    .choose(&[0, -1, i64::MAX, i64::MIN, 1 << 31, 70_000])?,
                false => *v,
            };
            a = a.int(8, v);
        }
        Ok(a.int(20, 7))
    }

    fn int(&mut self, name: &str, v: i64) -> Result<Message> {
        let v = match self.u.ratio(1, 40)? {
            true => self.u.arbitrary()?,
            false => v,
        };
        Ok(Message::default().bytes(1, name).int(3, v).int(20, 2))
    }

    fn float(name: &str, x: f32) -> Message {
        Message::default().bytes(1, name).float(2, x).int(20, 1)
    }

    fn text(name: &str, text: &str) -> Message {
        Message::default().bytes(1, name).bytes(4, text).int(20, 3)
    }

    fn node(&mut self) -> Result<()> {
        let (x, dims) = self.pick()?;
        match self.u.int_in_range(0..=24)? {
            0..=4 => self.conv(x, &dims),
            5 | 6 => {
                let op = *self.u.choose(&SAME)?;
                let mut attributes = Vec::new();
                if op == "LeakyRelu" {
                    let alpha = f32::from(self.u.arbitrary::<i8>()?) / 100.0;
                    attributes.push(Self::float("alpha", alpha));
                }
                if op == "Softmax" {
                    attributes.push(self.int("axis", 1)?);
                }
                let mut inputs = vec![x];
                if op == "Clip" {
                    for v in [self.u.arbitrary::<i8>()?, self.u.arbitrary()?] {
                        self.names += 1;
                        let name = format!("c{}", self.names);
                        let t = floats(&name, &[], &[f32::from(v) / 20.0]);
                        self.graph = std::mem::take(&mut self.graph).message(5, &t);
                        inputs.push(name);
                    }
                }
                self.add(op, &inputs, &attributes, dims)
            }
            7..=9 => {
                let op = *self.u.choose(&["Add", "Add", "Mul", "Sub", "Div", "Sum"])?;
                let other = match self.u.int_in_range(0..=3)? {
                    0 => {
                        let mut of = dims.clone();
                        for d in of.iter_mut().skip(2) {
                            *d = 1;
                        }
                        self.weight(&of)?
                    }
                    1 => self.weight(&[])?,
                    _ => self.pick()?.0,
                };
                self.add(op, &[x, other], &[], dims)
            }
            10..=12 => self.pool(x, &dims),
            13 => {
                let flat = dims.iter().skip(1).product::<i64>();
                let axis = self.int("axis", 1)?;
                self.add("Flatten", &[x], &[axis], vec![1, flat])
            }
            14 | 15 => self.dense(x, &dims),
            16 | 17 => {
                let (other, more) = self.pick()?;
                let axis = self.int("axis", 1)?;
                let mut to = dims;
                if let (Some(d), Some(e)) = (to.get_mut(1), more.get(1)) {
                    *d += e;
                }
                self.add("Concat", &[x, other], &[axis], to)
            }
            18 => self.slice(x, &dims),
            19 => self.moved(x, &dims),
            20 => {
                let c = dims.get(1).copied().unwrap_or(1);
                let mut inputs = vec![x];
                for _ in 0..3 {
                    inputs.push(self.weight(&[c])?);
                }
                // A variance must not be negative.
                self.names += 1;
                let name = format!("v{}", self.names);
                let t = floats(&name, &[c], &vec![0.5; c.clamp(0, 1 << 12) as usize]);
                self.graph = std::mem::take(&mut self.graph).message(5, &t);
                inputs.push(name);
                self.add("BatchNormalization", &inputs, &[], dims)
            }
            21 => {
                let pads = [0, 0, 1, 0, 0, 0, 1, 2];
                let pads = self.numbers(&pads);
                let mut to = dims;
                for (d, more) in to.iter_mut().skip(2).zip([2, 2]) {
                    *d += more;
                }
                self.add("Pad", &[x, pads], &[], to)
            }
            22 => {
                self.names += 1;
                let name = format!("s{}", self.names);
                let t = floats(&name, &[4], &[1.0, 1.0, 2.0, 2.0]);
                self.graph = std::mem::take(&mut self.graph).message(5, &t);
                let mut to = dims;
                for d in to.iter_mut().skip(2) {
                    *d *= 2;
                }
                let mode = [Self::text("mode", "nearest")];
                self.add("Resize", &[x, String::new(), name], &mode, to)
            }
            23 => {
                let scale = *self.u.choose(&[0.5_f32, 0.05, 1.0, 0.013])?;
                let zero: i8 = self.u.arbitrary()?;
                self.names += 1;
                let (s, z) = (format!("s{}", self.names), format!("z{}", self.names));
                let signed = self.u.arbitrary::<bool>()?;
                let of = if signed { 3 } else { 2 };
                let (scale, zero) = (
                    floats(&s, &[], &[scale]),
                    tensor(&z, &[], of, &[zero as u8]),
                );
                let graph = std::mem::take(&mut self.graph);
                self.graph = graph.message(5, &scale).message(5, &zero);
                let q = format!("t{}", self.tensors.len());
                let operands = [x, s.clone(), z.clone()];
                self.add("QuantizeLinear", &operands, &[], dims.clone())?;
                self.add("DequantizeLinear", &[q, s, z], &[], dims)
            }
            _ => {
                // An operator that is not known, or that has too few operands.
                let ops = [
                    "Shape",
                    "Exp",
                    "Split",
                    "MatMul",
                    "Gather",
                    "Cast",
                    "ReduceMean",
                ];
                let op = *self.u.choose(&ops)?;
                self.add(op, &[x], &[], dims)
            }
        }
    }

    fn conv(&mut self, x: String, dims: &[i64]) -> Result<()> {
        let &[_, c, h, w] = dims else {
            return Ok(());
        };
        let groups = match self.u.int_in_range(0..=5)? {
            0 => c,
            1 if c % 2 == 0 => 2,
            _ => 1,
        };
        let co = match groups {
            1 => self.size(20)?,
            g if g == c => c,
            g => g * self.u.int_in_range(1..=9)?,
        };
        let kernel = [self.u.int_in_range(1..=3)?, self.u.int_in_range(1..=3)?];
        let stride = [self.u.int_in_range(1..=2)?, self.u.int_in_range(1..=2)?];
        let dilation = [1, if self.u.ratio(1, 6)? { 2 } else { 1 }];
        let pads: [i64; 4] = match self.u.arbitrary()? {
            true => [kernel[0] / 2, kernel[1] / 2, kernel[0] / 2, kernel[1] / 2],
            false => [0, self.u.int_in_range(0..=2)?, 0, 1],
        };
        let weight = self.weight(&[co, c / groups.max(1), kernel[0], kernel[1]])?;
        let mut inputs = vec![x, weight];
        if self.u.arbitrary()? {
            inputs.push(self.weight(&[co])?);
        }
        let attributes = [
            self.ints("kernel_shape", &kernel)?,
            self.ints("strides", &stride)?,
            self.ints("dilations", &dilation)?,
            self.ints("pads", &pads)?,
            self.int("group", groups)?,
        ];
        let out = |size: i64, axis: usize| {
            let span = (kernel[axis] - 1) * dilation[axis] + 1;
            (size + pads[axis] + pads[axis + 2] - span) / stride[axis] + 1
        };
        let to = vec![1, co, out(h, 0).max(1), out(w, 1).max(1)];
        self.add("Conv", &inputs, &attributes, to)
    }

    fn pool(&mut self, x: String, dims: &[i64]) -> Result<()> {
        let &[_, c, h, w] = dims else {
            return Ok(());
        };
        let op = *self.u.choose(&[
            "MaxPool",
            "AveragePool",
            "GlobalAveragePool",
            "GlobalMaxPool",
        ])?;
        if op.starts_with("Global") {
            return self.add(op, &[x], &[], vec![1, c, 1, 1]);
        }
        let k = self.u.int_in_range(1..=3)?;
        let s = self.u.int_in_range(1..=3)?;
        let p = if k > 1 {
            self.u.int_in_range(0..=1)?
        } else {
            0
        };
        let mut attributes = vec![
            self.ints("kernel_shape", &[k, k])?,
            self.ints("strides", &[s, s])?,
            self.ints("pads", &[p, p, p, p])?,
        ];
        if self.u.ratio(1, 4)? {
            attributes.push(self.int("ceil_mode", 1)?);
        }
        if op == "AveragePool" && self.u.arbitrary()? {
            attributes.push(self.int("count_include_pad", 1)?);
        }
        let out = |size: i64| ((size + 2 * p - k) / s + 1).max(1);
        self.add(op, &[x], &attributes, vec![1, c, out(h), out(w)])
    }

    fn dense(&mut self, x: String, dims: &[i64]) -> Result<()> {
        let width = dims.last().copied().unwrap_or(1);
        let out = self.size(20)?;
        let mut to = dims.to_vec();
        if let Some(d) = to.last_mut() {
            *d = out;
        }
        if dims.len() == 2 && self.u.arbitrary()? {
            let transposed = self.u.arbitrary::<bool>()?;
            let of = if transposed {
                [out, width]
            } else {
                [width, out]
            };
            let (w, b) = (self.weight(&of)?, self.weight(&[out])?);
            let attribute = self.int("transB", transposed.into())?;
            return self.add("Gemm", &[x, w, b], &[attribute], to);
        }
        let w = self.weight(&[width, out])?;
        self.add("MatMul", &[x, w], &[], to)
    }

    fn slice(&mut self, x: String, dims: &[i64]) -> Result<()> {
        let axis = self.u.choose_index(dims.len())?;
        let size = dims[axis];
        let start = self.u.int_in_range(0..=size.max(1) - 1)?;
        let end = self.u.int_in_range(start + 1..=size.max(start + 1))?;
        let step = if self.u.ratio(1, 5)? { 2 } else { 1 };
        let mut inputs = vec![x];
        for n in [start, end, axis as i64, step] {
            let n = match self.u.ratio(1, 40)? {
                true => *self.u.choose(&[i64::MIN, i64::MAX, -1, 0])?,
                false => n,
            };
            inputs.push(self.numbers(&[n]));
        }
        let mut to = dims.to_vec();
        to[axis] = (end - start + step - 1) / step;
        self.add("Slice", &inputs, &[], to)
    }

    fn moved(&mut self, x: String, dims: &[i64]) -> Result<()> {
        if self.u.arbitrary()? {
            let mut order: Vec<i64> = (0..dims.len() as i64).collect();
            for i in (1..order.len()).rev() {
                let j = self.u.int_in_range(0..=i)?;
                order.swap(i, j);
            }
            let to = order.iter().map(|o| dims[*o as usize]).collect();
            let perm = self.ints("perm", &order)?;
            return self.add("Transpose", &[x], &[perm], to);
        }
        let all = dims.iter().product::<i64>();
        let first = self.u.int_in_range(1..=4)?;
        let to = match all % first {
            0 => vec![1, first, all / first],
            _ => vec![1, all],
        };
        let shape = self.numbers(&to);
        self.add("Reshape", &[x, shape], &[], to)
    }
}
