//! Integer networks, node by node.

use ndarray::{ArrayD, IxDyn};
use vta_net::quant::{QNet, QNode, QOp, QTensorId, QType};
use vta_tensor::host::Tensor;

/// int8 in steps of a sixteenth.
pub const INT8: QType = QType::Int8 { exponent: -4 };

/// An int8 tensor.
///
/// # Panics
///
/// If there are not as many elements as the dimensions say.
pub fn int8(dims: &[usize], data: Vec<i8>) -> Tensor {
    Tensor::I8(ArrayD::from_shape_vec(IxDyn(dims), data).expect("as many elements"))
}

/// Adds a node with an output of type [`INT8`], which is returned.
pub fn node(net: &mut QNet, op: QOp, inputs: &[QTensorId], dims: &[usize]) -> QTensorId {
    let name = format!("n{}", net.nodes.len());
    let output = net.add_tensor(format!("{name}.out"), dims, INT8);
    net.nodes.push(QNode {
        name,
        source: "Conv".into(),
        op,
        inputs: inputs.to_vec(),
        output,
        why: String::new(),
    });
    output
}
