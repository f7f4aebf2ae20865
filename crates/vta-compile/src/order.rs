//! The order of nodes: as few launches as the host's nodes allow.

use crate::links::Links;
use crate::lower;
use crate::map::map_dims;
use crate::placement::{Placement, pool_fits};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use vta_net::Names;
use vta_net::graph::Window;
use vta_net::quant::{QNet, QNode, QOp, QTensorId, QType};
use vta_program::config::HwConfig;
use vta_tensor::host::{FusedOp, HostOp};

/// Nodes that run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Group {
    /// One node of the host.
    Host(usize),
    /// A launch.
    Device(Vec<usize>),
}

/// Groups of nodes: whatever is ready on the host, then whatever is ready on
/// the device, until all is done. Nodes without a step are done with their operands.
pub(crate) fn groups(
    net: &QNet,
    links: &Links,
    placements: &[Placement],
    without_step: &[bool],
) -> Vec<Group> {
    // Operands that are not there yet.
    let mut missing: Vec<usize> = net.nodes.iter().map(|n| n.inputs.len()).collect();
    // What is ready on the host and on the device. Operands come first, so what
    // becomes ready stands behind what made it so.
    let mut ready = [BinaryHeap::new(), BinaryHeap::new()];
    let mut there: Vec<QTensorId> = net.inputs.clone();
    there.sort_unstable();
    there.dedup();
    // Constants of the host wait for nothing.
    let alone = (0..net.nodes.len()).filter(|n| missing[*n] == 0);
    for n in alone.collect::<Vec<_>>() {
        ready[0].push(Reverse(n));
    }
    let mut spread = |mut there: Vec<QTensorId>, ready: &mut [BinaryHeap<Reverse<usize>>; 2]| {
        let mut enter = |n: usize, there: &mut Vec<QTensorId>| {
            if without_step[n] {
                there.push(net.nodes[n].output);
            } else {
                ready[usize::from(placements[n].on_device())].push(Reverse(n));
            }
        };
        while let Some(t) = there.pop() {
            for &n in links.readers(t) {
                missing[n] -= 1;
                if missing[n] == 0 {
                    enter(n, &mut there);
                }
            }
        }
    };
    spread(there, &mut ready);
    let mut groups = Vec::new();
    for device in [false, true].into_iter().cycle() {
        let mut launch = Vec::new();
        while let Some(Reverse(n)) = ready[usize::from(device)].pop() {
            spread(vec![net.nodes[n].output], &mut ready);
            if device {
                launch.push(n);
            } else {
                groups.push(Group::Host(n));
            }
        }
        if !launch.is_empty() {
            groups.push(Group::Device(launch));
        }
        if ready.iter().all(BinaryHeap::is_empty) {
            break;
        }
    }
    groups
}

/// The network as this hardware runs it: few-channel first convolutions are
/// packed (the host lays out what each kernel position meets as channels, the
/// device does 1x1), pools whose rows do not fit go to the host.
///
/// `drops` says which nodes lose blocks: these are not packed. Nodes that stay have their names.
pub(crate) fn prepared(net: &QNet, c: &HwConfig, drops: impl Fn(usize) -> bool) -> QNet {
    let links = Links::new(net);
    let mut out = net.clone();
    let block = c.block as usize;
    let mut nodes = Vec::with_capacity(out.nodes.len() + 1);
    let mut names = Names::new(net.nodes.iter().map(|n| &n.name));
    let mut tensor_names = Names::new(net.tensors.iter().map(|t| &t.name));
    for (at, mut node) in std::mem::take(&mut out.nodes).into_iter().enumerate() {
        if let QOp::MaxPool(w) = node.op
            && !pool_fits(net, &node, &w, c)
        {
            node.why = "a row of it does not fit the scratchpads".into();
            let op = HostOp::MaxPool(w);
            // The device does not mind whether a map of one pixel is called a vector.
            let to = net.tensor(node.output).clone();
            let map = op.dims(&[&net.tensor(node.inputs[0]).dims]).ok();
            node.op = QOp::Host(op);
            if let Some(map) = map.filter(|map| *map != to.dims) {
                let name = tensor_names.unique(format!("{}.map", node.name));
                let t = out.add_tensor(name, &map, to.ty);
                let vector = QNode {
                    name: names.unique(format!("{}.vector", node.name)),
                    op: QOp::Host(HostOp::Reshape { dims: to.dims }),
                    inputs: vec![t],
                    ..node.clone()
                };
                node.output = t;
                nodes.push(node);
                node = vector;
            }
        }
        let packed = if drops(at) {
            None
        } else {
            pack(net, &links, &node, block)
        };
        let Some((im2col, dims, conv)) = packed else {
            nodes.push(node);
            continue;
        };
        let input = &net.tensor(node.inputs[0]).clone();
        let name = tensor_names.unique(format!("{}.packed", node.name));
        let t = out.add_tensor(name, &dims, input.ty);
        let pack = QNode {
            name: names.unique(format!("{}.pack", node.name)),
            source: "Im2col".into(),
            op: QOp::Host(im2col),
            inputs: vec![node.inputs[0]],
            output: t,
            why: "a first layer with few channels is packed by the host".into(),
        };
        let pack = quantised_and_packed(&mut nodes, &links, pack);
        nodes.push(pack);
        let mut inputs = node.inputs.clone();
        inputs[0] = t;
        nodes.push(QNode {
            op: QOp::Conv(conv),
            inputs,
            ..node
        });
    }
    out.nodes = nodes;
    out
}

/// A packing with the quantisation before it as one step, where nobody else reads that.
fn quantised_and_packed(nodes: &mut Vec<QNode>, links: &Links, pack: QNode) -> QNode {
    let input = pack.inputs[0];
    let quantises =
        |n: &QNode| n.output == input && matches!(n.op, QOp::Host(HostOp::Quantize { .. }));
    let at = nodes.iter().position(quantises);
    let (Some(at), Some(_), QOp::Host(im2col)) = (at, links.only_reader(input), &pack.op) else {
        return pack;
    };
    let quantise = nodes.remove(at);
    let QOp::Host(first) = quantise.op else {
        return pack;
    };
    let step = |op: HostOp, from| FusedOp {
        op,
        inputs: vec![from],
    };
    let ops = vec![step(first, 0), step(im2col.clone(), 1)];
    QNode {
        source: format!("{}+{}", quantise.source, pack.source),
        op: QOp::Host(HostOp::Fused { ops }),
        inputs: quantise.inputs,
        ..pack
    }
}

/// The packed form of a convolution whose input comes from the host.
pub(crate) fn pack(
    net: &QNet,
    links: &Links,
    node: &QNode,
    block: usize,
) -> Option<(HostOp, Vec<usize>, vta_net::quant::QConv)> {
    let QOp::Conv(conv) = &node.op else {
        return None;
    };
    let input = *node.inputs.first()?;
    let device = |n: &QNode| matches!(n.op, QOp::Conv(_) | QOp::MaxPool(_));
    let from_device = links.made_by(net, input, device);
    let (ci, ..) = map_dims(&net.tensor(input).dims)?;
    let (_, ho, wo) = map_dims(&net.tensor(node.output).dims)?;
    let (_, _, kh, kw) = conv.weight.dim();
    let int8 = matches!(net.tensor(input).ty, QType::Int8 { .. });
    let [dims_4, ..] = [net.tensor(input).dims.len() == 4];
    let few = (ci * kh * kw).div_ceil(block) * 2 <= kh * kw * ci.div_ceil(block);
    if from_device || conv.groups != 1 || !int8 || !dims_4 || kh * kw == 1 || !few {
        return None;
    }
    let op = HostOp::Im2col(conv.window);
    let mut conv = conv.clone();
    conv.weight = lower::packed(&conv.weight)?;
    conv.window = Window::POINT;
    Some((op, vec![1, ci * kh * kw, ho, wo], conv))
}
