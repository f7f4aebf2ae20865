//! What DRAM holds: tensors of the network, where steps have written them, and
//! what the program holds everywhere else.

use super::expr::Vector;
use super::tensors::{TensorIndex, Tensors};
use std::collections::HashMap;
use vta_program::program::{Layout, Region};

/// The bytes of an output element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// As at the start.
    Initial,
    /// A vector of a map.
    Vector(Vector),
    /// Bytes of a tensor that lies row by row.
    Plain(TensorIndex, u32),
    /// Something that no tensor holds.
    Other,
}

/// Cells that are kept together.
const PAGE: usize = 512;

/// DRAM in cells.
#[derive(Debug)]
pub(super) struct Memory {
    image: Vec<u8>,
    pages: HashMap<usize, Box<[Cell; PAGE]>>,
    block: usize,
}

impl Memory {
    /// DRAM before the first step.
    pub fn new(image: Vec<u8>, block: usize) -> Self {
        Self {
            image,
            pages: HashMap::new(),
            block,
        }
    }

    /// The cell at a byte address, which is a multiple of a cell's bytes.
    pub fn get(&self, addr: u64) -> Cell {
        let cell = addr as usize / self.block;
        let page = self.pages.get(&(cell / PAGE));
        page.map_or(Cell::Initial, |p| p[cell % PAGE])
    }

    /// Writes the cell at a byte address, which is a multiple of a cell's bytes.
    pub fn set(&mut self, addr: u64, to: Cell) {
        let cell = addr as usize / self.block;
        let page = self.pages.entry(cell / PAGE);
        page.or_insert_with(|| Box::new([Cell::Initial; PAGE]))[cell % PAGE] = to;
    }

    /// All bytes as they were at the start.
    pub fn whole(&self) -> &[u8] {
        &self.image
    }

    /// Bytes as they were at the start; inside of DRAM, or none.
    pub fn image(&self, addr: u64, bytes: u64) -> &[u8] {
        let range = addr as usize..(addr + bytes) as usize;
        self.image.get(range).unwrap_or_default()
    }

    /// Whether bytes are as they were at the start.
    pub fn is_initial(&self, addr: u64, bytes: u64) -> bool {
        let first = addr as usize / self.block;
        let last = (addr + bytes).div_ceil(self.block as u64) as usize;
        let mut cell = first;
        while cell < last {
            // A page that nobody wrote is skipped as a whole.
            match self.pages.get(&(cell / PAGE)) {
                None => cell = (cell / PAGE + 1) * PAGE,
                Some(p) if p[cell % PAGE] == Cell::Initial => cell += 1,
                Some(_) => return false,
            }
        }
        true
    }

    /// The cells of a region that holds a tensor, with their addresses.
    fn cells(&self, r: &Region, t: TensorIndex, tensors: &Tensors) -> Option<Vec<(u64, Cell)>> {
        let block = self.block;
        let addr = u64::from(r.addr);
        let bytes = r.bytes(block as u32)?;
        if !addr.is_multiple_of(block as u64) {
            return None;
        }
        let at = |cell: usize| addr + (cell * block) as u64;
        Some(match r.layout {
            Layout::Plain => {
                let count = bytes.div_ceil(block as u64) as u32;
                let plain = (0..count).map(|i| (at(i as usize), Cell::Plain(t, i)));
                plain.collect()
            }
            Layout::Blocked => {
                let tensor = tensors.get(t);
                let pixels = tensor.map()?.plane();
                let planes = tensor.planes.iter().enumerate();
                let cells = planes.flat_map(|(b, &plane)| {
                    (0..pixels).map(move |p| {
                        let pixel = p as u32;
                        (at(b * pixels + p), Cell::Vector(Vector { plane, pixel }))
                    })
                });
                cells.collect()
            }
        })
    }

    /// Writes a tensor to its region. False where the region is not made of whole cells.
    pub fn write(&mut self, r: &Region, t: TensorIndex, tensors: &Tensors) -> bool {
        let Some(cells) = self.cells(r, t, tensors) else {
            return false;
        };
        cells
            .into_iter()
            .for_each(|(addr, cell)| self.set(addr, cell));
        true
    }

    /// Whether a region holds a tensor; if not, the first cell that does not.
    pub fn holds(&self, r: &Region, t: TensorIndex, tensors: &Tensors) -> Result<(), Cell> {
        let cells = self.cells(r, t, tensors).ok_or(Cell::Other)?;
        let mut cells = cells.into_iter();
        match cells.find(|(addr, cell)| self.get(*addr) != *cell) {
            Some((addr, _)) => Err(self.get(addr)),
            None => Ok(()),
        }
    }
}
