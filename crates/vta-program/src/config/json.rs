//! `vta_config.json` files: upstream's `LOG_*` keys, and keys for what
//! upstream keeps in Scala.
//!
//! Upstream's keys give sizes in bytes as powers of two; the depths follow
//! from them. The keys without `LOG_` win over what the others give.

use super::check::{DEPTHS, in_range};
use super::{ConfigError, ConfigProblem, HwConfig};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use vta_tensor::printable::without_place;
use vta_tensor::spelling::nearest;

/// Keys whose value is any text.
const TEXT_KEYS: [&str; 2] = ["TARGET", "HW_VER"];

/// Keys whose value is a number, in the order in which they are written.
const NUMBER_KEYS: [&str; 22] = [
    "LOG_INP_WIDTH",
    "LOG_WGT_WIDTH",
    "LOG_ACC_WIDTH",
    "LOG_OUT_WIDTH",
    "LOG_BATCH",
    "LOG_BLOCK",
    "LOG_BLOCK_IN",
    "LOG_BLOCK_OUT",
    "LOG_UOP_BUFF_SIZE",
    "LOG_INP_BUFF_SIZE",
    "LOG_WGT_BUFF_SIZE",
    "LOG_ACC_BUFF_SIZE",
    "LOG_OUT_BUFF_SIZE",
    "UOP_DEPTH",
    "INP_DEPTH",
    "WGT_DEPTH",
    "ACC_DEPTH",
    "OUT_DEPTH",
    "MEM_DATA_BITS",
    "MEM_LEN_BITS",
    "MEM_DELAY",
    "INSN_QUEUE_ENTRIES",
];

/// Largest file that is read as a configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The keys of a configuration as a file has them: in order, repeated ones included.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigKeys(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for ConfigKeys {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = ConfigKeys;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with the keys of a configuration")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ConfigKeys, A::Error> {
                let mut keys = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    keys.push(entry);
                }
                Ok(ConfigKeys(keys))
            }
        }
        d.deserialize_map(Keys)
    }
}

/// The numbers of a file, by key, each key known and there once.
struct Numbers(BTreeMap<&'static str, u64>);

impl Numbers {
    fn new(keys: &ConfigKeys) -> Result<Self, ConfigProblem> {
        let mut numbers = BTreeMap::new();
        let mut texts = [false; TEXT_KEYS.len()];
        for (key, value) in &keys.0 {
            let wrong = |key, expected| ConfigProblem::WrongType {
                key,
                expected,
                found: value.to_string().chars().take(40).collect(),
            };
            if let Some(i) = TEXT_KEYS.iter().position(|k| k == key) {
                if !value.is_string() {
                    return Err(wrong(TEXT_KEYS[i], "a text"));
                }
                if std::mem::replace(&mut texts[i], true) {
                    return Err(ConfigProblem::DuplicateKey { key: TEXT_KEYS[i] });
                }
            } else if let Some(known) = NUMBER_KEYS.into_iter().find(|k| k == key) {
                let number = value
                    .as_u64()
                    .ok_or_else(|| wrong(known, "a whole number from 0 up"))?;
                if numbers.insert(known, number).is_some() {
                    return Err(ConfigProblem::DuplicateKey { key: known });
                }
            } else {
                let known = NUMBER_KEYS.into_iter().chain(TEXT_KEYS);
                return Err(ConfigProblem::UnknownKey {
                    key: key.clone(),
                    nearest: nearest(key, known),
                });
            }
        }
        Ok(Self(numbers))
    }

    fn get(&self, key: &'static str) -> Option<u64> {
        self.0.get(key).copied()
    }

    fn need(&self, key: &'static str) -> Result<u64, ConfigProblem> {
        self.get(key).ok_or(ConfigProblem::MissingKey { key })
    }

    /// A key that has only one legal value.
    fn only(&self, key: &'static str, value: u64) -> Result<(), ConfigProblem> {
        self.get(key)
            .map_or(Ok(()), |v| in_range(key, v, value, value))
    }

    /// A key that follows from others.
    fn derived(
        &self,
        key: &'static str,
        expected: u64,
        rule: &'static str,
    ) -> Result<(), ConfigProblem> {
        match self.get(key) {
            Some(value) if value != expected => Err(ConfigProblem::Inconsistent {
                key,
                value,
                expected,
                rule,
            }),
            _ => Ok(()),
        }
    }

    /// A key that fits 32 bits; the range check that follows is in `check`.
    fn word(&self, key: &'static str, default: u32) -> Result<u32, ConfigProblem> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        u32::try_from(value).map_err(|_| ConfigProblem::Range {
            key,
            value,
            allowed: format!("at most {}", u32::MAX),
        })
    }

    /// The depth of a scratchpad: its own key, else its size in bytes.
    fn depth(
        &self,
        scratchpad: usize,
        log_key: &'static str,
        element_bytes: u32,
    ) -> Result<u32, ConfigProblem> {
        let (key, min, max) = DEPTHS[scratchpad];
        let log = self.need(log_key)?;
        if self.get(key).is_some() {
            in_range(log_key, log, 0, 31)?;
            return self.word(key, 0);
        }
        let element = element_bytes.ilog2();
        let (min, max) = (element + min, element + max);
        if !(u64::from(min)..=max.into()).contains(&log) {
            return Err(ConfigProblem::Range {
                key: log_key,
                value: log,
                allowed: format!(
                    "{min} to {max}, that is {} to {} elements of {element_bytes} bytes",
                    1u32 << (min - element),
                    1u32 << (max - element)
                ),
            });
        }
        Ok(1 << (log as u32 - element))
    }
}

impl HwConfig {
    /// Reads the text of a `vta_config.json` file; `name` is for messages.
    ///
    /// # Errors
    /// The key that is wrong and what it may be.
    pub fn from_json(text: &str, name: &str) -> Result<Self, ConfigError> {
        let at = |problem| ConfigError {
            name: name.into(),
            problem,
        };
        let keys: ConfigKeys = serde_json::from_str(text).map_err(|e| {
            at(ConfigProblem::Json {
                line: e.line(),
                column: e.column().max(1),
                what: without_place(&e.to_string(), e.line(), e.column()).into(),
            })
        })?;
        Self::from_keys(&keys, name)
    }

    /// Reads the keys of a configuration; `name` is for messages.
    ///
    /// # Errors
    /// The key that is wrong and what it may be.
    pub fn from_keys(keys: &ConfigKeys, name: &str) -> Result<Self, ConfigError> {
        Self::decode(keys, name).map_err(|problem| ConfigError {
            name: name.into(),
            problem,
        })
    }

    fn decode(keys: &ConfigKeys, name: &str) -> Result<Self, ConfigProblem> {
        let n = Numbers::new(keys)?;
        n.only("LOG_INP_WIDTH", 3)?;
        n.only("LOG_WGT_WIDTH", 3)?;
        n.only("LOG_ACC_WIDTH", 5)?;
        n.derived("LOG_OUT_WIDTH", 3, "LOG_INP_WIDTH")?;
        n.only("LOG_BATCH", 0)?;
        let log_block = n.need("LOG_BLOCK")?;
        in_range("LOG_BLOCK", log_block, 2, 6)?;
        n.derived("LOG_BLOCK_IN", log_block, "LOG_BLOCK")?;
        n.derived("LOG_BLOCK_OUT", log_block, "LOG_BLOCK")?;
        let default = Self::default();
        let mut c = Self {
            name: name.into(),
            block: 1 << log_block,
            mem_data_bits: n.word("MEM_DATA_BITS", default.mem_data_bits)?,
            mem_len_bits: n.word("MEM_LEN_BITS", default.mem_len_bits)?,
            mem_delay: n.word("MEM_DELAY", default.mem_delay)?,
            insn_queue_entries: n.word("INSN_QUEUE_ENTRIES", default.insn_queue_entries)?,
            ..default
        };
        c.uop_depth = n.depth(0, "LOG_UOP_BUFF_SIZE", c.uop_bytes())?;
        c.inp_depth = n.depth(1, "LOG_INP_BUFF_SIZE", c.inp_bytes())?;
        c.wgt_depth = n.depth(2, "LOG_WGT_BUFF_SIZE", c.wgt_bytes())?;
        c.acc_depth = n.depth(3, "LOG_ACC_BUFF_SIZE", c.acc_bytes())?;
        let log_acc = n.need("LOG_ACC_BUFF_SIZE")?;
        let log_out = (log_acc + 3).saturating_sub(5);
        n.derived(
            "LOG_OUT_BUFF_SIZE",
            log_out,
            "LOG_ACC_BUFF_SIZE + LOG_OUT_WIDTH - LOG_ACC_WIDTH",
        )?;
        let out_depth = (1u32 << log_out.min(31)) / c.out_bytes();
        c.out_depth = n.word("OUT_DEPTH", out_depth)?;
        c.check()?;
        Ok(c)
    }

    /// A built-in configuration, or else that of a file.
    ///
    /// # Errors
    /// No such name or file, or what is wrong in the file.
    pub fn load(name_or_path: &str) -> Result<Self, ConfigError> {
        if let Some(built_in) = Self::built_in(name_or_path) {
            return Ok(built_in);
        }
        let at = |problem| ConfigError {
            name: name_or_path.into(),
            problem,
        };
        let unreadable = |e: std::io::Error| {
            at(if e.kind() == std::io::ErrorKind::NotFound {
                ConfigProblem::NotFound {
                    nearest: nearest(name_or_path, Self::BUILT_IN),
                }
            } else {
                ConfigProblem::Unreadable {
                    what: e.to_string(),
                }
            })
        };
        let file = vta_tensor::files::open(name_or_path.as_ref()).map_err(unreadable)?;
        let mut text = String::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(at(ConfigProblem::Unreadable {
                what: format!("more than {MAX_FILE_BYTES} bytes"),
            }));
        }
        Self::from_json(&text, name_or_path)
    }

    /// Every key that [`HwConfig::from_keys`] needs to give this configuration again.
    ///
    /// The name is not among them.
    pub fn to_keys(&self) -> serde_json::Map<String, Value> {
        self.numbers()
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.into()))
            .collect()
    }

    /// The text of a complete `vta_config.json` file.
    pub fn to_json(&self) -> String {
        let lines = self.numbers().map(|(k, v)| format!("  \"{k}\": {v}"));
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }

    fn numbers(&self) -> [(&'static str, u32); 18] {
        let log = |depth: u32, bytes: u32| depth.max(1).ilog2() + bytes.max(1).ilog2();
        [
            ("LOG_INP_WIDTH", 3),
            ("LOG_WGT_WIDTH", 3),
            ("LOG_ACC_WIDTH", 5),
            ("LOG_BATCH", 0),
            ("LOG_BLOCK", self.block.max(1).ilog2()),
            ("LOG_UOP_BUFF_SIZE", log(self.uop_depth, self.uop_bytes())),
            ("LOG_INP_BUFF_SIZE", log(self.inp_depth, self.inp_bytes())),
            ("LOG_WGT_BUFF_SIZE", log(self.wgt_depth, self.wgt_bytes())),
            ("LOG_ACC_BUFF_SIZE", log(self.acc_depth, self.acc_bytes())),
            ("UOP_DEPTH", self.uop_depth),
            ("INP_DEPTH", self.inp_depth),
            ("WGT_DEPTH", self.wgt_depth),
            ("ACC_DEPTH", self.acc_depth),
            ("OUT_DEPTH", self.out_depth),
            ("MEM_DATA_BITS", self.mem_data_bits),
            ("MEM_LEN_BITS", self.mem_len_bits),
            ("MEM_DELAY", self.mem_delay),
            ("INSN_QUEUE_ENTRIES", self.insn_queue_entries),
        ]
    }
}
