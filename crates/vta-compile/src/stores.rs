//! Which store wrote what of a tensor: whom a load of it waits for.

use crate::deps::{Deps, OpId};
use crate::map::{Area, FMap, meet};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// A store that was made to a tensor; blocks are counted in the tensor.
#[derive(Debug, Clone)]
struct Write {
    op: OpId,
    area: Area,
}

/// The stores of a launch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stores {
    /// By tensor, in order.
    of: FxHashMap<usize, Vec<Write>>,
    /// The tensors of all of them, in order.
    log: Vec<usize>,
}

impl Stores {
    /// A store to an area of a map.
    pub(crate) fn push(&mut self, out: &FMap, mut area: Area, op: OpId) {
        area.blocks = out.block + area.blocks.start..out.block + area.blocks.end;
        self.of
            .entry(out.root)
            .or_default()
            .push(Write { op, area });
        self.log.push(out.root);
    }

    /// The last store to a part of a map.
    pub(crate) fn last(
        &self,
        m: &FMap,
        blocks: Range<u32>,
        rows: &Range<u32>,
        cols: &Range<u32>,
    ) -> Deps {
        let blocks = m.block + blocks.start..m.block + blocks.end;
        let writes = self.of.get(&m.root).into_iter().flatten();
        let meets =
            |a: &Area| meet(&a.blocks, &blocks) && meet(&a.rows, rows) && meet(&a.cols, cols);
        let last = writes.rev().find(|w| meets(&w.area)).map(|w| w.op);
        [None, None, last]
    }

    /// Stores so far: a point to go back to.
    pub(crate) fn mark(&self) -> usize {
        self.log.len()
    }

    /// Goes back to a point.
    pub(crate) fn rollback(&mut self, mark: usize) {
        for root in self.log.drain(mark.min(self.log.len())..) {
            if let Some(writes) = self.of.get_mut(&root) {
                writes.pop();
            }
        }
    }
}
