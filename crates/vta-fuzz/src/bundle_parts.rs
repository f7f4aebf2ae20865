//! Bundles by structure: the manifest and the parts change, the archive and its
//! checksums stay right, so that what is behind them is reached.

use crate::bundle::held;
use arbitrary::{Result, Unstructured};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use vta_program::program::{Program, sha256};
use vta_test_support::programs::{network, two_launches};

pub(crate) fn run(data: &[u8]) {
    let _ = parts(&mut Unstructured::new(data));
}

fn parts(u: &mut Unstructured<'_>) -> Result<()> {
    let program = if u.arbitrary()? {
        network()
    } else {
        two_launches()
    };
    let good = program.to_bytes().expect("it makes sense");
    let mut files = unpacked(&good);
    let text = files.remove(MANIFEST).unwrap_or_default();
    let mut manifest: Value = serde_json::from_slice(&text).expect("it was written");
    for _ in 0..u.int_in_range(1..=4)? {
        change(u, &mut manifest)?;
    }
    // Lengths and checksums say what is there, now and then.
    if u.ratio(1, 4)? {
        let names: Vec<String> = files.keys().cloned().collect();
        let name = u.choose(&names)?;
        let bytes = files.entry(name.clone()).or_default();
        let len = u.int_in_range(0..=64)?;
        bytes.resize(len, 7);
    }
    if let Some(segments) = manifest.get_mut("segments").and_then(Value::as_array_mut) {
        for s in segments {
            let name = s.get("data_file").and_then(Value::as_str);
            let Some(bytes) = name.and_then(|n| files.get(n)) else {
                continue;
            };
            let (sum, len) = (sha256(bytes), bytes.len());
            if u.ratio(7, 8)? {
                s["data_sha256"] = sum.into();
                s["data_bytes"] = len.into();
            }
        }
    }
    let text = serde_json::to_vec(&manifest).expect("it is JSON");
    files.insert(MANIFEST.to_owned(), text);
    if let Some(program) = held(&packed(&files, u.arbitrary()?)) {
        touch(&program);
    }
    Ok(())
}

const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";

/// What every reader of a program does with it.
fn touch(program: &Program) {
    // Megabytes of zeros tell no more than these.
    if program.dram_bytes > 1 << 18 {
        return;
    }
    let image = program.dram_image();
    for l in program.launches() {
        let _ = l.insns(&image).count();
    }
    let _ = program.fits().is_ok();
    if let Err(errors) = vta_verify::check(program) {
        assert!(errors.iter().all(|e| !e.to_string().is_empty()));
    }
}

/// The entries of an archive that this project wrote, which ends without a comment.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let word = |at: usize, n: usize| {
        let mut w = [0; 8];
        w[..n].copy_from_slice(&bytes[at..at + n]);
        u64::from_le_bytes(w) as usize
    };
    let end = bytes.len() - 22;
    let (count, mut at) = (word(end + 10, 2), word(end + 16, 4));
    let mut all = BTreeMap::new();
    for _ in 0..count {
        let (method, size) = (word(at + 10, 2), word(at + 20, 4));
        let (name, extra, note) = (word(at + 28, 2), word(at + 30, 2), word(at + 32, 2));
        let local = word(at + 42, 4);
        let text = String::from_utf8_lossy(&bytes[at + 46..at + 46 + name]).into_owned();
        let from = local + 30 + word(local + 26, 2) + word(local + 28, 2);
        let packed = &bytes[from..from + size];
        let mut data = Vec::new();
        match method {
            0 => data.extend(packed),
            _ => {
                let mut d = flate2::write::DeflateDecoder::new(&mut data);
                d.write_all(packed).expect("it was written");
                d.finish().expect("it was written");
            }
        }
        all.insert(text, data);
        at += 46 + name + extra + note;
    }
    all.remove(SUMS);
    all
}

/// An archive of entries that are kept as they are, with their checksums.
fn packed(files: &BTreeMap<String, Vec<u8>>, sums: bool) -> Vec<u8> {
    let mut list = String::new();
    for (name, bytes) in files {
        list += &format!("{}  {name}\n", sha256(bytes));
    }
    let list = list.into_bytes();
    let mut all: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), &b[..])).collect();
    if sums {
        all.push((SUMS, &list));
    }
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in &all {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let len = bytes.len() as u32;
        let mut head = Vec::new();
        // Version, flags, method, time, date; then checksum and sizes.
        head.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        for n in [crc.sum(), len, len] {
            head.extend(n.to_le_bytes());
        }
        head.extend((name.len() as u16).to_le_bytes());
        head.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&head);
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&head);
        out.extend(name.as_bytes());
        out.extend(*bytes);
    }
    let (from, count) = (out.len() as u32, all.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(from.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// Changes a value somewhere in JSON.
fn change(u: &mut Unstructured<'_>, at: &mut Value) -> Result<()> {
    let deeper = u.ratio(7, 8)?;
    match at {
        Value::Object(map) if deeper && !map.is_empty() => {
            let n = u.choose_index(map.len())?;
            if let Some((_, value)) = map.iter_mut().nth(n) {
                return change(u, value);
            }
            return Ok(());
        }
        Value::Array(all) if deeper && !all.is_empty() => {
            let n = u.choose_index(all.len())?;
            return match u.int_in_range(0..=9)? {
                0 => {
                    all.remove(n);
                    Ok(())
                }
                1 => {
                    let copy = all[n].clone();
                    all.push(copy);
                    Ok(())
                }
                2 => {
                    let other = u.choose_index(all.len())?;
                    all.swap(n, other);
                    Ok(())
                }
                _ => change(u, &mut all[n]),
            };
        }
        _ => {}
    }
    *at = match u.int_in_range(0..=9)? {
        0 => Value::Null,
        1 => u.arbitrary::<bool>()?.into(),
        2 => u.arbitrary::<u64>()?.into(),
        3 => u.arbitrary::<i64>()?.into(),
        4 => (f64::from(u.arbitrary::<i32>()?) / 16.0).into(),
        5 => u.arbitrary::<&str>()?.into(),
        6 => Value::Array(Vec::new()),
        7 => u32::MAX.into(),
        _ => {
            let near = at.as_i64().unwrap_or(0);
            near.wrapping_add(u.int_in_range(-40..=40)?).into()
        }
    };
    Ok(())
}
