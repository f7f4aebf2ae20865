//! The program bundle: one `.vta` file, a ZIP archive (`docs/bundle.md`).
//!
//! The reader trusts nothing: sizes are checked before bytes are kept, every
//! entry against its checksum, and the program as a whole at the end.

use super::bundle_error::BundleError;
use super::manifest::{
    FORMAT, Head, LayerEntry, Manifest, ReadManifest, VERSION, VERSION_LAUNCHES, data_file, sha256,
};
use super::{Layer, MAX_DRAM_BYTES, Program, ProgramError, Segment, atomic};
use crate::config::HwConfig;
use flate2::{Compression, bufread::DeflateDecoder, write::DeflateEncoder};
use rawzip::time::UtcDateTime;
use rawzip::{
    CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipArchiveWriter, ZipSliceArchive,
};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use vta_tensor::printable::without_place;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SUMS: &str = "SHA256SUMS";

/// Largest manifest and list of checksums.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// When entries were changed last: the first moment that an archive can name,
/// so that the same program gives the same bytes.
const CHANGED: UtcDateTime =
    UtcDateTime::from_components(1980, 1, 1, 0, 0, 0, 0).expect("a day that there was");

/// How much of an entry is tried.
const PROBE_BYTES: usize = 64 << 10;

/// Largest bundle file: DRAM's largest size, and room for the rest.
const MAX_FILE_BYTES: u64 = MAX_DRAM_BYTES as u64 + (256 << 20);

/// Whether bytes start like a bundle: with the magic of a ZIP archive.
pub fn is_bundle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

impl Program {
    /// The bytes of the program's bundle; the same program gives the same bytes.
    ///
    /// # Errors
    /// The program does not make sense.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        self.validate()?;
        let named_like_built_in =
            HwConfig::built_in(&self.config.name).is_some_and(|c| c != self.config);
        if named_like_built_in {
            return Err(BundleError::ConfigName {
                name: self.config.name.clone(),
            });
        }
        let manifest = Manifest::of(self);
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(json)?;
        text.push(b'\n');
        let mut sums = format!("{}  {MANIFEST}\n", sha256(&text));
        for s in &manifest.segments {
            sums += &format!("{}  {}\n", s.data_sha256, s.data_file);
        }
        let mut entries = vec![(MANIFEST.to_owned(), text.as_slice())];
        for s in &self.segments {
            entries.push((data_file(&s.name), &s.data));
        }
        entries.push((SUMS.to_owned(), sums.as_bytes()));

        let mut archive = ZipArchiveWriter::new(Vec::new());
        for (name, bytes) in entries {
            add(&mut archive, &name, bytes)?;
        }
        archive.finish().map_err(archive_error)
    }

    /// Reads the bytes of a bundle.
    ///
    /// # Errors
    /// The place in the bundle, and what is wrong there.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        let _span = tracing::info_span!("load", bytes = bytes.len()).entered();
        let mut entries = Entries::open(bytes)?;
        let sums = entries.sums()?;
        let text = entries.read(MANIFEST, MAX_TEXT_BYTES)?;
        check_sum(MANIFEST, &sha256(&text), SUMS, sums.get(MANIFEST))?;
        let head: Head = serde_json::from_slice(&text).map_err(json)?;
        if head.format != FORMAT {
            let found = head.format.chars().take(40).collect();
            return Err(BundleError::Format { found });
        }
        if !(VERSION_LAUNCHES..=VERSION).contains(&head.version) {
            return Err(BundleError::Version {
                found: head.version,
                supported: VERSION,
            });
        }
        let manifest: ReadManifest = serde_json::from_slice(&text).map_err(json)?;
        if manifest.version < VERSION && manifest.is_network() {
            return Err(BundleError::VersionOfNetworks);
        }
        let program = assemble_program(&mut entries, manifest, &sums)?;
        entries.nothing_else()?;
        program.validate()?;
        Ok(program)
    }

    /// Writes the program's bundle, whole or not at all.
    ///
    /// # Errors
    /// The program does not make sense, or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), BundleError> {
        let bytes = self.to_bytes()?;
        atomic::write_file(path, &bytes)?;
        Ok(())
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// The file cannot be read, or the place in it and what is wrong there.
    pub fn load(path: &Path) -> Result<Self, BundleError> {
        let file = vta_tensor::files::open(path)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(BundleError::TooLarge {
                entry: path.display().to_string(),
                limit: MAX_FILE_BYTES,
            });
        }
        Self::from_bytes(&bytes)
    }
}

/// How an entry is kept: as it is, if its beginning deflates by less than an
/// eighth. So trained weights are read at the speed of a copy.
fn method(bytes: &[u8]) -> Result<CompressionMethod, BundleError> {
    let probe = &bytes[..bytes.len().min(PROBE_BYTES)];
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(probe)?;
    let deflated = deflated.finish()?;
    Ok(match deflated.len() <= probe.len() / 8 * 7 {
        true => CompressionMethod::DEFLATE,
        false => CompressionMethod::STORE,
    })
}

/// Writes an entry.
fn add(
    archive: &mut ZipArchiveWriter<Vec<u8>>,
    name: &str,
    bytes: &[u8],
) -> Result<(), BundleError> {
    let method = method(bytes)?;
    let entry = archive.new_file(name).compression_method(method);
    let started = entry.unix_permissions(0o644).last_modified(CHANGED).start();
    let (mut entry, config) = started.map_err(archive_error)?;
    let sizes = if method == CompressionMethod::DEFLATE {
        let mut to = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
        to.write_all(bytes)?;
        let (deflate, sizes) = to.finish().map_err(archive_error)?;
        deflate.finish()?;
        sizes
    } else {
        let mut to = config.wrap(&mut entry);
        to.write_all(bytes)?;
        to.finish().map_err(archive_error)?.1
    };
    entry.finish(sizes).map_err(archive_error)?;
    Ok(())
}

/// The program of a manifest, with the data read and compared.
fn assemble_program(
    entries: &mut Entries<'_>,
    manifest: ReadManifest,
    sums: &BTreeMap<String, String>,
) -> Result<Program, BundleError> {
    let config = HwConfig::from_keys(&manifest.config, &manifest.config_name)?;
    if HwConfig::built_in(&config.name).is_some_and(|c| c != config) {
        return Err(BundleError::ConfigName { name: config.name });
    }
    let mut program = Program {
        config,
        dram_bytes: manifest.dram_bytes,
        segments: Vec::new(),
        steps: manifest.steps.into_iter().map(Into::into).collect(),
        inputs: manifest.inputs,
        outputs: manifest.outputs,
        layers: Vec::new(),
    };
    // Data are read only once they are known to fit DRAM together.
    for s in &manifest.segments {
        program.segments.push(Segment {
            name: s.name.clone(),
            kind: s.kind,
            addr: s.addr,
            bytes: s.bytes,
            data: Vec::new(),
        });
    }
    // The same goes for the lists of the layers.
    program.validate()?;
    program.layers = layers(&program, manifest.layers)?;
    program.validate()?;
    for (s, segment) in manifest.segments.into_iter().zip(&mut program.segments) {
        let expected = data_file(&s.name);
        if s.data_file != expected {
            return Err(BundleError::DataFile {
                segment: s.name,
                found: s.data_file,
                expected,
            });
        }
        if s.data_bytes > s.bytes {
            return Err(BundleError::Program {
                source: ProgramError::SegmentData {
                    segment: s.name,
                    data_bytes: s.data_bytes.into(),
                    bytes: s.bytes,
                },
            });
        }
        let data = entries.read(&s.data_file, s.data_bytes.into())?;
        if data.len() as u64 != u64::from(s.data_bytes) {
            return Err(BundleError::Length {
                entry: s.data_file,
                found: data.len() as u64,
                expected: s.data_bytes.into(),
            });
        }
        let found = sha256(&data);
        check_sum(&s.data_file, &found, MANIFEST, Some(&s.data_sha256))?;
        check_sum(&s.data_file, &found, SUMS, sums.get(&s.data_file))?;
        segment.data = data;
    }
    Ok(program)
}

/// The layers of a manifest, once their lists are known to be no longer than
/// DRAM has weight elements.
fn layers(program: &Program, entries: Vec<LayerEntry>) -> Result<Vec<Layer>, BundleError> {
    let element = u64::from(program.config.block).pow(2);
    let mut room = u64::from(program.dram_bytes) / element;
    let mut layers = Vec::new();
    for entry in entries {
        let name = entry.name.clone();
        let bad = |what: String| BundleError::BlockOf {
            layer: name.clone(),
            what,
        };
        let masked = entry.weights.as_ref().filter(|w| !w.mask_dims.is_empty());
        let count = masked.map_or(0, |w| u64::from(w.count));
        room = room
            .checked_sub(count)
            .ok_or_else(|| bad("more weight elements than DRAM has room for".into()))?;
        layers.push(entry.layer().map_err(|e| bad(e.0))?);
    }
    Ok(layers)
}

/// Where an entry is, and how it is kept.
type Place = (ZipArchiveEntryWayfinder, CompressionMethod);

/// The entries of an archive, by name; each is read once.
struct Entries<'a> {
    archive: ZipSliceArchive<&'a [u8]>,
    unread: BTreeMap<String, Place>,
}

impl<'a> Entries<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, BundleError> {
        let wrong = |what: String| Err(BundleError::Archive { what });
        if !is_bundle(bytes) {
            return Err(BundleError::NotABundle);
        }
        let archive = ZipArchive::from_slice(bytes).map_err(archive_error)?;
        let mut unread = BTreeMap::new();
        // From the first byte of an entry to the last one of its data.
        let mut ranges = Vec::new();
        for entry in archive.entries() {
            let entry = entry.map_err(archive_error)?;
            let name = entry.file_path().as_bytes().to_vec();
            let Ok(name) = String::from_utf8(name) else {
                return wrong("the name of an entry is not UTF-8".into());
            };
            let place = (entry.wayfinder(), entry.compression_method());
            let local = archive.get_entry(place.0).map_err(archive_error)?;
            ranges.push((entry.local_header_offset(), local.compressed_data_range().1));
            if unread.insert(name.clone(), place).is_some() {
                return Err(BundleError::Duplicate { entry: name });
            }
        }
        ranges.sort_unstable();
        if ranges.windows(2).any(|w| w[0].1 > w[1].0) {
            return wrong("its entries overlap".into());
        }
        if archive.entries_hint() != unread.len() as u64 {
            let what = format!("it has {} entries", unread.len());
            return wrong(format!("{what}, its end says {}", archive.entries_hint()));
        }
        Ok(Self { archive, unread })
    }

    /// The bytes of an entry, at most `limit` of them; memory grows with what
    /// is there, not with what a header says.
    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, BundleError> {
        let entry = || name.to_owned();
        let damaged = |what: String| BundleError::Damaged {
            entry: entry(),
            what,
        };
        let Some((place, method)) = self.unread.remove(name) else {
            return Err(BundleError::Missing { entry: entry() });
        };
        let file = self.archive.get_entry(place);
        let file = file.map_err(|e| damaged(e.to_string()))?;
        let unpacked: Box<dyn Read> = match method {
            CompressionMethod::STORE => Box::new(file.data()),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(file.data())),
            other => {
                return Err(damaged(format!(
                    "it is packed by method {}",
                    other.as_u16()
                )));
            }
        };
        let mut bytes = Vec::new();
        file.verifying_reader(unpacked)
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| damaged(e.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(BundleError::TooLarge {
                entry: entry(),
                limit,
            });
        }
        Ok(bytes)
    }

    /// The lines of `SHA256SUMS`: checksum by name.
    fn sums(&mut self) -> Result<BTreeMap<String, String>, BundleError> {
        let text = self.read(SUMS, MAX_TEXT_BYTES)?;
        let text = String::from_utf8_lossy(&text);
        let mut sums = BTreeMap::new();
        for (i, line) in text.lines().enumerate() {
            let parts = line.split_once("  ");
            let Some((sum, name)) = parts.filter(|(sum, name)| sum.len() == 64 && !name.is_empty())
            else {
                return Err(BundleError::Sums { line: i + 1 });
            };
            sums.insert(name.to_owned(), sum.to_owned());
        }
        Ok(sums)
    }

    fn nothing_else(&self) -> Result<(), BundleError> {
        match self.unread.keys().next() {
            Some(entry) => Err(BundleError::Unexpected {
                entry: entry.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Compares the checksum that was found with that of a list.
fn check_sum(
    entry: &str,
    found: &str,
    list: &'static str,
    expected: Option<&String>,
) -> Result<(), BundleError> {
    let expected = expected.map_or("nothing", String::as_str);
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(BundleError::Checksum {
        entry: entry.into(),
        list,
        found: found.into(),
        expected: expected.chars().take(64).collect(),
    })
}

fn archive_error(e: rawzip::Error) -> BundleError {
    BundleError::Archive {
        what: e.to_string(),
    }
}

fn json(e: serde_json::Error) -> BundleError {
    BundleError::Json {
        line: e.line(),
        column: e.column().max(1),
        what: without_place(&e.to_string(), e.line(), e.column()).into(),
    }
}
