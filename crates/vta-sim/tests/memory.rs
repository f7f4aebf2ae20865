//! What a run takes from the allocator: nothing for each instruction, and
//! never more than the scratchpads and a few times the program. A timeline is
//! written as it goes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use vta_program::asm::{AsmOptions, assemble};
use vta_program::config::HwConfig;
use vta_program::mem::Dram;
use vta_program::program::Program;
use vta_sim::fsim;
use vta_sim::trace::Timeline;
use vta_sim::tsim::{self, Event, NoSink, Options, Sink, Status, Stop};

/// What this thread has taken.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    calls: u64,
    bytes: i64,
    most: i64,
}

thread_local! {
    static TAKEN: Cell<Taken> = const { Cell::new(Taken { calls: 0, bytes: 0, most: 0 }) };
}

struct Counting;

fn count(calls: u64, bytes: i64) {
    // A thread that ends has none to count in.
    let _ = TAKEN.try_with(|t| {
        let mut now = t.get();
        now.calls += calls;
        now.bytes += bytes;
        now.most = now.most.max(now.bytes);
        t.set(now);
    });
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Load, multiply, clip and store, this many times.
fn rounds(n: u32) -> Program {
    let source = format!(
        "\
.config de10
.data x inp len=32
.data w wgt len=4
.data y out len=32
.data u uop
.for i = 0..4
  uop dst=i src=i wgt=i
.end for
.data b acc len=4
.launch rounds
  load.uop dram_base=u x_size=u.len push_prev
.for i = 0..{n}
  load.inp dram_base=x x_size=5 y_size=2 x_stride=8 x_pad_0=1 y_pad_1=1 pop_next
  load.wgt dram_base=w x_size=4 push_next
  load.acc dram_base=b x_size=4 pop_prev
  gemm uop=0..4 iter_out=2 dst_factor_out=4 src_factor_out=4 push_prev
  alu.max imm=0 uop=0..4 push_next
  store dram_base=y x_size=8 pop_prev push_prev
  load.uop dram_base=u x_size=4 pop_next
.end for
  finish
"
    );
    let opts = AsmOptions::default();
    assemble(&source, &opts).unwrap_or_else(|e| panic!("{e:?}"))
}

/// Wants every event, keeps none.
struct Listener;

impl Sink for Listener {
    type Error = Infallible;

    fn event(&mut self, _: u64, _: Event) -> Result<(), Stop> {
        Ok(())
    }
}

/// Wants the events of the event-driven engine, keeps none.
struct Coarse;

impl Sink for Coarse {
    const CYCLES: bool = false;
    type Error = Infallible;

    fn event(&mut self, _: u64, _: Event) -> Result<(), Stop> {
        Ok(())
    }
}

/// What `run` takes.
fn taken(run: impl FnOnce()) -> Taken {
    let before = TAKEN.get();
    TAKEN.set(Taken {
        most: before.bytes,
        ..before
    });
    run();
    let after = TAKEN.get();
    Taken {
        calls: after.calls - before.calls,
        bytes: after.bytes - before.bytes,
        most: after.most - before.bytes,
    }
}

/// Each way to run.
const WAYS: [&str; 5] = [
    "event-driven",
    "event-driven, no data",
    "every event",
    "tick",
    "fsim",
];

fn run(way: &str, p: &Program) -> Taken {
    let launch = p.launches().next().expect("there is one");
    let (addr, count) = (launch.insn_addr, launch.insn_count);
    let mut dram = Dram::new(p.dram_image());
    taken(|| {
        let c = &p.config;
        let mut options = Options::default();
        let done = match way {
            "fsim" => {
                let done = fsim::run(c, &mut dram, addr, count, fsim::Limits::default());
                assert!(done.is_ok(), "{done:?}");
                return;
            }
            "every event" => tsim::run(c, &mut dram, addr, count, options, &mut Listener),
            _ => {
                options.data = way != "event-driven, no data";
                options.jump = way != "tick";
                tsim::run(c, &mut dram, addr, count, options, &mut NoSink)
            }
        };
        assert_eq!(done.expect("it runs").status, Status::Ok, "{way}");
    })
}

#[test]
fn no_allocation_for_an_instruction() {
    let (few, many) = (rounds(100), rounds(1600));
    for way in WAYS {
        let (few, many) = (run(way, &few), run(way, &many));
        assert!(few.calls > 0, "{way}: it is counted");
        // Buffers that double: a few calls, whatever the number of instructions.
        assert!(
            many.calls <= few.calls + 16,
            "{way}: {few:?}, sixteen times as many instructions {many:?}"
        );
    }
}

#[test]
fn memory_is_bounded() {
    let c = HwConfig::default();
    let read = u64::from(c.inp_depth * c.inp_bytes()) + u64::from(c.wgt_depth * c.wgt_bytes());
    let pads = read
        + u64::from(c.uop_depth * c.uop_bytes())
        + u64::from(c.acc_depth * c.acc_bytes())
        + u64::from(c.out_depth * c.out_bytes());
    // Inputs and weights as the kernels take them: twice as wide without VNNI.
    let copies = 2 * read;
    for n in [1, 100, 1600, 6400] {
        let p = rounds(n);
        let insns = p.launches().map(|l| u64::from(l.insn_count)).sum::<u64>();
        for way in WAYS {
            let most = run(way, &p).most as u64;
            let program = insns * 16;
            println!("{insns} instructions, {way}: {most} bytes");
            assert!(
                most <= pads + copies + 8 * program + (64 << 10),
                "{way}: {most} bytes for {insns} instructions; scratchpads have {pads}"
            );
        }
    }
}

#[test]
fn a_timeline_is_written_as_it_goes() {
    for n in [1, 100, 1600, 6400] {
        let p = rounds(n);
        let launch = p.launches().next().expect("there is one");
        let image = p.dram_image();
        let insns: Vec<_> = launch.insns(&image).map(Result::ok).collect();
        let mut dram = Dram::new(image);
        let options = Options {
            data: false,
            ..Options::default()
        };
        let mut written = 0;
        let with = taken(|| {
            let mut timeline = Timeline::new(std::io::sink(), "rounds");
            timeline.launch(&insns, []);
            let (addr, count) = (launch.insn_addr, launch.insn_count);
            let done = tsim::run(&p.config, &mut dram, addr, count, options, &mut timeline);
            timeline.launch_end(done.expect("it runs").cycles);
            written = timeline.bytes();
            timeline.finish().expect("nowhere is never full");
        });
        let mut dram = Dram::new(p.dram_image());
        let without = taken(|| {
            let (addr, count) = (launch.insn_addr, launch.insn_count);
            let done = tsim::run(&p.config, &mut dram, addr, count, options, &mut Coarse);
            assert_eq!(done.expect("it runs").status, Status::Ok);
        })
        .most;
        let most = with.most - without;
        println!(
            "{} instructions: {written} bytes with {most} more in memory",
            insns.len()
        );
        // Of an instruction less is kept than its 16 bytes.
        let bound = 16 * insns.len() as i64 + (128 << 10);
        assert!(
            most <= bound,
            "{most} bytes for {} instructions",
            insns.len()
        );
        assert!(n < 6400 || written as i64 > 8 * bound, "{written}");
    }
}
