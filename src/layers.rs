//! What each layer of a network took.
//!
//! A layer ends when its last compute instruction leaves the queue. It has
//! the cycles between the end of the layer before it, in its launch, and its
//! own; the last layer of a launch also has those up to the finish. So the
//! layers of a launch sum to its cycles. Layers of the host have none.

use crate::simulate::LaunchReport;
use vta_program::isa::Insn;
use vta_program::program::{Launch, On, Program, Step};

/// What one layer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct LayerUse {
    /// Cycles.
    pub cycles: u64,
    /// Steps of the GEMM core.
    pub gemm_steps: u64,
    /// Bytes read from DRAM, instructions and micro-ops included.
    pub bytes_read: u64,
    /// Bytes written to DRAM.
    pub bytes_written: u64,
}

/// What each layer of a program took, in order.
///
/// `steps` are the program's [`symbol_steps`], or nothing where they are not wanted;
/// `report` gives what the simulator said of a launch, with [`LaunchReport::symbols`]. A
/// launch without a report counts nothing.
pub fn layer_uses<'a>(
    program: &Program,
    steps: &[Vec<u64>],
    report: impl Fn(&Launch) -> Option<&'a LaunchReport>,
) -> Vec<LayerUse> {
    let mut uses = vec![LayerUse::default(); program.layers.len()];
    let launches = program.steps.iter().enumerate();
    let launches = launches.filter_map(|(n, step)| match step {
        Step::Launch(launch) => Some((n, launch)),
        Step::Host(_) => None,
    });
    for (n, (step, launch)) in launches.enumerate() {
        let Some(report) = report(launch) else {
            continue;
        };
        let (mut end, mut last) = (0, None);
        for (layer, used) in program.layers.iter().zip(&mut uses) {
            if layer.on != On::Device || layer.step as usize != step {
                continue;
            }
            // A layer without compute instructions ends with the one before it.
            let mut own_end = end;
            for (k, (symbol, seen)) in launch.symbols.iter().zip(&report.symbols).enumerate() {
                if symbol.name == layer.name {
                    own_end = own_end.max(seen.end.unwrap_or(0));
                    used.bytes_read += seen.bytes_read;
                    used.bytes_written += seen.bytes_written;
                    used.gemm_steps += steps.get(n).and_then(|of| of.get(k)).unwrap_or(&0);
                }
            }
            used.cycles = own_end - end;
            end = own_end;
            last = Some(used);
        }
        if let Some(last) = last {
            last.cycles += report.cycles.unwrap_or(end).saturating_sub(end);
        }
    }
    uses
}

/// GEMM steps of each symbol of each launch, resets not counted: what no run
/// changes.
pub fn symbol_steps(program: &Program, image: &[u8]) -> Vec<Vec<u64>> {
    program.launches().map(|l| gemm_steps(l, image)).collect()
}

/// GEMM steps of each symbol of a launch, resets not counted.
fn gemm_steps(launch: &Launch, image: &[u8]) -> Vec<u64> {
    let steps: Vec<u64> = launch
        .insns(image)
        .map(|insn| match insn {
            Ok(Insn::Gemm(g)) if !g.reset_reg => g.steps(),
            _ => 0,
        })
        .collect();
    let sum = |first: u32, count: u32| {
        let from = (first as usize).min(steps.len());
        let to = (from + count as usize).min(steps.len());
        steps[from..to].iter().sum()
    };
    let symbols = launch.symbols.iter();
    symbols.map(|s| sum(s.first, s.count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vta_program::program::{Layer, Layout, Region, Symbol};
    use vta_sim::golden::Status;
    use vta_sim::trace::RangeUse;
    use vta_tensor::host::DType;

    fn layer(name: &str, on: On, step: u32) -> Layer {
        Layer {
            name: name.into(),
            op: String::new(),
            on,
            step,
            why: String::new(),
            blocks: 0,
            kept: 0,
            macs: 0,
            compute_floor: 0,
            memory_floor: 0,
            output: Region {
                tensor: name.into(),
                addr: 0,
                dims: vec![1],
                dtype: DType::I8,
                layout: Layout::Plain,
                exponent: Some(0),
            },
            weights: None,
        }
    }

    fn launch(name: &str, symbols: &[&str]) -> Launch {
        let symbol = |name: &&str| Symbol {
            name: (*name).into(),
            first: 0,
            count: 1,
        };
        Launch {
            name: name.into(),
            insn_addr: 16,
            insn_count: 1,
            outputs: Vec::new(),
            symbols: symbols.iter().map(symbol).collect(),
        }
    }

    fn report(cycles: u64, ends: &[Option<u64>]) -> LaunchReport {
        let seen = |end: &Option<u64>| RangeUse {
            end: *end,
            bytes_read: 10,
            bytes_written: 1,
        };
        LaunchReport {
            status: Status::Ok,
            cycles: Some(cycles),
            acc_writes: 0,
            reason: None,
            where_: None,
            instruction: None,
            waits: Vec::new(),
            stats: crate::simulate::Stats::default(),
            symbols: ends.iter().map(seen).collect(),
        }
    }

    /// Two launches; tiles of `a` and `b` alternate, `c` has nothing to compute.
    #[test]
    fn layers_sum_to_their_launch() {
        let program = Program {
            steps: vec![
                Step::Launch(launch("one", &["a", "b", "a", "b", "finish"])),
                Step::Launch(launch("two", &["c", "d"])),
            ],
            layers: vec![
                layer("a", On::Device, 0),
                layer("h", On::Host, 0),
                layer("b", On::Device, 0),
                layer("c", On::Device, 1),
                layer("d", On::Device, 1),
            ],
            ..Program::default()
        };
        let one = report(130, &[Some(40), Some(60), Some(80), Some(100), Some(130)]);
        let two = report(50, &[None, Some(45)]);
        let steps = symbol_steps(&program, &[]);
        let uses = layer_uses(&program, &steps, |l| match l.name.as_str() {
            "one" => Some(&one),
            _ => Some(&two),
        });
        let cycles: Vec<u64> = uses.iter().map(|u| u.cycles).collect();
        assert_eq!(cycles, [80, 0, 50, 0, 50]);
        let bytes: Vec<u64> = uses
            .iter()
            .map(|u| u.bytes_read + u.bytes_written)
            .collect();
        assert_eq!(bytes, [22, 0, 22, 11, 11]);
        let none = layer_uses(&program, &steps, |_| None);
        assert_eq!(none, [LayerUse::default(); 5]);
    }
}
