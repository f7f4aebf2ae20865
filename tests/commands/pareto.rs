//! Fronts of accuracy against cycles: what is in a row, how a run goes on, and the page in
//! a real browser (as in `report.rs`).

use crate::report::{attribute, browse, chromium, in_a_phone};
use crate::support::command::{folder, ok, vta};
use serde_json::Value;
use std::fs;
use std::path::Path;
use vta::pareto::{cycles_and_score, front, method_of};
use vta::rows::{Row, read};

/// A front of two methods that needs no data.
const ARGS: [&str; 8] = [
    "pareto",
    "resnet8",
    "--budgets",
    "0.9,0.7,0.5,0.05",
    "--configs",
    "base=de10|small",
    "-o",
    "rows",
];

fn rows(dir: &Path) -> Vec<Row> {
    read(&dir.join("rows")).expect("a file of rows")
}

#[test]
fn a_front_without_data() {
    let dir = folder();
    let d = dir.path();
    let mut args = ARGS.to_vec();
    args.extend(["--svg", "front.svg", "--page", "front.html", "--json"]);
    let json = ok(d, &args).json();
    let all = rows(d);
    assert_eq!(all.len(), 18);
    let printed: Value = all.iter().map(Row::to_json).collect();
    assert_eq!(json["rows"], printed);
    // No part of the blocks is left that is so cheap.
    let failed = all.iter().filter(|r| cycles_and_score(r).is_none());
    for row in failed {
        assert_eq!(row.point().get("budget"), Some(&0.05.into()), "{row:?}");
    }
    assert!(json["failed"].as_u64() >= Some(4), "{json}");
    for config in ["de10", "small"] {
        let name = format!("base={config}");
        let of: Vec<&Row> = all.iter().filter(|r| r.name("config") == name).collect();
        let run = |args: &[&str]| ok(d, args).json();
        run(&[
            "compile", "resnet8", "--config", config, "-o", "p.vta", "--json",
        ]);
        let run = run(&["run", "p.vta", "--timing-only", "--json"]);
        let dense = cycles_and_score(of[0]).expect("the dense network");
        assert_eq!(
            (method_of(of[0]), &run["cycles"]),
            ("dense", &dense.0.into())
        );
        for row in &of[1..] {
            let Some((cycles, score)) = cycles_and_score(row) else {
                continue;
            };
            let budget = row.point().get("budget").and_then(Value::as_f64);
            let limit = budget.expect("a budget") * dense.0 as f64;
            // Scales are chosen anew for what is left: a little more or less.
            assert!(
                cycles as f64 <= limit * 1.02,
                "{cycles} of {limit}: {row:?}"
            );
            assert!(score < dense.1, "{row:?}");
        }
    }
    let found: Vec<&str> = json["front"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|k| k.as_str().expect("a key"))
        .collect();
    let each: Vec<&Row> = all.iter().collect();
    let best: Vec<&str> = front(&each).into_iter().map(|r| r.key().as_str()).collect();
    assert_eq!(found, best);
    // The picture has each point and the line, and a mark for each name.
    let svg = fs::read_to_string(d.join("front.svg")).expect("a picture");
    let points = all.len() as u64 - json["failed"].as_u64().expect("a number");
    assert_eq!(svg.matches("<path ").count() as u64, points + 3 + 1);

    // Broken off in a line, it goes on with the same bytes; again it computes nothing.
    let whole = fs::read(d.join("rows")).expect("a file");
    fs::write(d.join("rows"), &whole[..whole.len() / 2]).expect("a file");
    ok(d, &ARGS);
    assert!(fs::read(d.join("rows")).expect("a file") == whole);
    let said = ok(d, &ARGS).out;
    assert!(said.contains("18 were there before"), "{said}");
    assert!(fs::read(d.join("rows")).expect("a file") == whole);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let dir = folder();
    let d = dir.path();
    let trained: &[&str] = match cfg!(feature = "train") {
        true => &[
            "--methods one-stage trains, and there are no data",
            "add --data",
        ],
        false => &["--methods one-stage was not built in", "--features train"],
    };
    for (more, says) in [
        (&["--methods", "one-stage"][..], trained),
        (
            &["--methods", "twostage"],
            &["no method; there are magnitude, uniform"],
        ),
        (
            &["--data", "shapes-cls"],
            &["a network of the zoo is not trained"],
        ),
        (&["--epochs", "2"], &["--data"]),
        (&["--budgets", "2"], &["not a number from 0 to 1"]),
        (&["--svg", "x", "--page", "./x"], &["the same output as x"]),
    ] {
        let mut args = vec!["pareto", "resnet8"];
        args.extend(more);
        let ran = vta(d, &args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        for says in says {
            assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
        }
    }
}

/// What a reader does on a phone, and what the page shows then.
const PROBE: &str = r##"
const out = {};
out.wide = d.documentElement.scrollWidth;
const shown = () => [...d.querySelectorAll("#table tbody tr")].map(r => Number(r.querySelector('[data-key="cycles"]').dataset.value));
const head = d.querySelector('#table th button[data-key="cycles"]');
head.click(); out.up = shown();
head.click(); out.down = shown();
const input = d.querySelector("#table input");
input.value = "uniform"; input.dispatchEvent(new w.Event("input"));
out.filtered = shown().length;
out.over = [];
for (const svg of d.querySelectorAll("#front svg")) {
  const all = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
  all.forEach(([a, r], i) => all.slice(0, i).forEach(([b, q]) => {
    const across = Math.min(r.right, q.right) - Math.max(r.left, q.left), down = Math.min(r.bottom, q.bottom) - Math.max(r.top, q.top);
    if (across > 1 && down > 4) { out.over.push([a, b]); }
  }));
}
document.body.dataset.out = JSON.stringify(out);
"##;

#[test]
fn the_page_in_a_browser() {
    let Some(chromium) = chromium() else { return };
    let dir = folder();
    let d = dir.path();
    let mut args = ARGS.to_vec();
    args.extend(["--page", "front.html", "--json"]);
    let json = ok(d, &args).json();
    let page = d.join("front.html");
    let (dom, log) = browse(&chromium, &page, &["--dump-dom", "--window-size=1200,900"]);
    assert!(!log.contains("CONSOLE"), "{log}");
    let body = &dom[dom.find("<body").expect("a body")..];
    let tag = &body[..body.find('>').expect("it ends")];
    assert_eq!(attribute(tag, "data-errors"), None);
    assert!(attribute(tag, "data-ready-ms").is_some(), "all is drawn");
    assert!(
        body.contains("$ vta pareto resnet8"),
        "the command that made it"
    );
    assert!(!body.contains("NaN"));
    // Each row with a result is a line of the table with its numbers, and a point.
    let mut points = 0;
    for row in json["rows"].as_array().expect("rows") {
        let mark = format!("data-point=\"{}\"", row["key"].as_str().expect("a key"));
        let Some(cycles) = row["result"]["cycles"].as_u64() else {
            assert!(!body.contains(&mark));
            continue;
        };
        let line = &body[body.find(&mark).expect("a line")..];
        let line = &line[..line.find("</tr>").expect("it ends")];
        assert!(line.contains(&format!("data-value=\"{cycles}\"")), "{line}");
        points += 1;
    }
    let section = &body[body.find("<section id=\"front\"").expect("a section")..];
    let section = &section[..section.find("</section>").expect("it ends")];
    assert_eq!(section.matches("class=\"hit\"").count(), points);
    let failed = &body[body.find("<section id=\"failed\"").expect("a section")..];
    let failed = &failed[..failed.find("</section>").expect("it ends")];
    assert_eq!(
        Some(failed.matches("<li>").count() as u64),
        json["failed"].as_u64()
    );

    let phone = in_a_phone(d, "front", "", 844, PROBE);
    let (dom, log) = browse(&chromium, &phone, &["--dump-dom", "--window-size=600,844"]);
    assert!(!log.contains("CONSOLE"), "{log}");
    let body = &dom[dom.find("<body").expect("a body")..];
    let out = attribute(body, "data-out").expect("the page was used");
    let out: Value = serde_json::from_str(&out.replace("&quot;", "\"")).expect("JSON");
    assert_eq!(out["wide"], 390, "wider than a phone");
    assert_eq!(out["over"], serde_json::json!([]), "labels");
    let numbers = |key: &str| -> Vec<u64> {
        let all = out[key].as_array().expect("numbers").iter();
        all.map(|n| n.as_u64().expect("a number")).collect()
    };
    let (up, mut down) = (numbers("up"), numbers("down"));
    assert!(up.is_sorted() && up.len() == points, "{up:?}");
    down.reverse();
    assert_eq!(up, down);
    let uniform = json["rows"].as_array().expect("rows").iter();
    let uniform = uniform.filter(|r| r["point"]["method"] == "uniform" && r["result"].is_object());
    assert_eq!(out["filtered"], uniform.count());
}

/// Runs of training are killed too; each goes on from its checkpoint.
#[cfg(all(unix, feature = "train"))]
#[test]
fn a_front_with_training_goes_on_with_the_same_bytes() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let dir = folder();
    let d = dir.path();
    crate::train_prune::dense(d);
    let args = |out| {
        [
            "pareto",
            "dense/model.onnx",
            "--data",
            "data",
            "--methods",
            "magnitude,one-stage",
            "--budgets",
            "0.7",
            "--epochs",
            "2",
            "--batch",
            "8",
            "-o",
            out,
        ]
    };
    let begun = Instant::now();
    ok(d, &args("whole"));
    let length = begun.elapsed();
    let whole = fs::read(d.join("whole")).expect("a file");
    let all = read(&d.join("whole")).expect("rows");
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|r| cycles_and_score(r).is_some()), "{all:?}");
    for part in 1..=3u32 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vta"));
        let command = command.args(args("rows")).current_dir(d);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let wait = length * part / 4;
        std::thread::sleep(wait.max(Duration::from_millis(50)));
        let signal = if part % 2 == 0 { "-INT" } else { "-KILL" };
        // It may have ended by itself.
        let mut kill = Command::new("kill");
        let kill = kill.args([signal, &child.id().to_string()]);
        kill.stderr(Stdio::null()).status().expect("kill starts");
        child.wait().expect("it ends");
        let now = fs::read(d.join("rows")).unwrap_or_default();
        assert!(whole.starts_with(&now), "part {part}");
    }
    let said = ok(d, &args("rows")).out;
    assert!(fs::read(d.join("rows")).expect("a file") == whole, "{said}");
    for entry in fs::read_dir(d).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        assert!(
            !name.starts_with(".vta") && !name.ends_with(".runs"),
            "{name}"
        );
    }
}
