//! The rows of the program's table of layers.

use super::cost::Cost;
use super::job::{ConvJob, FMap, PoolJob, ResizeJob};
use super::launch::masked;
use super::lower::LayerMask;
use super::place::Places;
use vta_net::quant::{QNet, QNode, QOp};
use vta_program::config::HwConfig;
use vta_program::program::{Layer, On, WeightMap};

/// What lowering and scheduling found out about a layer.
#[derive(Debug, Clone)]
pub(super) struct Lowered {
    compute_floor: u64,
    memory_floor: u64,
    /// First element and count in the segment, mask, and the block of each element.
    weights: Option<(u32, LayerMask, Vec<u32>)>,
}

impl Lowered {
    /// A convolution whose weights lie at `at` in `order`.
    pub(super) fn conv(
        job: &ConvJob,
        mask: &LayerMask,
        at: u32,
        order: &[u32],
        c: &HwConfig,
    ) -> Self {
        let tiles = order.iter().filter_map(|&t| job.tiles.get(t as usize));
        let blocks = tiles.map(|t| t.mask_block).collect();
        let first = at + u32::from(job.residual.is_some());
        Self {
            compute_floor: job.compute_floor(),
            memory_floor: job.memory_floor(c),
            weights: Some((first, mask.clone(), blocks)),
        }
    }

    /// A pool: each input is copied once, each kernel position is a register step.
    pub(super) fn pool(job: &PoolJob, c: &HwConfig) -> Self {
        let (inputs, outputs) = (job.input.vectors(), job.output.vectors());
        Self::rows(
            2 * inputs + outputs * job.window.cycles(),
            &job.input,
            &job.output,
            c,
        )
    }

    /// Upsampling: each output is cleared and copied.
    pub(super) fn resize(job: &ResizeJob, c: &HwConfig) -> Self {
        Self::rows(2 * job.output.vectors(), &job.input, &job.output, c)
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
pub(super) fn layer(
    net: &QNet,
    node: &QNode,
    [pool, tile_of]: [Option<&QNode>; 2],
    lowered: Option<&Lowered>,
    places: &Places,
    (step, on): (u32, On),
    (weights_addr, wgt_bytes): (u32, u32),
) -> Layer {
    let (mut blocks, mut kept, mut map) = (0, 0, None);
    if let (Some(l), QOp::Conv(c)) = (lowered, &node.op)
        && let Some((first, mask, block_of)) = &l.weights
    {
        if !c.weight_name.is_empty() {
            blocks = mask.mask.blocks() as u64;
            kept = mask.mask.count_kept() as u64;
        }
        let is_masked = masked(mask);
        map = Some(WeightMap {
            addr: weights_addr + first * wgt_bytes,
            count: block_of.len() as u32,
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
    let why = if places.is_virtual(net, node) {
        "by placement: nothing moves".into()
    } else if let Some(conv) = tile_of {
        format!("in the tile of {}", conv.name)
    } else if on == On::Device {
        String::new()
    } else {
        node.why.clone()
    };
    Layer {
        name: node.name.clone(),
        op: node.source.clone(),
        on,
        step,
        why,
        blocks,
        kept,
        macs: net.macs(node),
        compute_floor: lowered.map_or(0, |l| l.compute_floor),
        memory_floor: lowered.map_or(0, |l| l.memory_floor),
        output: places.region(net, pool.unwrap_or(node).output),
        weights: map,
    }
}
