//! What was seen against what is expected.

use super::{Case, Expected, Inputs, Observed, Status};
use std::fmt;

/// One difference, as precise as it can be said.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Difference {
    /// The run could not be made.
    Run {
        /// Why.
        error: String,
    },
    /// It ended in another way.
    Status {
        /// The hardware's end.
        expected: Status,
        /// The simulator's end.
        found: Status,
    },
    /// The assertion is in another unit.
    Where {
        /// The hardware's unit.
        expected: String,
        /// The simulator's unit.
        found: Option<String>,
    },
    /// It took another number of cycles.
    Cycles {
        /// The hardware's cycles.
        expected: u64,
        /// The simulator's cycles.
        found: u64,
    },
    /// The accumulator was written another number of times.
    AccWrites {
        /// The hardware's writes.
        expected: u64,
        /// The simulator's writes.
        found: u64,
    },
    /// DRAM after the run is shorter than an output's end.
    DramBytes {
        /// Length of DRAM before the run.
        expected: usize,
        /// Length of DRAM after the run.
        found: usize,
    },
    /// Bytes of an output differ.
    Output {
        /// Which output, from 0.
        output: usize,
        /// Bytes that differ.
        bytes: usize,
        /// Address of the first.
        addr: u32,
        /// Its place in the output.
        offset: usize,
        /// The hardware's first byte.
        expected: u8,
        /// The simulator's first byte.
        found: u8,
    },
    /// The first row of the trace that differs.
    Trace {
        /// 1-based row; the head is row 0.
        row: usize,
        /// The hardware's row; none after the last.
        expected: Option<String>,
        /// The simulator's row; none after the last.
        found: Option<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |r: &Option<String>| r.as_deref().unwrap_or("no row").to_owned();
        match self {
            Self::Run { error } => write!(f, "not run: {error}"),
            Self::Status { expected, found } => {
                write!(f, "status: expected {expected}, found {found}")
            }
            Self::Where { expected, found } => {
                let found = found.as_deref().unwrap_or("nowhere");
                write!(f, "where: expected {expected}, found {found}")
            }
            Self::Cycles { expected, found } => {
                write!(f, "cycles: expected {expected}, found {found}")
            }
            Self::AccWrites { expected, found } => {
                write!(f, "acc_writes: expected {expected}, found {found}")
            }
            Self::DramBytes { expected, found } => {
                write!(f, "dram: expected {expected} bytes, found {found}")
            }
            Self::Output {
                output,
                bytes,
                addr,
                offset,
                expected,
                found,
            } => write!(
                f,
                "output {output}: {bytes} bytes differ; first at {addr} (byte {offset}): expected {expected:#04x}, found {found:#04x}"
            ),
            Self::Trace {
                row: n,
                expected,
                found,
            } => write!(
                f,
                "trace row {n}: expected {}, found {}",
                row(expected),
                row(found)
            ),
        }
    }
}

/// Every difference between what was seen and what is expected.
///
/// After a different end nothing else is compared.
pub fn compare(
    case: &Case,
    expected: &Expected,
    inputs: &Inputs,
    seen: &Observed,
) -> Vec<Difference> {
    let mut all = Vec::new();
    if seen.status != expected.status {
        all.push(Difference::Status {
            expected: expected.status,
            found: seen.status,
        });
        return all;
    }
    if let Some(place) = &expected.where_
        && seen.where_.as_ref() != Some(place)
    {
        all.push(Difference::Where {
            expected: place.clone(),
            found: seen.where_.clone(),
        });
    }
    if let Some(cycles) = expected.cycles
        && cycles != seen.cycles
    {
        all.push(Difference::Cycles {
            expected: cycles,
            found: seen.cycles,
        });
    }
    if let Some(acc_writes) = expected.acc_writes
        && acc_writes != seen.acc_writes
    {
        all.push(Difference::AccWrites {
            expected: acc_writes,
            found: seen.acc_writes,
        });
    }
    if let Some(out) = &inputs.out {
        outputs(case, inputs, out, seen, &mut all);
    }
    if let Some(trace) = &inputs.trace {
        all.extend(first_row(trace, seen.trace.as_deref().unwrap_or("")));
    }
    all
}

fn outputs(case: &Case, inputs: &Inputs, out: &[u8], seen: &Observed, all: &mut Vec<Difference>) {
    if seen.dram.len() != inputs.dram.len() {
        all.push(Difference::DramBytes {
            expected: inputs.dram.len(),
            found: seen.dram.len(),
        });
        return;
    }
    let mut rest = out;
    for (output, &(addr, bytes)) in case.outputs.iter().enumerate() {
        // Reading the case has checked both lengths.
        let (want, after) = rest.split_at((bytes as usize).min(rest.len()));
        rest = after;
        let got = seen.dram.get(addr as usize..).unwrap_or_default();
        let mut differ = want
            .iter()
            .zip(got)
            .enumerate()
            .filter(|(_, (a, b))| a != b);
        if let Some((offset, (&expected, &found))) = differ.next() {
            all.push(Difference::Output {
                output,
                bytes: 1 + differ.count(),
                addr: addr + offset as u32,
                offset,
                expected,
                found,
            });
        }
    }
}

fn first_row(expected: &str, found: &str) -> Option<Difference> {
    let (mut a, mut b) = (expected.lines(), found.lines());
    for row in 0.. {
        let (expected, found) = (a.next(), b.next());
        if expected.is_none() && found.is_none() {
            break;
        }
        if expected != found {
            return Some(Difference::Trace {
                row,
                expected: expected.map(str::to_owned),
                found: found.map(str::to_owned),
            });
        }
    }
    None
}
