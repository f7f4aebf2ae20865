//! The scratchpad allocator: what lies in a scratchpad, and who touched it last.
//!
//! Each scratchpad is given away in buffers, first in first out, around the ring.
//! A buffer remembers the last operation of each unit that touched it, so that
//! the one that overwrites it knows whom to wait for.

use crate::deps::{Deps, OpId, join};
use crate::fit::DoesNotFit;
use std::ops::Range;
use vta_program::isa::Unit;

/// Elements that lie together: a buffer that is in use, or a stale one (`id` 0),
/// what is left of an overwritten one.
#[derive(Debug, Clone)]
struct Buffer {
    id: usize,
    start: u32,
    end: u32,
    /// Last read or write.
    last: Deps,
    /// Last write.
    written: Deps,
}

/// Name of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BufferId(usize);

/// A part of a scratchpad as a ring of buffers.
#[derive(Debug, Clone)]
pub(crate) struct Allocator {
    lo: u32,
    hi: u32,
    head: u32,
    buffers: Vec<Buffer>,
    /// By name, from `oldest` on: where the buffer is in `buffers`, if it is in use.
    places: Vec<Option<usize>>,
    oldest: usize,
}

impl Allocator {
    /// The elements of a range, all free.
    pub(crate) fn new(elements: Range<u32>) -> Self {
        let Range { start: lo, end: hi } = elements;
        debug_assert!(lo <= hi);
        Self {
            lo,
            hi,
            head: lo,
            buffers: Vec::new(),
            places: Vec::new(),
            // Name 0 is that of stale buffers.
            oldest: 1,
        }
    }

    /// Elements that there are.
    pub(crate) fn size(&self) -> u32 {
        self.hi - self.lo
    }

    /// Takes the next `size` elements, unless that touches one of `pinned`.
    ///
    /// # Errors
    /// It touches one of them, or there are not as many elements at all.
    pub(crate) fn alloc(&mut self, size: u32, pinned: &[BufferId]) -> Result<BufferId, DoesNotFit> {
        if size > self.size() {
            return Err(DoesNotFit::NoRoom);
        }
        let start = if self.head + size <= self.hi {
            self.head
        } else {
            self.lo
        };
        let end = start + size;
        let touched = |s: &Buffer| s.start < end && start < s.end;
        let is_pinned = |s: &Buffer| pinned.iter().any(|p| p.0 == s.id);
        if self.buffers.iter().any(|s| touched(s) && is_pinned(s)) {
            return Err(DoesNotFit::Pinned);
        }
        let mut last = Deps::default();
        let mut at = 0;
        while let Some(s) = self.buffers.get(at) {
            if !touched(s) {
                at += 1;
                continue;
            }
            let s = self.take(at);
            join(&mut last, &s.last);
            for (from, to) in [(s.start, start), (end, s.end)] {
                if from < to {
                    // It is looked at again, and stays.
                    self.buffers.push(Buffer {
                        id: 0,
                        start: from,
                        end: to,
                        ..s.clone()
                    });
                }
            }
        }
        self.forget();
        let id = self.oldest + self.places.len();
        self.places.push(Some(self.buffers.len()));
        self.buffers.push(Buffer {
            id,
            start,
            end,
            last,
            written: Deps::default(),
        });
        self.head = if end == self.hi { self.lo } else { end };
        Ok(BufferId(id))
    }

    /// Takes a buffer out; the last one is in its place.
    fn take(&mut self, at: usize) -> Buffer {
        let taken = self.buffers.swap_remove(at);
        self.place(taken.id, None);
        if let Some(moved) = self.buffers.get(at) {
            self.place(moved.id, Some(at));
        }
        taken
    }

    fn place(&mut self, id: usize, at: Option<usize>) {
        let place = id.checked_sub(self.oldest);
        if let Some(place) = place.and_then(|i| self.places.get_mut(i)) {
            *place = at;
        }
    }

    /// Forgets the names of buffers that are gone, where they are many.
    fn forget(&mut self) {
        if self.places.len() > 4 * self.buffers.len() + 64 {
            let gone = self.places.iter().position(Option::is_some);
            let gone = gone.unwrap_or(self.places.len());
            self.places.drain(..gone);
            self.oldest += gone;
        }
    }

    /// Takes the first elements next.
    pub(crate) fn rewind(&mut self) {
        self.head = self.lo;
    }

    fn at(&self, id: BufferId) -> Option<usize> {
        *self.places.get(id.0.checked_sub(self.oldest)?)?
    }

    fn find(&self, id: BufferId) -> Option<&Buffer> {
        self.buffers.get(self.at(id)?)
    }

    fn get(&self, id: BufferId) -> Result<&Buffer, DoesNotFit> {
        self.find(id).ok_or(DoesNotFit::Evicted)
    }

    fn get_mut(&mut self, id: BufferId) -> Result<&mut Buffer, DoesNotFit> {
        let buffer = self.at(id).and_then(|at| self.buffers.get_mut(at));
        buffer.ok_or(DoesNotFit::Evicted)
    }

    /// Whether a buffer is still there: nothing overwrote a part of it.
    pub(crate) fn holds(&self, id: BufferId) -> bool {
        self.find(id).is_some()
    }

    /// First element of a buffer.
    ///
    /// # Errors
    /// It was overwritten.
    pub(crate) fn start(&self, id: BufferId) -> Result<u32, DoesNotFit> {
        self.get(id).map(|s| s.start)
    }

    /// Whom a reader waits for.
    ///
    /// # Errors
    /// The buffer was overwritten.
    pub(crate) fn before_read(&self, id: BufferId) -> Result<Deps, DoesNotFit> {
        self.get(id).map(|s| s.written)
    }

    /// Whom a writer waits for.
    ///
    /// # Errors
    /// The buffer was overwritten.
    pub(crate) fn before_write(&self, id: BufferId) -> Result<Deps, DoesNotFit> {
        self.get(id).map(|s| s.last)
    }

    /// Operation `op` of a unit reads the buffer.
    ///
    /// # Errors
    /// The buffer was overwritten.
    pub(crate) fn read(&mut self, id: BufferId, unit: Unit, op: OpId) -> Result<(), DoesNotFit> {
        let last = &mut self.get_mut(id)?.last[unit as usize];
        *last = (*last).max(Some(op));
        Ok(())
    }

    /// Operation `op` of a unit writes the buffer.
    ///
    /// # Errors
    /// The buffer was overwritten.
    pub(crate) fn write(&mut self, id: BufferId, unit: Unit, op: OpId) -> Result<(), DoesNotFit> {
        self.read(id, unit, op)?;
        let written = &mut self.get_mut(id)?.written[unit as usize];
        *written = (*written).max(Some(op));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(n: usize) -> OpId {
        OpId::new(n).expect("a small number")
    }

    #[test]
    fn who_overwrites_waits_for_all_that_touched_it() {
        let mut p = Allocator::new(0..100);
        let a = p.alloc(60, &[]).expect("room");
        p.write(a, Unit::Load, op(1)).expect("it is there");
        p.read(a, Unit::Compute, op(2)).expect("it is there");
        // Does not fit behind a: starts again at 0 and takes a part of it.
        let b = p.alloc(50, &[]).expect("room");
        let touched = Ok([Some(op(1)), Some(op(2)), None]);
        assert_eq!(p.start(b), Ok(0));
        assert_eq!(p.before_write(b), touched);
        // What is left of a still has its readers.
        let c = p.alloc(50, &[]).expect("room");
        assert_eq!(p.start(c), Ok(50));
        assert_eq!(p.before_write(c), touched);
    }

    #[test]
    fn an_overwritten_buffer_is_no_place() {
        let mut p = Allocator::new(0..100);
        let a = p.alloc(60, &[]).expect("room");
        assert!(p.holds(a));
        p.alloc(50, &[]).expect("room");
        assert!(!p.holds(a));
        assert_eq!(p.start(a), Err(DoesNotFit::Evicted));
        assert_eq!(p.before_read(a), Err(DoesNotFit::Evicted));
        assert_eq!(p.before_write(a), Err(DoesNotFit::Evicted));
        assert_eq!(p.read(a, Unit::Load, op(0)), Err(DoesNotFit::Evicted));
        assert_eq!(p.write(a, Unit::Load, op(0)), Err(DoesNotFit::Evicted));
    }

    #[test]
    fn pinned_buffers_are_not_overwritten() {
        let mut p = Allocator::new(0..100);
        let a = p.alloc(60, &[]).expect("room");
        assert_eq!(p.alloc(60, &[a]), Err(DoesNotFit::Pinned));
        assert_eq!(p.alloc(101, &[]), Err(DoesNotFit::NoRoom));
        assert!(p.alloc(40, &[a]).is_ok());
    }
}
