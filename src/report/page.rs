//! One self-contained HTML page of a JSON object: no network, no library.

#[cfg(test)]
mod colours;

use serde_json::Value;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: [&str; 4] = [
    include_str!("page/base.js"),
    include_str!("page/charts.js"),
    include_str!("page/tile.js"),
    include_str!("page/table.js"),
];

/// Text as it stands in HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The page that shows `data`. The object in it equals `data`.
pub fn page(title: &str, data: &Value) -> String {
    // Inside a script element only `</` and `<!--` could end or hide it.
    let json = data.to_string().replace('<', "\\u003c");
    PAGE.replace("{{title}}", &escape(title))
        .replace("{{style}}", STYLE)
        .replace("{{script}}", &SCRIPT.concat())
        .replace("{{data}}", &json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn data_survive_and_cannot_end_their_element() {
        let data = json!({ "name": "</script><!-- & \u{2028}", "n": 12 });
        let page = page("a < b", &data);
        assert!(page.contains("<title>a &lt; b</title>"));
        let from = page.find("id=\"data\">").expect("it is there") + "id=\"data\">".len();
        let text = &page[from..];
        let text = &text[..text.find("</script>").expect("it ends")];
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), data);
        assert!(!page.contains("{{"), "every mark is filled in");
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
