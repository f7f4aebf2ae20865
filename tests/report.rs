//! The page in a real browser: no error, the numbers of `--json`, pictures of
//! its main views in `target/report-screenshots`.
//!
//! Chromium is looked for under its usual names, or named by `VTA_CHROMIUM`.
//! Without it the test says that it was skipped, unless `CI` or
//! `VTA_REQUIRE_CHROMIUM` is set: then it fails.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::command::vta;

fn chromium() -> Option<PathBuf> {
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
fn browse(chromium: &Path, page: &Path, args: &[&str]) -> (String, String) {
    let profile = tempfile::tempdir().expect("a folder");
    let user = format!("--user-data-dir={}", profile.path().display());
    let mut command = Command::new(chromium);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
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
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
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

    let (dom, log) = browse(chromium, &page, &["--dump-dom", "--window-size=1200,900"]);
    assert!(!log.contains("CONSOLE"), "{name}: {log}");
    let body = &dom[dom.find("<body").expect("a body")..];
    let body_tag = &body[..body.find('>').expect("it ends")];
    assert_eq!(attribute(body_tag, "data-errors"), None, "{name}");
    let ready: u64 = attribute(body_tag, "data-ready-ms")
        .expect("all is drawn")
        .parse()
        .expect("a number");
    println!("{name}: {bytes} bytes, drawn after {ready} ms");
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

    let shots = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report-screenshots");
    std::fs::create_dir_all(&shots).expect("a folder");
    let views = [
        ("desktop", "--window-size=1200,5200", ""),
        ("phone", "--window-size=390,7600", ""),
        ("dark", "--window-size=1200,5200", "--force-dark-mode"),
    ];
    for (view, size, more) in views {
        let file = shots.join(format!("{name}-{view}.png"));
        let shot = format!("--screenshot={}", file.display());
        let args: Vec<&str> = [size, more, &shot]
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect();
        let (_, log) = browse(chromium, &page, &args);
        assert!(!log.contains("CONSOLE"), "{name} {view}: {log}");
        let bytes = std::fs::read(&file).expect("a picture");
        assert!(
            bytes.starts_with(b"\x89PNG") && bytes.len() > 20_000,
            "{name} {view}"
        );
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
