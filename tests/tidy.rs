//! Generated files are fresh; layers import only downward.
mod fresh {
    use std::{env, fs, path::Path};
    use vta::isa::{SOURCES, emit, spec::Spec};

    fn rustfmt(source: &str) -> String {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let mut child = Command::new("rustfmt")
            .args(["--edition", "2024", "--emit", "stdout"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("rustfmt starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(source.as_bytes()).expect("rustfmt reads");
        drop(stdin);
        let out = child.wait_with_output().expect("rustfmt ends");
        assert!(out.status.success(), "rustfmt accepts the generated source");
        String::from_utf8(out.stdout).expect("rustfmt writes UTF-8")
    }

    fn check(path: &str, fresh: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if env::var_os("VTA_BLESS").is_some() {
            fs::write(&path, fresh).expect("the generated file can be written");
            return;
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == fresh,
            "{} is stale: VTA_BLESS=1 cargo test --test tidy",
            path.display()
        );
    }

    fn specs() -> Vec<Spec> {
        SOURCES
            .iter()
            .map(|s| Spec::parse(s).expect("the committed description parses"))
            .collect()
    }

    #[test]
    fn instruction_set_source() {
        check("src/isa/generated.rs", &rustfmt(&emit::rust(&specs())));
    }

    #[test]
    fn instruction_set_document() {
        check("docs/isa.md", &emit::markdown(&specs()));
    }
}

mod layers {
    use std::{fs, path::Path};

    /// Each layer, and the layers that it may import from.
    const LAYERS: &[(&str, &[&str])] = &[
        ("config", &[]),
        ("isa", &[]),
        ("report", &[]),
        ("cost", &[]),
        ("data", &[]),
        ("mem", &["config"]),
        ("golden", &["config"]),
        ("host", &[]),
        ("npy", &[]),
        ("graph", &[]),
        ("sparse", &["config", "graph"]),
        ("prune", &["graph", "sparse", "cost"]),
        ("program", &["config", "isa", "mem", "host"]),
        ("asm", &["config", "isa", "mem", "program", "npy"]),
        ("verify", &["config", "isa", "mem", "program"]),
        ("quant", &["graph", "host", "sparse"]),
        ("train", &["data", "graph"]),
        (
            "tune",
            &["train", "prune", "quant", "graph", "data", "sparse", "cost"],
        ),
        (
            "compiler",
            &[
                "config", "isa", "mem", "program", "host", "graph", "sparse", "quant",
            ],
        ),
        ("fsim", &["config", "isa", "mem"]),
        ("tsim", &["config", "isa", "mem", "fsim"]),
        ("trace", &["isa", "tsim"]),
        (
            "sight",
            &[
                "config", "isa", "mem", "program", "fsim", "tsim", "trace", "report",
            ],
        ),
        (
            "cli",
            &[
                "config", "isa", "report", "mem", "golden", "program", "asm", "fsim", "tsim",
                "trace", "sight", "host", "graph", "sparse", "quant", "compiler", "verify", "cost",
                "data", "prune", "train", "tune", "npy",
            ],
        ),
    ];

    fn files(dir: &Path, out: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(dir).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                files(&path, out);
            } else {
                out.push(path);
            }
        }
    }

    /// The layers that a source names: after `crate::`, and after `vta::` in
    /// `cli`, which belongs to the program.
    fn imports(source: &str) -> Vec<String> {
        let code = source.lines().filter(|l| !l.trim_start().starts_with("//"));
        code.flat_map(|l| {
            l.replace("vta::", "crate::")
                .split("crate::")
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect()
    }

    #[test]
    fn layers_import_only_downward() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut wrong = Vec::new();
        for entry in fs::read_dir(&src).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if !path.is_dir() {
                continue;
            }
            let layer = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let Some((_, below)) = LAYERS.iter().find(|l| l.0 == layer) else {
                wrong.push(format!(
                    "src/{layer} has no row in the table of tests/tidy.rs"
                ));
                continue;
            };
            let mut sources = Vec::new();
            files(&path, &mut sources);
            for file in sources {
                let text = fs::read_to_string(&file).expect("sources are UTF-8");
                for name in imports(&text) {
                    if name != layer && !below.contains(&name.as_str()) && !name.is_empty() {
                        wrong.push(format!("{} imports {name}", file.display()));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_table_has_no_circle() {
        for (i, (layer, below)) in LAYERS.iter().enumerate() {
            for b in *below {
                let at = LAYERS.iter().position(|l| l.0 == *b);
                assert!(at.is_some_and(|at| at < i), "{layer} imports {b}");
            }
        }
    }
}
