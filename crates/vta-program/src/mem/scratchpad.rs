//! The five scratchpads. Depths are powers of two; indices wrap at the depth.

use crate::config::HwConfig;

/// Contents of all scratchpads, zero after reset.
///
/// The RTL's memories come up with whatever the simulator gives them; programs
/// must not rely on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scratchpads {
    /// Micro-ops, one word each.
    pub uop: Vec<u32>,
    /// Inputs: `inp_depth` x `block` int8.
    pub inp: Vec<i8>,
    /// Weights: `wgt_depth` x `block` (output) x `block` (input) int8.
    pub wgt: Vec<i8>,
    /// Accumulators: `acc_depth` x `block` int32.
    pub acc: Vec<i32>,
    /// Outputs: `out_depth` x `block` int8.
    pub out: Vec<i8>,
}

impl Scratchpads {
    /// Scratchpads of a configuration, all zero.
    pub fn new(c: &HwConfig) -> Self {
        let block = c.block as usize;
        Self {
            uop: vec![0; c.uop_depth as usize],
            inp: vec![0; c.inp_depth as usize * block],
            wgt: vec![0; c.wgt_depth as usize * block * block],
            acc: vec![0; c.acc_depth as usize * block],
            out: vec![0; c.out_depth as usize * block],
        }
    }

    /// Zeroes everything, keeping the memory.
    pub fn clear(&mut self) {
        self.uop.fill(0);
        self.inp.fill(0);
        self.wgt.fill(0);
        self.acc.fill(0);
        self.out.fill(0);
    }
}
