//! Time in proportion to layers and launches: networks that nobody could wait for
//! if each launch looked at all the others.

use crate::cases::Conv;
use vta_compile::{Options, compile};
use vta_net::quant::{QNet, QOp};
use vta_program::program::{Program, Step};
use vta_tensor::host::HostOp;
use vta_test_support::nodes::{INT8, node};

/// A convolution, a step of the host, a copy that is none, again and again.
fn chain(links: usize) -> QNet {
    let dims = [1, 4, 2, 2];
    let mut net = QNet::default();
    let mut x = net.add_tensor("x", &dims, INT8);
    net.inputs.push(x);
    let conv = Conv::pointwise(4, [2, 2], 1);
    for k in 0..links {
        x = node(
            &mut net,
            QOp::Conv(conv.qconv(&format!("w{k}"))),
            &[x],
            &dims,
        );
        x = node(&mut net, QOp::Host(HostOp::Copy), &[x], &dims);
        let perm = vec![0, 1, 3, 2];
        x = node(&mut net, QOp::Host(HostOp::Transpose { perm }), &[x], &dims);
        if k % 100 == 0 {
            net.outputs.push(x);
        }
    }
    net.outputs.push(x);
    net.outputs.dedup();
    net
}

#[test]
fn ten_thousand_launches() {
    let links = 10_000;
    let program = compile(&chain(links), &Options::default()).expect("it fits");
    assert_eq!(program.launches().count(), links);
    assert_eq!(program.layers.len(), 3 * links);
    let hosts = program.steps.iter().filter(|s| matches!(s, Step::Host(_)));
    assert_eq!(hosts.count(), links);
    vta_verify::check(&program).expect("it is proven");
    let bytes = program.to_bytes().expect("it makes sense");
    assert!(Program::from_bytes(&bytes).expect("it is a bundle") == program);
}

/// Tensors inside of each other: a concatenation of the concatenation before and a
/// convolution of it.
#[test]
fn a_thousand_concatenations() {
    let mut net = QNet::default();
    let mut x = net.add_tensor("x", &[1, 16, 1, 1], INT8);
    net.inputs.push(x);
    let mut c = 16;
    for k in 0..1000 {
        let conv = Conv::pointwise(16, [1, 1], k);
        let len = 16;
        let slice = QOp::Host(HostOp::Slice {
            axis: 1,
            start: 0,
            len,
            step: 1,
        });
        let part = node(&mut net, slice, &[x], &[1, 16, 1, 1]);
        let y = node(
            &mut net,
            QOp::Conv(conv.qconv(&format!("w{k}"))),
            &[part],
            &[1, 16, 1, 1],
        );
        c += 16;
        let concat = QOp::Host(HostOp::Concat { axis: 1 });
        x = node(&mut net, concat, &[x, y], &[1, c, 1, 1]);
    }
    net.outputs.push(x);
    let program = compile(&net, &Options::default()).expect("it fits");
    crate::layers::right(&net, &program, 1);
}
