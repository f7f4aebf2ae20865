//! A launch again, instruction by instruction: what holds after each.
//!
//! Data change when an instruction ends, so the instructions in the order of
//! their ends are the whole run. Each scratchpad and DRAM are written by one
//! unit only, which runs its instructions in order: what an instruction leaves
//! there can be compared between any two runs.

use crate::fsim::{self, Core, LeavesDram, byte_addr};
use crate::tsim::{self, Event, Options, Sink, Status, Stop};
use std::convert::Infallible;
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Insn, MemoryType, Unit};
use vta_program::mem::Dram;
use vta_program::program::Launch;

/// Which simulator gives the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The order of the program.
    Program,
    /// The order of ends in the hardware, up to this many cycles.
    Hardware(u64),
}

/// An instruction that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Position in the launch.
    pub insn: u32,
    /// The unit.
    pub unit: Unit,
    /// Its last cycle, in the hardware's order; none for a store that was
    /// completed after FINISH.
    pub cycle: Option<u64>,
}

/// A launch that cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The simulator cannot run it.
    #[error(transparent)]
    Tsim(#[from] tsim::RunError),
    /// An instruction leaves DRAM.
    #[error(transparent)]
    LeavesDram(#[from] LeavesDram),
}

#[derive(Default)]
struct Ends {
    ended: Vec<Ended>,
    store: Option<u32>,
}

impl Sink for Ends {
    const CYCLES: bool = false;
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        match event {
            Event::InsnStart {
                unit: Unit::Store,
                insn,
            } => self.store = Some(insn),
            Event::InsnEnd { unit, insn, .. } => {
                if unit == Unit::Store {
                    self.store = None;
                }
                let cycle = Some(cycle);
                self.ended.push(Ended { insn, unit, cycle });
            }
            _ => {}
        }
        Ok(())
    }
}

/// The instructions of a launch in the order in which they end, and whether
/// the launch ended with FINISH.
///
/// # Errors
/// A launch that cannot start or leaves DRAM.
pub fn order(
    cfg: &HwConfig,
    dram: &Dram,
    launch: &Launch,
    order: Order,
) -> Result<(Vec<Ended>, bool), ReplayError> {
    let mut dram = dram.clone();
    match order {
        Order::Program => {
            let image = dram.bytes().to_vec();
            let (addr, count) = (launch.insn_addr, launch.insn_count);
            let done = fsim::run(cfg, &mut dram, addr, count, fsim::Limits::default())?;
            let insns = (0..done.insns).zip(launch.insns(&image));
            let ended = insns.filter_map(|(insn, i)| {
                let unit = i.ok()?.unit();
                let cycle = None;
                Some(Ended { insn, unit, cycle })
            });
            Ok((ended.collect(), done.stop == fsim::Stop::Finish))
        }
        Order::Hardware(max_cycles) => {
            let options = Options {
                max_cycles,
                data: false,
                ..Options::default()
            };
            let mut ends = Ends::default();
            let done = tsim::run_launch(cfg, &mut dram, launch, options, &mut ends)?;
            let finished = done.status == Status::Ok;
            if let (true, Some(insn)) = (finished, ends.store) {
                let (unit, cycle) = (Unit::Store, None);
                ends.ended.push(Ended { insn, unit, cycle });
            }
            Ok((ends.ended, finished))
        }
    }
}

/// A place that a replay can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An element of a scratchpad, and a byte in it.
    Element(Scratchpad, usize, usize),
    /// A byte of DRAM.
    Dram(usize),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Element(pad, element, byte) => write!(f, "{pad}[{element}] byte {byte}"),
            Self::Dram(addr) => write!(f, "DRAM at {addr:#x}"),
        }
    }
}

/// A launch that is executed again.
#[derive(Debug, Clone)]
pub struct Replay<'a> {
    cfg: &'a HwConfig,
    core: Core,
    dram: Dram,
    insn_addr: u32,
}

/// What an instruction writes: the bytes of what its unit may have written,
/// with the place of the first, in order.
pub type Written = Vec<(Place, Vec<u8>)>;

fn fnv(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ b).wrapping_mul(0x100_0000_01b3).rotate_left(23)
    })
}

impl<'a> Replay<'a> {
    /// Before the first instruction.
    pub fn new(cfg: &'a HwConfig, dram: Dram, launch: &Launch) -> Self {
        Self {
            cfg,
            core: Core::new(cfg),
            dram,
            insn_addr: launch.insn_addr,
        }
    }

    /// The instruction at a position.
    pub fn insn(&self, insn: u32) -> Option<Insn> {
        self.word(insn).and_then(|w| Insn::decode(w).ok())
    }

    /// Its word.
    pub fn word(&self, insn: u32) -> Option<u128> {
        let addr = u64::from(self.insn_addr) + 16 * u64::from(insn);
        self.dram.word128(addr).ok()
    }

    /// Executes an instruction.
    ///
    /// # Errors
    /// It leaves DRAM.
    pub fn exec(&mut self, insn: u32) -> Result<(), ReplayError> {
        let Some(i) = self.insn(insn) else {
            return Ok(());
        };
        if i.is_sync() {
            return Ok(());
        }
        let done = self.core.exec(&i, &mut self.dram);
        done.map_err(|cause| LeavesDram::new(insn, cause).into())
    }

    /// Elements of a vector.
    pub const fn block(&self) -> usize {
        self.cfg.block as usize
    }

    /// The core.
    pub const fn core(&self) -> &Core {
        &self.core
    }

    /// DRAM.
    pub const fn dram(&self) -> &Dram {
        &self.dram
    }

    /// DRAM, taken out.
    pub fn into_dram(self) -> Dram {
        self.dram
    }

    /// Rows in DRAM that a store writes: address and bytes.
    fn rows(&self, s: &vta_program::isa::Store) -> Vec<(u64, u64)> {
        let bytes = self.cfg.out_bytes();
        let first = u64::from(byte_addr(s.dram_base, bytes));
        let stride = u64::from(s.x_stride) * u64::from(bytes);
        let row = u64::from(s.x_size) * u64::from(bytes);
        (0..u64::from(s.y_size))
            .map(|y| (first + y * stride, row))
            .collect()
    }

    /// A number for what holds where an instruction may have written.
    pub fn digest(&self, insn: u32) -> u64 {
        let pads = self.core.pads();
        let words = |all: &[i8]| -> u64 {
            let (chunks, _) = all.as_chunks::<8>();
            fnv(chunks
                .iter()
                .map(|c| u64::from_le_bytes(c.map(|b| b as u8))))
        };
        match self.insn(insn) {
            Some(Insn::Load(l)) if l.x_size != 0 => match l.memory_type {
                MemoryType::Uop => fnv(pads.uop.iter().map(|u| u64::from(*u))),
                MemoryType::Inp => words(&pads.inp),
                MemoryType::Wgt => {
                    // Only the elements that it wrote: the scratchpad is large.
                    let size = self.cfg.wgt_bytes() as usize;
                    let width = u32::from(l.x_pad_0) + u32::from(l.x_size) + u32::from(l.x_pad_1);
                    let rows = u32::from(l.y_pad_0) + u32::from(l.y_size) + u32::from(l.y_pad_1);
                    let count = (width * rows).min(self.cfg.wgt_depth);
                    let element = |k: u32| {
                        let at = (u32::from(l.sram_base) + k) % self.cfg.wgt_depth;
                        words(&pads.wgt[at as usize * size..][..size])
                    };
                    fnv((0..count).map(element))
                }
                MemoryType::Acc => fnv(pads.acc.iter().map(|a| *a as u64)),
            },
            Some(Insn::Gemm(_) | Insn::Alu(_)) => {
                let acc = fnv(pads.acc.iter().map(|a| *a as u64));
                fnv([acc, words(&pads.out)].into_iter())
            }
            Some(Insn::Store(s)) => fnv(self.rows(&s).into_iter().flat_map(|(addr, bytes)| {
                let row = self.dram.read(addr, bytes).unwrap_or_default();
                row.iter().map(|b| u64::from(*b)).collect::<Vec<_>>()
            })),
            _ => 0,
        }
    }

    /// What holds where an instruction may have written.
    pub fn written(&self, insn: u32) -> Written {
        let pads = self.core.pads();
        let bytes = |all: &[i8]| all.iter().map(|b| *b as u8).collect::<Vec<u8>>();
        let acc = || pads.acc.iter().flat_map(|a| a.to_le_bytes()).collect();
        let at = |pad| Place::Element(pad, 0, 0);
        match self.insn(insn) {
            Some(Insn::Load(l)) if l.x_size != 0 => match l.memory_type {
                MemoryType::Uop => {
                    let uop = pads.uop.iter().flat_map(|u| u.to_le_bytes()).collect();
                    vec![(at(Scratchpad::Uop), uop)]
                }
                MemoryType::Inp => vec![(at(Scratchpad::Inp), bytes(&pads.inp))],
                MemoryType::Wgt => vec![(at(Scratchpad::Wgt), bytes(&pads.wgt))],
                MemoryType::Acc => vec![(at(Scratchpad::Acc), acc())],
            },
            Some(Insn::Gemm(_) | Insn::Alu(_)) => {
                vec![
                    (at(Scratchpad::Acc), acc()),
                    (at(Scratchpad::Out), bytes(&pads.out)),
                ]
            }
            Some(Insn::Store(s)) => {
                let row = |(addr, n): (u64, u64)| {
                    let row = self.dram.read(addr, n).unwrap_or_default();
                    (Place::Dram(addr as usize), row.to_vec())
                };
                self.rows(&s).into_iter().map(row).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The place `byte` bytes after another.
    pub fn place(&self, first: Place, byte: usize) -> Place {
        match first {
            Place::Dram(addr) => Place::Dram(addr + byte),
            Place::Element(pad, element, _) => {
                let size = self.cfg.elem_bytes(pad) as usize;
                Place::Element(pad, element + byte / size, byte % size)
            }
        }
    }
}
