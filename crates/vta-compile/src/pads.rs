//! What lies in the scratchpads, and who touched it last.
//!
//! Each scratchpad is given away in slots, first in first out, around the ring.
//! A slot remembers the last operation of each unit that touched it, so that
//! the one that overwrites it knows whom to wait for.

/// Operations of each unit (load, compute, store), by their position in the
/// stream, that must have ended.
pub(super) type Deps = [Option<u32>; 3];

/// The later one of each unit.
pub(super) fn join(a: &mut Deps, b: &Deps) {
    for (x, y) in a.iter_mut().zip(b) {
        *x = (*x).max(*y);
    }
}

/// A slot that is in use; a ghost (`id` 0) is what is left of an overwritten one.
#[derive(Debug, Clone)]
struct Slot {
    id: u64,
    start: u32,
    end: u32,
    /// Last read or write.
    last: Deps,
    /// Last write.
    written: Deps,
}

/// Name of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotId(u64);

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSlot {
    /// It would overwrite a slot that is still needed.
    Pinned,
    /// It is larger than the scratchpad.
    TooLarge,
}

/// A part of a scratchpad as a ring of slots.
#[derive(Debug, Clone)]
pub(super) struct Pad {
    lo: u32,
    hi: u32,
    head: u32,
    next: u64,
    slots: Vec<Slot>,
}

impl Pad {
    /// The elements `lo..hi`, all free.
    pub(super) fn new(lo: u32, hi: u32) -> Self {
        Self {
            lo,
            hi,
            head: lo,
            next: 1,
            slots: Vec::new(),
        }
    }

    /// Elements that there are.
    pub(super) fn size(&self) -> u32 {
        self.hi - self.lo
    }

    /// Takes the next `size` elements, unless that touches one of `pinned`.
    pub(super) fn alloc(&mut self, size: u32, pinned: &[SlotId]) -> Result<SlotId, NoSlot> {
        if size > self.size() {
            return Err(NoSlot::TooLarge);
        }
        let start = if self.head + size <= self.hi {
            self.head
        } else {
            self.lo
        };
        let end = start + size;
        let touched = |s: &Slot| s.start < end && start < s.end;
        let is_pinned = |s: &Slot| pinned.iter().any(|p| p.0 == s.id);
        if self.slots.iter().any(|s| touched(s) && is_pinned(s)) {
            return Err(NoSlot::Pinned);
        }
        let mut last = Deps::default();
        let mut kept = Vec::with_capacity(self.slots.len() + 2);
        for s in self.slots.drain(..) {
            if !(s.start < end && start < s.end) {
                kept.push(s);
                continue;
            }
            join(&mut last, &s.last);
            for (from, to) in [(s.start, start), (end, s.end)] {
                if from < to {
                    kept.push(Slot {
                        id: 0,
                        start: from,
                        end: to,
                        ..s
                    });
                }
            }
        }
        let id = self.next;
        self.next += 1;
        kept.push(Slot {
            id,
            start,
            end,
            last,
            written: Deps::default(),
        });
        self.slots = kept;
        self.head = if end == self.hi { self.lo } else { end };
        Ok(SlotId(id))
    }

    fn slot(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|s| s.id == id.0)
    }

    /// First element of a slot; none if it was overwritten.
    pub(super) fn start(&self, id: SlotId) -> Option<u32> {
        self.slots.iter().find(|s| s.id == id.0).map(|s| s.start)
    }

    /// Whom a reader waits for.
    pub(super) fn before_read(&mut self, id: SlotId) -> Deps {
        self.slot(id).map(|s| s.written).unwrap_or_default()
    }

    /// Whom a writer waits for.
    pub(super) fn before_write(&mut self, id: SlotId) -> Deps {
        self.slot(id).map(|s| s.last).unwrap_or_default()
    }

    /// Operation `op` of a unit reads the slot.
    pub(super) fn read(&mut self, id: SlotId, unit: usize, op: u32) {
        if let Some(s) = self.slot(id) {
            s.last[unit] = s.last[unit].max(Some(op));
        }
    }

    /// Operation `op` of a unit writes the slot.
    pub(super) fn write(&mut self, id: SlotId, unit: usize, op: u32) {
        if let Some(s) = self.slot(id) {
            s.last[unit] = s.last[unit].max(Some(op));
            s.written[unit] = s.written[unit].max(Some(op));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_overwrites_waits_for_all_that_touched_it() {
        let mut p = Pad::new(0, 100);
        let a = p.alloc(60, &[]).expect("room");
        p.write(a, 0, 1);
        p.read(a, 1, 2);
        // Does not fit behind a: starts again at 0 and takes a part of it.
        let b = p.alloc(50, &[]).expect("room");
        assert_eq!(p.start(b), Some(0));
        assert_eq!(p.start(a), None);
        assert_eq!(p.before_write(b), [Some(1), Some(2), None]);
        // What is left of a still has its readers.
        let c = p.alloc(50, &[]).expect("room");
        assert_eq!(p.start(c), Some(50));
        assert_eq!(p.before_write(c), [Some(1), Some(2), None]);
    }

    #[test]
    fn pinned_slots_are_not_overwritten() {
        let mut p = Pad::new(0, 100);
        let a = p.alloc(60, &[]).expect("room");
        assert_eq!(p.alloc(60, &[a]), Err(NoSlot::Pinned));
        assert_eq!(p.alloc(101, &[]), Err(NoSlot::TooLarge));
        assert!(p.alloc(40, &[a]).is_ok());
    }
}
