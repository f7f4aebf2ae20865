//! Checkpoints as files: what is in them, and what is said of broken ones.

use safetensors::tensor::{Dtype, TensorView, serialize};
use safetensors::{SafeTensors, tensor::Metadata};
use vta_train::{Checkpoint, CheckpointError, TrainError};

fn checkpoint() -> Checkpoint {
    let mut c = Checkpoint::default();
    // Bits that rounding or text would lose.
    c.put("param/a", vec![0.1, -0.0, f32::MIN_POSITIVE / 2.0]);
    c.put("param/b", vec![f32::NAN, f32::INFINITY]);
    c.put("param/none", Vec::new());
    c.put_number("step", u64::MAX);
    c.put_text("log", "epoch,step\n\"1\",2\n");
    c
}

fn file() -> Vec<u8> {
    checkpoint().encode().expect("it can be written")
}

fn error(bytes: &[u8]) -> CheckpointError {
    match Checkpoint::decode(bytes) {
        Err(TrainError::Checkpoint(e)) => e,
        other => panic!("{other:?}"),
    }
}

/// The metadata, and the file with other ones.
fn with_metadata(change: impl Fn(&str) -> String) -> Vec<u8> {
    let bytes = file();
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("safetensors");
    let mut metadata = header.metadata().clone().expect("it has some");
    let text = metadata.get_mut("vta-checkpoint").expect("the key");
    *text = change(text);
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    serialize(tensors.tensors(), Some(metadata)).expect("it can be written")
}

#[test]
fn it_comes_back_and_is_the_same_file_each_time() {
    let (c, bytes) = (checkpoint(), file());
    let read = Checkpoint::decode(&bytes).expect("a checkpoint");
    let bits = |c: &Checkpoint, name, n| -> Vec<u32> {
        let values = c.get(name, n).expect("values");
        values.iter().map(|v| v.to_bits()).collect()
    };
    for (name, n) in [("param/a", 3), ("param/b", 2), ("param/none", 0)] {
        assert_eq!(bits(&c, name, n), bits(&read, name, n));
    }
    assert_eq!(read.number("step").ok(), Some(u64::MAX));
    assert_eq!(read.text("log").ok(), Some("epoch,step\n\"1\",2\n"));
    assert!(read.encode().expect("it can be written") == bytes);
    assert!(with_metadata(str::to_owned) == bytes);
}

#[test]
fn others_read_its_tensors() {
    let bytes = file();
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let a = tensors.tensor("param/a").expect("a tensor");
    assert_eq!((a.dtype(), a.shape()), (Dtype::F32, &[3][..]));
    assert_eq!(a.data()[..4], 0.1f32.to_le_bytes());
}

#[test]
fn a_file_of_the_first_version_says_what_to_do() {
    let mut old = b"VTACKPT1".to_vec();
    old.extend(2u64.to_le_bytes());
    old.extend(b"{}");
    old.extend([0; 32]);
    let e = Checkpoint::decode(&old).expect_err("it is old");
    assert_eq!(e.to_string(), "the checkpoint is of version 1, not 3");
    let help = e.help().expect("there is a way");
    assert!(help.contains("start it anew in another folder"), "{help}");
}

#[test]
fn short_and_long_files_name_the_byte() {
    let bytes = file();
    let whole = bytes.len();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    for cut in 0..whole {
        let (what, end) = match cut {
            0..8 => ("the length of its header", 8),
            _ if cut < header => ("its header", header),
            _ => ("its last tensor", whole),
        };
        let want = CheckpointError::Short {
            bytes: cut,
            what,
            end: end as u64,
        };
        assert_eq!(error(&bytes[..cut]), want);
    }
    let mut long = bytes.clone();
    long.push(0);
    let want = CheckpointError::Long {
        bytes: whole + 1,
        end: whole,
    };
    assert_eq!(error(&long), want);
    // A length that no file has.
    let mut huge = bytes;
    huge[..8].fill(0xff);
    assert!(matches!(error(&huge), CheckpointError::Short { end, .. } if end == u64::MAX));
}

#[test]
fn a_changed_value_is_not_what_was_written() {
    let bytes = file();
    let mut bad = bytes.clone();
    *bad.last_mut().expect("a byte") ^= 1;
    let e = error(&bad);
    assert!(matches!(e, CheckpointError::Digest { .. }), "{e}");
    // Numbers and texts count, as the digest itself.
    for (from, to) in [
        ("18446744073709551615", "18446744073709551614"),
        ("epoch,", "epoch;"),
        ("\"sha256\":\"", "\"sha256\":\"0"),
    ] {
        let changed = with_metadata(|text| {
            assert!(text.contains(from), "{from} in {text}");
            text.replacen(from, to, 1)
        });
        let e = error(&changed);
        assert!(matches!(e, CheckpointError::Digest { .. }), "{from}: {e}");
    }
}

#[test]
fn headers_that_are_something_else() {
    // Where it is no JSON any more.
    let mut bad = file();
    bad[8 + 17] = b'?';
    let CheckpointError::Header { byte, .. } = error(&bad) else {
        panic!("{:?}", error(&bad));
    };
    assert!((8 + 16..=8 + 18).contains(&byte), "{byte}");
    // A network's weights.
    let data = 1f32.to_le_bytes();
    let one = |dtype, shape, data| {
        let view = TensorView::new(dtype, shape, data).expect("a tensor");
        [("w", view)]
    };
    let weights = serialize(one(Dtype::F32, vec![1], &data), None).expect("a file");
    assert!(
        error(&weights)
            .to_string()
            .contains("`__metadata__` has no")
    );
    for version in [2, 4] {
        let other = with_metadata(|_| format!("{{\"version\": {version}, \"else\": 1}}"));
        assert_eq!(error(&other), CheckpointError::Version { version });
    }
    let more = with_metadata(|text| text.replacen('{', "{\"more\": 1, ", 1));
    assert!(error(&more).to_string().contains("`more`"));
    // Tensors of other types and dimensions.
    let bytes = file();
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("safetensors");
    for (dtype, shape) in [(Dtype::I32, vec![1]), (Dtype::F32, vec![1, 1])] {
        let tensors = one(dtype, shape, &data);
        let file = serialize(tensors, header.metadata().clone()).expect("a file");
        let e = error(&file);
        assert!(matches!(e, CheckpointError::Tensor { .. }), "{e}");
    }
}

/// Offsets whose sum with the header's length is no number of this machine.
#[test]
fn offsets_beyond_all_files_are_errors() {
    let n = u64::MAX / 4 * 4;
    let header = format!(
        "{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,{n}]}}}}",
        n / 4
    );
    assert!(serde_json::from_str::<Metadata>(&header).is_err(), "{n}");
    // Bits are counted too, so that n is the largest that the header may have.
    let n = u64::MAX / 32 * 4;
    let header = format!(
        "{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,{n}]}}}}",
        n / 4
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    let e = error(&bytes);
    assert!(matches!(e, CheckpointError::Short { what, .. } if what == "its last tensor"));
}
