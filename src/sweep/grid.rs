//! Grids: configurations that differ in some keys, all combinations.

use super::ConfigsError;
use super::candidate::Candidate;
use crate::Error;
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;
use vta_program::config::{ConfigKeys, ConfigProblem, HwConfig};
use vta_tensor::spelling::nearest;

/// Configurations of a grid at most.
const LIMIT: usize = 100_000;
/// What says from which configurations the other keys are.
const BASE: &str = "base";

/// Keys that win over others, and what they win over.
const WINS: [(&str, &[&str]); 5] = [
    ("UOP_DEPTH", &["LOG_UOP_BUFF_SIZE"]),
    ("INP_DEPTH", &["LOG_INP_BUFF_SIZE"]),
    ("WGT_DEPTH", &["LOG_WGT_BUFF_SIZE"]),
    ("ACC_DEPTH", &["LOG_ACC_BUFF_SIZE"]),
    // The output scratchpad follows the accumulators, where nobody says its depth.
    ("OUT_DEPTH", &["LOG_ACC_BUFF_SIZE"]),
];

/// All combinations of values of some keys of a `vta_config.json` file; the other keys
/// are those of a base.
///
/// Written as `INP_DEPTH=256..2048,MEM_DATA_BITS=64|128,base=de10`: alternatives with
/// `|`, and ranges with both their ends. Of a key that holds powers of two a range has
/// the powers of two. A base is the name of a built-in configuration, or a file; there
/// may be several, and it is `de10` if there is none.
///
/// ```
/// use vta::sweep::Grid;
///
/// let grid: Grid = "INP_DEPTH=512..2048,MEM_DELAY=8|16".parse()?;
/// assert_eq!(grid.len(), 6);
/// assert_eq!(grid.candidates()?[1].name(), "base=de10,INP_DEPTH=512,MEM_DELAY=16");
/// let all: Grid = grid.to_string().parse()?;
/// assert_eq!(all, grid);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    bases: Vec<String>,
    /// Keys and their values, in the order in which they were given.
    axes: Vec<(String, Vec<u64>)>,
}

impl Grid {
    /// Its configurations.
    pub fn len(&self) -> usize {
        let values = self.axes.iter().map(|(_, values)| values.len());
        values.fold(self.bases.len(), usize::saturating_mul)
    }

    /// Whether it has none: never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its configurations, also those that are no hardware: the last key changes first.
    ///
    /// # Errors
    /// A base that is no configuration; a value that is out of range with whatever it
    /// is put together.
    pub fn candidates(&self) -> Result<Vec<Candidate>, Error> {
        let mut all = Vec::with_capacity(self.len());
        for base in &self.bases {
            let keys = self.base(base)?;
            for n in 0..self.len() / self.bases.len() {
                all.push(self.candidate(base, keys.clone(), n));
            }
        }
        self.each_value_fits(&all)?;
        Ok(all)
    }

    /// The keys of a base without those that follow from the grid's.
    fn base(&self, name: &str) -> Result<Map<String, Value>, Error> {
        let mut keys = HwConfig::load(name)?.to_keys();
        let is_axis = |key: &str| self.axes.iter().any(|(axis, _)| axis == key);
        for (wins, over) in WINS {
            if over.iter().any(|key| is_axis(key)) {
                keys.remove(wins);
            }
        }
        Ok(keys)
    }

    /// One of a base's combinations.
    fn candidate(&self, base: &str, mut keys: Map<String, Value>, mut n: usize) -> Candidate {
        let mut values = Vec::with_capacity(self.axes.len());
        for (key, all) in self.axes.iter().rev() {
            values.push((key, all[n % all.len()]));
            n /= all.len();
        }
        let mut name = format!("{BASE}={base}");
        for (key, value) in values.into_iter().rev() {
            name += &format!(",{key}={value}");
            keys.insert(key.clone(), value.into());
        }
        // A map of names and numbers always has keys.
        let read = serde_json::from_value::<ConfigKeys>(Value::Object(keys.clone()));
        let config = match read {
            Ok(read) => HwConfig::from_keys(&read, &name).map_err(|e| e.problem),
            Err(e) => Err(ConfigProblem::Unreadable {
                what: e.to_string(),
            }),
        };
        Candidate::new(name, keys, config)
    }

    /// Refuses values that are out of range in every combination: they are mistakes, not
    /// hardware that does not fit.
    fn each_value_fits(&self, all: &[Candidate]) -> Result<(), ConfigsError> {
        for (axis, values) in &self.axes {
            for value in values {
                let with = all.iter().filter(|c| c.keys()[axis] == *value);
                let mut problem = None;
                let mut fits = false;
                for c in with {
                    match c.config() {
                        Err(p @ ConfigProblem::Range { key, .. }) if key.starts_with(axis) => {
                            problem = Some(p);
                        }
                        Err(_) => {}
                        Ok(_) => fits = true,
                    }
                }
                if let Some(problem) = problem.filter(|_| !fits) {
                    let problem = problem.clone();
                    return Err(ConfigsError::Nowhere { problem });
                }
            }
        }
        Ok(())
    }
}

/// Whether a key holds powers of two, so that a range of it has only those.
fn holds_powers(key: &str) -> bool {
    key == "MEM_DATA_BITS" || WINS.iter().any(|(wins, _)| *wins == key)
}

/// A number: decimal, or hexadecimal with `0x`.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let number = u64::from_str_radix(digits, radix).ok();
    number.filter(|_| !digits.starts_with('+'))
}

/// The values of one alternative.
fn values(key: &str, text: &str) -> Result<Vec<u64>, ConfigsError> {
    let number = |part: &str| {
        number(part.trim()).ok_or_else(|| ConfigsError::Number {
            key: key.into(),
            text: text.trim().into(),
        })
    };
    let Some((from, to)) = text.split_once("..") else {
        return Ok(vec![number(text)?]);
    };
    let (from, to) = (number(from)?, number(to)?);
    if from > to {
        let key = key.into();
        return Err(ConfigsError::Empty { key, from, to });
    }
    if holds_powers(key) {
        if let Some(value) = [from, to].into_iter().find(|n| !n.is_power_of_two()) {
            let key = key.into();
            return Err(ConfigsError::Power { key, value });
        }
        return Ok((from.ilog2()..=to.ilog2()).map(|n| 1 << n).collect());
    }
    if to - from >= LIMIT as u64 {
        return Err(ConfigsError::TooMany { limit: LIMIT });
    }
    Ok((from..=to).collect())
}

impl FromStr for Grid {
    type Err = ConfigsError;

    fn from_str(text: &str) -> Result<Self, ConfigsError> {
        let known = HwConfig::default().to_keys();
        let (mut bases, mut axes) = (Vec::new(), Vec::<(String, Vec<u64>)>::new());
        for part in text.split(',') {
            let (key, all) = part.split_once('=').ok_or_else(|| ConfigsError::Part {
                part: part.trim().into(),
            })?;
            let key = key.trim().to_owned();
            if axes.iter().any(|(k, _)| *k == key) || (key == BASE && !bases.is_empty()) {
                return Err(ConfigsError::Twice { key });
            }
            if key == BASE {
                bases = all.split('|').map(|b| b.trim().to_owned()).collect();
                continue;
            }
            if !known.contains_key(&key) {
                let keys = known.keys().map(String::as_str).chain([BASE]);
                let nearest = nearest(&key, keys).map(str::to_owned);
                return Err(ConfigsError::UnknownKey { key, nearest });
            }
            let mut list = Vec::new();
            for alternative in all.split('|') {
                for value in values(&key, alternative)? {
                    // Twice the same is once.
                    if !list.contains(&value) {
                        list.push(value);
                    }
                }
            }
            axes.push((key, list));
        }
        let is_axis = |key: &str| axes.iter().any(|(axis, _)| axis == key);
        for (wins, over) in WINS.iter().filter(|(wins, _)| *wins != "OUT_DEPTH") {
            if let Some(key) = over.iter().find(|key| is_axis(wins) && is_axis(key)) {
                let (key, wins) = ((*key).to_owned(), (*wins).to_owned());
                return Err(ConfigsError::NoEffect { key, wins });
            }
        }
        if bases.is_empty() {
            bases.push(HwConfig::default().name);
        }
        let grid = Self { bases, axes };
        match grid.len() <= LIMIT {
            true => Ok(grid),
            false => Err(ConfigsError::TooMany { limit: LIMIT }),
        }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BASE}={}", self.bases.join("|"))?;
        for (key, values) in &self.axes {
            let values: Vec<String> = values.iter().map(u64::to_string).collect();
            write!(f, ",{key}={}", values.join("|"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(text: &str) -> Result<Grid, ConfigsError> {
        text.parse()
    }

    #[test]
    fn ranges_have_both_ends_and_depths_are_powers_of_two() {
        let all =
            grid("MEM_LEN_BITS=2..4, INP_DEPTH = 256..1024|2048 ,base=de10|b32").expect("one");
        let text = "base=de10|b32,MEM_LEN_BITS=2|3|4,INP_DEPTH=256|512|1024|2048";
        assert_eq!(all.to_string(), text);
        assert_eq!(all.len(), 24);
        let candidates = all.candidates().expect("they are in range");
        assert_eq!(candidates.len(), 24);
        // The input scratchpad of larger blocks is as deep at most.
        assert!(candidates.iter().all(|c| c.config().is_ok()));
        let last = candidates[23].config().as_ref().expect("hardware");
        assert_eq!(
            (last.block, last.mem_len_bits, last.inp_depth),
            (32, 4, 2048)
        );
    }

    /// Sizes in bytes replace the base's depths, which would win over them.
    #[test]
    fn a_size_in_bytes_is_obeyed() {
        let all = grid("LOG_ACC_BUFF_SIZE=15,LOG_INP_BUFF_SIZE=14,base=small").expect("one");
        let config = all.candidates().expect("in range")[0].config().clone();
        let config = config.expect("hardware");
        assert_eq!(
            (config.inp_depth, config.acc_depth, config.out_depth),
            (1024, 512, 512)
        );
        assert_eq!(
            config.wgt_depth,
            HwConfig::load("small").expect("built in").wgt_depth
        );
        let all = grid("LOG_BLOCK=5")
            .expect("one")
            .candidates()
            .expect("in range");
        let config = all[0].config().clone().expect("hardware");
        assert_eq!((config.block, config.inp_depth), (32, 2048));
    }

    #[test]
    fn combinations_that_are_no_hardware_are_kept() {
        let all = grid("UOP_DEPTH=2048|8192,MEM_DATA_BITS=64|512").expect("one");
        let all = all.candidates().expect("each value fits somewhere");
        let bad: Vec<&str> = all
            .iter()
            .filter(|c| c.config().is_err())
            .map(Candidate::name)
            .collect();
        assert_eq!(bad, ["base=de10,UOP_DEPTH=8192,MEM_DATA_BITS=512"]);
        assert_eq!(all[3].keys()["UOP_DEPTH"], 8192);
    }

    #[test]
    fn mistakes_name_key_and_range() {
        for (text, says) in [
            ("INP_DEPTH", "not KEY=VALUES"),
            ("", "not KEY=VALUES"),
            ("INP_DEPHT=1", "unknown key INP_DEPHT"),
            ("INP_DEPTH=x", "INP_DEPTH: \"x\" is not a number"),
            ("INP_DEPTH=1..", "INP_DEPTH: \"1..\" is not a number"),
            ("INP_DEPTH=64,INP_DEPTH=128", "INP_DEPTH is twice"),
            ("base=de10,base=b32", "base is twice"),
            ("MEM_DELAY=9..3", "MEM_DELAY: the range 9..3"),
            ("INP_DEPTH=100..200", "INP_DEPTH holds powers of two"),
            (
                "LOG_INP_BUFF_SIZE=15,INP_DEPTH=64",
                "LOG_INP_BUFF_SIZE has no effect beside INP_DEPTH",
            ),
            ("MEM_DELAY=0..4096,INSN_QUEUE_ENTRIES=2..65536", "more than"),
            ("MEM_DELAY=0..99999999999999", "more than"),
        ] {
            let e = grid(text).expect_err(text).to_string();
            assert!(e.contains(says), "{text}: {e}");
        }
        for (text, says) in [
            (
                "INP_DEPTH=1024|4096",
                "INP_DEPTH is 4096; allowed: a power of two from 2 to 2048",
            ),
            ("LOG_BLOCK=4|7", "LOG_BLOCK is 7; allowed: 2 to 6"),
            (
                "LOG_INP_BUFF_SIZE=3..15",
                "LOG_INP_BUFF_SIZE is 3; allowed: 5 to 15",
            ),
            ("base=nothing", "not a built-in configuration"),
        ] {
            let e = grid(text).expect("a grid").candidates().map(drop);
            let e = e.expect_err(text).to_string();
            assert!(e.contains(says), "{text}: {e}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[A-Z_a-z0-9=,.|x ]{0,60}") {
            let _ = grid(&text);
        }

        /// What is written is what is parsed, in any combination.
        #[test]
        fn grids_are_products(
            delays in prop::collection::btree_set(0u64..4097, 1..5),
            (from, more) in (1u64..9, 0u64..3),
            (low, powers) in (1u32..9, 0u32..3),
            several in any::<bool>(),
        ) {
            let list: Vec<String> = delays.iter().map(u64::to_string).collect();
            let bases: &[&str] = if several { &["de10", "small"] } else { &["b32"] };
            let to = (from + more).min(8);
            let text = format!(
                "base={},MEM_DELAY={},MEM_LEN_BITS={from}..{to},INP_DEPTH={}..{}",
                bases.join("|"), list.join("|"), 1 << low, 1 << (low + powers),
            );
            let all = grid(&text).expect("a grid");
            prop_assert_eq!(&grid(&all.to_string()), &Ok(all.clone()));
            let mut want = Vec::new();
            for base in bases {
                let base = HwConfig::built_in(base).expect("built in");
                for delay in &delays {
                    for len in from..=to {
                        for depth in low..=low + powers {
                            want.push(HwConfig {
                                mem_delay: *delay as u32,
                                mem_len_bits: len as u32,
                                inp_depth: 1 << depth,
                                ..base.clone()
                            }.to_keys());
                        }
                    }
                }
            }
            let have = all.candidates().expect("in range");
            let have: Vec<_> = have.iter().map(|c| c.config().as_ref().expect("hardware").to_keys()).collect();
            prop_assert_eq!(have, want);
        }
    }
}
