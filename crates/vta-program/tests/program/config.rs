//! `vta_config.json` files: what is read, what is refused and how.

use proptest::prelude::*;
use vta_program::config::{ConfigProblem, HwConfig};

/// Upstream's file for the DE10-Nano.
const UPSTREAM: &str = r#"{
  "TARGET": "de10nano", "HW_VER": "0.0.2",
  "LOG_INP_WIDTH": 3, "LOG_WGT_WIDTH": 3, "LOG_ACC_WIDTH": 5,
  "LOG_BATCH": 0, "LOG_BLOCK": 4,
  "LOG_UOP_BUFF_SIZE": 15, "LOG_INP_BUFF_SIZE": 15,
  "LOG_WGT_BUFF_SIZE": 18, "LOG_ACC_BUFF_SIZE": 17
}"#;

/// Upstream's file with more keys.
fn with(keys: &str) -> String {
    UPSTREAM.replace("\n}", &format!(", {keys}\n}}"))
}

/// Upstream's file with one value changed.
fn changed(from: &str, to: &str) -> String {
    assert!(UPSTREAM.contains(from));
    UPSTREAM.replace(from, to)
}

fn problem(text: &str) -> ConfigProblem {
    HwConfig::from_json(text, "test").unwrap_err().problem
}

fn message(text: &str) -> String {
    problem(text).to_string()
}

#[test]
fn upstreams_file_is_read() {
    let c = HwConfig::from_json(UPSTREAM, "de10").unwrap();
    let de10 = HwConfig::default();
    assert_eq!(
        c,
        HwConfig {
            uop_depth: 8192,
            ..de10
        }
    );
}

#[test]
fn derived_keys_of_upstream_are_read_and_must_agree() {
    let ok = with(
        r#""LOG_BLOCK_IN": 4, "LOG_BLOCK_OUT": 4, "LOG_OUT_WIDTH": 3, "LOG_OUT_BUFF_SIZE": 15"#,
    );
    assert!(HwConfig::from_json(&ok, "test").is_ok());
    assert_eq!(
        message(&with(r#""LOG_OUT_BUFF_SIZE": 14"#)),
        "LOG_OUT_BUFF_SIZE is 14, but LOG_ACC_BUFF_SIZE + LOG_OUT_WIDTH - LOG_ACC_WIDTH gives 15"
    );
    assert!(message(&with(r#""LOG_BLOCK_IN": 5"#)).contains("LOG_BLOCK_IN is 5"));
}

#[test]
fn built_in_configurations_are_the_committed_files() {
    for name in HwConfig::BUILT_IN {
        let path = format!(
            "{}/../../isa/configs/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(path).unwrap();
        let built_in = HwConfig::built_in(name).unwrap();
        assert_eq!(HwConfig::from_json(&text, name).unwrap(), built_in);
        assert_eq!(HwConfig::load(name).unwrap(), built_in);
    }
}

#[test]
fn errors_name_the_key_and_what_it_may_be() {
    let cases = [
        (with(r#""LOG_BLOK": 4"#), "unknown key LOG_BLOK"),
        (with(r#""LOG_BLOCK": 4"#), "key LOG_BLOCK is there twice"),
        (with(r#""TARGET": "sim""#), "key TARGET is there twice"),
        (
            changed(r#""LOG_BLOCK": 4,"#, ""),
            "key LOG_BLOCK is missing",
        ),
        (
            changed(r#""LOG_BLOCK": 4"#, r#""LOG_BLOCK": "4""#),
            "LOG_BLOCK is \"4\", not a whole number",
        ),
        (
            changed(r#""LOG_BLOCK": 4"#, r#""LOG_BLOCK": 4.5"#),
            "LOG_BLOCK is 4.5, not a whole number",
        ),
        (
            changed(r#""LOG_BLOCK": 4"#, r#""LOG_BLOCK": -1"#),
            "LOG_BLOCK is -1, not a whole number",
        ),
        (changed(r#""de10nano""#, "1"), "TARGET is 1, not a text"),
        (
            changed(r#""LOG_BATCH": 0"#, r#""LOG_BATCH": 1"#),
            "LOG_BATCH is 1; allowed: only 0",
        ),
        (
            changed(r#""LOG_ACC_WIDTH": 5"#, r#""LOG_ACC_WIDTH": 4"#),
            "LOG_ACC_WIDTH is 4; allowed: only 5",
        ),
        (
            changed(r#""LOG_BLOCK": 4"#, r#""LOG_BLOCK": 7"#),
            "LOG_BLOCK is 7; allowed: 2 to 6",
        ),
        (
            changed(r#""LOG_INP_BUFF_SIZE": 15"#, r#""LOG_INP_BUFF_SIZE": 16"#),
            "LOG_INP_BUFF_SIZE is 16; allowed: 5 to 15, that is 2 to 2048 elements of 16 bytes",
        ),
        (
            with(r#""WGT_DEPTH": 1000"#),
            "WGT_DEPTH is 1000; allowed: a power of two from 2 to 1024",
        ),
        (
            with(r#""WGT_DEPTH": 2048"#),
            "WGT_DEPTH is 2048; allowed: a power of two from 2 to 1024",
        ),
        (
            with(r#""OUT_DEPTH": 99999999999"#),
            "OUT_DEPTH is 99999999999; allowed",
        ),
        (
            with(r#""MEM_DATA_BITS": 96"#),
            "MEM_DATA_BITS is 96; allowed: 64, 128, 256, 512",
        ),
        (
            with(r#""MEM_LEN_BITS": 9"#),
            "MEM_LEN_BITS is 9; allowed: 1 to 8",
        ),
        (
            with(r#""MEM_DELAY": 5000"#),
            "MEM_DELAY is 5000; allowed: 0 to 4096",
        ),
        (
            with(r#""INSN_QUEUE_ENTRIES": 1"#),
            "INSN_QUEUE_ENTRIES is 1; allowed: 2 to 65536",
        ),
        (
            "[1]".into(),
            "line 1, column 1: invalid type: sequence, expected an object",
        ),
        ("{".into(), "line 1, column 1: EOF"),
    ];
    for (text, want) in cases {
        let got = message(&text);
        assert!(got.starts_with(want), "{got}\nis not\n{want}");
    }
}

#[test]
fn unknown_names_suggest_the_nearest() {
    let e = HwConfig::load("wide-128").unwrap_err();
    assert_eq!(
        e.problem,
        ConfigProblem::NotFound {
            nearest: Some("wide128")
        }
    );
    let e = HwConfig::from_json(&with(r#""MEM_DELY": 1"#), "test").unwrap_err();
    assert_eq!(e.help().as_deref(), Some("did you mean MEM_DELAY?"));
}

#[test]
fn a_512_bit_bus_has_room_for_2048_micro_ops() {
    let text = with(r#""MEM_DATA_BITS": 512"#);
    assert_eq!(
        message(&text),
        "UOP_DEPTH is 8192; on a 512-bit bus it is at most 2048: the tag of a read client has 21 bits"
    );
    let text = with(r#""MEM_DATA_BITS": 512, "UOP_DEPTH": 8"#);
    assert_eq!(
        message(&text),
        "UOP_DEPTH is 8; on a 512-bit bus it is at least 16: a scratchpad holds at least one beat"
    );
    let text = with(r#""MEM_DATA_BITS": 512, "UOP_DEPTH": 2048"#);
    assert!(HwConfig::from_json(&text, "test").is_ok());
}

#[test]
fn a_burst_of_instructions_fills_whole_beats() {
    let text = with(r#""MEM_DATA_BITS": 512, "UOP_DEPTH": 2048, "MEM_LEN_BITS": 1"#);
    assert!(message(&text).starts_with("MEM_LEN_BITS is 1; on a 512-bit bus it is at least 2"));
}

fn pow2(min: u32, max: u32) -> impl Strategy<Value = u32> {
    (min..=max).prop_map(|n| 1 << n)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        (block, uop, inp, wgt, acc, out) in (pow2(2, 6), pow2(1, 13), pow2(1, 11), pow2(1, 10), pow2(1, 11), pow2(1, 13)),
        (bits, len, delay, entries) in (pow2(6, 9), 1u32..=8, 0u32..=4096, 2u32..=65536),
    ) {
        let c = HwConfig {
            name: "test".into(), block, uop_depth: uop, inp_depth: inp, wgt_depth: wgt, acc_depth: acc,
            out_depth: out, mem_data_bits: bits, mem_len_bits: len, mem_delay: delay, insn_queue_entries: entries,
        };
        let read = HwConfig::from_json(&c.to_json(), "test");
        match c.check() {
            Ok(()) => prop_assert_eq!(read, Ok(c)),
            Err(problem) => prop_assert_eq!(read.map_err(|e| e.problem), Err(problem)),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        at in 0usize..UPSTREAM.len(),
        insert in "[0-9a-zA-Z\"{}:,.\\-]{0,6}",
        cut in 0usize..8,
    ) {
        let end = (at + cut).min(UPSTREAM.len());
        let text = format!("{}{insert}{}", &UPSTREAM[..at], &UPSTREAM[end..]);
        let _ = HwConfig::from_json(&text, "test");
    }
}
