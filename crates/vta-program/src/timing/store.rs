//! A store: its own path to memory, so what others do does not matter.

use super::{Bursts, Geometry, Rows};

/// Cycles of a burst beside its beats: the command, two of handshake, and the
/// response (`sWriteIdle` to `sWriteResp` in shell/VME.scala).
const BURST: u64 = 4;

/// Cycles from the command of a burst to its address taken, and to its first beat.
const ADDRESS: u64 = 2;
const FIRST_BEAT: u64 = 3;

/// What a store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Store {
    /// Its cycles.
    pub cycles: u64,
    /// Beats that it writes.
    pub beats: u64,
    /// Bursts.
    pub bursts: u64,
}

/// Beats after which a burst reads the next element (`sReadMem` in
/// core/TensorStoreNarrowVME.scala): those of an element, or as good as never.
const fn group(geo: Geometry) -> u64 {
    if geo.is_narrow() {
        1 << (geo.elem_log - geo.beat_log)
    } else {
        u64::MAX - 1
    }
}

/// Whether each burst of a store is less than an element. The hardware begins the
/// element anew with each burst then, and goes to no other: what it writes is not
/// what the scratchpad holds (`tag`, `raddr_cur` in core/TensorStoreNarrowVME.scala).
///
/// ```
/// use vta_program::config::HwConfig;
/// use vta_program::timing::{Geometry, tears_elements};
///
/// // Eight beats of 64 bits.
/// let wide = HwConfig { block: 64, ..HwConfig::de10() };
/// assert!(!tears_elements(Geometry::new(&wide, wide.out_bytes())));
/// let short = HwConfig { mem_len_bits: 2, ..wide };
/// assert!(tears_elements(Geometry::new(&short, short.out_bytes())));
/// ```
pub const fn tears_elements(geo: Geometry) -> bool {
    geo.is_narrow() && group(geo) > 1 << geo.len_bits
}

/// A store of these rows. A burst reads its first element while it is
/// commanded, and each other one in a cycle of its own where elements are wider
/// than the bus.
#[inline]
pub const fn store(geo: Geometry, rows: &Rows) -> Store {
    let (beats, bursts) = Bursts::new(geo, rows).total();
    // An element longer than the longest burst begins anew with each.
    let reads = if geo.is_narrow() && !tears_elements(geo) {
        (beats >> (geo.elem_log - geo.beat_log)) - bursts
    } else {
        0
    };
    Store {
        cycles: beats + reads + BURST * bursts + 1,
        beats,
        bursts,
    }
}

/// The bursts of a store that starts in a cycle.
#[derive(Debug, Clone, Copy)]
pub struct StoreBursts {
    all: Bursts,
    group: u64,
    command: u64,
}

/// A burst of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreBurst {
    /// The cycle of its command.
    pub command: u64,
    /// The cycle of its first beat.
    pub first: u64,
    /// The cycle of its last beat; the response comes in the next one.
    pub last: u64,
    /// Its beats.
    pub beats: u32,
}

impl StoreBursts {
    /// The bursts of a store of these rows that starts in `start`.
    pub const fn new(geo: Geometry, rows: &Rows, start: u64) -> Self {
        Self {
            all: Bursts::new(geo, rows),
            group: group(geo),
            command: start + 1,
        }
    }

    /// The cycle of the next command, also if none is left to give.
    pub const fn command(&self) -> u64 {
        self.command
    }
}

impl Iterator for StoreBursts {
    type Item = StoreBurst;

    fn next(&mut self) -> Option<StoreBurst> {
        let beats = self.all.next()?;
        let n = u64::from(beats);
        let command = self.command;
        let first = command + FIRST_BEAT;
        let last = first + n - 1 + (n - 1) / self.group;
        // The response, then the next command.
        self.command = last + 2;
        Some(StoreBurst {
            command,
            first,
            last,
            beats,
        })
    }
}

/// Beats and bursts that a store which starts in `start` has on the bus up to
/// and with a cycle.
pub fn store_until(geo: Geometry, rows: &Rows, start: u64, cycle: u64) -> (u64, u64) {
    let group = group(geo);
    let (mut beats, mut bursts) = (0, 0);
    for b in StoreBursts::new(geo, rows, start) {
        if b.command + ADDRESS > cycle {
            break;
        }
        bursts += 1;
        if cycle >= b.first {
            // Groups of one element, with a cycle between them.
            let t = cycle - b.first + 1;
            let seen = t / (group + 1) * group + (t % (group + 1)).min(group);
            beats += seen.min(b.beats.into());
        }
    }
    (beats, bursts)
}
