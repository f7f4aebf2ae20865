//! The network's tensors, as vectors of the device.
//!
//! A plane is a block of channels of a map. Where an operator only moves whole
//! blocks (a concatenation, a slice, a change of dimensions), the planes of its
//! result are those of its operands: whether a program copies them or leaves
//! them where they are, their values are the same.

use super::expr::Vector;
use super::flaw::Operand;
use std::collections::HashMap;
use vta_net::graph::Window;
use vta_net::quant::{Map, QNet, QOp, QType};
use vta_program::program::{Layout, Region};
use vta_tensor::host::{DType, HostOp};

/// Index of a tensor: of the network's, and behind them those that the program made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TensorIndex(pub usize);

/// A tensor.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub name: String,
    pub dims: Vec<usize>,
    pub ty: QType,
    /// The node that makes it; none for inputs and what the program made up.
    pub node: Option<usize>,
    /// What it is, where the program made it up.
    pub made_up: Option<MadeUp>,
    /// For each block of channels its plane, for maps in int8.
    pub planes: Vec<u32>,
}

/// A tensor that only the program has, by the one that it is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum MadeUp {
    /// A map whose channels are what each position of the window meets.
    Im2col(TensorIndex, Window),
    /// The same elements in other dimensions.
    Same(TensorIndex),
}

impl Tensor {
    /// Rows, columns, channels.
    pub fn map(&self) -> Option<Map> {
        Map::of(&self.dims)
    }
}

/// All tensors.
#[derive(Debug)]
pub(super) struct Tensors {
    pub all: Vec<Tensor>,
    by_name: HashMap<String, TensorIndex>,
    /// For each plane, a tensor that it is of, and the block there.
    of_plane: Vec<(TensorIndex, usize)>,
    block: usize,
}

impl Tensors {
    /// Those of a network.
    pub fn new(net: &QNet, block: usize) -> Self {
        let mut tensors = Self {
            all: Vec::with_capacity(net.tensors.len()),
            by_name: HashMap::new(),
            of_plane: Vec::new(),
            block,
        };
        for (i, t) in net.tensors.iter().enumerate() {
            tensors.by_name.insert(t.name.clone(), TensorIndex(i));
            tensors.all.push(Tensor {
                name: t.name.clone(),
                dims: t.dims.clone(),
                ty: t.ty,
                node: None,
                made_up: None,
                planes: Vec::new(),
            });
        }
        for (n, node) in net.nodes.iter().enumerate() {
            tensors.all[node.output.0].node = Some(n);
        }
        // Operands come first.
        for i in 0..net.tensors.len() {
            if tensors.all[i].node.is_none() {
                tensors.all[i].planes = tensors.new_planes(TensorIndex(i));
            }
        }
        for node in &net.nodes {
            let i = node.output.0;
            let moved = match &node.op {
                QOp::Host(op) => {
                    let inputs: Vec<usize> = node.inputs.iter().map(|t| t.0).collect();
                    tensors.moved(op, &inputs, i)
                }
                _ => None,
            };
            tensors.all[i].planes = match moved {
                Some(planes) => planes,
                None => tensors.new_planes(TensorIndex(i)),
            };
        }
        tensors
    }

    fn new_planes(&mut self, t: TensorIndex) -> Vec<u32> {
        let tensor = &self.all[t.0];
        let map = tensor.map().filter(|_| tensor.ty != QType::Float);
        let blocks = map.map_or(0, |m| m.c.div_ceil(self.block));
        let first = self.of_plane.len();
        self.of_plane.extend((0..blocks).map(|b| (t, b)));
        (first..first + blocks).map(|p| p as u32).collect()
    }

    /// The planes of a result whose operator moves whole blocks only.
    fn moved(&self, op: &HostOp, inputs: &[usize], output: usize) -> Option<Vec<u32>> {
        let block = self.block;
        let map = |t: usize| self.all[t].map().filter(|_| self.all[t].ty != QType::Float);
        let source = *inputs.first()?;
        let (from, to) = (map(source)?, map(output)?);
        match op {
            HostOp::Copy | HostOp::Reshape { .. } => {
                (from == to).then(|| self.all[source].planes.clone())
            }
            HostOp::Concat { axis: 1 } => {
                let (mut planes, mut channels) = (Vec::new(), 0usize);
                for &t in inputs {
                    if !channels.is_multiple_of(block) {
                        return None;
                    }
                    channels += map(t)?.c;
                    planes.extend(&self.all[t].planes);
                }
                (channels == to.c).then_some(planes)
            }
            HostOp::Slice {
                axis: 1,
                start,
                len,
                step: 1,
            } => {
                let whole = len.is_multiple_of(block) || start + len == from.c;
                let blocks = start / block..(start + len).div_ceil(block);
                let planes = self.all[source].planes.get(blocks)?;
                (start.is_multiple_of(block) && whole).then(|| planes.to_vec())
            }
            _ => None,
        }
    }

    /// The tensor of a name.
    pub fn named(&self, name: &str) -> Option<TensorIndex> {
        self.by_name.get(name).copied()
    }

    /// A tensor.
    pub fn get(&self, t: TensorIndex) -> &Tensor {
        &self.all[t.0]
    }

    /// A tensor that the program made up.
    pub fn add(&mut self, region: &Region, made_up: MadeUp) -> TensorIndex {
        let (MadeUp::Im2col(of, _) | MadeUp::Same(of)) = made_up;
        let t = TensorIndex(self.all.len());
        self.all.push(Tensor {
            name: region.tensor.clone(),
            dims: region.dims.clone(),
            ty: self.all[of.0].ty,
            node: None,
            made_up: Some(made_up),
            planes: Vec::new(),
        });
        // A vector is a map of one pixel: the same planes.
        let same = self.all[t.0].map() == self.all[of.0].map();
        self.all[t.0].planes = match made_up {
            MadeUp::Same(_) if same => self.all[of.0].planes.clone(),
            _ => self.new_planes(t),
        };
        self.add_name(&region.tensor, t);
        t
    }

    /// Another name for a tensor.
    pub fn add_name(&mut self, name: &str, of: TensorIndex) {
        self.by_name.insert(name.into(), of);
    }

    /// Whether a region is made for the tensor: dimensions, type, exponent.
    pub fn is_region_of(&self, r: &Region, t: TensorIndex) -> bool {
        let tensor = self.get(t);
        let same = match tensor.ty {
            QType::Int8 { exponent } => r.dtype == DType::I8 && r.exponent == Some(exponent),
            QType::Float => r.dtype == DType::F32 && r.layout == Layout::Plain,
        };
        let held = r.layout == Layout::Plain || !tensor.planes.is_empty();
        same && held && r.dims == tensor.dims
    }

    /// The tensor that a plane is of.
    pub fn of_plane(&self, plane: u32) -> Option<(TensorIndex, usize)> {
        self.of_plane.get(plane as usize).copied()
    }

    /// A vector, in words.
    pub fn words(&self, v: Vector) -> Operand {
        let Some((t, block)) = self.of_plane(v.plane) else {
            return Operand::Unwritten;
        };
        let tensor = self.get(t);
        let map = tensor.map().unwrap_or(Map { c: 1, h: 1, w: 1 });
        let first = block * self.block;
        Operand::Pixel {
            tensor: tensor.name.clone(),
            channels: first..(first + self.block).min(map.c),
            y: v.pixel as usize / map.w,
            x: v.pixel as usize % map.w,
        }
    }
}
