//! Names as they are printed: what a terminal or a reader would not show, or
//! would obey, is spelled out.

use std::borrow::Cow;

/// Whether a character is not seen as it is: it controls the terminal, ends the
/// line, turns the direction of writing, or has no width (Unicode's general
/// categories Cc, Zl and Zp, those of Cf, and the fillers of Hangul).
///
/// Marks that combine with a letter and the selectors of emoji are letters of
/// names, and are not among them.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A name as it is printed, on one line: `\n`, `\t`, `\u{1b}`, `\u{202e}` for
/// what is [unprintable](is_unprintable), everything else as it is.
///
/// ```
/// use vta_tensor::printable::printable;
/// assert_eq!(printable("conv1\u{1b}[2J\n"), "conv1\\u{1b}[2J\\n");
/// assert_eq!(printable("größe/畳み込み"), "größe/畳み込み");
/// ```
pub fn printable(name: &str) -> Cow<'_, str> {
    escaped(name, is_unprintable)
}

/// Text of several lines: as [`printable`], but lines end where they end.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_unprintable(c))
}

/// JSON text: as it is, but what is unprintable in its strings is written as
/// `\u202e`, which is the same string.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    // Between strings JSON has no character of these but the end of a line, and
    // in strings that is escaped already.
    let hidden = |c: char| c != '\n' && is_unprintable(c);
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out += &format!("\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The words of a mistake in JSON, without the place that its reader puts behind
/// them: messages have the place in front.
///
/// ```
/// use vta_tensor::printable::without_place;
/// assert_eq!(without_place("expected value at line 1 column 7", 1, 7), "expected value");
/// ```
pub fn without_place(words: &str, line: usize, column: usize) -> &str {
    let place = format!(" at line {line} column {column}");
    words.strip_suffix(&place).unwrap_or(words)
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' | '\t' | '\r' if hidden(c) => out.extend(c.escape_default()),
            c if hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_spelled_out() {
        for hidden in [
            '\0',
            '\u{7}',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{85}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            let text = format!("a{hidden}b");
            let want = format!("a\\u{{{:x}}}b", u32::from(hidden));
            assert_eq!(printable(&text), want);
            assert_eq!(printable_lines(&text), want);
        }
        for seen in [
            "e\u{301}",
            "שלום",
            "مرحبا",
            "❤\u{fe0f}",
            "畳み込み",
            "\\n",
            "a b",
            "\u{a0}",
        ] {
            assert_eq!(printable(seen), seen);
        }
        assert_eq!(printable("a\nb\tc\r"), "a\\nb\\tc\\r");
        assert_eq!(printable_lines("a\nb\tc\r\n"), "a\nb\\tc\\r\n");
    }

    #[test]
    fn json_stays_the_same_value() {
        let text = "{\n  \"a\u{202e}\u{e0041}\": \"\u{9b}\\n\u{7f}\"\n}";
        let shown = printable_json(text);
        assert_eq!(
            shown,
            "{\n  \"a\\u202e\\udb40\\udc41\": \"\\u009b\\n\\u007f\"\n}"
        );
    }
}
