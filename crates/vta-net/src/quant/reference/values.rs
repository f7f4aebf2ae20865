//! The values of one sample.

use super::super::net::{QNet, QNode, QTensorId, QType};
use super::RunError;
use std::borrow::Cow;
use vta_tensor::host::Tensor;

/// Tensors by id, as far as they are computed.
#[derive(Debug)]
pub(crate) struct Values(pub Vec<Option<Tensor>>);

impl Values {
    /// The inputs of a network.
    pub fn new(net: &QNet, inputs: &[Tensor]) -> Result<Self, RunError> {
        if inputs.len() != net.inputs.len() {
            return Err(RunError::Inputs {
                want: net.inputs.len(),
                got: inputs.len(),
            });
        }
        let mut values = Self(vec![None; net.tensors.len()]);
        for (t, value) in net.inputs.iter().zip(inputs) {
            values.put(net, *t, value.clone())?;
        }
        Ok(values)
    }

    /// Adds a value that is what the network says.
    pub fn put(&mut self, net: &QNet, t: QTensorId, value: Tensor) -> Result<(), RunError> {
        let tensor = net.tensor(t);
        let int = matches!(tensor.ty, QType::Int8 { .. });
        if value.dims() != tensor.dims || int != value.as_i8().is_some() {
            let got = format!("{} {:?}", value.dtype(), value.dims());
            return Err(wrong(net, t, got));
        }
        self.0[t.0] = Some(value);
        Ok(())
    }

    /// A value that is there.
    pub fn get(&self, net: &QNet, t: QTensorId) -> Result<&Tensor, RunError> {
        let value = self.0[t.0].as_ref();
        value.ok_or_else(|| wrong(net, t, "absent".into()))
    }

    /// Elements of an int8 tensor, row by row.
    pub fn ints(&self, net: &QNet, t: QTensorId) -> Result<Cow<'_, [i8]>, RunError> {
        let Tensor::I8(a) = self.get(net, t)? else {
            return Err(wrong(net, t, "float".into()));
        };
        Ok(match a.as_slice() {
            Some(s) => s.into(),
            None => a.iter().copied().collect::<Vec<_>>().into(),
        })
    }

    /// The second operand of a convolution, if it has one.
    pub fn residual(&self, net: &QNet, node: &QNode) -> Result<Option<Cow<'_, [i8]>>, RunError> {
        let second = node.inputs.get(1);
        second.map(|t| self.ints(net, *t)).transpose()
    }

    /// The outputs of the network.
    pub fn outputs(mut self, net: &QNet) -> Result<Vec<Tensor>, RunError> {
        let take = |(i, t): (usize, &QTensorId)| {
            // An output that is named twice is needed again.
            let again = net.outputs[i + 1..].contains(t);
            let value = if again {
                self.0[t.0].clone()
            } else {
                self.0[t.0].take()
            };
            value.ok_or_else(|| wrong(net, *t, "absent".into()))
        };
        net.outputs.iter().enumerate().map(take).collect()
    }
}

fn wrong(net: &QNet, t: QTensorId, got: String) -> RunError {
    let tensor = net.tensor(t);
    let kind = match tensor.ty {
        QType::Int8 { .. } => "int8",
        QType::Float => "float",
    };
    RunError::Tensor {
        tensor: tensor.name.clone(),
        want: format!("{kind} {:?}", tensor.dims),
        got,
    }
}
