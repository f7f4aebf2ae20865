//! The page in a real browser: no error, the numbers of `--json`, its table and
//! its timeline in use, no label over another, nothing wider than a phone, and
//! pictures of its main views in `target/report-screenshots`.
//!
//! Chromium is looked for under its usual names, or named by `VTA_CHROMIUM`.
//! Without it the test says that it was skipped, unless `CI` or
//! `VTA_REQUIRE_CHROMIUM` is set: then it fails.

use crate::support::command::vta;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("VTA_CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let known = std::env::split_paths(&path).flat_map(|d| names.map(|n| d.join(n)));
    let found = named.into_iter().chain(known).find(|p| p.is_file());
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if found.is_none() {
        let required = set("CI") || set("VTA_REQUIRE_CHROMIUM");
        assert!(!required, "chromium is not there: apt-get install chromium");
        println!("SKIPPED for want of chromium: apt-get install chromium, or set VTA_CHROMIUM");
    }
    found
}

/// Runs the browser on a page; standard output and what it logs.
pub fn browse(chromium: &Path, page: &Path, args: &[&str]) -> (String, String) {
    let profile = tempfile::tempdir().expect("a folder");
    let user = format!("--user-data-dir={}", profile.path().display());
    let mut command = Command::new(chromium);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
        ])
        .args([
            "--enable-logging=stderr",
            "--v=0",
            "--disable-dev-shm-usage",
            &user,
        ])
        .args(args)
        .arg(format!("file://{}", page.display()));
    let out = command.output().expect("the browser starts");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    assert!(out.status.success(), "{}", text(&out.stderr));
    (text(&out.stdout), text(&out.stderr))
}

/// The value of an attribute in the text of an element.
pub fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let from = text.find(&format!("{name}=\""))? + name.len() + 2;
    text[from..].split('"').next()
}

/// The numbers of the table: by program and layer, by column.
fn table(dom: &str) -> BTreeMap<(String, String), BTreeMap<String, String>> {
    let rows = dom.split("<tr ").skip(1);
    let rows = rows.filter_map(|r| {
        let row = r.split("</tr>").next()?;
        let key = (
            attribute(row, "data-program")?.to_owned(),
            attribute(row, "data-layer")?.to_owned(),
        );
        let cells = row.split("<td ").skip(1);
        let cells = cells.filter_map(|c| {
            Some((
                attribute(c, "data-key")?.to_owned(),
                attribute(c, "data-value")?.to_owned(),
            ))
        });
        Some((key, cells.collect()))
    });
    rows.collect()
}

/// The page of some programs, tested in the browser.
fn tested(chromium: &Path, dir: &Path, name: &str, args: &[&str], most_bytes: u64) {
    let page = dir.join(format!("{name}.html"));
    let page_arg = page.display().to_string();
    let mut all = vec!["report"];
    all.extend(args);
    all.extend(["-o", &page_arg, "--json"]);
    let ran = vta(dir, &all);
    assert_eq!(ran.code, 0, "{ran:?}");
    let json = ran.json();
    let bytes = std::fs::metadata(&page).expect("the page is there").len();
    assert!(bytes < most_bytes, "{name}: {bytes} bytes");

    let begun = Instant::now();
    let (dom, log) = browse(chromium, &page, &["--dump-dom", "--window-size=1200,900"]);
    let whole = begun.elapsed().as_millis();
    assert!(!log.contains("CONSOLE"), "{name}: {log}");
    let body = &dom[dom.find("<body").expect("a body")..];
    let body_tag = &body[..body.find('>').expect("it ends")];
    assert_eq!(attribute(body_tag, "data-errors"), None, "{name}");
    let ready: u64 = attribute(body_tag, "data-ready-ms")
        .expect("all is drawn")
        .parse()
        .expect("a number");
    println!("{name}: {bytes} bytes, drawn after {ready} ms; the browser ran for {whole} ms");
    assert!(ready < 2000, "{name}: drawn after {ready} ms");

    // The object inside equals `--json`, but for the file's name.
    let from = dom.find("id=\"data\">").expect("data") + "id=\"data\">".len();
    let inside = dom[from..].split("</script>").next().expect("it ends");
    let inside: Value = serde_json::from_str(inside).expect("JSON");
    let mut expected = json.clone();
    expected.as_object_mut().expect("an object").remove("file");
    assert_eq!(inside, expected, "{name}");

    let rows = table(body);
    let mut seen = 0;
    for p in expected["programs"].as_array().expect("programs") {
        let program = p["name"].as_str().expect("a name");
        let layers = p["layers"].as_array().expect("layers");
        for l in layers
            .iter()
            .filter(|l| l["cycles"] != 0)
            .chain([&p["total"]])
        {
            let layer = l["name"].as_str().expect("a name");
            let cells = &rows[&(program.to_owned(), layer.to_owned())];
            for key in [
                "cycles",
                "gemm_steps",
                "alu_steps",
                "bytes_read",
                "bytes_written",
            ] {
                assert_eq!(
                    cells[key],
                    l[key].to_string(),
                    "{name}: {program} {layer} {key}"
                );
            }
            let work = l["units"]["compute"]["work"].as_u64().unwrap_or(0);
            assert_eq!(cells["work"], work.to_string(), "{name}: {layer}");
            seen += 1;
        }
        let cycles = vta::report::thousands(p["cycles"].as_u64().expect("cycles"));
        assert!(body.contains(&cycles), "{name}: {cycles} is in the summary");
    }
    assert_eq!(rows.len(), seen, "{name}: no other rows");
    for part in ["layers", "causes", "roofline", "tile"] {
        let section = &body[body
            .find(&format!("<section id=\"{part}\""))
            .expect("a section")..];
        let section = &section[..section.find("</section>").expect("it ends")];
        assert!(
            section.contains("<rect") || section.contains("<circle"),
            "{name}: {part} is drawn"
        );
        assert!(!section.contains("NaN"), "{name}: {part}");
    }
    assert!(body.contains("$ vta report "), "the command that made it");

    let least = expected["programs"][0]["layers"]
        .as_array()
        .map_or(0, Vec::len);
    used_on_a_phone(chromium, dir, name, least > 3);
    pictures(chromium, dir, name);
}

/// A page that shows `name` in a frame as wide as a phone, at a view, and runs
/// `steps` with its window `w` and document `d`.
pub fn in_a_phone(dir: &Path, name: &str, view: &str, height: u32, steps: &str) -> PathBuf {
    let page = dir.join(format!("{name}-in-a-phone.html"));
    let text = format!(
        r##"<!doctype html><body style="margin:0;overflow:hidden">
<iframe style="width:390px;height:{height}px;border:0" src="{name}.html#{view}"></iframe>
<script>document.querySelector("iframe").onload = e => {{
const w = e.target.contentWindow, d = w.document; {steps} }};</script></body>"##
    );
    std::fs::write(&page, text).expect("a folder to write to");
    page
}

/// What a reader does on a phone, and what the page shows then.
const PROBE: &str = r##"
const out = {};
out.inner = w.innerWidth;
out.wide = d.documentElement.scrollWidth;
const shown = () => [...d.querySelectorAll("#table tbody tr:not(.total)")];
const cycles = () => shown().map(r => Number(r.querySelector('[data-key="cycles"]').dataset.value));
const head = d.querySelector('#table th button[data-key="cycles"]');
out.before = cycles();
head.click(); out.down = cycles();
head.click(); out.up = cycles();
const input = d.querySelector("#table input");
out.name = shown()[0].dataset.layer;
input.value = out.name; input.dispatchEvent(new w.Event("input"));
out.filtered = shown().map(r => r.dataset.layer);
input.value = ""; input.dispatchEvent(new w.Event("input"));
out.after = shown().length;
const span = () => d.querySelector("#tile .note").textContent.match(/cycles ([\d,]+) to ([\d,]+)/).slice(1).map(n => Number(n.replaceAll(",", "")));
const press = label => d.querySelector(`#tile button[aria-label="${label}"]`).click();
out.whole = span(); press("zoom in"); out.zoomed = span(); press("later"); out.moved = span(); press("whole tile"); out.again = span();
// Texts of a chart that lie over each other.
out.over = [];
for (const svg of d.querySelectorAll("#layers svg, #causes svg, #roofline svg, #tile svg")) {
  const all = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
  all.forEach(([a, r], i) => all.slice(0, i).forEach(([b, q]) => {
    const across = Math.min(r.right, q.right) - Math.max(r.left, q.left), down = Math.min(r.bottom, q.bottom) - Math.max(r.top, q.top);
    if (across > 1 && down > 4) { out.over.push([a, b]); }
  }));
}
document.body.dataset.out = JSON.stringify(out);
"##;

/// On a phone nothing is wider than the screen, no label covers another, the
/// table sorts and filters, the timeline zooms.
fn used_on_a_phone(chromium: &Path, dir: &Path, name: &str, many: bool) {
    let page = in_a_phone(dir, name, "", 844, PROBE);
    let args = ["--dump-dom", "--window-size=600,844"];
    let (dom, log) = browse(chromium, &page, &args);
    assert!(!log.contains("CONSOLE"), "{name}: {log}");
    let body = &dom[dom.find("<body").expect("a body")..];
    let out = attribute(body, "data-out").expect("the page was used");
    let out: Value = serde_json::from_str(&out.replace("&quot;", "\"")).expect("JSON");
    assert_eq!(out["inner"], 390, "{name}");
    assert_eq!(out["wide"], 390, "{name}: wider than a phone");
    assert_eq!(out["over"], serde_json::json!([]), "{name}: labels");
    let numbers = |key: &str| -> Vec<u64> {
        let all = out[key].as_array().expect("numbers").iter();
        all.map(|n| n.as_u64().expect("a number")).collect()
    };
    let mut sorted = numbers("before");
    sorted.sort_unstable();
    assert_eq!(numbers("up"), sorted, "{name}");
    sorted.reverse();
    assert_eq!(numbers("down"), sorted, "{name}");
    let filtered = out["filtered"].as_array().expect("names");
    let words = out["name"].as_str().expect("a name");
    let contains = |n: &Value| n.as_str().is_some_and(|n| n.contains(words));
    assert!(!filtered.is_empty() && filtered.iter().all(contains));
    assert!(
        !many || filtered.len() < sorted.len(),
        "{name}: {filtered:?}"
    );
    assert_eq!(out["after"], sorted.len(), "{name}");
    let (whole, zoomed, moved) = (numbers("whole"), numbers("zoomed"), numbers("moved"));
    let length = |span: &[u64]| span[1] - span[0];
    assert_eq!(length(&zoomed), length(&whole).div_ceil(2), "{name}");
    assert!(
        moved[0] > zoomed[0] && length(&moved) == length(&zoomed),
        "{name}"
    );
    assert_eq!(numbers("again"), whole, "{name}");
}

/// Pictures of the main views, for people.
fn pictures(chromium: &Path, dir: &Path, name: &str) {
    let shots = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report-screenshots");
    std::fs::create_dir_all(&shots).expect("a folder");
    let take = |page: &Path, view: &str, size: &str, more: &[&str]| {
        let file = shots.join(format!("{name}-{view}.png"));
        let shot = format!("--screenshot={}", file.display());
        let size = format!("--window-size={size}");
        let mut args = vec![size.as_str(), &shot, "--force-prefers-reduced-motion"];
        args.extend(more);
        let (_, log) = browse(chromium, page, &args);
        assert!(!log.contains("CONSOLE"), "{name} {view}: {log}");
        let bytes = std::fs::read(&file).expect("a picture");
        assert!(bytes.starts_with(b"\x89PNG"), "{name} {view}");
        assert!(bytes.len() > 20_000, "{name} {view}: {} bytes", bytes.len());
        bytes
    };
    let page = dir.join(format!("{name}.html"));
    let light = take(&page, "light", "1200,5200", &[]);
    let dark = take(&page, "dark", "1200,5200", &["--force-dark-mode"]);
    assert_ne!(light, dark, "{name}: two schemes");
    for view in ["", "causes", "tile", "table"] {
        let phone = in_a_phone(dir, name, view, 844, "");
        let view = if view.is_empty() { "top" } else { view };
        take(&phone, &format!("phone-{view}"), "600,844", &[]);
    }
    let pdf = shots.join(format!("{name}-print.pdf"));
    let print = format!("--print-to-pdf={}", pdf.display());
    browse(chromium, &page, &[&print]);
    assert!(std::fs::read(&pdf).expect("a print").starts_with(b"%PDF"));
}

#[test]
fn pages_in_a_browser() {
    let Some(chromium) = chromium() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).display().to_string();
    for (name, more) in [
        ("dense", &["--dense"][..]),
        ("sparse", &["--density", "0.25", "--seed", "1"]),
    ] {
        let out = at(&format!("{name}.vta"));
        let mut args = vec!["compile", "resnet18", "-o", &out];
        args.extend(more);
        assert_eq!(vta(dir.path(), &args).code, 0);
    }
    let (dense, sparse) = (at("dense.vta"), at("sparse.vta"));
    tested(
        &chromium,
        dir.path(),
        "resnet18",
        &[&dense, &sparse],
        3_000_000,
    );
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/kernels/gemm.vtasm");
    tested(
        &chromium,
        dir.path(),
        "kernel",
        &[&kernel.display().to_string()],
        1_000_000,
    );
}

/// Without a browser: the page that `compare` writes.
#[test]
fn compare_writes_a_page() {
    let dir = tempfile::tempdir().expect("a folder");
    let ran = vta(
        dir.path(),
        &[
            "compare",
            "resnet8",
            "--density",
            "0.5",
            "--report",
            "page",
            "--json",
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let json = ran.json();
    let html = std::fs::read_to_string(dir.path().join("page/index.html")).expect("a page");
    let from = html.find("id=\"data\">").expect("data") + "id=\"data\">".len();
    let data: Value =
        serde_json::from_str(html[from..].split("</script>").next().expect("it ends"))
            .expect("JSON");
    for (i, side) in ["dense", "sparse"].into_iter().enumerate() {
        assert_eq!(data["programs"][i]["name"], side);
        assert_eq!(
            data["programs"][i]["cycles"], json[side]["cycles"],
            "{side}"
        );
    }
    assert!(
        data["command"]
            .as_str()
            .expect("text")
            .starts_with("vta compare resnet8")
    );
}
