//! Configurations.

use crate::config::{ConfigProblem, HwConfig};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A built-in configuration; shrinks to `de10`.
pub fn built_in_configs() -> impl Strategy<Value = HwConfig> + Clone {
    select(HwConfig::BUILT_IN.to_vec()).prop_map(|n| HwConfig::built_in(n).expect("it is built in"))
}

/// A depth's key, and where it is.
type Depth = (&'static str, fn(&mut HwConfig) -> &mut u32);

/// The depths in the order in which they are checked.
const DEPTHS: [Depth; 5] = [
    ("UOP_DEPTH", |c| &mut c.uop_depth),
    ("INP_DEPTH", |c| &mut c.inp_depth),
    ("WGT_DEPTH", |c| &mut c.wgt_depth),
    ("ACC_DEPTH", |c| &mut c.acc_depth),
    ("OUT_DEPTH", |c| &mut c.out_depth),
];

/// The key that a configuration fails by, the first that is checked.
fn wrong(c: &HwConfig) -> Option<&'static str> {
    match c.check() {
        Err(ConfigProblem::Range { key, .. } | ConfigProblem::Bus { key, .. }) => Some(key),
        _ => None,
    }
}

/// Any configuration that [`HwConfig::check`] accepts: every block size, bus,
/// burst length, delay, queue and depth that `docs/cli.md` allows, together as
/// far as the hardware can be built so. Shrinks to small blocks, narrow buses and
/// shallow scratchpads.
pub fn configs() -> impl Strategy<Value = HwConfig> + Clone {
    let delay = prop_oneof![3 => 0..60u32, 1 => 0..=4096u32];
    let entries = prop_oneof![3 => 2..12u32, 1 => 2..=65536u32];
    let sizes = (2..=6u32, 6..=9u32, 1..=8u32);
    (sizes, delay, entries, any::<[Index; 5]>(), any::<Index>()).prop_map(
        |((block, bus, len), mem_delay, insn_queue_entries, depths, other_len)| {
            let mut c = HwConfig {
                name: "random".into(),
                block: 1 << block,
                mem_data_bits: 1 << bus,
                mem_len_bits: len,
                mem_delay,
                insn_queue_entries,
                ..HwConfig::default()
            };
            for ((key, depth), pick) in DEPTHS.into_iter().zip(depths) {
                let fits = |n: &u32| {
                    let mut other = c.clone();
                    *depth(&mut other) = *n;
                    wrong(&other) != Some(key)
                };
                let all: Vec<u32> = (0..=13).map(|n| 1 << n).filter(fits).collect();
                *depth(&mut c) = *pick.get(&all);
            }
            if wrong(&c).is_some() {
                let fits = |n: &u32| {
                    let mem_len_bits = *n;
                    wrong(&HwConfig {
                        mem_len_bits,
                        ..c.clone()
                    })
                    .is_none()
                };
                let all: Vec<u32> = (1..=8).filter(fits).collect();
                c.mem_len_bits = *other_len.get(&all);
            }
            c
        },
    )
}
