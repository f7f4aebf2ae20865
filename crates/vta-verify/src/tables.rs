//! What is looked up in a program again and again, found once: whose instructions
//! lie where, and which layers a step has. So proofs take time in proportion to
//! the launches.

use std::collections::HashMap;
use vta_program::program::{Launch, Layer, On, Program};

/// Tables of a program.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    /// Where instructions lie.
    pub code: Code<'a>,
    /// The layers of the device, by step and name; the first of a name.
    layers: HashMap<(u32, &'a str), u32>,
    /// The layers of each step.
    of_step: HashMap<u32, Vec<&'a Layer>>,
}

impl<'a> Tables<'a> {
    /// Those of a program.
    pub fn new(program: &'a Program) -> Self {
        let mut layers = HashMap::new();
        let mut of_step: HashMap<u32, Vec<&Layer>> = HashMap::new();
        for (index, l) in (0..).zip(&program.layers) {
            if l.on == On::Device {
                layers.entry((l.step, l.name.as_str())).or_insert(index);
            }
            of_step.entry(l.step).or_default().push(l);
        }
        Self {
            code: Code::new(program),
            layers,
            of_step,
        }
    }

    /// The layer of the device that a symbol of a step names.
    pub fn layer(&self, step: u32, name: &str) -> Option<u32> {
        self.layers.get(&(step, name)).copied()
    }

    /// The layers whose step this is, in order.
    pub fn of_step(&self, step: u32) -> &[&'a Layer] {
        self.of_step.get(&step).map_or(&[], Vec::as_slice)
    }
}

/// Where the instructions of all launches lie.
#[derive(Debug)]
pub(super) struct Code<'a> {
    /// First byte, first byte after it and all before, launch; by first byte.
    ranges: Vec<(u64, u64, &'a Launch)>,
    launches: Vec<&'a Launch>,
}

fn range(l: &Launch) -> (u64, u64) {
    let from = u64::from(l.insn_addr);
    (from, from + 16 * u64::from(l.insn_count))
}

impl<'a> Code<'a> {
    fn new(program: &'a Program) -> Self {
        let launches: Vec<&Launch> = program.launches().collect();
        let all = launches.iter().map(|l| (range(l), *l));
        let mut ranges: Vec<_> = all.map(|((from, to), l)| (from, to, l)).collect();
        ranges.sort_by_key(|r| r.0);
        let mut end = 0;
        for r in &mut ranges {
            end = end.max(r.1);
            r.1 = end;
        }
        Self { ranges, launches }
    }

    /// The first launch whose instructions some bytes touch.
    pub fn overwritten(&self, addr: u64, bytes: u64) -> Option<String> {
        let before = self.ranges.partition_point(|r| r.0 < addr + bytes);
        let last = self.ranges[..before].last()?;
        if last.1 <= addr {
            return None;
        }
        let mut launches = self.launches.iter();
        let touched = launches.find(|l| {
            let (from, to) = range(l);
            addr < to && from < addr + bytes
        });
        touched.map(|l| l.name.clone())
    }
}
