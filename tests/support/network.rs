//! Integer networks: made, compiled, run on the simulators.

use ndarray::{ArrayD, IxDyn};
use vta::config::HwConfig;
use vta::host::Tensor;
use vta::mem::Dram;
use vta::program::{Program, Step};
use vta::quant::{QNet, QNode, QOp, QTensorId, QType};
use vta::{fsim, tsim};

pub const INT8: QType = QType::Int8 { exponent: -4 };

pub fn int8(dims: &[usize], data: Vec<i8>) -> Tensor {
    Tensor::I8(ArrayD::from_shape_vec(IxDyn(dims), data).expect("as many elements"))
}

/// Adds a node.
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
        keep_dense: false,
    });
    output
}

/// Which simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sim {
    Fsim,
    Tsim,
}

/// What a run of a program gave.
pub struct Ran {
    pub outputs: Vec<Tensor>,
    pub cycles: u64,
}

/// Runs all steps of a program.
pub fn run(program: &Program, inputs: &[Tensor], sim: Sim) -> Ran {
    let c: &HwConfig = &program.config;
    let mut dram = Dram::new(program.dram_image());
    for (region, value) in program.inputs.iter().zip(inputs) {
        region
            .write(dram.bytes_mut(), c.block, value)
            .expect("the input fits");
    }
    let mut cycles = 0;
    for step in &program.steps {
        match step {
            Step::Host(h) => h.run(&mut dram, c.block).expect("the host step runs"),
            Step::Launch(l) if sim == Sim::Fsim => {
                let limits = fsim::Limits { steps: u64::MAX };
                let out = fsim::run(c, &mut dram, l.insn_addr, l.insn_count, limits);
                let stop = out.expect("the launch stays in DRAM").stop;
                assert_eq!(stop, fsim::Stop::Finish, "{}", l.name);
            }
            Step::Launch(l) => {
                let options = tsim::Options::default();
                let (addr, count) = (l.insn_addr, l.insn_count);
                let out = tsim::run(c, &mut dram, addr, count, options, &mut tsim::NoSink)
                    .expect("the launch stays in DRAM");
                assert_eq!(out.status, tsim::Status::Ok, "{}", l.name);
                cycles += out.cycles;
            }
        }
    }
    let outputs = program.outputs.iter();
    let outputs = outputs.map(|r| r.read(dram.bytes(), c.block).expect("it can be read"));
    Ran {
        outputs: outputs.collect(),
        cycles,
    }
}

/// A network of the zoo, compiled dense; scales from noise.
pub fn program_of(name: &str) -> Program {
    use vta::compiler::{Options, compile};
    use vta::quant::{Calibration, QuantOptions, quantise};
    let graph = vta::graph::zoo::build(name, 1).expect("a network of the zoo");
    let calibration = Calibration::noise(&graph, 1, 1).expect("it can be observed");
    let net = quantise(&graph, &calibration, &QuantOptions::default()).expect("int8");
    compile(&net, &Options::default()).expect("it compiles")
}
