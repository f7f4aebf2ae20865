//! The graph while it is imported: nodes can still be merged.

use super::error::{Fault, Problem, Res};
use super::grid::Grid;
use crate::graph::{Node, Op, TensorId, TensorInfo, shape};
use std::collections::{HashMap, HashSet};

/// Names that are taken, and the next suffix of each.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, usize>);

impl Names {
    /// Takes a name; whether it was free.
    pub fn take(&mut self, name: &str) -> bool {
        if self.0.contains_key(name) {
            return false;
        }
        self.0.insert(name.to_owned(), 0);
        true
    }

    /// A free name: `base`, or with `:1`, `:2` ... behind.
    pub fn fresh(&mut self, base: &str) -> String {
        if self.take(base) {
            return base.to_owned();
        }
        loop {
            let n = self.0.entry(base.to_owned()).or_default();
            *n += 1;
            let name = format!("{base}:{n}");
            if self.take(&name) {
                return name;
            }
        }
    }
}

/// Elements that all tensors of a network may have together: DRAM holds no more bytes.
const MOST: usize = 1 << 30;

/// Tensors and nodes, operands first.
#[derive(Debug, Default)]
pub(super) struct GraphBuilder {
    pub tensors: Vec<TensorInfo>,
    /// For each tensor the node that computes it.
    producer: Vec<Option<usize>>,
    pub nodes: Vec<Node>,
    pub inputs: Vec<TensorId>,
    /// Tensors that are quantised in the file, and some that are known not to be.
    pub grids: HashMap<TensorId, Option<Grid>>,
    /// Tensors whose elements are integers in the file, not quantised ones.
    pub integers: HashSet<TensorId>,
    pub outputs: Vec<TensorId>,
    pub node_names: Names,
    pub tensor_names: Names,
    /// Elements of all tensors.
    elements: usize,
}

impl GraphBuilder {
    pub fn dims(&self, t: TensorId) -> &[usize] {
        &self.tensors[t.0].dims
    }

    pub fn add_tensor(&mut self, name: String, dims: Vec<usize>) -> TensorId {
        self.tensors.push(TensorInfo { name, dims });
        self.producer.push(None);
        TensorId(self.tensors.len() - 1)
    }

    /// Counts the elements of a tensor, before anybody allocates them.
    ///
    /// # Errors
    /// All tensors together have too many.
    pub fn count(&mut self, dims: &[usize]) -> Res<()> {
        let all = shape::elements(dims).and_then(|n| self.elements.checked_add(n));
        match all {
            Some(n) if n <= MOST => self.elements = n,
            _ => return Err(Problem::Elements { limit: MOST }.into()),
        }
        Ok(())
    }

    /// The node that computes a tensor.
    pub fn made_by(&self, t: TensorId) -> Option<&Node> {
        self.producer[t.0].map(|n| &self.nodes[n])
    }

    /// Adds a node; its name and that of its result are made unique.
    pub fn push(
        &mut self,
        node: &str,
        tensor: String,
        op: Op,
        inputs: &[TensorId],
        dims: Option<&[usize]>,
    ) -> Res<TensorId> {
        let operands: Vec<&[usize]> = inputs.iter().map(|t| self.dims(*t)).collect();
        let dims = shape::infer(&op, &operands, dims).map_err(|e| match inputs.first() {
            Some(t) => Fault::at(&self.tensors[t.0].name, e.into()),
            None => e.into(),
        })?;
        self.count(&dims)?;
        let output = self.add_tensor(tensor, dims);
        let name = self.node_names.fresh(node);
        self.producer[output.0] = Some(self.nodes.len());
        self.nodes.push(Node {
            name,
            op,
            inputs: inputs.to_vec(),
            output,
        });
        Ok(output)
    }
}
