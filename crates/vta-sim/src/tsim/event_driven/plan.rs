//! Which launches the engine can run: those in which no counter wraps and no
//! transfer is of the kinds that never end.

use super::tokens;
use crate::fsim::byte_addr;
use crate::tsim::vme::Client;
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Illegal, Insn, Load, MemoryType, Store, Unit, memory_type_bits};
use vta_program::mem::Dram;
use vta_program::timing::{Geometry, fetch};

/// An instruction.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    /// What it is.
    pub insn: Insn,
    /// Its unit.
    pub unit: Unit,
    /// The word's bits 9:7.
    pub memory_type: u8,
    /// Semaphores that it takes a token from, as bits.
    pub takes: u8,
    /// Semaphores that it gives a token to, as bits.
    pub gives: u8,
}

/// A launch, decoded, of which everything is known to be of the usual kind.
#[derive(Debug)]
pub struct Plan {
    /// The instructions, in order.
    pub ops: Vec<Op>,
    /// Widths of uop, inp, wgt, acc and out transfers.
    pub geo: [Geometry; 5],
}

/// Whose widths are known, in the order of read clients; then those of stores.
const CLIENTS: [Scratchpad; 5] = [
    Scratchpad::Uop,
    Scratchpad::Inp,
    Scratchpad::Wgt,
    Scratchpad::Acc,
    Scratchpad::Out,
];

/// Index of the widths of stores.
pub const OUT: usize = 4;

/// Most bursts that a client has commanded and not counted: sixteen tags, its
/// queue of one, and beats on their way through the unit.
const IN_FLIGHT: u64 = 18;

/// Instructions that are decoded before the first of them is looked at: fields
/// that have just been written one by one are slow to read together.
const BATCH: usize = 16;

/// What stands behind the last instruction of a batch that is not full.
const NONE: Result<Insn, Illegal> = Err(Illegal {
    field: "opcode",
    value: 0,
});

/// Largest sum of paddings in one direction.
const PADS: u16 = 30;

/// A range of rows whose addresses do not wrap: first byte and end.
fn extent(addr: u32, x_bytes: u64, y_size: u16, stride_bytes: u64) -> Option<(u64, u64)> {
    let first = u64::from(addr);
    let end = first + u64::from(y_size - 1) * stride_bytes + x_bytes;
    (end <= 1 << 32).then_some((first, end))
}

impl Plan {
    /// Decodes a launch; nothing if it has to be ticked.
    pub fn new(cfg: &HwConfig, dram: &Dram, insn_addr: u32, insn_count: u32) -> Option<Self> {
        let mut plan = Self {
            ops: Vec::with_capacity(insn_count as usize),
            geo: CLIENTS.map(|pad| Geometry::new(cfg, cfg.elem_bytes(pad))),
        };
        if !fetch::counts_beats(cfg) {
            return None;
        }
        // Fetch asks for nothing at address 0, which is never answered.
        if insn_addr < cfg.beat_bytes() {
            return None;
        }
        let code = u64::from(insn_addr)..u64::from(insn_addr) + 16 * u64::from(insn_count);
        let words = dram.read(code.start, code.end - code.start).ok()?;
        for words in words.chunks(16 * BATCH) {
            let words = words.as_chunks::<16>().0;
            let decoded: [_; BATCH] = std::array::from_fn(|i| match words.get(i) {
                Some(word) => Insn::decode(u128::from_le_bytes(*word)),
                None => NONE,
            });
            for (insn, word) in decoded.iter().zip(words) {
                let insn = insn.as_ref().ok()?;
                let fits = match insn {
                    _ if insn.is_sync() => true,
                    Insn::Load(l) => plan.load_fits(l, cfg.depth(l.memory_type.scratchpad())),
                    Insn::Store(s) => plan.store_fits(s, &code),
                    _ => true,
                };
                if !fits {
                    return None;
                }
                let (takes, gives) = tokens(insn);
                plan.ops.push(Op {
                    insn: *insn,
                    unit: insn.unit(),
                    memory_type: memory_type_bits(u128::from_le_bytes(*word)),
                    takes,
                    gives,
                });
            }
        }
        Some(plan)
    }

    fn load_fits(&self, l: &Load, depth: u32) -> bool {
        let geo = self.geo[index(l.memory_type)];
        let x_bytes = u64::from(l.x_size) << geo.elem_log;
        let beat = 1u64 << geo.beat_log;
        // Sums of sizes and paddings have 16 bits, those of bytes 16 more than an element.
        let sizes = l.y_size != 0
            && l.y_size <= u16::MAX - PADS
            && l.x_size <= u16::MAX - PADS
            && x_bytes + 2 * beat <= 1 << (16 + geo.elem_log);
        if !sizes {
            return false;
        }
        // What the counter of beats in flight holds.
        let (row_beats, room) = if geo.is_narrow() {
            let ratio = geo.elem_log - geo.beat_log;
            (u64::from(l.x_size) << ratio, u64::from(depth) << ratio)
        } else {
            let ratio = geo.beat_log - geo.elem_log;
            (
                (x_bytes >> geo.beat_log) + 2,
                u64::from(depth >> ratio) << 1,
            )
        };
        let most = (row_beats * u64::from(l.y_size)).min(IN_FLIGHT << geo.len_bits);
        let addr = byte_addr(l.dram_base, 1 << geo.elem_log);
        let stride = u64::from(l.x_stride) << geo.elem_log;
        most < room && u64::from(addr) >= beat && extent(addr, x_bytes, l.y_size, stride).is_some()
    }

    fn store_fits(&self, s: &Store, code: &std::ops::Range<u64>) -> bool {
        let geo = self.geo[OUT];
        let x_bytes = u64::from(s.x_size) << geo.elem_log;
        let beats_of_element = 1u64 << geo.elem_log.saturating_sub(geo.beat_log);
        // A narrow store counts the beats of a row in 16 bits.
        let sizes = s.y_size != 0
            && s.x_size <= u16::MAX - PADS
            && u64::from(s.x_size) * beats_of_element <= u64::from(u16::MAX)
            && x_bytes + (2 << geo.beat_log) <= 1 << (16 + geo.elem_log)
            && beats_of_element <= 1 << geo.len_bits;
        if !sizes {
            return false;
        }
        let addr = byte_addr(s.dram_base, 1 << geo.elem_log);
        let stride = u64::from(s.x_stride) << geo.elem_log;
        // Instructions are decoded before they run: none may be stored.
        extent(addr, x_bytes, s.y_size, stride)
            .is_some_and(|(first, end)| end <= code.start || code.end <= first)
    }
}

/// Index of a load's widths: fetch is the client without.
pub const fn index(m: MemoryType) -> usize {
    Client::of(m) as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use vta_program::isa::Finish;

    const LOAD: Load = Load {
        pop_prev_dep: false,
        pop_next_dep: false,
        push_prev_dep: false,
        push_next_dep: false,
        memory_type: MemoryType::Inp,
        sram_base: 0,
        dram_base: 0x800,
        y_size: 3,
        x_size: 100,
        x_stride: 100,
        y_pad_0: 1,
        y_pad_1: 1,
        x_pad_0: 1,
        x_pad_1: 1,
    };
    const STORE: Store = Store {
        pop_prev_dep: false,
        pop_next_dep: false,
        push_prev_dep: false,
        push_next_dep: false,
        memory_type: 4,
        sram_base: 0,
        dram_base: 0x400,
        y_size: 3,
        x_size: 100,
        x_stride: 100,
        y_pad_0: 0,
        y_pad_1: 0,
        x_pad_0: 0,
        x_pad_1: 0,
    };
    const FINISH: Finish = Finish {
        pop_prev_dep: false,
        pop_next_dep: false,
        push_prev_dep: false,
        push_next_dep: false,
    };

    /// Whether a program of this instruction at 0x1000 is run by events.
    fn suits(config: &str, insn: Insn) -> bool {
        let mut image = vec![0; 1 << 16];
        for (i, insn) in [insn, Insn::Finish(FINISH)].iter().enumerate() {
            let word = insn.encode().expect("every field is in range");
            image[0x1000 + 16 * i..][..16].copy_from_slice(&word.to_le_bytes());
        }
        let cfg = HwConfig::built_in(config).expect("built in");
        Plan::new(&cfg, &Dram::new(image), 0x1000, 2).is_some()
    }

    #[test]
    fn usual_transfers_are_run_by_events() {
        for config in HwConfig::BUILT_IN {
            for memory_type in MemoryType::ALL {
                let load = Load {
                    memory_type,
                    ..LOAD
                };
                assert!(suits(config, Insn::Load(load)), "{config} {memory_type:?}");
            }
            assert!(suits(config, Insn::Store(STORE)), "{config}");
        }
    }

    #[test]
    fn what_wraps_or_never_ends_is_ticked() {
        let ticked = [
            Insn::Load(Load { y_size: 0, ..LOAD }),
            Insn::Load(Load {
                dram_base: 0,
                ..LOAD
            }),
            Insn::Load(Load {
                x_size: 65_520,
                ..LOAD
            }),
            Insn::Load(Load {
                dram_base: u32::MAX >> 4,
                ..LOAD
            }),
            Insn::Store(Store { y_size: 0, ..STORE }),
            Insn::Store(Store {
                x_size: 40_000,
                ..STORE
            }),
            // Over the instructions.
            Insn::Store(Store {
                dram_base: 0xff,
                ..STORE
            }),
        ];
        for insn in ticked {
            assert!(!suits("de10", insn), "{insn:?}");
        }
        // More beats in flight than the counter holds.
        let long = Load {
            x_size: 2048,
            y_size: 1,
            ..LOAD
        };
        assert!(suits("de10", Insn::Load(long)));
        assert!(!suits("pynq", Insn::Load(long)));
    }
}
