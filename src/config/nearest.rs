//! The known word that looks most like an unknown one.

/// The candidate with the smallest edit distance, if it is small enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let upper = word.to_ascii_uppercase();
    candidates
        .into_iter()
        .map(|c| (distance(&upper, &c.to_ascii_uppercase()), c))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, c)| *d <= 1 + c.len() / 4)
        .map(|(_, c)| c)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(
            nearest("LOG_BLOK", ["LOG_BLOCK", "TARGET"]),
            Some("LOG_BLOCK")
        );
        assert_eq!(nearest("de-10", ["de10", "pynq"]), Some("de10"));
        assert_eq!(nearest("somewhere", ["de10", "pynq"]), None);
    }
}
