//! Numbers as people read them.

/// A number in groups of three digits.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_three() {
        let got = [0, 999, 1000, 1234567].map(thousands);
        assert_eq!(got, ["0", "999", "1,000", "1,234,567"]);
    }
}
