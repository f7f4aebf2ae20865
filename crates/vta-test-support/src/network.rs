//! Compiled networks: made from the zoo, run on the simulators.

use vta_program::config::HwConfig;
use vta_program::mem::Dram;
use vta_program::program::{Program, Step};
use vta_sim::{fsim, tsim};
use vta_tensor::host::Tensor;

/// Which simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sim {
    /// Program order: values.
    Fsim,
    /// Cycles.
    Tsim,
}

/// What a run of a program gave.
pub struct Ran {
    /// The outputs of the network.
    pub outputs: Vec<Tensor>,
    /// Cycles of all launches; 0 without time.
    pub cycles: u64,
}

/// Runs all steps of a program.
///
/// # Panics
///
/// If a step fails or a launch does not end with its FINISH.
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
///
/// # Panics
///
/// If there is no such network.
pub fn program_of(name: &str) -> Program {
    use vta_compile::{Options, compile};
    use vta_net::quant::{Calibration, QuantOptions, quantise};
    let graph = vta_net::graph::zoo::build(name, 1).expect("a network of the zoo");
    let calibration = Calibration::noise(&graph, 1, 1).expect("it can be observed");
    let net = quantise(&graph, &calibration, &QuantOptions::default()).expect("int8");
    compile(&net, &Options::default()).expect("it compiles")
}
