//! From a file's nodes to a graph builder.

use super::constant::{Const, Values, decode, stored_bytes, ty};
use super::error::{Fault, OnnxError, Problem, Res};
use super::external::External;
use super::graph_builder::GraphBuilder;
use super::node::{OnnxNode, Value};
use super::proto::{FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::scope::Functions;
use super::{batch, control, fold, given, grid, ops, order, simplify};
use crate::graph::shape::{MAX_ELEMENTS, ShapeError, elements};
use crate::graph::{Constant, Graph, HostOp, Op, TensorId};
use ndarray::{Array, ArrayD, Dimension};
use prost::Message;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;

/// What a model leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Sizes of dimensions by the name that the model gives them (`dim_param`).
    pub dims: BTreeMap<String, usize>,
    /// Dimensions of inputs, by name (a model's only input may be without); where the
    /// model has a size it must be that.
    pub input_shapes: BTreeMap<String, Vec<usize>>,
    /// The folder of the model, for values that lie in files beside it; without
    /// one they are refused.
    pub folder: Option<PathBuf>,
}

/// Reads a model in one file that leaves nothing open. See [`super`] for what
/// is read and how.
///
/// # Errors
/// What is wrong with the model, with file, node and tensor.
pub fn import(bytes: &[u8], file_name: &str) -> Result<Graph, OnnxError> {
    import_with(bytes, file_name, &ImportOptions::default())
}

/// Reads a model, and gives it what it leaves open.
///
/// # Errors
/// As [`import`]; what is given that the model does not have.
pub fn import_with(
    bytes: &[u8],
    file_name: &str,
    options: &ImportOptions,
) -> Result<Graph, OnnxError> {
    let whole = |problem: Problem| OnnxError {
        file: file_name.to_owned(),
        node: None,
        tensor: None,
        problem: Box::new(problem),
    };
    let model = ModelProto::decode(bytes).map_err(|e| whole(Problem::Decode(e.to_string())))?;
    let ours = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let opset = model
        .opset_import
        .iter()
        .find(|o| ours(&o.domain))
        .ok_or_else(|| whole(Problem::NoOpset))?
        .version;
    if !usize::try_from(opset).is_ok_and(|o| ops::OPSETS.contains(&o)) {
        return Err(whole(Problem::Opset(opset)));
    }
    let graph = model.graph.ok_or_else(|| whole(Problem::Empty("graph")))?;
    let batch = given::batch(&graph, options);
    let attempt = |graph, batch| {
        let limit = SizeBudget::for_file(bytes.len());
        read(graph, &model.functions, (opset, batch), limit, options)
    };
    let done = match batch {
        None => attempt(graph, 1),
        // As it stands, else as the network of one element of the batch.
        Some(batch) => {
            attempt(graph.clone(), 1).or_else(|first| attempt(graph, batch).map_err(|_| first))
        }
    };
    done.map_err(|wrong| {
        let (node, fault) = *wrong;
        OnnxError {
            file: file_name.to_owned(),
            node,
            tensor: fault.tensor,
            problem: Box::new(fault.problem),
        }
    })
}

/// Reads a graph whose inputs have a batch of this size.
fn read(
    graph: GraphProto,
    functions: &[FunctionProto],
    (opset, batch): (i64, usize),
    budget: SizeBudget,
    options: &ImportOptions,
) -> Result<Graph, Box<(Place, Fault)>> {
    let mut importer = Importer {
        opset,
        batch,
        builder: GraphBuilder::default(),
        values: HashMap::new(),
        stored: HashMap::new(),
        budget,
        external: External::in_folder(options.folder.as_deref()),
        place: None,
        level: 0,
    };
    let done = importer.run(graph, functions, options);
    done.map_err(|fault| Box::new((importer.place, fault)))
}

/// How many values constants may unfold to: a bound on memory by the size of the file.
#[derive(Debug)]
pub(super) struct SizeBudget {
    limit: usize,
    left: usize,
}

impl SizeBudget {
    fn for_file(bytes: usize) -> Self {
        let limit = (1usize << 26).saturating_add(bytes.saturating_mul(6));
        Self { limit, left: limit }
    }

    /// Takes from it for a tensor, before it is allocated.
    pub fn take(&mut self, dims: &[usize]) -> Res<()> {
        // A zero must not hide dimensions whose products overflow.
        let others: Vec<usize> = dims.iter().copied().filter(|d| *d > 0).collect();
        let bounded = elements(&others).is_some_and(|n| n <= MAX_ELEMENTS);
        let left = elements(dims).filter(|_| bounded);
        let left = left.and_then(|n| self.left.checked_sub(n));
        self.left = left.ok_or(Problem::Unfolded { limit: self.limit })?;
        Ok(())
    }
}

/// Name and operator of the node that is being read.
type Place = Option<(String, String)>;

/// State of an import.
pub(super) struct Importer {
    pub opset: i64,
    /// Elements of the file's batch, where the network of one of them is read.
    batch: usize,
    pub builder: GraphBuilder,
    pub budget: SizeBudget,
    values: HashMap<String, Value>,
    stored: HashMap<String, TensorProto>,
    external: External,
    /// The node that is being read.
    place: Place,
    /// Branches and loops that it is in.
    pub level: usize,
}

impl Importer {
    fn run(
        &mut self,
        graph: GraphProto,
        functions: &[FunctionProto],
        options: &ImportOptions,
    ) -> Res<Graph> {
        if graph.output.is_empty() {
            return Err(Problem::Empty("outputs").into());
        }
        if let Some(sparse) = graph.sparse_initializer.first() {
            let name = sparse.values.as_ref().map_or("", |v| v.name.as_str());
            let text = "sparse initializers are not supported".to_owned();
            return Err(Fault::at(name, Problem::Form(text)));
        }
        External::check(graph.initializer.iter())?;
        self.store(graph.initializer)?;
        // Old exporters list initializers as inputs, too.
        let inputs = graph.input.iter();
        let inputs = inputs.filter(|i| !self.stored.contains_key(&i.name));
        let inputs: Vec<&ValueInfoProto> = inputs.collect();
        given::check(&inputs, options)?;
        for input in inputs {
            self.input(input, options)?;
        }
        let nodes = Functions::new(functions).inline(graph.node)?;
        let outputs: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
        self.nodes(&nodes, &outputs)?;
        self.place = None;
        for output in outputs {
            self.output(output)?;
        }
        let builder = std::mem::take(&mut self.builder);
        let mut out = simplify::finish(builder, &graph.name, &mut self.place)?;
        if self.batch > 1 {
            out.batch = self.batch;
            batch::check(&out)?;
        }
        Ok(out)
    }

    /// Keeps initializers until they are read.
    pub fn store(&mut self, tensors: Vec<TensorProto>) -> Res<()> {
        for tensor in tensors {
            let name = tensor.name.clone();
            if !self.builder.tensor_names.take(&name) {
                return Err(Fault::at(&name, Problem::Duplicate));
            }
            self.stored.insert(name, tensor);
        }
        Ok(())
    }

    /// Lowers the nodes that results need.
    pub fn nodes(&mut self, nodes: &[NodeProto], results: &[&str]) -> Res<()> {
        let names = self.node_names(nodes);
        for (node, name) in nodes.iter().zip(&names) {
            for output in node.output.iter().filter(|o| !o.is_empty()) {
                if !self.builder.tensor_names.take(output) {
                    self.place = Some((name.clone(), node.op_type.clone()));
                    return Err(Fault::at(output, Problem::Duplicate));
                }
            }
        }
        let known = |name: &str| self.values.contains_key(name) || self.stored.contains_key(name);
        let sorted = order::sort(nodes, results, known).map_err(|(at, fault)| {
            self.place = Some((names[at].clone(), nodes[at].op_type.clone()));
            fault
        })?;
        for at in sorted {
            let node = &nodes[at];
            self.place = Some((names[at].clone(), node.op_type.clone()));
            self.node(node, &names[at])?;
        }
        Ok(())
    }

    /// Names for messages and for the graph: the file's, or operator and number.
    fn node_names(&self, nodes: &[NodeProto]) -> Vec<String> {
        let name = |(i, n): (usize, &NodeProto)| {
            if n.name.is_empty() {
                format!("{}_{i}", n.op_type)
            } else {
                n.name.clone()
            }
        };
        nodes.iter().enumerate().map(name).collect()
    }

    fn input(&mut self, input: &ValueInfoProto, options: &ImportOptions) -> Res<()> {
        let name = &input.name;
        let fault = |problem| Fault::at(name, problem);
        if !self.builder.tensor_names.take(name) {
            return Err(fault(Problem::Duplicate));
        }
        let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        let tensor = tensor.ok_or_else(|| fault(Problem::Empty("tensor type")))?;
        if !ty::is_float(tensor.elem_type) && !ty::is_int(tensor.elem_type) {
            return Err(fault(Problem::Type(tensor.elem_type)));
        }
        let shape = tensor.shape.as_ref();
        let shape = shape.ok_or_else(|| fault(Problem::Empty("dimensions")))?;
        let mut dims = given::dims(name, shape, options).map_err(fault)?;
        if self.batch > 1 {
            dims[0] = 1;
        }
        match elements(&dims) {
            Some(1..=MAX_ELEMENTS) => {}
            _ => {
                return Err(fault(ShapeError::Elements { dims }.into()));
            }
        }
        self.builder.count(&dims)?;
        let t = self.builder.add_tensor(name.clone(), dims);
        self.builder.inputs.push(t);
        if ty::is_int(tensor.elem_type) {
            self.builder.integers.insert(t);
        }
        self.values.insert(name.clone(), Value::Tensor(t));
        Ok(())
    }

    fn output(&mut self, name: &str) -> Res<()> {
        let t = match self.lookup(name)? {
            None => return Err(Fault::at(name, Problem::Undefined)),
            Some(Value::Const(c)) => self.constant_output(name, &c)?,
            Some(Value::Tensor(t)) => self.output_numbers(name, t)?,
        };
        let builder = &mut self.builder;
        // The same output again, or a tensor that is called so.
        let named = |t: &&TensorId| builder.tensors[t.0].name == name;
        if let Some(&t) = builder.outputs.iter().chain(&[t]).find(named) {
            builder.outputs.push(t);
            return Ok(());
        }
        if builder.inputs.contains(&t) || builder.outputs.contains(&t) {
            // The tensor already has a name that matters: the same elements under another one.
            let dims = builder.dims(t).to_vec();
            let copy = builder.push(name, name.to_owned(), Op::Reshape, &[t], Some(&dims))?;
            builder.outputs.push(copy);
            return Ok(());
        }
        name.clone_into(&mut builder.tensors[t.0].name);
        builder.outputs.push(t);
        Ok(())
    }

    /// A constant that the network gives out.
    fn constant_output(&mut self, name: &str, c: &Const) -> Res<TensorId> {
        let op = self.tensor_constant(c)?;
        let fresh = self.builder.tensor_names.fresh(name);
        self.builder.push(name, fresh, op, &[], None)
    }

    /// A constant as an operator without operands; infinities are fine.
    fn tensor_constant(&mut self, c: &Const) -> Res<Op> {
        self.budget.take(c.dims())?;
        let values: Vec<f32> = c.to_floats().iter().copied().collect();
        if let Some((index, value)) = values.iter().copied().enumerate().find(|(_, v)| v.is_nan()) {
            return Err(Fault::at(&c.origin, Problem::NonFinite { index, value }));
        }
        let dims = c.dims().to_vec();
        Ok(Op::Host(HostOp::Constant { dims, values }))
    }

    /// An operand as a tensor of the graph, constants too.
    pub fn tensor_of(&mut self, node: &OnnxNode<'_>, i: usize) -> Res<TensorId> {
        match node.value(i)?.clone() {
            Value::Tensor(t) => Ok(t),
            Value::Const(c) => {
                let op = self.tensor_constant(&c)?;
                let name = self.builder.tensor_names.fresh(&c.origin);
                let node = format!("{}.{i}", node.name);
                let t = self.builder.push(&node, name, op, &[], None)?;
                if ty::is_int(c.ty) {
                    self.builder.integers.insert(t);
                }
                Ok(t)
            }
        }
    }

    /// What a name stands for; initializers are decoded when they are first read.
    pub fn lookup(&mut self, name: &str) -> Res<Option<Value>> {
        if let Some(v) = self.values.get(name) {
            return Ok(Some(v.clone()));
        }
        let Some(proto) = self.stored.remove(name) else {
            return Ok(None);
        };
        let at = |f: Fault| Fault::at(name, f.problem);
        let bytes = stored_bytes(&proto).map_err(at)?;
        let proto = self.external.inline(proto, bytes).map_err(at)?;
        let value = Value::Const(Rc::new(decode(proto, name)?));
        self.values.insert(name.to_owned(), value.clone());
        Ok(Some(value))
    }

    fn node(&mut self, proto: &NodeProto, name: &str) -> Res<()> {
        let mut inputs = Vec::with_capacity(proto.input.len());
        for input in &proto.input {
            inputs.push(if input.is_empty() {
                None
            } else {
                Some(
                    self.lookup(input)?
                        .ok_or_else(|| Fault::at(input, Problem::Undefined))?,
                )
            });
        }
        let node = OnnxNode {
            name: name.to_owned(),
            proto,
            inputs,
            opset: self.opset,
            batch: self.batch,
        };
        if !proto.domain.is_empty() && proto.domain != "ai.onnx" {
            let operator = format!("{}.{}", proto.domain, proto.op_type);
            return Err(Problem::Operator(operator).into());
        }
        if control::is_control(&node) {
            return control::lower(self, &node);
        }
        if let Some(results) = fold::fold(&node, &self.builder, &mut self.budget)? {
            for (i, c) in results.into_iter().enumerate() {
                self.bind(&node, i, Value::Const(Rc::new(c)));
            }
            return Ok(());
        }
        let mut node = node;
        // What only constants go into and is not folded is computed as anything else.
        let first = node.inputs.iter().position(Option::is_some);
        let mut computed = node.inputs.iter().flatten();
        if let Some(first) = first
            && !computed.any(|v| matches!(v, Value::Tensor(_)))
        {
            let t = self.tensor_of(&node, first)?;
            node.inputs[first] = Some(Value::Tensor(t));
        }
        let by_values = node.op() == "Gather" && !matches!(node.optional(1), Some(Value::Const(_)));
        let moves = grid::moves_integers(node.op()) && !by_values;
        if !moves && !ops::takes_quantised(node.op()) {
            // Others work on the integers themselves.
            for i in 0..node.inputs.len() {
                if let Some(Value::Tensor(t)) = node.inputs[i] {
                    let numbers = self.numbers(&node, t)?;
                    node.inputs[i] = Some(Value::Tensor(numbers));
                }
            }
        }
        ops::lower(self, &node)
    }

    /// Says what a name stands for.
    pub fn set(&mut self, name: &str, value: Value) {
        if !name.is_empty() {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// What a node's result stands for.
    pub fn bound(&self, node: &OnnxNode<'_>, output: usize) -> Option<Value> {
        self.values.get(node.output(output)).cloned()
    }

    /// Says what a node's result stands for.
    pub fn bind(&mut self, node: &OnnxNode<'_>, output: usize, value: Value) {
        let name = node.output(output);
        if !name.is_empty() {
            self.values.insert(name.to_owned(), value);
        }
    }

    pub fn dims(&self, t: TensorId) -> &[usize] {
        self.builder.dims(t)
    }

    /// An intermediate node of a lowering.
    pub fn step(&mut self, node: &OnnxNode<'_>, op: Op, inputs: &[TensorId]) -> Res<TensorId> {
        self.step_to(node, op, inputs, None)
    }

    /// An intermediate node with given dimensions.
    pub fn step_to(
        &mut self,
        node: &OnnxNode<'_>,
        op: Op,
        inputs: &[TensorId],
        dims: Option<&[usize]>,
    ) -> Res<TensorId> {
        let name = self.builder.tensor_names.fresh(node.output(0));
        self.builder.push(&node.name, name, op, inputs, dims)
    }

    /// The node that computes a result of the file's node.
    pub fn result(&mut self, node: &OnnxNode<'_>, op: Op, inputs: &[TensorId]) -> Res<()> {
        self.result_to(node, 0, op, inputs, None)
    }

    /// The same for any result, with given dimensions.
    pub fn result_to(
        &mut self,
        node: &OnnxNode<'_>,
        output: usize,
        op: Op,
        inputs: &[TensorId],
        dims: Option<&[usize]>,
    ) -> Res<()> {
        let name = node.output(output).to_owned();
        let t = self.builder.push(&node.name, name, op, inputs, dims)?;
        self.bind(node, output, Value::Tensor(t));
        Ok(())
    }

    /// A reshape, or nothing where dimensions stay.
    pub fn reshape(&mut self, node: &OnnxNode<'_>, x: TensorId, dims: &[usize]) -> Res<()> {
        if self.dims(x) == dims {
            // A step of this node has its name behind; as the result it is the name.
            let name = node.output(0);
            let own = self.builder.tensors[x.0].name.strip_prefix(name);
            if own.is_some_and(|rest| rest.starts_with(':')) {
                name.clone_into(&mut self.builder.tensors[x.0].name);
            }
            self.bind(node, 0, Value::Tensor(x));
            return Ok(());
        }
        self.result_to(node, 0, Op::Reshape, &[x], Some(dims))
    }

    /// Finite values of a constant operand, counted as taken memory.
    pub fn weights(&mut self, node: &OnnxNode<'_>, input: usize) -> Res<ArrayD<f32>> {
        let c = node.constant(input)?.clone();
        self.finite(&c)
    }

    /// Finite values of a constant, counted as taken memory.
    pub fn finite(&mut self, c: &Const) -> Res<ArrayD<f32>> {
        self.budget.take(c.dims())?;
        // Readers of the graph may count on the order of rows.
        let values = c.to_floats();
        let values = if values.is_standard_layout() {
            values
        } else {
            values.as_standard_layout().into_owned()
        };
        if matches!(c.values, Values::Float(_)) {
            finite(&c.origin, &values)?;
        }
        Ok(values)
    }

    /// A constant operand for the graph.
    pub fn operand(&mut self, c: &Const) -> Res<Constant> {
        let values = self.finite(c)?;
        Ok(Constant {
            name: c.origin.clone(),
            values,
        })
    }

    /// One value as an operand, named after the node.
    pub fn scalar(node: &OnnxNode<'_>, suffix: &str, value: f32) -> Constant {
        Constant {
            name: format!("{}.{suffix}", node.name),
            values: ndarray::arr0(value).into_dyn(),
        }
    }
}

/// Refuses NaN and infinity.
pub(super) fn finite<D: Dimension>(name: &str, values: &Array<f32, D>) -> Res<()> {
    // Without a way out of the loop it takes many values at once.
    let all = |s: &[f32]| s.iter().fold(true, |all, v| all & v.is_finite());
    if values.as_slice_memory_order().is_some_and(all) {
        return Ok(());
    }
    match values.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((index, v)) => Err(Fault::at(name, Problem::NonFinite { index, value: *v })),
    }
}
