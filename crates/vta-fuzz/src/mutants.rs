//! Mutants of bytes, from a seed: what the tests run beside the corpus.

use vta_test_support::numbers::Numbers;

/// Bytes that break more than others.
const SHARP: [u8; 12] = [
    0, 1, 0x7f, 0x80, 0xff, b'0', b'9', b'-', b'"', b'\n', b'}', b' ',
];

/// A mutant of bytes, with one to four changes: bits, bytes, numbers, pieces cut,
/// doubled, moved, or taken from `other`.
pub fn mutant(bytes: &[u8], other: &[u8], n: &mut Numbers) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=n.below(4) {
        let at = n.below(out.len() + 1);
        let most = n.below(32);
        let len = 1 + n.below(1 + most);
        let end = (at + len).min(out.len());
        match n.below(10) {
            0 => out.truncate(at),
            1 => drop(out.drain(at..end)),
            2 => {
                let piece = out[at..end].to_vec();
                let to = n.below(out.len() + 1);
                out.splice(to..to, piece);
            }
            3 => {
                let from = n.below(other.len() + 1);
                let piece = other[from..(from + len).min(other.len())].to_vec();
                out.splice(at..end, piece);
            }
            4 => {
                let piece: Vec<u8> = (0..len).map(|_| n.next() as u8).collect();
                out.splice(at..at, piece);
            }
            5 => {
                let value = [0, 1, u64::MAX, u64::MAX >> 1, 1 << 31, n.next()][n.below(6)];
                for (to, byte) in out[at..].iter_mut().zip(value.to_le_bytes()).take(len) {
                    *to = byte;
                }
            }
            6 | 7 => {
                if let Some(byte) = out.get_mut(at) {
                    *byte = SHARP[n.below(SHARP.len())];
                }
            }
            _ => {
                if let Some(byte) = out.get_mut(at) {
                    *byte ^= 1 << n.below(8);
                }
            }
        }
    }
    out
}
