//! The rows of the golden traces: `event,module,index,start,end,a,b`.

use crate::tsim::{Event, Sink, Stop};
use std::io::{self, Write};
use vta_program::isa::Unit;

/// The first line.
const HEAD: &[u8] = b"event,module,index,start,end,a,b\n";

/// Writes one row for each instruction, dispatch and bus event, in the order
/// of the golden cases. An error of the writer ends the run.
#[derive(Debug)]
pub struct Csv<W> {
    to: W,
    /// The head is written.
    begun: bool,
}

impl<W: Write> Csv<W> {
    /// The head comes before the first row, or at the end.
    pub const fn new(to: W) -> Self {
        let begun = false;
        Self { to, begun }
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(self) -> io::Result<()> {
        self.into_inner().map(|_| ())
    }

    /// The target, with all rows.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.begin()?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn begin(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.to.write_all(HEAD)?;
        }
        Ok(())
    }

    fn row(&mut self, cycle: u64, event: Event) -> io::Result<()> {
        let w = &mut self.to;
        match event {
            Event::InsnEnd {
                unit,
                index,
                start,
                opcode,
                memory_type,
                ..
            } => writeln!(
                w,
                "insn,{unit},{index},{start},{cycle},{opcode},{memory_type}"
            ),
            Event::ReadCmd { cmd, .. } => {
                writeln!(w, "ar,mem,{},{cycle},,{},{}", cmd.id, cmd.addr, cmd.len)
            }
            Event::ReadBeat(b) => writeln!(w, "r,mem,{},{cycle},,{},", b.id, u8::from(b.last)),
            Event::WriteCmd(c) => writeln!(w, "aw,mem,,{cycle},,{},{}", c.addr, c.len),
            Event::WriteBeat => writeln!(w, "w,mem,,{cycle},,,"),
            Event::WriteResp => writeln!(w, "b,mem,,{cycle},,,"),
            Event::Dispatch { unit, .. } => {
                let queue = match unit {
                    Unit::Load => "ld",
                    Unit::Compute => "co",
                    Unit::Store => "st",
                };
                writeln!(w, "dispatch,fetch,,{cycle},,{queue},")
            }
            Event::InsnStart { .. }
            | Event::ReadEnd { .. }
            | Event::WriteEnd { .. }
            | Event::Post { .. }
            | Event::Wait { .. }
            | Event::State { .. } => Ok(()),
        }
    }
}

impl<W: Write> Sink for Csv<W> {
    type Error = io::Error;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<io::Error>> {
        self.begin()?;
        Ok(self.row(cycle, event)?)
    }
}
