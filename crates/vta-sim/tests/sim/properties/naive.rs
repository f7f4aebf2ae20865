//! What an instruction computes, written a second time: plain loops over whole
//! arrays, modulo arithmetic, no shared code with `vta_sim::fsim`.

use ndarray::{Array1, Array2, Array3, Axis, concatenate, s};
use vta_program::config::HwConfig;
use vta_program::isa::{Alu, AluOpcode, Gemm, Insn, Load, MemoryType, Store};
use vta_program::mem::Scratchpads;

/// Scratchpads and DRAM.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    cfg: HwConfig,
    uop: Array1<u32>,
    inp: Array2<i8>,
    wgt: Array3<i8>,
    acc: Array2<i32>,
    out: Array2<i8>,
    /// DRAM bytes.
    pub dram: Vec<u8>,
}

/// Indices of one step: destination, source, weight; for ALU also the output.
type Step = [usize; 3];

impl State {
    /// A copy of scratchpads and DRAM.
    pub fn new(cfg: &HwConfig, pads: &Scratchpads, dram: &[u8]) -> Self {
        let b = cfg.block as usize;
        let rows = |d: u32| (d as usize, b);
        let shape = "the scratchpads have the sizes of the configuration";
        let wgt = (cfg.wgt_depth as usize, b, b);
        Self {
            cfg: cfg.clone(),
            uop: Array1::from_vec(pads.uop.clone()),
            inp: Array2::from_shape_vec(rows(cfg.inp_depth), pads.inp.clone()).expect(shape),
            wgt: Array3::from_shape_vec(wgt, pads.wgt.clone()).expect(shape),
            acc: Array2::from_shape_vec(rows(cfg.acc_depth), pads.acc.clone()).expect(shape),
            out: Array2::from_shape_vec(rows(cfg.out_depth), pads.out.clone()).expect(shape),
            dram: dram.to_vec(),
        }
    }

    /// The scratchpads as the library has them.
    pub fn pads(&self) -> Scratchpads {
        Scratchpads {
            uop: self.uop.to_vec(),
            inp: self.inp.iter().copied().collect(),
            wgt: self.wgt.iter().copied().collect(),
            acc: self.acc.iter().copied().collect(),
            out: self.out.iter().copied().collect(),
        }
    }

    /// Executes one instruction.
    pub fn exec(&mut self, insn: &Insn) {
        match insn {
            Insn::Load(l) if l.x_size > 0 => self.load(l),
            Insn::Store(s) if s.x_size > 0 => self.store(s),
            Insn::Gemm(g) => self.gemm(g),
            Insn::Alu(a) => self.alu(a),
            _ => {}
        }
    }

    /// The padded matrix, element by element as bytes, then into place.
    fn load(&mut self, l: &Load) {
        let bytes = match l.memory_type {
            MemoryType::Uop => 4,
            MemoryType::Inp => self.cfg.block as usize,
            MemoryType::Wgt => (self.cfg.block * self.cfg.block) as usize,
            MemoryType::Acc => 4 * self.cfg.block as usize,
        };
        let (y, x) = (usize::from(l.y_size), usize::from(l.x_size));
        let stride = usize::from(l.x_stride);
        let data = Array3::from_shape_fn((y, x, bytes), |(r, c, b)| {
            self.dram[(l.dram_base as usize + r * stride + c) * bytes + b]
        });
        let pads = [l.y_pad_0, l.y_pad_1, l.x_pad_0, l.x_pad_1];
        let [above, below, left, right] = pads.map(usize::from);
        let width = left + x + right;
        let zeros = |rows: usize, columns: usize| Array3::<u8>::zeros((rows, columns, bytes));
        let sides = [zeros(y, left), data, zeros(y, right)];
        let wide = concatenate(Axis(1), &sides.each_ref().map(|a| a.view())).expect("same rows");
        let parts = [zeros(above, width), wide, zeros(below, width)];
        let tall = concatenate(Axis(0), &parts.each_ref().map(|a| a.view())).expect("same columns");
        for (i, cell) in tall.lanes(Axis(2)).into_iter().enumerate() {
            let at = usize::from(l.sram_base) + i;
            let bytes = cell.to_vec();
            match l.memory_type {
                MemoryType::Uop => {
                    let at = at % self.uop.len();
                    self.uop[at] = u32::from_le_bytes(bytes.try_into().expect("4 bytes"));
                }
                MemoryType::Inp => {
                    let at = at % self.inp.dim().0;
                    let row = Array1::from_iter(bytes.into_iter().map(|b| b as i8));
                    self.inp.row_mut(at).assign(&row);
                }
                MemoryType::Wgt => {
                    let at = at % self.wgt.dim().0;
                    let b = self.cfg.block as usize;
                    let matrix = Array2::from_shape_fn((b, b), |(r, c)| bytes[r * b + c] as i8);
                    self.wgt.slice_mut(s![at, .., ..]).assign(&matrix);
                }
                MemoryType::Acc => {
                    let at = at % self.acc.dim().0;
                    let lanes = bytes.chunks(4).map(|c| {
                        let lane = c.iter().rev().fold(0u32, |v, b| (v << 8) | u32::from(*b));
                        lane as i32
                    });
                    self.acc.row_mut(at).assign(&Array1::from_iter(lanes));
                }
            }
        }
    }

    fn store(&mut self, st: &Store) {
        let bytes = self.cfg.block as usize;
        for r in 0..usize::from(st.y_size) {
            for c in 0..usize::from(st.x_size) {
                let from = usize::from(st.sram_base) + r * usize::from(st.x_size) + c;
                let element = st.dram_base as usize + r * usize::from(st.x_stride) + c;
                let row = self.out.row(from % self.out.dim().0);
                for (lane, value) in row.iter().enumerate() {
                    self.dram[element * bytes + lane] = *value as u8;
                }
            }
        }
    }

    fn micro_op(&self, n: u64) -> [u64; 3] {
        let word = u64::from(self.uop[n as usize % self.uop.len()]);
        [word % 2048, (word / 2048) % 2048, word / (2048 * 2048)]
    }

    /// Loop trips and the micro-op of each step, in order.
    fn trips(iter: (u16, u16), uops: (u16, u16)) -> impl Iterator<Item = [u64; 3]> {
        let (outer, inner) = (u64::from(iter.0), u64::from(iter.1));
        let (bgn, end) = (u64::from(uops.0), u64::from(uops.1));
        (0..outer)
            .flat_map(move |o| (0..inner).flat_map(move |i| (bgn..end).map(move |n| [o, i, n])))
    }

    fn gemm(&mut self, g: &Gemm) {
        let depths = [self.cfg.acc_depth, self.cfg.inp_depth, self.cfg.wgt_depth];
        let outer = [g.dst_factor_out, g.src_factor_out, g.wgt_factor_out];
        let inner = [g.dst_factor_in, g.src_factor_in, g.wgt_factor_in];
        for [o, i, n] in Self::trips((g.iter_out, g.iter_in), (g.uop_bgn, g.uop_end)) {
            let base = self.micro_op(n);
            let [dst, src, wgt]: Step = std::array::from_fn(|k| {
                let index = base[k] + o * u64::from(outer[k]) + i * u64::from(inner[k]);
                (index % u64::from(depths[k])) as usize
            });
            if g.reset_reg {
                self.acc.row_mut(dst).fill(0);
                continue;
            }
            let weights = self.wgt.index_axis(Axis(0), wgt).mapv(i32::from);
            let dots = weights.dot(&self.inp.row(src).mapv(i32::from));
            for (lane, dot) in dots.iter().enumerate() {
                let sum = (i64::from(self.acc[[dst, lane]]) + i64::from(*dot)) as i32;
                self.acc[[dst, lane]] = sum;
                let out = dst % self.out.dim().0;
                self.out[[out, lane]] = sum as i8;
            }
        }
    }

    /// Steps of an ALU instruction: accumulator and source cells, output cell.
    fn alu_steps(&self, a: &Alu) -> Vec<Step> {
        let depth = u64::from(self.cfg.acc_depth);
        let outputs = u64::from(self.cfg.out_depth);
        let steps = Self::trips((a.iter_out, a.iter_in), (a.uop_bgn, a.uop_end));
        let step = |[o, i, n]: [u64; 3]| {
            let [u0, u1, u2] = self.micro_op(n);
            let dst = o * u64::from(a.dst_factor_out) + i * u64::from(a.dst_factor_in);
            let src = o * u64::from(a.src_factor_out) + i * u64::from(a.src_factor_in);
            let index = (dst % depth + u0) % depth.max(2048);
            let other = src + (u1 | (u2 * u64::from(self.cfg.inp_depth)));
            [index % depth, other % depth, index % outputs].map(|v| v as usize)
        };
        steps.map(step).collect()
    }

    /// Whether two steps follow each other so closely that the pipeline asserts or
    /// reads an old value.
    pub fn conflicts(&self, a: &Alu) -> bool {
        let steps = self.alu_steps(a);
        let close = |w: &[Step]| w[0][0] == w[1][1] || (a.use_imm && w[0][0] == w[1][0]);
        steps.windows(2).any(close)
    }

    fn alu(&mut self, a: &Alu) {
        for [dst, src, out] in self.alu_steps(a) {
            for lane in 0..self.cfg.block as usize {
                let (x, y) = match a.use_imm {
                    true => (self.acc[[src, lane]], i32::from(a.imm)),
                    false => (self.acc[[dst, lane]], self.acc[[src, lane]]),
                };
                let by = i64::from(y).rem_euclid(32);
                let value = match a.alu_opcode {
                    AluOpcode::Min => i64::from(x.min(y)),
                    AluOpcode::Max => i64::from(x.max(y)),
                    AluOpcode::Add => i64::from(x) + i64::from(y),
                    AluOpcode::Shr if a.imm < 0 => i64::from(x) << ((32 - by) % 32),
                    AluOpcode::Shr => i64::from(x).div_euclid(1 << by),
                };
                self.acc[[dst, lane]] = value as i32;
                self.out[[out, lane]] = value as i8;
            }
        }
    }
}
