//! A profile beside what the program says of its layers.

use super::reuse::{Needs, needs};
use super::watch::Seen;
use crate::trace::{Part, Profile};
use std::collections::BTreeMap;
use vta_program::program::{Layer, On, Program};

/// Where a part stands under the roof of steps and bus.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Roof {
    /// Steps of GEMM and ALU for each byte on the bus.
    pub steps_per_byte: f64,
    /// Steps a cycle.
    pub steps_per_cycle: f64,
    /// Steps a cycle that are possible: 1, or as many as the bus feeds.
    pub roof: f64,
    /// Whether the bus sets the roof.
    pub memory_bound: bool,
    /// Share of the cycles in which the read bus carries a beat.
    pub read_bus: f64,
}

/// One part of a program: a layer, or instructions of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<'a> {
    /// What happened.
    pub part: Part,
    /// The layer of the network, if it is one.
    pub layer: Option<&'a Layer>,
    /// What its loads touch.
    pub needs: Needs,
    /// Its place under the roof.
    pub roof: Roof,
}

impl Row<'_> {
    /// Cycles below which it cannot go, where the program says it: of compute
    /// and of the memory.
    pub fn floors(&self) -> Option<(u64, u64)> {
        self.layer.map(|l| (l.compute_floor, l.memory_floor))
    }
}

/// A program's run, part by part.
#[derive(Debug, Clone, PartialEq)]
pub struct View<'a> {
    /// The program.
    pub program: &'a Program,
    /// All launches together.
    pub profile: Profile,
    /// Parts in the order of their first instruction.
    pub rows: Vec<Row<'a>>,
    /// All parts together.
    pub total: Row<'a>,
}

fn roof(part: &Part, cycles: u64, beat_bytes: u64) -> Roof {
    let ratio = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
    let steps_per_byte = ratio(part.steps(), part.bytes());
    let fed = steps_per_byte * beat_bytes as f64;
    Roof {
        steps_per_byte,
        steps_per_cycle: ratio(part.steps(), cycles),
        roof: fed.min(1.0),
        memory_bound: fed < 1.0,
        read_bus: ratio(part.bytes_read() / beat_bytes.max(1), cycles),
    }
}

impl<'a> View<'a> {
    /// Puts a run beside its program.
    pub fn new(program: &'a Program, seen: &[Seen]) -> Self {
        let image = program.dram_image();
        let mut profile = Profile::default();
        let mut all: BTreeMap<String, Needs> = BTreeMap::new();
        let mut whole = Needs::default();
        for (launch, seen) in program.launches().zip(seen) {
            profile.add(&seen.profile);
            for (name, n) in needs(&program.config, launch, &image) {
                let sum = all.entry(name).or_default();
                for sum in [sum, &mut whole] {
                    sum.loads += n.loads;
                    for t in 0..4 {
                        sum.once[t] += n.once[t];
                        sum.loaded[t] += n.loaded[t];
                    }
                }
            }
        }
        let beat = u64::from(program.config.beat_bytes());
        let row = |part: &Part| {
            let mut layers = program.layers.iter().filter(|l| l.on == On::Device);
            Row {
                layer: layers.find(|l| l.name == part.name),
                needs: all.get(&part.name).copied().unwrap_or_default(),
                roof: roof(part, part.cycles(), beat),
                part: part.clone(),
            }
        };
        let rows = profile.parts.iter().map(row).collect();
        let total = profile.total();
        let total = Row {
            layer: None,
            needs: whole,
            roof: roof(&total, profile.cycles, beat),
            part: total,
        };
        Self {
            program,
            profile,
            rows,
            total,
        }
    }
}
