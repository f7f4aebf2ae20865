//! Where tensors lie in DRAM, and in which order and form.
//!
//! A tensor that the device touches is `Blocked`. A concatenation of whole
//! blocks, a slice of whole blocks and a change of dimensions that moves nothing
//! are no steps at all: their tensors share memory.

use super::CompileError;
use super::job::FMap;
use super::work::Work;
use vta_net::quant::{QNet, QNode, QOp, QTensorId, QType};
use vta_program::program::{Layout, Region};
use vta_tensor::host::{DType, HostOp};

/// Distance of the starts of buffers: a page.
pub(super) const ALIGN: u32 = 4096;

/// Places of all tensors.
#[derive(Debug)]
pub(super) struct Places {
    /// For each tensor the buffer that it is in, and its first block there.
    root: Vec<(usize, u32)>,
    blocked: Vec<bool>,
    addr: Vec<u32>,
    /// Nodes that need no step.
    pub virtual_nodes: Vec<bool>,
    /// First free address.
    pub end: u32,
    block: u32,
}

/// Channels, rows and columns of a tensor on the device.
pub(super) fn map_dims(dims: &[usize]) -> Option<(usize, usize, usize)> {
    match *dims {
        [1, c, h, w] => Some((c, h, w)),
        [1, c] => Some((c, 1, 1)),
        _ => None,
    }
}

/// The nodes of the device.
fn on_device<'a>(net: &'a QNet, works: &'a [Work]) -> impl Iterator<Item = (&'a QNode, &'a Work)> {
    net.nodes.iter().zip(works).filter(|(_, w)| w.on_device())
}

impl Places {
    /// Places every tensor of a network.
    ///
    /// # Errors
    /// An operand of the device that is no map, tensors that fill more than DRAM.
    pub(super) fn new(net: &QNet, works: &[Work], block: u32) -> Result<Self, CompileError> {
        let n = net.tensors.len();
        let mut touched = vec![false; n];
        for (node, _) in on_device(net, works) {
            for t in node.inputs.iter().chain([&node.output]) {
                touched[t.0] = true;
                let tensor = net.tensor(*t);
                let int8 = matches!(tensor.ty, QType::Int8 { .. });
                if map_dims(&tensor.dims).is_none() || !int8 {
                    return Err(CompileError::Unsupported {
                        layer: node.name.clone(),
                        what: format!(
                            "tensor {} is {:?}; the device takes int8 [1, c, h, w] or [1, c]",
                            tensor.name, tensor.dims
                        ),
                    });
                }
            }
        }
        // Parent and first block in it.
        let mut parent: Vec<Option<(usize, u32)>> = vec![None; n];
        let mut virtual_nodes = vec![false; net.nodes.len()];
        for (at, node) in net.nodes.iter().enumerate().rev() {
            if works[at].on_device() {
                continue;
            }
            let Some(children) = shared(net, node, block) else {
                continue;
            };
            let any = children.iter().any(|c| touched[c.0.0] || touched[c.1.0]);
            let free = children.iter().all(|&(child, root, _)| {
                parent[child.0].is_none()
                    && child != root
                    && !net.inputs.contains(&child)
                    && !has_ancestor(&parent, root.0, child.0)
            });
            let mut names: Vec<_> = children.iter().map(|c| c.0).collect();
            names.sort();
            names.dedup();
            if any && free && names.len() == children.len() {
                for (child, root, offset) in children {
                    parent[child.0] = Some((root.0, offset));
                }
                virtual_nodes[at] = true;
            }
        }
        let root: Vec<(usize, u32)> = (0..n)
            .map(|t| {
                let (mut at, mut offset) = (t, 0);
                while let Some((up, by)) = parent[at] {
                    (at, offset) = (up, offset + by);
                }
                (at, offset)
            })
            .collect();
        let mut blocked = vec![false; n];
        for t in 0..n {
            blocked[root[t].0] |= touched[t] || parent[t].is_some();
        }
        let mut places = Self {
            addr: vec![0; n],
            blocked: (0..n).map(|t| blocked[root[t].0]).collect(),
            root,
            virtual_nodes,
            end: ALIGN,
            block,
        };
        for t in 0..n {
            if places.root[t].0 == t {
                let tensor = &net.tensors[t];
                let bytes = places.bytes(&tensor.dims, tensor.ty, places.blocked[t]);
                places.addr[t] = places.take(bytes, &tensor.name)?;
            }
        }
        Ok(places)
    }

    /// Takes memory.
    ///
    /// # Errors
    /// DRAM is full.
    pub(super) fn take(&mut self, bytes: u64, what: &str) -> Result<u32, CompileError> {
        let addr = self.end;
        let end = u64::from(addr) + bytes.next_multiple_of(ALIGN.into());
        if end > u64::from(vta_program::program::MAX_DRAM_BYTES) {
            return Err(CompileError::Unsupported {
                layer: what.into(),
                what: format!("the program needs {end} bytes of DRAM"),
            });
        }
        self.end = end as u32;
        Ok(addr)
    }

    fn bytes(&self, dims: &[usize], ty: QType, blocked: bool) -> u64 {
        match (map_dims(dims), ty) {
            (Some((c, h, w)), _) if blocked => {
                (c.div_ceil(self.block as usize) * h * w) as u64 * u64::from(self.block)
            }
            (_, ty) => {
                let size = if ty == QType::Float { 4 } else { 1 };
                dims.iter().map(|d| *d as u64).product::<u64>() * size
            }
        }
    }

    /// The tensor's map, for the device.
    pub(super) fn map(&self, net: &QNet, t: QTensorId) -> FMap {
        let (c, h, w) = map_dims(&net.tensor(t).dims).unwrap_or((0, 0, 0));
        let (root, offset) = self.root[t.0];
        let plane = (h * w) as u32;
        FMap {
            buffer: root,
            block: offset,
            base: self.addr[root] / self.block + offset * plane,
            blocks: c.div_ceil(self.block as usize) as u32,
            h: h as u32,
            w: w as u32,
        }
    }

    /// The tensor's region.
    pub(super) fn region(&self, net: &QNet, t: QTensorId) -> Region {
        let tensor = net.tensor(t);
        let (root, offset) = self.root[t.0];
        let plane = map_dims(&tensor.dims).map_or(0, |(_, h, w)| h * w) as u32;
        let (dtype, exponent) = match tensor.ty {
            QType::Int8 { exponent } => (DType::I8, Some(exponent)),
            QType::Float => (DType::F32, None),
        };
        Region {
            tensor: tensor.name.clone(),
            addr: self.addr[root] + offset * plane * self.block,
            dims: tensor.dims.clone(),
            dtype,
            layout: if self.blocked[t.0] {
                Layout::Blocked
            } else {
                Layout::Plain
            },
            exponent,
        }
    }

    /// Whether a node is no step: its tensors share memory.
    pub(super) fn is_virtual(&self, net: &QNet, node: &QNode) -> bool {
        let at = net.nodes.iter().position(|n| n.output == node.output);
        at.is_some_and(|n| self.virtual_nodes[n])
    }

    /// Address and bytes of a tensor.
    pub(super) fn span(&self, net: &QNet, t: QTensorId) -> (u32, u32) {
        let tensor = net.tensor(t);
        let bytes = self.bytes(&tensor.dims, tensor.ty, self.blocked[t.0]);
        (self.region(net, t).addr, bytes as u32)
    }
}

fn has_ancestor(parent: &[Option<(usize, u32)>], from: usize, ancestor: usize) -> bool {
    let mut at = from;
    loop {
        if at == ancestor {
            return true;
        }
        match parent[at] {
            Some((up, _)) => at = up,
            None => return false,
        }
    }
}

/// For a host node that moves nothing: which tensor is inside which, and its first block.
fn shared(net: &QNet, node: &QNode, block: u32) -> Option<Vec<(QTensorId, QTensorId, u32)>> {
    let QOp::Host(op) = &node.op else { return None };
    let int8 = |t: &QTensorId| matches!(net.tensor(*t).ty, QType::Int8 { .. });
    if !node.inputs.iter().chain([&node.output]).all(int8) {
        return None;
    }
    let dims = |t: QTensorId| map_dims(&net.tensor(t).dims);
    let block = block as usize;
    match op {
        HostOp::Concat { axis: 1 } => {
            let mut at = 0usize;
            let mut children = Vec::new();
            for &t in &node.inputs {
                let (c, ..) = dims(t)?;
                if !at.is_multiple_of(block) {
                    return None;
                }
                children.push((t, node.output, (at / block) as u32));
                at += c;
            }
            Some(children)
        }
        HostOp::Slice {
            axis: 1,
            start,
            len,
            step: 1,
        } => {
            let source = *node.inputs.first()?;
            let (c, ..) = dims(source)?;
            let whole = len.is_multiple_of(block) || start + len == c;
            (start.is_multiple_of(block) && whole)
                .then(|| vec![(node.output, source, (start / block) as u32)])
        }
        HostOp::Reshape { .. } | HostOp::Copy => {
            let source = *node.inputs.first()?;
            let (a, b) = (dims(source)?, dims(node.output)?);
            let same = a == b;
            same.then(|| vec![(node.output, source, 0)])
        }
        _ => None,
    }
}
