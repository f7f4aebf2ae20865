//! Chooses how a convolution is cut.
//!
//! All tilings that fit are ranked by a formula; the best of them are put into
//! the stream one after the other, and the one after which compute is free
//! earliest stays.

use super::cost::{Cost, Rows};
use super::job::ConvJob;
use super::schedule::{self, Device, DoesNotFit, Pads, Placed, Tiling};
use super::stream::Stream;
use crate::config::HwConfig;
use crate::isa::Unit;

/// Tilings that are tried in the stream.
const TRIED: usize = 48;

/// Operations above which fewer are tried.
const MANY: f64 = 1500.0;

/// The sizes of a part that give different numbers of parts of `n`, largest first.
fn sizes(n: u32) -> Vec<u32> {
    let mut all: Vec<u32> = (1..=n).map(|parts| n.div_ceil(parts)).collect();
    all.dedup();
    all
}

/// A tiling, and what the formula says of it.
struct Ranked {
    tiling: Tiling,
    cycles: f64,
    ops: f64,
}

/// Tilings that fit, best first.
fn candidates(job: &ConvJob, c: &HwConfig, pads: &Pads) -> Vec<Ranked> {
    let (o, i) = (&job.output, &job.input);
    let acc = pads.acc.size();
    let mut found = Vec::new();
    let max_k = |f: fn(&super::job::Tile) -> u32| job.tiles.iter().map(f).max().unwrap_or(0);
    let reach = [
        max_k(|t| t.ky) * job.dilation[0],
        max_k(|t| t.kx) * job.dilation[1],
    ];
    let steps = job.gemm_steps();
    let alu = job.alu_cycles();
    let vectors = u64::from(o.blocks) * u64::from(o.plane());
    let cost = Cost::new(c);
    let store = cost.store(
        &Rows {
            dram: o.base,
            y: o.blocks,
            x: o.plane(),
            stride: o.plane(),
        },
        c.out_bytes(),
    ) as f64;
    let vec_beats = f64::from(c.inp_bytes()) / f64::from(c.beat_bytes());
    let wgt_beats = f64::from(c.wgt_bytes()) / f64::from(c.beat_bytes());
    let positions = {
        let mut all: Vec<_> = job.tiles.iter().map(|t| (t.ky, t.kx)).collect();
        all.dedup();
        all.len().max(1) as f64
    };
    let caps: Vec<u32> = [2, 4, 8].iter().map(|d| (c.wgt_depth / d).max(1)).collect();
    for tw in sizes(o.w).into_iter().take(8) {
        for th in sizes(o.h) {
            for tco in sizes(o.blocks) {
                let pix = th * tw;
                let tile = u64::from(pix) * u64::from(tco) * u64::from(job.acc_per_vector());
                if tile > u64::from(acc) {
                    continue;
                }
                let in_h = ((th - 1) * job.stride[0] + reach[0] + 1).min(i.h);
                let in_w = if tw >= o.w {
                    i.w
                } else {
                    ((tw - 1) * job.stride[1] + reach[1] + 1).min(i.w)
                };
                let area = u64::from(in_h) * u64::from(in_w);
                let residual = if job.residual.is_some() { tile } else { 0 };
                if area.max(residual) > u64::from(c.inp_depth) {
                    continue;
                }
                for tci in sizes(i.blocks) {
                    let chunk = area * u64::from(tci);
                    if chunk > u64::from(c.inp_depth) {
                        continue;
                    }
                    for &cap in &caps {
                        for co_outer in [false, true] {
                            let n_spots = f64::from(o.h.div_ceil(th) * o.w.div_ceil(tw));
                            let n_coc = f64::from(o.blocks.div_ceil(tco));
                            let n_cic = f64::from(i.blocks.div_ceil(tci));
                            if co_outer && (n_coc < 1.5 || n_spots < 1.5) {
                                continue;
                            }
                            let n_tiles = n_spots * n_coc;
                            let weights = job.tiles.len() as f64;
                            let per_chunk = weights / (n_coc * n_cic);
                            let groups = (per_chunk / f64::from(cap)).ceil().max(1.0);
                            if groups > 1.5
                                && cap < c.wgt_depth / 2
                                && per_chunk < f64::from(c.wgt_depth / 2)
                            {
                                // One load of all is as good.
                                continue;
                            }
                            let resident = weights <= f64::from(c.wgt_depth);
                            let co_resident = weights / n_coc <= f64::from(c.wgt_depth) * 0.75;
                            let weight_reads = match (resident, co_outer) {
                                (true, _) => 1.0,
                                (false, true) if co_resident => 1.0,
                                _ => n_spots,
                            };
                            let all_in = area * u64::from(i.blocks) <= u64::from(c.inp_depth);
                            let input_reads = match (all_in, co_outer) {
                                (true, false) => 1.0,
                                (true, true) if n_spots < 1.5 => 1.0,
                                _ => n_coc,
                            };
                            let in_area = n_spots * area as f64 * f64::from(i.blocks);
                            let read = weights * wgt_beats * weight_reads
                                + in_area * vec_beats * input_reads
                                + if job.residual.is_some() {
                                    vectors as f64 * vec_beats
                                } else {
                                    0.0
                                };
                            let chunks = n_tiles * n_cic * groups;
                            let loads = chunks * 2.0;
                            let gemms = chunks * (positions / groups).max(1.0);
                            let compute =
                                (steps + vectors * alu) as f64 + 7.0 * (gemms + 5.0 * n_tiles);
                            let load = read + 24.0 * loads;
                            let ops = gemms + 6.0 * n_tiles + loads;
                            let single = tile * 2 > u64::from(acc);
                            let tail = store / n_tiles;
                            let exposed = if single && n_tiles > 1.5 { store } else { tail };
                            let head = chunk as f64 * vec_beats
                                + per_chunk.min(f64::from(cap)) * wgt_beats;
                            let cycles = compute.max(load).max(store).max(ops * 6.0)
                                + exposed * 0.5
                                + head * 0.5
                                + if chunk * 2 > u64::from(c.inp_depth) && chunks > 1.5 {
                                    load * 0.5
                                } else {
                                    0.0
                                };
                            found.push(Ranked {
                                tiling: Tiling {
                                    th,
                                    tw,
                                    tco,
                                    tci,
                                    cap,
                                    co_outer,
                                },
                                cycles,
                                ops,
                            });
                        }
                    }
                }
            }
        }
    }
    found.sort_by(|a, b| a.cycles.total_cmp(&b.cycles));
    found
}

/// What a layer was given, and where the segments end behind it.
pub(super) struct Chosen {
    /// How it was cut.
    pub tiling: Tiling,
    /// Its weights.
    pub placed: Placed,
}

/// Puts the layer into the stream in the best way that is found.
pub(super) fn choose(
    job: &ConvJob,
    c: &HwConfig,
    pads: &mut Pads,
    stream: &mut Stream,
    weights_at: u32,
    biases_at: u32,
) -> Result<Chosen, DoesNotFit> {
    let ranked = candidates(job, c, pads);
    let mark = stream.mark();
    let mut best: Option<(u64, Tiling)> = None;
    let mut ops = 0.0;
    let mut tried = 0;
    let run = |t: Tiling, pads: &mut Pads, stream: &mut Stream| {
        let mut device = Device {
            pads,
            stream,
            weights_at,
            biases_at,
            max_stride: 0xffff,
            uop_depth: c.uop_depth,
        };
        schedule::conv(job, t, &mut device)
    };
    for r in &ranked {
        if tried >= TRIED || (tried >= 3 && ops > MANY * TRIED as f64) {
            break;
        }
        let mut trial = pads.clone();
        if run(r.tiling, &mut trial, stream).is_ok() {
            let (compute, store) = (stream.free(Unit::Compute), stream.free(Unit::Store));
            let end = compute + store.saturating_sub(compute) / 2;
            if best.is_none_or(|b| end < b.0) {
                best = Some((end, r.tiling));
            }
            tried += 1;
            ops += r.ops;
        }
        stream.rollback(&mark);
    }
    let Some((_, tiling)) = best else {
        return Err(DoesNotFit);
    };
    let placed = run(tiling, pads, stream)?;
    Ok(Chosen { tiling, placed })
}
