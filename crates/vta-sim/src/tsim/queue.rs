//! Instruction queues (`Queue`, and `SyncQueue` in util/SyncQueue.scala, which
//! behaves alike seen from outside): an entry put in is there one cycle later.

use std::collections::VecDeque;
use vta_program::isa::Insn;

/// An instruction on its way to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// Position in the program, from 0.
    pub index: u32,
    /// The word's bits 9:7, where memory instructions have their type.
    pub memory_type: u8,
    /// The instruction.
    pub insn: Insn,
}

/// One unit's instruction queue.
#[derive(Debug, Clone)]
pub struct InsnQueue {
    entries: VecDeque<Queued>,
    capacity: usize,
}

impl InsnQueue {
    /// An empty queue.
    pub fn new(capacity: u32) -> Self {
        Self {
            entries: VecDeque::new(),
            capacity: capacity as usize,
        }
    }

    /// `deq.bits` when `deq.valid`.
    pub fn head(&self) -> Option<&Queued> {
        self.entries.front()
    }

    /// `enq.ready`.
    pub fn has_room(&self) -> bool {
        self.entries.len() < self.capacity
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the head out.
    pub fn pop(&mut self) -> Option<Queued> {
        self.entries.pop_front()
    }

    /// Puts an entry in.
    pub fn push(&mut self, q: Queued) {
        self.entries.push_back(q);
    }
}
