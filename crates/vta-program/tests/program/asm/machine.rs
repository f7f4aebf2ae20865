//! A naive machine: values and tokens, no cycles.
//!
//! Units run whole instructions, in an order of preference; a program with the
//! right tokens gives the same result in every order.

use vta_program::config::HwConfig;
use vta_program::isa::{Alu, AluOpcode, Gemm, Insn, Load, MemoryType, Store, Unit, Uop};
use vta_program::isa::{loop_trips, uop_trips};
use vta_program::mem::Scratchpads;
use vta_program::program::{Launch, Program};

/// DRAM and scratchpads.
pub struct Machine {
    c: HwConfig,
    pub dram: Vec<u8>,
    pads: Scratchpads,
    /// ALU steps that the hardware's pipeline gets wrong.
    pub hazards: usize,
    /// Tokens: load to compute, compute to load, compute to store, store to compute.
    pub tokens: [i32; 4],
}

struct Step {
    dst: usize,
    src: usize,
    wgt: usize,
}

impl Machine {
    pub fn new(p: &Program) -> Self {
        Self {
            c: p.config.clone(),
            dram: p.dram_image(),
            pads: Scratchpads::new(&p.config),
            hazards: 0,
            tokens: [0; 4],
        }
    }

    /// Runs a launch; whether FINISH was reached and nothing is left.
    pub fn run(&mut self, l: &Launch, order: [Unit; 3]) -> bool {
        let insns: Vec<Insn> = l
            .insns(&self.dram.clone())
            .map(|i| i.expect("a known instruction"))
            .collect();
        let mut queues = Unit::ALL.map(|u| insns.iter().filter(move |i| i.unit() == u).peekable());
        'progress: loop {
            for u in order {
                let queue = &mut queues[u as usize];
                if let Some(i) = queue.next_if(|i| self.ready(u, i)) {
                    self.execute(i);
                    self.push(u, i);
                    continue 'progress;
                }
            }
            return queues.iter_mut().all(|q| q.peek().is_none());
        }
    }

    fn ready(&mut self, u: Unit, i: &Insn) -> bool {
        let d = i.deps();
        let pops: &[(bool, usize)] = match u {
            Unit::Load => &[(d.pop_next, 1)],
            Unit::Compute => &[(d.pop_prev, 0), (d.pop_next, 3)],
            Unit::Store => &[(d.pop_prev, 2)],
        };
        let ready = pops.iter().all(|&(pops, n)| !pops || self.tokens[n] > 0);
        if ready {
            for &(pops, n) in pops {
                self.tokens[n] -= i32::from(pops);
            }
        }
        ready
    }

    fn push(&mut self, u: Unit, i: &Insn) {
        let d = i.deps();
        let (prev, next) = (i32::from(d.push_prev), i32::from(d.push_next));
        match u {
            Unit::Load => self.tokens[0] += next,
            Unit::Compute => {
                self.tokens[1] += prev;
                self.tokens[2] += next;
            }
            Unit::Store => self.tokens[3] += prev,
        }
    }

    fn execute(&mut self, i: &Insn) {
        match i {
            Insn::Load(l) => self.load(l),
            Insn::Store(s) => self.store(s),
            Insn::Gemm(g) => self.gemm(g),
            Insn::Alu(a) => self.alu(a),
            Insn::Finish(_) => {}
        }
    }

    fn load(&mut self, l: &Load) {
        if l.x_size == 0 {
            return;
        }
        let width = usize::from(l.x_pad_0) + usize::from(l.x_size) + usize::from(l.x_pad_1);
        let height = usize::from(l.y_pad_0) + usize::from(l.y_size) + usize::from(l.y_pad_1);
        for y in 0..height {
            for x in 0..width {
                let row = y
                    .checked_sub(l.y_pad_0.into())
                    .filter(|&r| r < l.y_size.into());
                let col = x
                    .checked_sub(l.x_pad_0.into())
                    .filter(|&c| c < l.x_size.into());
                let from = row
                    .zip(col)
                    .map(|(r, c)| l.dram_base as usize + r * usize::from(l.x_stride) + c);
                self.element(
                    l.memory_type,
                    usize::from(l.sram_base) + y * width + x,
                    from,
                );
            }
        }
    }

    fn element(&mut self, kind: MemoryType, to: usize, from: Option<usize>) {
        let block = self.c.block as usize;
        let bytes = match kind {
            MemoryType::Uop => 4,
            MemoryType::Inp => block,
            MemoryType::Wgt => block * block,
            MemoryType::Acc => 4 * block,
        };
        let data = match from {
            Some(n) => self.dram[n * bytes..(n + 1) * bytes].to_vec(),
            None => vec![0; bytes],
        };
        let mut words = data
            .chunks_exact(4)
            .map(|w| i32::from_le_bytes(w.try_into().expect("4 bytes")));
        let small = data.iter().map(|&b| b as i8);
        let p = &mut self.pads;
        match kind {
            MemoryType::Uop => {
                let n = to % p.uop.len();
                p.uop[n] = words.next().expect("one word") as u32;
            }
            MemoryType::Acc => put(&mut p.acc, to, &words.collect::<Vec<_>>()),
            MemoryType::Inp => put(&mut p.inp, to, &small.collect::<Vec<_>>()),
            MemoryType::Wgt => put(&mut p.wgt, to, &small.collect::<Vec<_>>()),
        }
    }

    fn store(&mut self, s: &Store) {
        let block = self.c.block as usize;
        for y in 0..usize::from(s.y_size) {
            for x in 0..usize::from(s.x_size) {
                let at = usize::from(s.sram_base) + y * usize::from(s.x_size) + x;
                let to = (s.dram_base as usize + y * usize::from(s.x_stride) + x) * block;
                let at = at * block % self.pads.out.len();
                for n in 0..block {
                    self.dram[to + n] = self.pads.out[at + n] as u8;
                }
            }
        }
    }

    /// All steps: factors are dst, src, wgt of the outer loop, then of the inner.
    fn steps(
        &self,
        (bgn, end): (u16, u16),
        (outer, inner): (u16, u16),
        factors: [[u16; 3]; 2],
    ) -> Vec<Step> {
        let mut out = Vec::new();
        for o in 0..loop_trips(outer) as usize {
            for i in 0..loop_trips(inner) as usize {
                for u in 0..uop_trips(bgn, end) as usize {
                    let n = (usize::from(bgn) + u) % self.pads.uop.len();
                    let uop = Uop::from_bits(self.pads.uop[n]).expect("any bits");
                    let [dst, src, wgt] = [0, 1, 2]
                        .map(|f| o * usize::from(factors[0][f]) + i * usize::from(factors[1][f]));
                    out.push(Step {
                        dst: (dst + usize::from(uop.dst_idx)) % self.c.acc_depth as usize,
                        src: src + usize::from(uop.src_idx),
                        wgt: wgt + usize::from(uop.wgt_idx),
                    });
                }
            }
        }
        out
    }

    fn gemm(&mut self, g: &Gemm) {
        let block = self.c.block as usize;
        let outer = [g.dst_factor_out, g.src_factor_out, g.wgt_factor_out];
        let inner = [g.dst_factor_in, g.src_factor_in, g.wgt_factor_in];
        let loops = (g.iter_out, g.iter_in);
        for s in self.steps((g.uop_bgn, g.uop_end), loops, [outer, inner]) {
            let p = &mut self.pads;
            let inp = s.src * block % p.inp.len();
            let wgt = s.wgt * block * block % p.wgt.len();
            for n in 0..block {
                let at = s.dst * block + n;
                if g.reset_reg {
                    p.acc[at] = 0;
                    continue;
                }
                for k in 0..block {
                    let product = i32::from(p.wgt[wgt + n * block + k]) * i32::from(p.inp[inp + k]);
                    p.acc[at] = p.acc[at].wrapping_add(product);
                }
                p.out[at] = p.acc[at] as i8;
            }
        }
    }

    fn alu(&mut self, a: &Alu) {
        let block = self.c.block as usize;
        let outer = [a.dst_factor_out, a.src_factor_out, 0];
        let inner = [a.dst_factor_in, a.src_factor_in, 0];
        let steps = self.steps(
            (a.uop_bgn, a.uop_end),
            (a.iter_out, a.iter_in),
            [outer, inner],
        );
        for near in steps.windows(3) {
            let [n, next, after] = near else { continue };
            let close = |m: &Step| n.dst == m.src || n.dst == m.dst;
            self.hazards += usize::from(close(next) || close(after));
        }
        for s in steps {
            let src = s.src % self.c.acc_depth as usize;
            for n in 0..block {
                let (dst, src) = (s.dst * block + n, src * block + n);
                let p = &mut self.pads;
                let (x, y) = match a.use_imm {
                    true => (p.acc[src], i32::from(a.imm)),
                    false => (p.acc[dst], p.acc[src]),
                };
                p.acc[dst] = match a.alu_opcode {
                    AluOpcode::Min => x.min(y),
                    AluOpcode::Max => x.max(y),
                    AluOpcode::Add => x.wrapping_add(y),
                    AluOpcode::Shr if a.imm < 0 => x.wrapping_shl(y.wrapping_neg() as u32),
                    AluOpcode::Shr => x.wrapping_shr(y as u32),
                };
                p.out[dst] = p.acc[dst] as i8;
            }
        }
    }
}

/// Writes an element; indices wrap.
fn put<T: Copy>(pad: &mut [T], to: usize, data: &[T]) {
    let at = to * data.len() % pad.len();
    pad[at..at + data.len()].copy_from_slice(data);
}
