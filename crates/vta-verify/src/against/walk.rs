//! A launch in program order, with expressions in place of numbers.

use super::expr::{Kind, Slot, Term, Value, Vector};
use super::flaw::Mismatch;
use super::layer::{Layers, Place, Scene};
use super::memory::{Cell, Memory};
use super::tensors::{TensorIndex, Tensors};
use crate::error::VerifyError;
use crate::launch::Context;
use crate::steps::Indices;
use crate::transfer::Transfer;
use std::rc::Rc;
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Alu, AluOpcode, Gemm, Insn};
use vta_program::program::Region;

/// Where a layer's result lies.
#[derive(Debug, Clone)]
pub(super) struct LayerResult {
    pub layer: String,
    pub tensor: TensorIndex,
    pub region: Region,
}

/// What a vector of the input scratchpad holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inp {
    Vector(Vector),
    /// Padding: its products are nothing.
    Zero,
    /// Bytes that no tensor holds.
    Unknown,
}

/// What an element of the weight scratchpad holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wgt {
    /// Bytes that the program came with: byte address over the bytes of an element.
    Element(u32),
    Zero,
    Unknown,
}

/// Most findings of a program: one mistake of a compiler is in all that it makes.
pub(super) const MOST_FINDINGS: usize = 16;

/// What all launches share.
pub(super) struct World<'a> {
    pub memory: Memory,
    pub tensors: Tensors,
    pub layers: Layers<'a>,
    /// For each layer of the program its result.
    pub results: Vec<Option<LayerResult>>,
    /// Most products that a sum of the network has.
    pub most_products: usize,
    pub findings: Vec<VerifyError>,
    /// Asked now and then; true ends the walk.
    pub stop: &'a dyn Fn() -> bool,
    pub vectors: u64,
    pub products: u64,
}

impl World<'_> {
    /// Whether the walk is to end before its end; that is a finding.
    pub fn stopped(&mut self) -> bool {
        let stopped = matches!(self.findings.last(), Some(VerifyError::Stopped));
        if !stopped && (self.stop)() {
            self.findings.push(VerifyError::Stopped);
            return true;
        }
        stopped
    }
}

struct Walk<'w, 'a, 'c> {
    world: &'w mut World<'a>,
    c: &'c Context<'c>,
    config: &'c HwConfig,
    uops: Vec<u32>,
    inp: Vec<Inp>,
    wgt: Vec<Wgt>,
    acc: Vec<Slot>,
    zero: Value,
}

/// Walks through a launch that `check` has proven.
pub(super) fn launch(world: &mut World<'_>, c: &Context<'_>, dram_bytes: u32) {
    let config = c.config;
    let unwritten = Kind::Opaque("an accumulator that was not written").value();
    let zero = Kind::Const(vec![0; config.block as usize].into()).value();
    let mut walk = Walk {
        world,
        c,
        config,
        uops: vec![0; config.uop_depth as usize],
        inp: vec![Inp::Unknown; config.inp_depth as usize],
        wgt: vec![Wgt::Unknown; config.wgt_depth as usize],
        acc: vec![Slot::new(unwritten); config.acc_depth as usize],
        zero,
    };
    for (insn, i) in (0..).zip(&c.insns) {
        if walk.world.findings.len() >= MOST_FINDINGS || walk.world.stopped() {
            return;
        }
        match i {
            Insn::Load(_) | Insn::Store(_) => match Transfer::new(c, insn, dram_bytes) {
                Ok(Some(t)) if t.pad == Scratchpad::Out => walk.store(insn, &t),
                Ok(Some(t)) => walk.load(&t),
                Ok(None) => {}
                Err(e) => walk.world.findings.push(e),
            },
            Insn::Gemm(g) => walk.gemm(g),
            Insn::Alu(a) => walk.alu(a),
            Insn::Finish(_) => {}
        }
    }
}

impl Walk<'_, '_, '_> {
    fn load(&mut self, t: &Transfer) {
        let range = t.elements.start as usize..t.elements.end as usize;
        let bytes = u64::from(t.element_bytes);
        let all = t.rows().flat_map(|r| {
            (0..t.row_elements).map(move |i| {
                let at = (r.element + i) as usize;
                (at, r.addr + u64::from(i) * bytes)
            })
        });
        let memory = &self.world.memory;
        match t.pad {
            Scratchpad::Uop => {
                self.uops[range].fill(0);
                for (at, addr) in all {
                    let word = memory.image(addr, bytes).try_into();
                    self.uops[at] = word.map_or(0, u32::from_le_bytes);
                }
            }
            Scratchpad::Inp => {
                self.inp[range].fill(Inp::Zero);
                for (at, addr) in all {
                    self.inp[at] = match memory.get(addr) {
                        Cell::Vector(v) => Inp::Vector(v),
                        _ => Inp::Unknown,
                    };
                }
            }
            Scratchpad::Wgt => {
                self.wgt[range].fill(Wgt::Zero);
                for (at, addr) in all {
                    self.wgt[at] = match memory.is_initial(addr, bytes) {
                        true => Wgt::Element((addr / bytes) as u32),
                        false => Wgt::Unknown,
                    };
                }
            }
            Scratchpad::Acc => {
                for slot in &mut self.acc[range] {
                    slot.set(self.zero.clone());
                }
                for (at, addr) in all {
                    let value = match memory.is_initial(addr, bytes) {
                        true => {
                            let words = memory.image(addr, bytes).chunks_exact(4);
                            let lanes =
                                words.map(|w| i32::from_le_bytes(w.try_into().unwrap_or_default()));
                            Kind::Const(lanes.collect())
                        }
                        false => {
                            Kind::Opaque("accumulators that are loaded from what was computed")
                        }
                    };
                    self.acc[at].set(value.value());
                }
            }
            Scratchpad::Out => {}
        }
    }

    fn gemm(&mut self, g: &Gemm) {
        let range = usize::from(g.uop_bgn)..usize::from(g.uop_end);
        let uops: Vec<Indices> = self.uops[range]
            .iter()
            .copied()
            .map(Indices::gemm)
            .collect();
        let most = self.world.most_products;
        let mut products = 0;
        for i in 0..u32::from(g.iter_out) {
            if self.world.stopped() {
                return;
            }
            for j in 0..u32::from(g.iter_in) {
                let by = |o: u16, n: u16| i * u32::from(o) + j * u32::from(n);
                let dst = by(g.dst_factor_out, g.dst_factor_in);
                let src = by(g.src_factor_out, g.src_factor_in);
                let wgt = by(g.wgt_factor_out, g.wgt_factor_in);
                for u in &uops {
                    let slot = &mut self.acc[(u.dst + dst) as usize];
                    if g.reset_reg {
                        slot.set(self.zero.clone());
                        continue;
                    }
                    let inp = self.inp[(u.src + src) as usize];
                    match (inp, self.wgt[(u.wgt + wgt) as usize]) {
                        (Inp::Vector(inp), Wgt::Element(wgt)) => {
                            slot.add(Term { inp, wgt }, most);
                            products += 1;
                        }
                        (Inp::Zero, _) | (_, Wgt::Zero) => {}
                        (Inp::Unknown, _) => {
                            slot.set(
                                Kind::Opaque("a product with bytes that are no tensor's").value(),
                            );
                        }
                        (_, Wgt::Unknown) => {
                            slot.set(
                                Kind::Opaque("a product with weights that a step has written")
                                    .value(),
                            );
                        }
                    }
                }
            }
        }
        self.world.products += products;
    }

    fn alu(&mut self, a: &Alu) {
        let range = usize::from(a.uop_bgn)..usize::from(a.uop_end);
        let words = self.uops[range].iter().copied();
        let uops: Vec<Indices> = words.map(|w| Indices::alu(w, self.config)).collect();
        for i in 0..u32::from(a.iter_out) {
            if self.world.stopped() {
                return;
            }
            for j in 0..u32::from(a.iter_in) {
                let by = |o: u16, n: u16| i * u32::from(o) + j * u32::from(n);
                let dst = by(a.dst_factor_out, a.dst_factor_in);
                let src = by(a.src_factor_out, a.src_factor_in);
                for u in &uops {
                    let source = self.acc[(u.src + src) as usize].value();
                    let slot = &mut self.acc[(u.dst + dst) as usize];
                    let value = match a.use_imm {
                        true => immediate(a.alu_opcode, source, a.imm),
                        false => registers(a, slot.value(), source),
                    };
                    slot.set(value);
                }
            }
        }
    }

    fn store(&mut self, insn: u32, t: &Transfer) {
        let block = u64::from(self.config.block);
        let layer = self.c.layers[insn as usize].map(|l| l as usize);
        let result = layer.and_then(|l| self.world.results[l].clone());
        let Some(result) = result else {
            self.world.findings.push(VerifyError::Foreign {
                of: format!("launch {}, {}", self.c.launch.name, self.c.at(insn)),
                what: "a store that belongs to no layer of the network".into(),
            });
            return;
        };
        let tensor = self.world.tensors.get(result.tensor);
        let planes = tensor.planes.clone();
        let Some(map) = tensor.map() else { return };
        for row in t.rows() {
            for i in 0..t.row_elements {
                let addr = row.addr + u64::from(i) * block;
                let value = self.acc[(row.element + i) as usize].value();
                let cell = addr.checked_sub(result.region.addr.into());
                let cell = cell.map_or(usize::MAX, |at| (at / block) as usize);
                let (b, pixel) = (cell / map.plane(), cell % map.plane());
                let Some(&plane) = planes.get(b) else {
                    self.world.memory.set(addr, Cell::Other);
                    continue;
                };
                let place = Place {
                    block: b,
                    y: pixel / map.w,
                    x: pixel % map.w,
                };
                let world = &mut *self.world;
                let scene = Scene {
                    memory: &world.memory,
                    tensors: &world.tensors,
                };
                if let Err(flaw) = world.layers.check(&value, result.tensor, place, scene)
                    && world.findings.len() < MOST_FINDINGS
                {
                    let first = b * block as usize;
                    world.findings.push(VerifyError::Differs(Box::new(Mismatch {
                        layer: result.layer.clone(),
                        channels: first..(first + block as usize).min(map.c),
                        y: place.y,
                        x: place.x,
                        at: self.c.at(insn),
                        flaw,
                    })));
                }
                world.vectors += 1;
                // What is wrong with it is said; what is made of it may be right.
                let pixel = pixel as u32;
                let vector = Cell::Vector(Vector { plane, pixel });
                world.memory.set(addr, vector);
            }
        }
    }
}

/// An immediate operation on a value.
fn immediate(opcode: AluOpcode, v: Value, imm: i16) -> Value {
    match (opcode, imm) {
        (AluOpcode::Add | AluOpcode::Shr, 0) => v,
        (AluOpcode::Add, _) => Kind::AddImm(v, imm.into()).value(),
        (AluOpcode::Min, _) => Kind::Min(v, imm.into()).value(),
        (AluOpcode::Max, _) => Kind::Max(v, imm.into()).value(),
        (AluOpcode::Shr, 1..=31) => Kind::Shr(v, imm as u8).value(),
        (AluOpcode::Shr, _) => Kind::Opaque("a shift that is not by 0 to 31 to the right").value(),
    }
}

/// A register operation: on the destination with the source. The sign of the
/// immediate says in which direction a shift goes, here too.
fn registers(a: &Alu, dst: Value, src: Value) -> Value {
    match a.alu_opcode {
        AluOpcode::Shr if a.imm < 0 => Kind::Opaque("a shift to the left").value(),
        AluOpcode::Add => Kind::Add(dst, src).value(),
        AluOpcode::Max if Rc::ptr_eq(&dst, &src) => dst,
        AluOpcode::Max => Kind::Larger(dst, src).value(),
        AluOpcode::Min => Kind::Opaque("the smaller of two values").value(),
        AluOpcode::Shr => match &src.kind {
            Kind::Const(lanes) if lanes.iter().all(|l| (0..32).contains(l)) => {
                match lanes.iter().all(|l| *l == 0) {
                    true => dst,
                    false => Kind::ShrLanes(dst, src).value(),
                }
            }
            Kind::Const(_) => Kind::Opaque("a shift that is not by 0 to 31 to the right").value(),
            _ => Kind::Opaque("a shift by something that is no constant").value(),
        },
    }
}
