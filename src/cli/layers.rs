//! Which cycles belong to which layer.
//!
//! A layer ends when its last compute instruction leaves the queue. It has
//! the cycles between the end of the layer before it, in its launch, and its
//! own; the last layer of a launch also has those up to the finish. So the
//! layers of a launch sum to its cycles. Layers of the host have none.

use super::sim::SimReport;
use crate::program::{Launch, On, Program, Step};

/// Cycles of each layer of a program, in order.
///
/// `reports` gives what the simulator said of a launch, with
/// [`SimReport::symbol_ends`]; a launch without a report counts nothing.
pub fn layer_cycles<'a>(
    program: &Program,
    report: impl Fn(&Launch) -> Option<&'a SimReport>,
) -> Vec<u64> {
    let mut cycles = vec![0; program.layers.len()];
    for (step, launch) in program.steps.iter().enumerate() {
        let Step::Launch(launch) = launch else {
            continue;
        };
        let Some(report) = report(launch) else {
            continue;
        };
        let mine = |l: &crate::program::Layer| l.on == On::Device && l.step as usize == step;
        let layers = program.layers.iter().enumerate().filter(|(_, l)| mine(l));
        let (mut end, mut last) = (0, None);
        for (at, layer) in layers {
            let symbols = launch.symbols.iter().zip(&report.symbol_ends);
            let own = symbols.filter(|(s, _)| s.name == layer.name);
            // A layer without compute instructions ends with the one before it.
            let own_end = own.filter_map(|(_, end)| *end).max();
            let own_end = own_end.unwrap_or(end).max(end);
            cycles[at] = own_end - end;
            (end, last) = (own_end, Some(at));
        }
        if let Some(last) = last {
            cycles[last] += report.cycles.unwrap_or(end).saturating_sub(end);
        }
    }
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Status;
    use crate::host::DType;
    use crate::program::{Layer, Layout, Region, Symbol};

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

    fn report(cycles: u64, symbol_ends: &[Option<u64>]) -> SimReport {
        SimReport {
            status: Status::Ok,
            cycles: Some(cycles),
            acc_writes: 0,
            reason: None,
            where_: None,
            instruction: None,
            waits: Vec::new(),
            stats: super::super::sim::Stats::default(),
            symbol_ends: symbol_ends.to_vec(),
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
        let cycles = layer_cycles(&program, |l| match l.name.as_str() {
            "one" => Some(&one),
            _ => Some(&two),
        });
        assert_eq!(cycles, [80, 0, 50, 0, 50]);
        let none = layer_cycles(&program, |_| None);
        assert_eq!(none, [0; 5]);
    }
}
