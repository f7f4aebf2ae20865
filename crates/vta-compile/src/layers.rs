//! The rows of the program's table of layers.

use crate::cost::Cost;
use crate::error::CompileError;
use crate::fit;
use crate::layout::MemoryLayout;
use crate::lower::LayerMask;
use crate::lowered::{LoweredConv, LoweredPool, LoweredResize};
use crate::map::FMap;
use vta_net::quant::{QNet, QNode, QOp};
use vta_program::config::HwConfig;
use vta_program::program::{Layer, On, WeightMap};

/// What lowering and scheduling found out about a layer.
#[derive(Debug, Clone)]
pub(crate) struct LayerFacts {
    compute_floor: u64,
    memory_floor: u64,
    /// First element and count in the segment, mask, and the block of each element.
    weights: Option<(u32, LayerMask, Vec<u32>)>,
}

impl LayerFacts {
    /// A convolution whose weights lie at `at` in `order`.
    pub(crate) fn conv(
        lowered: &LoweredConv,
        mask: &LayerMask,
        at: u32,
        order: &[Option<usize>],
        c: &HwConfig,
    ) -> Self {
        let tiles = order.iter().flatten().map(|&t| &lowered.tiles[t]);
        let blocks = tiles.map(|t| t.mask_block).collect();
        let first = at + u32::from(lowered.residual.is_some());
        Self {
            compute_floor: lowered.compute_floor(),
            memory_floor: lowered.memory_floor(c),
            weights: Some((first, mask.clone(), blocks)),
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

    /// Upsampling: each output is cleared and copied.
    pub(crate) fn resize(lowered: &LoweredResize, c: &HwConfig) -> Self {
        Self::rows(
            2 * lowered.output.vectors(),
            &lowered.input,
            &lowered.output,
            c,
        )
    }

    fn rows(compute_floor: u64, i: &FMap, o: &FMap, c: &HwConfig) -> Self {
        let rows = o.rows();
        let read = i.vectors() * u64::from(c.inp_bytes()) / u64::from(c.beat_bytes());
        Self {
            compute_floor,
            memory_floor: read.max(Cost::new(c).store(&rows, c.out_bytes())),
            weights: None,
        }
    }
}

/// A layer's row. A convolution with a pool in its tile leaves the pool's
/// result, and the pool's row takes nothing.
pub(crate) fn layer(
    net: &QNet,
    node: &QNode,
    ([pool, tile_of], is_alias): ([Option<&QNode>; 2], bool),
    facts: Option<&LayerFacts>,
    layout: &MemoryLayout,
    (step, on): (usize, On),
    (weights_addr, wgt_bytes): (u32, u32),
) -> Result<Layer, CompileError> {
    let count = |what, n| fit::count(what, n).map_err(|e| CompileError::unfit(&node.name, e));
    let (mut blocks, mut kept, mut map) = (0, 0, None);
    if let (Some(l), QOp::Conv(c)) = (facts, &node.op)
        && let Some((first, mask, block_of)) = &l.weights
    {
        if !c.weight_name.is_empty() {
            blocks = mask.mask.blocks() as u64;
            kept = mask.mask.count_kept() as u64;
        }
        let is_masked = mask.sparse;
        map = Some(WeightMap {
            // In a segment that is in DRAM.
            addr: weights_addr + first * wgt_bytes,
            count: count("weight elements of a layer", block_of.len())?,
            mask_dims: if is_masked {
                mask.mask.dims.to_vec()
            } else {
                Vec::new()
            },
            mask: if is_masked {
                mask.mask
                    .kept
                    .iter()
                    .map(|b| if *b { '1' } else { '0' })
                    .collect()
            } else {
                String::new()
            },
            block_of: if is_masked {
                block_of.clone()
            } else {
                Vec::new()
            },
        });
    }
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
        compute_floor: facts.map_or(0, |l| l.compute_floor),
        memory_floor: facts.map_or(0, |l| l.memory_floor),
        output: layout.region(net, pool.unwrap_or(node).output),
        weights: map,
    })
}
