//! Programs of `onera/standalone-vta`: folders of raw files.
//!
//! | file | kind in the table | what it is |
//! | --- | --- | --- |
//! | `memory_addresses.csv` | | a row for each object: kind, physical address, address in elements |
//! | `instructions.bin` | `INSN` | 16 bytes each |
//! | `uop.bin` | `UOP` | micro-ops, 4 bytes each |
//! | `input.bin` | `INP` | input elements |
//! | `weight.bin` | `WGT` | weight elements |
//! | `accumulator.bin` | `ACC` | accumulator elements |
//! | `add_accumulator.bin` | `ACC_BIS` | those of a second operand |
//! | `out_init.bin` | `OUT` | what DRAM holds where results go |
//! | `expected_out.bin` | `OUT` | what its maker expects there |
//! | `vta_config.json` | | the configuration |
//!
//! A file that the table has no row for, and a file that is not there, are nothing;
//! instructions and the table must be there.

use crate::config::{ConfigError, HwConfig};
use crate::program::{Launch, MAX_DRAM_BYTES, Program, ProgramError, Segment, SegmentKind, Step};
use std::io::{self, Read};
use std::path::Path;
use vta_tensor::files;

/// The table of addresses.
pub const TABLE: &str = "memory_addresses.csv";
/// What the maker of a folder expects.
pub const EXPECTED: &str = "expected_out.bin";
const CONFIG: &str = "vta_config.json";

/// DRAM ends at a page.
const PAGE: u64 = 4096;
/// Longest table.
const MAX_TABLE_BYTES: u64 = 1 << 20;

/// Kinds of the table: name, file, segment.
const KINDS: [(&str, &str, SegmentKind); 7] = [
    ("INP", "input.bin", SegmentKind::Inp),
    ("WGT", "weight.bin", SegmentKind::Wgt),
    ("ACC", "accumulator.bin", SegmentKind::Acc),
    ("ACC_BIS", "add_accumulator.bin", SegmentKind::Acc),
    ("OUT", "out_init.bin", SegmentKind::Out),
    ("UOP", "uop.bin", SegmentKind::Uop),
    ("INSN", "instructions.bin", SegmentKind::Insn),
];

/// A folder that is no program.
#[derive(Debug, thiserror::Error)]
pub enum StandaloneError {
    /// A file that cannot be read.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: &'static str,
        /// The system's words.
        source: io::Error,
    },
    /// A file that is longer than DRAM.
    #[error("{file}: more than {limit} bytes")]
    TooLong {
        /// The file.
        file: &'static str,
        /// Bytes that it may have.
        limit: u64,
    },
    /// A folder without a table of addresses.
    #[error("a folder without {TABLE}, so no program")]
    NoTable,
    /// A configuration that is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No configuration.
    #[error("there is no {CONFIG} in it")]
    NoConfig,
    /// A row of the table.
    #[error("{TABLE}, line {line}: {what}")]
    Row {
        /// Its line, from 1.
        line: u64,
        /// What is wrong in it.
        what: String,
    },
    /// An object without an address.
    #[error("{TABLE}: no row for {kind}, whose bytes are in {file}")]
    NoRow {
        /// The kind.
        kind: &'static str,
        /// The file.
        file: &'static str,
    },
    /// A file that ends within an element.
    #[error("{file}: {bytes} bytes, not a multiple of {element}")]
    Size {
        /// The file.
        file: &'static str,
        /// Its length.
        bytes: usize,
        /// Bytes of an element.
        element: u32,
    },
    /// Two objects that share bytes.
    #[error("{first} and {second} overlap at {addr:#x}")]
    Overlap {
        /// The one that begins first.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// The first byte of both.
        addr: u32,
    },
    /// An object that ends behind the largest DRAM.
    #[error("{kind} ends at {end:#x}, beyond the {MAX_DRAM_BYTES} bytes that DRAM may have")]
    Beyond {
        /// The kind.
        kind: &'static str,
        /// One past its last byte.
        end: u64,
    },
    /// Objects that fit, and make no program.
    #[error(transparent)]
    Program(Box<ProgramError>),
}

impl StandaloneError {
    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Config(e) => return e.help(),
            Self::NoTable => {
                "a program is a file, or a folder that another compiler wrote (docs/cli.md)".into()
            }
            Self::NoConfig => {
                format!("put the {CONFIG} that it was made for there, or give --config")
            }
            Self::Row { .. } => "a row is KIND,PHYSICAL,ELEMENTS, such as INP,0x1000,0x100".into(),
            Self::NoRow { .. } => {
                "its maker writes the table and the files together: copy all of them".into()
            }
            Self::Size { .. } => format!("is {CONFIG} the one that it was made for?"),
            Self::Overlap { .. } => "each object needs addresses of its own".into(),
            Self::File { .. } | Self::TooLong { .. } | Self::Beyond { .. } | Self::Program(_) => {
                return None;
            }
        })
    }
}

/// A program of a folder, and what its maker expects of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Standalone {
    /// The program: one launch, `main`.
    pub program: Program,
    /// What is expected where results go, if the folder says it.
    pub expected: Option<Vec<u8>>,
}

/// A row of the table.
struct Row {
    line: u64,
    kind: usize,
    addr: u32,
}

/// Reads a folder; a configuration wins over its own.
///
/// # Errors
/// The file and what is wrong in it.
pub fn read(folder: &Path, config: Option<&HwConfig>) -> Result<Standalone, StandaloneError> {
    let table = bytes(folder, TABLE, MAX_TABLE_BYTES)?.ok_or(StandaloneError::NoTable)?;
    let config = match config {
        Some(config) => config.clone(),
        None => own_config(&folder.join(CONFIG))?,
    };
    let rows = rows(&table, &config)?;
    let mut segments = Vec::new();
    let mut expected = None;
    for (kind, (name, file, segment)) in KINDS.into_iter().enumerate() {
        let data = bytes(folder, file, MAX_DRAM_BYTES.into())?.unwrap_or_default();
        let mut length = data.len();
        if segment == SegmentKind::Out {
            expected = bytes(folder, EXPECTED, MAX_DRAM_BYTES.into())?.filter(|e| !e.is_empty());
            length = length.max(expected.as_ref().map_or(0, Vec::len));
        }
        if length == 0 {
            match segment {
                SegmentKind::Insn => return Err(missing(file)),
                _ => continue,
            }
        }
        let row = rows.iter().find(|r| r.kind == kind);
        let row = row.ok_or(StandaloneError::NoRow { kind: name, file })?;
        let element = element_bytes(&config, segment);
        // A map of results need not be made of whole vectors.
        if segment != SegmentKind::Out && !data.len().is_multiple_of(element as usize) {
            let bytes = data.len();
            return Err(StandaloneError::Size {
                file,
                bytes,
                element,
            });
        }
        let end = u64::from(row.addr) + length as u64;
        let beyond = StandaloneError::Beyond { kind: name, end };
        if end > u64::from(MAX_DRAM_BYTES) {
            return Err(beyond);
        }
        segments.push(Segment {
            name: name.to_lowercase(),
            kind: segment,
            addr: row.addr,
            bytes: u32::try_from(length).map_err(|_| beyond)?,
            data,
        });
    }
    program(config, segments, expected)
}

/// The program of segments that do not overlap.
fn program(
    config: HwConfig,
    mut segments: Vec<Segment>,
    expected: Option<Vec<u8>>,
) -> Result<Standalone, StandaloneError> {
    segments.sort_by_key(|s| s.addr);
    let named = |s: &Segment| {
        let all = KINDS.into_iter().map(|k| k.0);
        all.into_iter()
            .find(|k| k.eq_ignore_ascii_case(&s.name))
            .unwrap_or_default()
    };
    for pair in segments.windows(2) {
        if pair[0].addr + pair[0].bytes > pair[1].addr {
            return Err(StandaloneError::Overlap {
                first: named(&pair[0]),
                second: named(&pair[1]),
                addr: pair[1].addr,
            });
        }
    }
    let of = |kind| segments.iter().find(|s: &&Segment| s.kind == kind);
    let insns = of(SegmentKind::Insn).map_or((0, 0), |s| (s.addr, s.bytes / 16));
    // What is expected is what there is to see; else all that the maker gave room to.
    let outputs = of(SegmentKind::Out).map(|s| {
        let wanted = expected.as_ref().and_then(|e| u32::try_from(e.len()).ok());
        (s.addr, wanted.unwrap_or(s.bytes))
    });
    let end = segments
        .iter()
        .map(|s| u64::from(s.addr) + u64::from(s.bytes));
    let end = end.max().unwrap_or(0).next_multiple_of(PAGE);
    let program = Program {
        config,
        dram_bytes: u32::try_from(end).unwrap_or(MAX_DRAM_BYTES),
        steps: vec![Step::Launch(Launch {
            name: "main".into(),
            insn_addr: insns.0,
            insn_count: insns.1,
            outputs: outputs.into_iter().collect(),
            symbols: Vec::new(),
        })],
        segments,
        ..Program::default()
    };
    let checked = program.validate();
    checked.map_err(|e| StandaloneError::Program(Box::new(e)))?;
    Ok(Standalone { program, expected })
}

fn missing(file: &'static str) -> StandaloneError {
    let source = io::ErrorKind::NotFound.into();
    StandaloneError::File { file, source }
}

/// The bytes of a file of the folder; none where there is no such file.
fn bytes(
    folder: &Path,
    file: &'static str,
    limit: u64,
) -> Result<Option<Vec<u8>>, StandaloneError> {
    let error = |source| StandaloneError::File { file, source };
    let opened = match files::open(&folder.join(file)) {
        Ok(opened) => opened,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(error(e)),
    };
    let mut bytes = Vec::new();
    let mut opened = opened.take(limit + 1);
    opened.read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > limit {
        return Err(StandaloneError::TooLong { file, limit });
    }
    Ok(Some(bytes))
}

fn own_config(path: &Path) -> Result<HwConfig, StandaloneError> {
    if !path.exists() {
        return Err(StandaloneError::NoConfig);
    }
    Ok(HwConfig::load(&path.to_string_lossy())?)
}

fn element_bytes(c: &HwConfig, kind: SegmentKind) -> u32 {
    match kind {
        SegmentKind::Insn => 16,
        SegmentKind::Uop => c.uop_bytes(),
        SegmentKind::Inp => c.inp_bytes(),
        SegmentKind::Wgt => c.wgt_bytes(),
        SegmentKind::Acc => c.acc_bytes(),
        SegmentKind::Out => c.out_bytes(),
        SegmentKind::Raw => 1,
    }
}

/// The rows of the table. Instructions hold addresses in elements, so these say where
/// an object is; the physical ones are the same, or all of them so much higher.
fn rows(table: &[u8], c: &HwConfig) -> Result<Vec<Row>, StandaloneError> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(table);
    let mut all: Vec<Row> = Vec::new();
    let mut offset: Option<u32> = None;
    for record in reader.records() {
        let record = record.map_err(|e| StandaloneError::Row {
            line: e.position().map_or(0, csv::Position::line),
            what: "not a row of text".into(),
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |what: String| StandaloneError::Row { line, what };
        let fields: Vec<&str> = record.iter().collect();
        let [name, physical, elements @ ..] = &fields[..] else {
            return Err(wrong(format!("{} fields, not 3", fields.len())));
        };
        let known = KINDS.iter().position(|k| k.0.eq_ignore_ascii_case(name));
        let Some(kind) = known else {
            let all = KINDS.map(|k| k.0).join(", ");
            return Err(wrong(format!("`{name}` is no kind; the kinds are {all}")));
        };
        if let Some(before) = all.iter().find(|r| r.kind == kind) {
            return Err(wrong(format!("{name} is in line {} too", before.line)));
        }
        let physical = number(physical).map_err(wrong)?;
        let element = element_bytes(c, KINDS[kind].2);
        let addr = match elements {
            [] => physical,
            [at] => {
                let at = number(at).map_err(wrong)?;
                let start = u64::from(at) * u64::from(element);
                let addr = u32::try_from(start).ok().filter(|a| *a <= physical);
                addr.ok_or_else(|| {
                    wrong(format!(
                        "element {at:#x} is at {start:#x}, behind the physical address {physical:#x}"
                    ))
                })?
            }
            _ => return Err(wrong(format!("{} fields, not 3", fields.len()))),
        };
        let above = physical - addr;
        if *offset.get_or_insert(above) != above {
            let first = offset.unwrap_or(0);
            let before = all.first().map_or(0, |r| r.line);
            return Err(wrong(format!(
                "{physical:#x} is {above:#x} above its elements of {element} bytes, line {before} has {first:#x}"
            )));
        }
        all.push(Row { line, kind, addr });
    }
    Ok(all)
}

/// A number, in hexadecimal with `0x`.
fn number(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = match digits {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| format!("`{text}` is no address"))
}
