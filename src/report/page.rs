//! One self-contained HTML page of a JSON object: no network, no library.

#[cfg(test)]
mod colours;

use serde_json::Value;
use vta_tensor::printable::printable;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const BASE: &str = include_str!("page/base.js");

/// What a page is about.
struct Subject {
    /// The command that makes it.
    kicker: &'static str,
    body: &'static str,
    script: &'static [&'static str],
}

const PROGRAMS: Subject = Subject {
    kicker: "vta report",
    body: include_str!("page/programs.html"),
    script: &[
        include_str!("page/programs.js"),
        include_str!("page/charts.js"),
        include_str!("page/tile.js"),
        include_str!("page/table.js"),
    ],
};

const FRONT: Subject = Subject {
    kicker: "vta pareto",
    body: include_str!("page/front.html"),
    script: &[include_str!("page/front.js")],
};

/// Text as it stands in HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The same with what is unprintable in its strings spelled out.
fn shown(data: &Value) -> Value {
    match data {
        Value::String(text) => Value::String(printable(text).into_owned()),
        Value::Array(all) => all.iter().map(shown).collect(),
        Value::Object(all) => {
            let all = all.iter().map(|(key, value)| (key.clone(), shown(value)));
            Value::Object(all.collect())
        }
        other => other.clone(),
    }
}

/// The page that shows `data`, which [`data`](super::data) makes of programs. The object
/// in it equals `data`, but that what is unprintable in its names is spelled out.
pub fn page(title: &str, data: &Value) -> String {
    filled(&PROGRAMS, title, data)
}

/// The same of what [`front_data`](super::front_data) makes of points.
pub fn front_page(title: &str, data: &Value) -> String {
    filled(&FRONT, title, data)
}

fn filled(subject: &Subject, title: &str, data: &Value) -> String {
    // Inside a script element only `</` and `<!--` could end or hide it.
    let json = shown(data).to_string().replace('<', "\\u003c");
    // What is filled in is not looked at again: it may hold such a mark.
    let mut page = String::new();
    for part in PAGE.split("{{") {
        let (mark, rest) = part.split_once("}}").unwrap_or(("", part));
        page += &match mark {
            "title" => escape(&printable(title)),
            "style" => STYLE.to_owned(),
            "kicker" => subject.kicker.to_owned(),
            "body" => subject.body.to_owned(),
            "script" => BASE.to_owned() + &subject.script.concat(),
            "data" => json.clone(),
            _ => String::new(),
        };
        page += rest;
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn data_survive_and_cannot_end_their_element() {
        let data = json!({ "name": "</script><!-- & {{style}}", "n": 12 });
        let page = page("a < b", &data);
        assert!(page.contains("<title>a &lt; b</title>"));
        let from = page.find("id=\"data\">").expect("it is there") + "id=\"data\">".len();
        let text = &page[from..];
        let text = &text[..text.find("</script>").expect("it ends")];
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), data);
        for mark in [
            "{{title}}",
            "{{script}}",
            "{{data}}",
            "{{body}}",
            "{{kicker}}",
        ] {
            assert!(!page.contains(mark), "every mark is filled in");
        }
        let name = json!({ "names": ["a\u{202e}b\n"], "of": { "one": "\u{1b}[2J" } });
        let hidden = super::page("\u{202e}", &name);
        assert!(hidden.contains("<title>\\u{202e}</title>"));
        assert!(hidden.contains(r#"["a\\u{202e}b\\n"]"#) && hidden.contains(r#""\\u{1b}[2J""#));
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            // The name of SVG, and a mark within the page.
            let used = page
                .replace("http://www.w3.org/2000/svg", "")
                .replace("url(#", "");
            assert!(
                !used.contains(outside),
                "{outside}: the page is self-contained"
            );
        }
    }
}
