//! The memory layout: where tensors lie in DRAM, and in which order and form.
//!
//! A tensor that the device touches is `Blocked`. A concatenation of whole
//! blocks, a slice of whole blocks and a change of dimensions that moves nothing
//! are no steps at all: their tensors are aliases, views of the same memory.

use crate::error::CompileError;
use crate::fit::DoesNotFit;
use crate::links::Links;
use crate::map::{FMap, map_dims};
use crate::placement::Placement;
use vta_net::quant::{QNet, QNode, QOp, QTensor, QTensorId, QType};
use vta_program::program::{Layout, MAX_DRAM_BYTES, Region};
use vta_tensor::host::{DType, HostOp};

/// Distance of the starts of tensors: a page.
pub(crate) const ALIGN: u32 = 4096;

/// Where all tensors are.
#[derive(Debug, Clone)]
pub(crate) struct MemoryLayout {
    /// Each tensor's place.
    views: Vec<View>,
    /// Nodes that need no step: their tensors share memory.
    pub aliases: Vec<bool>,
    /// First free address.
    pub end: u32,
    block: u32,
}

/// A tensor's place: in the memory of another, or in its own.
#[derive(Debug, Clone, Copy)]
struct View {
    /// The tensor whose memory it is in.
    root: usize,
    /// Its first block there.
    block: u32,
    blocked: bool,
    addr: u32,
    bytes: u32,
}

/// The nodes of the device.
fn on_device<'a>(
    net: &'a QNet,
    placements: &'a [Placement],
) -> impl Iterator<Item = (&'a QNode, &'a Placement)> {
    net.nodes
        .iter()
        .zip(placements)
        .filter(|(_, w)| w.on_device())
}

impl MemoryLayout {
    /// Lays out every tensor of a network.
    ///
    /// # Errors
    /// An operand of the device that is no map, tensors that fill more than DRAM.
    pub(crate) fn new(
        net: &QNet,
        links: &Links,
        placements: &[Placement],
        block: u32,
    ) -> Result<Self, CompileError> {
        let n = net.tensors.len();
        let mut touched = vec![false; n];
        for (node, _) in on_device(net, placements) {
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
        let mut trees = Trees((0..n).collect());
        let mut aliases = vec![false; net.nodes.len()];
        for (at, node) in net.nodes.iter().enumerate().rev() {
            if placements[at].on_device() {
                continue;
            }
            let Some(children) = shared(net, node, block) else {
                continue;
            };
            let any = children.iter().any(|c| touched[c.0.0] || touched[c.1.0]);
            let free = children.iter().all(|&(child, root, _)| {
                parent[child.0].is_none()
                    && child != root
                    && !links.is_input(child)
                    && trees.root(root.0) != child.0
            });
            let mut names: Vec<_> = children.iter().map(|c| c.0).collect();
            names.sort();
            names.dedup();
            if any && free && names.len() == children.len() {
                for (child, root, offset) in children {
                    parent[child.0] = Some((root.0, offset));
                    trees.0[child.0] = root.0;
                }
                aliases[at] = true;
            }
        }
        let root = roots(&parent);
        let mut blocked = vec![false; n];
        for t in 0..n {
            blocked[root[t].0] |= touched[t] || parent[t].is_some();
        }
        let mut layout = Self {
            views: Vec::with_capacity(n),
            aliases,
            end: ALIGN,
            block,
        };
        let mut addr = vec![0; n];
        for (t, tensor) in net.tensors.iter().enumerate() {
            if root[t].0 == t {
                addr[t] = layout.take(layout.bytes(tensor, blocked[t]), &tensor.name)?;
            }
        }
        for (t, tensor) in net.tensors.iter().enumerate() {
            let (root, first) = root[t];
            let blocked = blocked[root];
            let too_large = || out_of_dram(&tensor.name, u64::MAX);
            let bytes = u32::try_from(layout.bytes(tensor, blocked)).map_err(|_| too_large())?;
            let plane = map_dims(&tensor.dims).map_or(0, |(_, h, w)| h.saturating_mul(w));
            let offset = u64::from(first)
                .saturating_mul(plane as u64)
                .saturating_mul(block.into());
            let at = u64::from(addr[root]).saturating_add(offset);
            layout.views.push(View {
                root,
                block: first,
                blocked,
                addr: u32::try_from(at).map_err(|_| too_large())?,
                bytes,
            });
        }
        Ok(layout)
    }

    /// Takes memory.
    ///
    /// # Errors
    /// DRAM is full.
    pub(crate) fn take(&mut self, bytes: u64, what: &str) -> Result<u32, CompileError> {
        let addr = self.end;
        let pages = bytes.div_ceil(ALIGN.into());
        let end = u64::from(addr).saturating_add(pages.saturating_mul(ALIGN.into()));
        match u32::try_from(end) {
            Ok(end) if end <= MAX_DRAM_BYTES => self.end = end,
            _ => return Err(out_of_dram(what, end)),
        }
        Ok(addr)
    }

    /// Checks that so many bytes find room behind the tensors.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn has_room(&self, bytes: u64, what: &str) -> Result<(), CompileError> {
        let end = u64::from(self.end).saturating_add(bytes);
        if end > MAX_DRAM_BYTES.into() {
            return Err(out_of_dram(what, end));
        }
        Ok(())
    }

    /// Bytes of a tensor; the largest number where they are more.
    fn bytes(&self, tensor: &QTensor, blocked: bool) -> u64 {
        let product = |dims: &[usize]| {
            let dims = dims.iter().map(|d| *d as u64);
            dims.fold(1, u64::saturating_mul)
        };
        match map_dims(&tensor.dims) {
            Some((c, h, w)) if blocked => {
                let block = self.block as usize;
                product(&[c.div_ceil(block), h, w, block])
            }
            _ => {
                let size = if tensor.ty == QType::Float { 4 } else { 1 };
                product(&tensor.dims).saturating_mul(size)
            }
        }
    }

    /// The tensor's map, for the device.
    ///
    /// # Errors
    /// It is no map, or too large to compute with.
    pub(crate) fn map(&self, net: &QNet, t: QTensorId) -> Result<FMap, DoesNotFit> {
        let dims = map_dims(&net.tensor(t).dims);
        let dims = dims.ok_or(DoesNotFit::TooLarge("dimensions of a map"))?;
        let view = &self.views[t.0];
        Ok(FMap {
            root: view.root,
            block: view.block,
            base: view.addr / self.block,
            ..FMap::new(dims, self.block)?
        })
    }

    /// The tensor's region.
    pub(crate) fn region(&self, net: &QNet, t: QTensorId) -> Region {
        let tensor = net.tensor(t);
        let view = &self.views[t.0];
        let (dtype, exponent) = match tensor.ty {
            QType::Int8 { exponent } => (DType::I8, Some(exponent)),
            QType::Float => (DType::F32, None),
        };
        Region {
            tensor: tensor.name.clone(),
            addr: view.addr,
            dims: tensor.dims.clone(),
            dtype,
            layout: if view.blocked {
                Layout::Blocked
            } else {
                Layout::Plain
            },
            exponent,
        }
    }

    /// Address and bytes of a tensor.
    pub(crate) fn span(&self, t: QTensorId) -> (u32, u32) {
        let view = &self.views[t.0];
        (view.addr, view.bytes)
    }
}

/// The error of a tensor or a segment with which DRAM would end at `end`.
fn out_of_dram(what: &str, end: u64) -> CompileError {
    CompileError::Unsupported {
        layer: what.into(),
        what: format!("the program needs {end} bytes of DRAM"),
    }
}

/// Tensors that share memory, as trees: for each tensor one nearer to the root of its tree.
struct Trees(Vec<usize>);

impl Trees {
    /// The tensor in whose memory one lies.
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }
}

/// The root of each tensor, and its first block there.
fn roots(parent: &[Option<(usize, u32)>]) -> Vec<(usize, u32)> {
    let mut root: Vec<Option<(usize, u32)>> = vec![None; parent.len()];
    let mut found = Vec::with_capacity(parent.len());
    for t in 0..parent.len() {
        // Up to a tensor whose root is known, then down again.
        let mut path = Vec::new();
        let mut at = t;
        let mut top = loop {
            match (root[at], parent[at]) {
                (Some(known), _) => break known,
                (None, None) => break (at, 0),
                (None, Some((up, by))) => {
                    path.push((at, by));
                    at = up;
                }
            }
        };
        root[at].get_or_insert(top);
        for (at, by) in path.into_iter().rev() {
            top.1 += by;
            root[at] = Some(top);
        }
        found.push(top);
    }
    found
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
                children.push((t, node.output, u32::try_from(at / block).ok()?));
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
            let first = u32::try_from(start / block).ok()?;
            (start.is_multiple_of(block) && whole).then(|| vec![(node.output, source, first)])
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
