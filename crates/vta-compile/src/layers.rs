//! The rows of the program's table of layers.

use crate::cost::Cost;
use crate::error::CompileError;
use crate::fit;
use crate::layout::MemoryLayout;
use crate::lower::LayerMask;
use crate::lowered::{LoweredConv, LoweredPool, LoweredRearrange, LoweredResize};
use crate::map::FMap;
use vta_net::quant::{QNet, QNode, QOp};
use vta_program::config::HwConfig;
use vta_program::program::{Layer, On, WeightMap};

/// Cycles that a layer cannot go below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Floors {
    /// Those of compute.
    pub compute: u64,
    /// Those of the memory.
    pub memory: u64,
}

impl Floors {
    /// A convolution.
    pub(crate) fn conv(lowered: &LoweredConv, c: &HwConfig) -> Self {
        Self {
            compute: lowered.compute_floor(),
            memory: lowered.memory_floor(c),
        }
    }

    /// A pool: each input is copied once, each kernel position is a register step.
    pub(crate) fn pool(lowered: &LoweredPool, c: &HwConfig) -> Self {
        let (inputs, outputs) = (lowered.input.vectors(), lowered.output.vectors());
        Self::rows(
            2 * inputs + outputs * lowered.window.cycles(),
            &lowered.input,
            &lowered.output,
            c,
        )
    }

    /// Upsampling.
    pub(crate) fn resize(lowered: &LoweredResize, c: &HwConfig) -> Self {
        Self::rows(lowered.compute_floor(), &lowered.input, &lowered.output, c)
    }

    /// Depth to space.
    pub(crate) fn rearrange(lowered: &LoweredRearrange, c: &HwConfig) -> Self {
        Self::rows(lowered.compute_floor(), &lowered.input, &lowered.output, c)
    }

    fn rows(compute: u64, i: &FMap, o: &FMap, c: &HwConfig) -> Self {
        let rows = o.rows();
        let read = i.vectors() * u64::from(c.inp_bytes()) / u64::from(c.beat_bytes());
        Self {
            compute,
            memory: read.max(Cost::new(c).store(&rows, c.out_bytes())),
        }
    }
}

/// Weight elements of a layer in the segment.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'a> {
    /// The first one.
    pub first: u32,
    /// The 32x32 block that each is of.
    pub block_of: Vec<u32>,
    /// The layer's mask.
    pub mask: &'a LayerMask,
}

impl<'a> Elements<'a> {
    /// Those of a convolution that start at `at` in `order`.
    pub(crate) fn new(
        lowered: &LoweredConv,
        mask: &'a LayerMask,
        at: u32,
        order: &[Option<usize>],
    ) -> Self {
        let tiles = order.iter().flatten().map(|&t| &lowered.tiles[t]);
        Self {
            first: at + u32::from(lowered.residual.is_some()),
            block_of: tiles.map(|t| t.mask_block).collect(),
            mask,
        }
    }
}

/// A layer's row. A convolution with a pool in its tile leaves the pool's
/// result, and the pool's row takes nothing.
pub(crate) fn layer(
    net: &QNet,
    node: &QNode,
    ([pool, tile_of], is_alias): ([Option<&QNode>; 2], bool),
    (floors, mask, elements): (Floors, Option<&LayerMask>, Option<Elements<'_>>),
    layout: &MemoryLayout,
    (step, on): (usize, On),
    (weights_addr, wgt_bytes): (u32, u32),
) -> Result<Layer, CompileError> {
    let count = |what, n| fit::count(what, n).map_err(|e| CompileError::unfit(&node.name, e));
    let (mut blocks, mut kept) = (0, 0);
    if let (Some(mask), QOp::Conv(c)) = (mask, &node.op)
        && !c.weight_name.is_empty()
    {
        blocks = mask.mask.blocks() as u64;
        kept = mask.mask.count_kept() as u64;
    }
    let map = match elements {
        None => None,
        Some(elements) => {
            let LayerMask { mask, sparse } = elements.mask;
            let bits = mask.kept.iter().map(|b| if *b { '1' } else { '0' });
            Some(WeightMap {
                // In a segment that is in DRAM.
                addr: weights_addr + elements.first * wgt_bytes,
                count: count("weight elements of a layer", elements.block_of.len())?,
                mask_dims: if *sparse {
                    mask.dims.to_vec()
                } else {
                    Vec::new()
                },
                mask: if *sparse {
                    bits.collect()
                } else {
                    String::new()
                },
                block_of: if *sparse {
                    elements.block_of
                } else {
                    Vec::new()
                },
            })
        }
    };
    let why = if is_alias {
        "by placement: nothing moves".into()
    } else if let Some(conv) = tile_of {
        format!("in the tile of {}", conv.name)
    } else if on == On::Device {
        String::new()
    } else {
        node.why.clone()
    };
    Ok(Layer {
        name: node.name.clone(),
        op: node.source.clone(),
        on,
        step: count("steps of the program", step)?,
        why,
        blocks,
        kept,
        macs: net.macs(node),
        compute_floor: floors.compute,
        memory_floor: floors.memory,
        output: layout.region(net, pool.unwrap_or(node).output),
        weights: map,
    })
}
