//! Spelling hints: the known word that looks most like an unknown one.

/// The candidate with the smallest edit distance, if it is small enough to be meant.
/// Upper and lower case are the same.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let upper = word.to_ascii_uppercase();
    candidates
        .into_iter()
        .map(|c| (strsim::levenshtein(&upper, &c.to_ascii_uppercase()), c))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, c)| *d <= 1 + c.len() / 4)
        .map(|(_, c)| c)
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
