//! Finding and reading cases.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use vta_program::config::HwConfig;

/// Largest DRAM, and largest trace, of a case.
const MAX_BYTES: u64 = 1 << 30;

/// Largest `case.json`.
const MAX_JSON_BYTES: u64 = 16 << 20;

/// Folders below the one that is walked.
const MAX_DEPTH: usize = 8;

/// Families whose output bytes are not defined: data races, or a store that
/// may still be running at the finish.
const NO_BYTES: [&str; 3] = ["racy", "deadlock", "queue"];

/// A case that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct GoldenError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl GoldenError {
    fn new(path: &Path, what: impl fmt::Display) -> Self {
        Self {
            path: path.into(),
            what: what.to_string(),
        }
    }
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The finish instruction was reached.
    Ok,
    /// Nothing can move any more, or no finish within the budget.
    Hang,
    /// An assertion of the RTL fired.
    Assert,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Hang => "hang",
            Self::Assert => "assert",
        })
    }
}

/// What the hardware does in one configuration; other keys are notes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Expected {
    /// How the run ends.
    pub status: Status,
    /// Cycles from launch to the finish instruction.
    pub cycles: Option<u64>,
    /// Writes of the accumulator scratchpad.
    pub acc_writes: Option<u64>,
    /// The unit that an assertion is in.
    #[serde(rename = "where")]
    pub where_: Option<String>,
    /// The output bytes are not those of the first configuration.
    #[serde(default)]
    pub out_differs_between_configs: bool,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its folder.
    pub path: PathBuf,
    /// The folders between the one that was walked and the case.
    pub family: String,
    /// Family and folder name.
    pub name: String,
    /// The family without what groups families: it says which bytes are compared.
    pub kind: String,
    /// Byte address of the first instruction.
    pub insn_addr: u32,
    /// Number of instructions.
    pub insn_count: u32,
    /// Length of the DRAM image.
    pub dram_bytes: u32,
    /// The budget of the run.
    pub max_cycles: u64,
    /// Regions whose bytes are compared: `(byte address, bytes)`.
    pub outputs: Vec<(u32, u32)>,
    /// What happens, by configuration, in the file's order.
    pub expected: Vec<(HwConfig, Expected)>,
}

/// What a run of a case needs, and what it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// DRAM before the run.
    pub dram: Vec<u8>,
    /// Expected bytes of the outputs, one after the other, where they are compared.
    pub out: Option<Vec<u8>>,
    /// Expected trace, where there is one.
    pub trace: Option<String>,
}

/// What a folder holds.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The cases, in order of their paths.
    pub cases: Vec<Case>,
    /// What looks like a case and is none.
    pub unreadable: Vec<GoldenError>,
}

/// `case.json`; other keys are notes.
#[derive(serde::Deserialize)]
struct CaseFile {
    name: Option<String>,
    insn_addr: u32,
    insn_count: u32,
    dram_bytes: u32,
    max_cycles: u64,
    outputs: Vec<(u32, u32)>,
    expected: InOrder,
}

/// Expectations by configuration, in the file's order.
struct InOrder(Vec<(String, Expected)>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = InOrder;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from configuration to what is expected")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }
        d.deserialize_map(Entries)
    }
}

/// Finds the cases below a folder, or in it.
///
/// # Errors
/// The folder cannot be read. What is wrong below it is in [`Found::unreadable`].
pub fn find(dir: &Path) -> Result<Found, GoldenError> {
    fs::read_dir(dir).map_err(|e| GoldenError::new(dir, e))?;
    let mut found = Found::default();
    walk(dir, dir, 0, &mut found);
    Ok(found)
}

fn walk(root: &Path, dir: &Path, depth: usize, found: &mut Found) {
    if dir.join("case.json").exists() {
        match read(root, dir) {
            Ok(case) => found.cases.push(case),
            Err(e) => found.unreadable.push(e),
        }
        return;
    }
    if dir.join("dram.bin.gz").exists() {
        let e = GoldenError::new(dir, "there is a DRAM image, but no case.json");
        found.unreadable.push(e);
        return;
    }
    let entries = fs::read_dir(dir).and_then(|d| d.collect::<io::Result<Vec<_>>>());
    match entries {
        Ok(entries) if depth < MAX_DEPTH => {
            // A hidden folder is somebody's own: one that is being written, for example.
            let hidden = |e: &&fs::DirEntry| e.file_name().as_encoded_bytes().starts_with(b".");
            let folders = entries.iter().filter(|e| !hidden(e));
            let mut folders: Vec<PathBuf> = folders.map(fs::DirEntry::path).collect();
            folders.sort();
            for folder in folders.iter().filter(|p| p.is_dir()) {
                walk(root, folder, depth + 1, found);
            }
        }
        Ok(_) => {}
        Err(e) => found.unreadable.push(GoldenError::new(dir, e)),
    }
}

fn read(root: &Path, dir: &Path) -> Result<Case, GoldenError> {
    let path = dir.join("case.json");
    let err = |what: &dyn fmt::Display| GoldenError::new(&path, what);
    let mut text = String::new();
    vta_tensor::files::open(&path)
        .and_then(|f| f.take(MAX_JSON_BYTES).read_to_string(&mut text))
        .map_err(|e| err(&e))?;
    let file: CaseFile = serde_json::from_str(&text).map_err(|e| err(&e))?;
    if u64::from(file.dram_bytes) > MAX_BYTES {
        return Err(err(&format!("dram_bytes is more than {MAX_BYTES}")));
    }
    for (addr, bytes) in &file.outputs {
        if u64::from(*addr) + u64::from(*bytes) > file.dram_bytes.into() {
            return Err(err(&format!(
                "output of {bytes} bytes at {addr} is outside DRAM"
            )));
        }
    }
    let mut expected = Vec::new();
    for (name, e) in file.expected.0 {
        let config = HwConfig::built_in(&name)
            .ok_or_else(|| err(&format!("configuration {name} is not built in")))?;
        expected.push((config, e));
    }
    if expected.is_empty() {
        return Err(err(&"nothing is expected in any configuration"));
    }
    let last = |p: &Path| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned());
        name.unwrap_or_default()
    };
    let folder = last(dir);
    let parent = dir.parent().unwrap_or(dir);
    let below = parent.strip_prefix(root).unwrap_or(Path::new(""));
    let listed = file.name.as_deref().and_then(|n| n.split_once('/'));
    let kind = listed.map_or_else(|| last(parent), |(family, _)| family.to_owned());
    let family = match below.to_string_lossy().into_owned() {
        none if none.is_empty() => kind.clone(),
        some => some,
    };
    Ok(Case {
        path: dir.into(),
        name: format!("{family}/{folder}"),
        family,
        kind,
        insn_addr: file.insn_addr,
        insn_count: file.insn_count,
        dram_bytes: file.dram_bytes,
        max_cycles: file.max_cycles,
        outputs: file.outputs,
        expected,
    })
}

impl Case {
    /// Whether output bytes are compared in a configuration.
    pub fn compares_bytes(&self, expected: &Expected) -> bool {
        expected.status == Status::Ok
            && !self.outputs.is_empty()
            && !expected.out_differs_between_configs
            && !NO_BYTES.contains(&self.kind.as_str())
    }

    /// Reads what a run in one configuration needs.
    ///
    /// # Errors
    /// The file that cannot be read or has the wrong length.
    pub fn inputs(&self, config: &HwConfig, expected: &Expected) -> Result<Inputs, GoldenError> {
        let dram = unpack(&self.path.join("dram.bin.gz"), Some(self.dram_bytes.into()))?;
        let out = if self.compares_bytes(expected) {
            let bytes = self.outputs.iter().map(|o| u64::from(o.1)).sum();
            Some(unpack(&self.path.join("out.bin.gz"), Some(bytes))?)
        } else {
            None
        };
        let path = self.path.join(format!("trace.{}.csv.gz", config.name));
        let trace = if expected.status == Status::Ok && path.exists() {
            let bytes = unpack(&path, None)?;
            Some(String::from_utf8(bytes).map_err(|e| GoldenError::new(&path, e))?)
        } else {
            None
        };
        Ok(Inputs { dram, out, trace })
    }
}

/// The bytes of a gzip file, of a known length or of any up to the limit.
fn unpack(path: &Path, bytes: Option<u64>) -> Result<Vec<u8>, GoldenError> {
    let limit = bytes.unwrap_or(MAX_BYTES);
    let file = vta_tensor::files::open(path).map_err(|e| GoldenError::new(path, e))?;
    let mut data = Vec::new();
    flate2::read::GzDecoder::new(file)
        .take(limit + 1)
        .read_to_end(&mut data)
        .map_err(|e| GoldenError::new(path, e))?;
    let wrong = match bytes {
        Some(n) => data.len() as u64 != n,
        None => data.len() as u64 > limit,
    };
    if wrong {
        let what = format!("unpacks to other than the {limit} bytes that case.json gives");
        return Err(GoldenError::new(path, what));
    }
    Ok(data)
}
