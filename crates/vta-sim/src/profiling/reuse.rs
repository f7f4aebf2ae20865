//! How much of what is loaded is loaded again.

use super::watch::symbols;
use std::collections::BTreeMap;
use vta_program::config::HwConfig;
use vta_program::isa::{Insn, MemoryType};
use vta_program::program::Launch;

/// What the loads and stores of one part of a program touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Bytes of DRAM that loads read, each once: uop, wgt, inp, acc, in the
    /// order of [`MemoryType`].
    pub once: [u64; 4],
    /// The same, as often as they are loaded.
    pub loaded: [u64; 4],
    /// Loads, but for those of micro-ops.
    pub loads: u64,
}

/// What each part of a launch needs, by its symbols' name.
pub fn needs(cfg: &HwConfig, launch: &Launch, image: &[u8]) -> BTreeMap<String, Needs> {
    let insns: Vec<Option<Insn>> = launch.insns(image).map(Result::ok).collect();
    let mut rows: BTreeMap<&str, [Vec<(u64, u64)>; 4]> = BTreeMap::new();
    let mut of: BTreeMap<String, Needs> = BTreeMap::new();
    for (name, first, count) in symbols(launch) {
        let from = (first as usize).min(insns.len());
        let to = (from + count as usize).min(insns.len());
        let mine = of.entry(name.to_owned()).or_default();
        let mine_rows = rows.entry(name).or_default();
        for insn in insns[from..to].iter().flatten() {
            let Insn::Load(l) = insn else { continue };
            let bytes = cfg.elem_bytes(l.memory_type.scratchpad());
            let t = l.memory_type as usize;
            let row = u64::from(l.x_size) * u64::from(bytes);
            if row == 0 {
                continue;
            }
            mine.loads += u64::from(l.memory_type != MemoryType::Uop);
            for y in 0..u64::from(l.y_size) {
                let addr = (u64::from(l.dram_base) + y * u64::from(l.x_stride)) * u64::from(bytes);
                mine.loaded[t] += row;
                mine_rows[t].push((addr, addr + row));
            }
        }
    }
    for (name, rows) in rows {
        let mine = of.entry(name.to_owned()).or_default();
        for (once, mut rows) in mine.once.iter_mut().zip(rows) {
            rows.sort_unstable();
            let mut end = 0;
            for (from, to) in rows {
                *once += to.max(end) - from.max(end);
                end = end.max(to);
            }
        }
    }
    of
}

#[cfg(test)]
mod tests {
    use super::*;
    use vta_program::isa::Load;
    use vta_program::program::Symbol;

    #[test]
    fn bytes_that_are_loaded_twice_count_once() {
        let load = |dram_base, y_size| {
            Insn::Load(Load {
                memory_type: MemoryType::Inp,
                dram_base,
                y_size,
                x_size: 4,
                x_stride: 2,
                ..Load::from_bits(0).expect("the opcode alone is a LOAD")
            })
        };
        let mut image = vec![0; 64];
        // Elements 1 to 4 and 3 to 6; then 1 to 4 again.
        for (i, insn) in [load(1, 2), load(1, 1)].iter().enumerate() {
            let word = insn.encode().expect("it fits");
            image[16 + 16 * i..][..16].copy_from_slice(&word.to_le_bytes());
        }
        let launch = Launch {
            name: "main".into(),
            insn_addr: 16,
            insn_count: 2,
            outputs: Vec::new(),
            symbols: vec![Symbol {
                name: "a".into(),
                first: 0,
                count: 2,
            }],
        };
        let all = needs(&HwConfig::default(), &launch, &image);
        let t = MemoryType::Inp as usize;
        assert_eq!((all["a"].once[t], all["a"].loaded[t]), (6 * 16, 12 * 16));
        assert_eq!(all["a"].loads, 2);
    }
}
