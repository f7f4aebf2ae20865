//! An allocator that counts, so that a body can be held to a bound.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The allocator of the system, counting what each thread has at a time.
#[derive(Debug)]
pub struct Counting;

fn count(by: isize) {
    // A thread that ends has no counters any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + by);
        let _ = MOST.try_with(|most| most.set(most.get().max(now.get())));
    });
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: every call goes to the system's allocator as it is; the counters are
// cells without a destructor, which allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: as the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: as the caller's.
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(signed(size) - signed(layout.size()));
        // SAFETY: as the caller's.
        unsafe { System.realloc(p, layout, size) }
    }
}

/// Begins a measurement in this thread.
pub fn begin() {
    NOW.with(|now| now.set(0));
    MOST.with(|most| most.set(0));
}

/// Most bytes that this thread had at a time since [`begin`], beyond those that
/// it had then; 0 where [`Counting`] is not the allocator.
pub fn most() -> usize {
    MOST.with(|most| usize::try_from(most.get()).unwrap_or(0))
}
