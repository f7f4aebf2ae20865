//! Which programs the text format can carry.

use crate::config::HwConfig;
use crate::program::Program;
use std::collections::BTreeSet;

/// Most bytes of initial data.
pub(super) const MAX_DATA: u64 = 1 << 30;

/// Why a program is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// A number of the hardware configuration makes no sense.
    #[error("configuration {config}: {field} is {value}, not {takes}")]
    Config {
        /// The configuration's name.
        config: String,
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
        /// What it can be.
        takes: &'static str,
    },
    /// Two segments or two launches have one name.
    #[error("two {what} are named {name:?}")]
    SameName {
        /// `segments` or `launches`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Segments overlap, or are not in order of address.
    #[error("segment {name:?} at {addr:#x} begins before the end of {before:?} at {end:#x}")]
    Overlap {
        /// The later segment.
        name: String,
        /// Its address.
        addr: u32,
        /// The earlier segment.
        before: String,
        /// Its end.
        end: u64,
    },
    /// Something leaves DRAM.
    #[error("{what} {name:?} ends at {end:#x}, past the DRAM of {dram_bytes:#x} bytes")]
    PastDram {
        /// `segment`, `launch` or `output of launch`.
        what: &'static str,
        /// Its name.
        name: String,
        /// Its end.
        end: u64,
        /// Bytes of DRAM.
        dram_bytes: u32,
    },
    /// A segment has more data than bytes.
    #[error("segment {name:?} has {data} bytes of data in {bytes} bytes")]
    TooMuchData {
        /// The segment.
        name: String,
        /// Bytes of data.
        data: u64,
        /// Bytes of the segment.
        bytes: u64,
    },
    /// A symbol names instructions that its launch does not have.
    #[error("symbol {name:?} ends at instruction {end}, past the {count} of launch {launch:?}")]
    Symbol {
        /// The symbol.
        name: String,
        /// One past its last instruction.
        end: u64,
        /// Instructions of the launch.
        count: u32,
        /// The launch.
        launch: String,
    },
    /// A network's program has more than text can say.
    #[error("the text has launches only, not host steps, tensors and layers")]
    Network,
    /// There is more initial data than an assembler should hold.
    #[error("{0} bytes of data, more than {MAX_DATA}")]
    DataLimit(u64),
}

/// Checks a configuration: sizes that are powers of two, and no larger than
/// the hardware can be built.
pub(super) fn config(c: &HwConfig) -> Result<(), Invalid> {
    let power = |field, value: u32, max: u32, takes| match value.is_power_of_two() && value <= max {
        true => Ok(()),
        false => Err(Invalid::Config {
            config: c.name.clone(),
            field,
            value,
            takes,
        }),
    };
    let depth = "a power of two up to 65536";
    power("block", c.block, 256, "a power of two up to 256")?;
    power("uop_depth", c.uop_depth, 1 << 16, depth)?;
    power("inp_depth", c.inp_depth, 1 << 16, depth)?;
    power("wgt_depth", c.wgt_depth, 1 << 16, depth)?;
    power("acc_depth", c.acc_depth, 1 << 16, depth)?;
    power("out_depth", c.out_depth, 1 << 16, depth)?;
    // A bus narrower than a byte is as wrong as one that is no power of two.
    let bits = if c.mem_data_bits < 8 {
        0
    } else {
        c.mem_data_bits
    };
    power("mem_data_bits", bits, 4096, "a power of two from 8 to 4096")?;
    let range = |field, value: u32, (min, max): (u32, u32), takes| match value {
        v if v >= min && v <= max => Ok(()),
        value => Err(Invalid::Config {
            config: c.name.clone(),
            field,
            value,
            takes,
        }),
    };
    range("mem_len_bits", c.mem_len_bits, (0, 16), "0 to 16")?;
    let queue = "1 to 65536";
    range(
        "insn_queue_entries",
        c.insn_queue_entries,
        (1, 1 << 16),
        queue,
    )
}

/// Checks a program.
///
/// A program is valid if
/// - it has launches only, no host steps, tensors and layers;
/// - the depths, the block and the bus width of its configuration are powers of two;
/// - names of segments are unique, and so are names of launches;
/// - segments come in order of address, do not overlap, and end inside `dram_bytes`;
/// - no segment has more `data` than `bytes`, and all of them together at most 1 GiB;
/// - the instructions and outputs of each launch are inside `dram_bytes`, in a
///   segment or not;
/// - symbols name instructions that their launch has.
///
/// # Errors
/// The first rule that is broken, and where.
pub fn validate(p: &Program) -> Result<(), Invalid> {
    if p.is_network() {
        return Err(Invalid::Network);
    }
    config(&p.config)?;
    let inside = |what, name: &str, addr: u32, bytes: u64| {
        let end = u64::from(addr) + bytes;
        if end > u64::from(p.dram_bytes) {
            return Err(Invalid::PastDram {
                what,
                name: name.into(),
                end,
                dram_bytes: p.dram_bytes,
            });
        }
        Ok(end)
    };
    let mut names = BTreeSet::new();
    let mut before: Option<(&str, u64)> = None;
    let mut total = 0;
    for s in &p.segments {
        if !names.insert(&s.name) {
            let (what, name) = ("segments", s.name.clone());
            return Err(Invalid::SameName { what, name });
        }
        if let Some((other, end)) = before
            && u64::from(s.addr) < end
        {
            return Err(Invalid::Overlap {
                name: s.name.clone(),
                addr: s.addr,
                before: other.into(),
                end,
            });
        }
        before = Some((&s.name, inside("segment", &s.name, s.addr, s.bytes.into())?));
        let (data, bytes) = (s.data.len() as u64, u64::from(s.bytes));
        if data > bytes {
            let name = s.name.clone();
            return Err(Invalid::TooMuchData { name, data, bytes });
        }
        total += data;
    }
    if total > MAX_DATA {
        return Err(Invalid::DataLimit(total));
    }
    let mut names = BTreeSet::new();
    for l in p.launches() {
        if !names.insert(&l.name) {
            let (what, name) = ("launches", l.name.clone());
            return Err(Invalid::SameName { what, name });
        }
        inside("launch", &l.name, l.insn_addr, 16 * u64::from(l.insn_count))?;
        for &(addr, bytes) in &l.outputs {
            inside("output of launch", &l.name, addr, bytes.into())?;
        }
        for s in &l.symbols {
            let end = u64::from(s.first) + u64::from(s.count);
            if end > u64::from(l.insn_count) {
                return Err(Invalid::Symbol {
                    name: s.name.clone(),
                    end,
                    count: l.insn_count,
                    launch: l.name.clone(),
                });
            }
        }
    }
    Ok(())
}
