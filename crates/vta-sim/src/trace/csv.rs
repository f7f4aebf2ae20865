//! The rows of the golden traces: `event,module,index,start,end,a,b`.

use crate::tsim::{Event, Sink};
use std::io::{self, Write};
use vta_program::isa::Unit;

/// Writes one row for each instruction, dispatch and bus event, in the order
/// of the golden cases. The first error ends the writing and is kept.
#[derive(Debug)]
pub struct Csv<W> {
    to: W,
    error: Option<io::Error>,
}

impl<W: Write> Csv<W> {
    /// Writes the head; rows follow.
    pub fn new(mut to: W) -> Self {
        let error = to.write_all(b"event,module,index,start,end,a,b\n").err();
        Self { to, error }
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// The first error of any row.
    pub fn finish(mut self) -> io::Result<()> {
        match self.error {
            Some(e) => Err(e),
            None => self.to.flush(),
        }
    }

    /// The target, with all rows.
    ///
    /// # Errors
    /// The first error of any row.
    pub fn into_inner(mut self) -> io::Result<W> {
        match self.error {
            Some(e) => Err(e),
            None => self.to.flush().map(|()| self.to),
        }
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
    fn event(&mut self, cycle: u64, event: Event) {
        if self.error.is_none() {
            self.error = self.row(cycle, event).err();
        }
    }
}
