//! Long lists of numbers as short text: `start`, or `start+step*count` for
//! `count` numbers that are `step` apart, with spaces between.

/// What is wrong in such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadRuns(pub String);

/// The text of a list; the same list gives the same text.
pub(super) fn encode(all: &[u32]) -> String {
    let mut text = String::new();
    let mut rest = all;
    while let [first, ..] = rest {
        let step = match rest {
            [a, b, ..] if b >= a => b - a,
            _ => 0,
        };
        let run = rest
            .windows(2)
            .take_while(|w| w[0].checked_add(step) == Some(w[1]))
            .count();
        // Two numbers that are not equal are as short without a run.
        let count = if run == 1 && step != 0 { 1 } else { run + 1 };
        if !text.is_empty() {
            text.push(' ');
        }
        text += &match (count, step) {
            (1, _) => format!("{first}"),
            _ => format!("{first}+{step}*{count}"),
        };
        rest = &rest[count..];
    }
    text
}

/// The list of a text, which must have `count` numbers.
pub(super) fn decode(text: &str, count: usize) -> Result<Vec<u32>, BadRuns> {
    let mut all = Vec::new();
    for word in text.split_ascii_whitespace() {
        let bad = || BadRuns(format!("{:?}", word.chars().take(40).collect::<String>()));
        let (start, step, n) = match word.split_once('+') {
            None => (word, "0", "1"),
            Some((start, rest)) => {
                let (step, n) = rest.split_once('*').ok_or_else(bad)?;
                (start, step, n)
            }
        };
        let number = |w: &str| w.parse::<u32>().map_err(|_| bad());
        let (start, step, n) = (number(start)?, number(step)?, number(n)?);
        if n as usize > count - all.len() {
            return Err(BadRuns(format!("more than {count} numbers")));
        }
        let last = u64::from(start) + u64::from(step) * u64::from(n.saturating_sub(1));
        if n == 0 || last > u32::MAX.into() {
            return Err(bad());
        }
        all.extend((0..n).map(|i| start + step * i));
    }
    if all.len() != count {
        return Err(BadRuns(format!("{} numbers, not {count}", all.len())));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_and_exact() {
        let cases: [(&[u32], &str); 6] = [
            (&[], ""),
            (&[7], "7"),
            (&[7, 7], "7+0*2"),
            (&[1, 5], "1 5"),
            (&[0, 0, 1, 1, 2, 3, 4, 9], "0+0*2 1+0*2 2+1*3 9"),
            (&[u32::MAX, 0, u32::MAX], "4294967295 0 4294967295"),
        ];
        for (all, text) in cases {
            assert_eq!(encode(all), text);
            assert_eq!(decode(text, all.len()).unwrap(), all);
        }
    }

    #[test]
    fn bad_texts_are_refused_before_memory_is_taken() {
        for text in [
            "0+0*4000000000",
            "0+0*3",
            "1",
            "1 2 3",
            "x 1",
            "1+ 2",
            "1+1 2",
            "0+0*0 1 2",
            "4294967295+1*2",
            "-1 2",
        ] {
            assert!(decode(text, 2).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(all in prop::collection::vec(prop_oneof![0u32..4, any::<u32>()], 0..60)) {
            prop_assert_eq!(decode(&encode(&all), all.len()).unwrap(), all);
        }
    }
}
