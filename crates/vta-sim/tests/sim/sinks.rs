//! Sinks that end a run, fail, and come several at once; in both engines.

use std::convert::Infallible;
use std::io;
use vta_program::config::HwConfig;
use vta_program::isa::{Finish, Gemm, Insn, Load, MemoryType, Store, Unit};
use vta_program::mem::Dram;
use vta_sim::trace::{Csv, Timeline};
use vta_sim::tsim::{
    DynSink, Either, Event, NoSink, Options, Outcome, RunError, Sink, Status, Stop, run,
};

const INSNS: u32 = 0x1000;
const STORED: u32 = 0x8000;

/// Load, GEMM that resets, store, store, FINISH, one after the other.
fn program() -> (Dram, u32) {
    let load = Load {
        memory_type: MemoryType::Inp,
        dram_base: 0x200,
        y_size: 1,
        x_size: 4,
        push_next_dep: true,
        ..Load::from_bits(0).expect("the opcode alone is a LOAD")
    };
    let gemm = Gemm {
        reset_reg: true,
        uop_end: 1,
        iter_out: 1,
        iter_in: 1,
        pop_prev_dep: true,
        push_next_dep: true,
        ..Gemm::from_bits(2).expect("the opcode alone is a GEMM")
    };
    let store = |pop_prev_dep, push_prev_dep, at| Store {
        pop_prev_dep,
        push_prev_dep,
        dram_base: STORED / 16 + at,
        y_size: 1,
        x_size: 1,
        x_stride: 1,
        ..Store::from_bits(1).expect("the opcode alone is a STORE")
    };
    let finish = Finish {
        pop_next_dep: true,
        ..Finish::from_bits(3).expect("the opcode alone is FINISH")
    };
    let insns = [
        Insn::Load(load),
        Insn::Gemm(gemm),
        Insn::Store(store(true, false, 0)),
        Insn::Store(store(false, true, 1)),
        Insn::Finish(finish),
    ];
    let mut dram = vec![0xaa; 1 << 16];
    dram[..0x1000].fill(0);
    for (i, insn) in insns.iter().enumerate() {
        let word = insn.encode().expect("every field is in range");
        dram[INSNS as usize + 16 * i..][..16].copy_from_slice(&word.to_le_bytes());
    }
    (Dram::new(dram), insns.len() as u32)
}

fn go<S: Sink>(sink: &mut S) -> (Result<Outcome, RunError<S::Error>>, Dram) {
    let (mut dram, count) = program();
    let cfg = HwConfig::default();
    let done = run(&cfg, &mut dram, INSNS, count, Options::default(), sink);
    (done, dram)
}

/// Ends the run at the end of an instruction; `ALL`: wants every cycle.
struct Until<const ALL: bool> {
    insn: u32,
    fail: bool,
    seen: Vec<(u64, Event)>,
}

impl<const ALL: bool> Until<ALL> {
    fn new(insn: u32, fail: bool) -> Self {
        let seen = Vec::new();
        Self { insn, fail, seen }
    }

    fn starts(&self) -> usize {
        let starts = |e: &&(u64, Event)| matches!(e.1, Event::InsnStart { .. });
        self.seen.iter().filter(starts).count()
    }
}

impl<const ALL: bool> Sink for Until<ALL> {
    const CYCLES: bool = ALL;
    type Error = io::Error;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<io::Error>> {
        self.seen.push((cycle, event));
        match event {
            Event::InsnEnd { insn, .. } if insn == self.insn && self.fail => {
                Err(io::Error::other("the disk is full").into())
            }
            Event::InsnEnd { insn, .. } if insn == self.insn => Err(Stop::Enough),
            _ => Ok(()),
        }
    }
}

/// The cycle in which an instruction ends in a whole run.
fn end_of(insn: u32) -> u64 {
    let mut all = Until::<true>::new(u32::MAX, false);
    let done = go(&mut all).0.expect("it runs");
    assert_eq!(done.status, Status::Ok);
    let ends = |e: &&(u64, Event)| matches!(e.1, Event::InsnEnd { insn: i, .. } if i == insn);
    all.seen.iter().find(ends).expect("it ends").0
}

#[test]
fn a_sink_ends_the_run_at_the_first_store() {
    let first = end_of(2);
    let mut ticked = Until::<true>::new(2, false);
    let (done, dram) = go(&mut ticked);
    let done = done.expect("it runs");
    assert_eq!((done.status, done.cycles), (Status::Stopped, first));
    assert!(matches!(
        ticked.seen.last(),
        Some((at, Event::InsnEnd { unit: Unit::Store, insn: 2, .. })) if *at == first
    ));
    let mut coarse = Until::<false>::new(2, false);
    let (by_events, other) = go(&mut coarse);
    let by_events = by_events.expect("it runs");
    assert_eq!(
        (by_events.status, by_events.cycles),
        (Status::Stopped, first)
    );
    // What ended is counted; the second store and FINISH have not even begun.
    for (stats, sink) in [
        (done.stats, ticked.starts()),
        (by_events.stats, coarse.starts()),
    ] {
        assert_eq!((stats.insns(), stats.reset_steps, sink), (3, 1, 3));
    }
    for dram in [dram, other] {
        let second = dram.read(u64::from(STORED) + 16, 16).expect("inside");
        assert_eq!(second, [0xaa; 16]);
    }
}

#[test]
fn an_error_of_a_sink_is_that_of_the_run_with_its_cycle() {
    let first = end_of(2);
    let errors = [
        go(&mut Until::<true>::new(2, true)).0,
        go(&mut Until::<false>::new(2, true)).0,
    ];
    for e in errors {
        let e = e.expect_err("the sink fails");
        assert_eq!(e.to_string(), format!("cycle {first}: the disk is full"));
        let e = e.into_sink().expect("it is the sink's");
        assert_eq!(e.kind(), io::ErrorKind::Other);
    }
}

/// Takes so many bytes.
struct Full(usize);

impl io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.0.checked_sub(bytes.len()) else {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no room"));
        };
        self.0 = left;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn writers_end_the_run_when_they_cannot_write() {
    let whole = {
        let mut csv = Csv::new(Vec::new());
        go(&mut csv).0.expect("it runs");
        csv.into_inner().expect("memory can be written").len()
    };
    for room in [0, 40, whole - 1] {
        let e = go(&mut Csv::new(Full(room))).0.expect_err("no room");
        let e = e.into_sink().expect("it is the writer's");
        assert_eq!(e.kind(), io::ErrorKind::StorageFull);
    }
    let mut csv = Csv::new(Full(whole));
    go(&mut csv).0.expect("there is room");
    csv.finish().expect("there is room");
    // A timeline writes in blocks: a short one at its end.
    let mut timeline = Timeline::new(Full(0), "short");
    let done = go(&mut timeline).0.expect("it is in memory");
    timeline.launch_end(done.cycles);
    let e = timeline.finish().map(|_| ()).expect_err("no room");
    assert_eq!(e.kind(), io::ErrorKind::StorageFull);
}

/// Counts events.
#[derive(Default)]
struct Count(usize);

impl Sink for Count {
    const CYCLES: bool = false;
    type Error = Infallible;

    fn event(&mut self, _: u64, _: Event) -> Result<(), Stop> {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn sinks_come_several_at_once() {
    let mut count = Count::default();
    let alone = go(&mut count).0.expect("it runs");
    let mut pair = (Count::default(), Until::<false>::new(u32::MAX, false));
    let both = go(&mut pair).0.expect("it runs");
    assert_eq!((&both, pair.0.0), (&alone, count.0));
    assert_eq!(pair.1.seen.len(), count.0);

    let mut nested = ((Count::default(), NoSink), Some(Count::default()));
    assert_eq!(go(&mut nested).0.expect("it runs"), alone);
    assert_eq!([nested.0.0.0, nested.1.map_or(0, |c| c.0)], [count.0; 2]);
    assert_eq!(go(&mut None::<Count>).0.expect("it runs"), alone);

    let mut many = vec![Count::default(), Count::default()];
    assert_eq!(go(&mut many).0.expect("it runs"), alone);
    assert!(many.iter().all(|c| c.0 == count.0));
}

#[test]
fn all_of_a_pair_see_the_event_with_which_one_ends_the_run() {
    let mut pair = (Until::<false>::new(2, true), Count::default());
    let e = go(&mut pair).0.expect_err("the first fails");
    assert!(matches!(e.into_sink(), Ok(Either::First(_))));
    assert_eq!(pair.0.seen.len(), pair.1.0);
}

#[test]
fn boxed_sinks_of_different_types_are_one() {
    let (mut until, mut csv) = (Until::<true>::new(2, false), Csv::new(Vec::new()));
    {
        let mut all: Vec<Box<dyn DynSink<io::Error> + '_>> =
            vec![Box::new(&mut until), Box::new(&mut csv)];
        let done = go(&mut all).0.expect("it runs");
        assert_eq!((done.status, done.cycles), (Status::Stopped, end_of(2)));
    }
    let rows = csv.into_inner().expect("memory can be written");
    let rows = String::from_utf8(rows).expect("text");
    let ends = rows.lines().filter(|r| r.starts_with("insn,")).count();
    assert_eq!(ends, 3);
}
