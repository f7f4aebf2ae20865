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
        check(
            "crates/vta-program/src/isa/generated.rs",
            &rustfmt(&emit::rust(&specs())),
        );
    }

    /// The table of operators in a document that says more.
    #[test]
    fn operators_document() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operators.md");
        let text = fs::read_to_string(path).expect("the document can be read");
        let (start, end) = ("<!-- operators -->\n", "<!-- end of operators -->\n");
        let (head, rest) = text.split_once(start).expect("the table has a start");
        let (_, tail) = rest.split_once(end).expect("the table has an end");
        let table = vta::graph::onnx::markdown();
        let fresh = format!("{head}{start}\n{table}\n{end}{tail}");
        check("docs/operators.md", &fresh);
    }

    #[test]
    fn instruction_set_document() {
        check("docs/isa.md", &emit::markdown(&specs()));
    }
}

mod layers {
    use std::{fs, path::Path};

    /// A module, and the modules of its crate that it may import from.
    type Module = (&'static str, &'static [&'static str]);

    /// The crates with several modules: each module, and the modules of its
    /// crate that it may import from. Between crates, Cargo keeps the layers.
    const LAYERS: &[(&str, &[Module])] = &[
        (
            "vta-tensor",
            &[
                ("window", &[]),
                ("host", &["window"]),
                ("numbers", &[]),
                ("npy", &["numbers"]),
                ("printable", &[]),
                ("spelling", &[]),
                ("files", &[]),
            ],
        ),
        (
            "vta-program",
            &[
                ("config", &[]),
                ("isa", &["config"]),
                ("mem", &["config"]),
                ("timing", &["config", "isa"]),
                ("program", &["config", "isa", "mem"]),
                ("asm", &["config", "isa", "mem", "program"]),
                ("standalone", &["config", "program"]),
                ("strategies", &["config", "isa", "mem", "program"]),
            ],
        ),
        (
            "vta-sim",
            &[
                ("golden", &[]),
                ("fsim", &[]),
                ("tsim", &["fsim"]),
                ("trace", &["tsim"]),
                ("steps", &[]),
                ("profiling", &["fsim", "steps", "trace", "tsim"]),
            ],
        ),
        (
            "vta-net",
            &[
                ("kernels", &[]),
                ("names", &[]),
                ("weight", &[]),
                ("graph", &["weight"]),
                ("sparse", &["graph", "weight"]),
                ("quant", &["graph", "kernels", "names", "sparse", "weight"]),
            ],
        ),
        (
            "vta-compile",
            &[
                ("fit", &[]),
                ("links", &[]),
                ("options", &[]),
                ("cost", &[]),
                ("larger", &[]),
                ("error", &["fit", "larger"]),
                ("deps", &["fit"]),
                ("op", &["cost"]),
                ("map", &["cost", "fit"]),
                ("allocator", &["deps", "fit"]),
                ("estimate", &["cost", "op"]),
                ("tokens", &["deps", "fit"]),
                ("stores", &["deps", "map"]),
                (
                    "schedule",
                    &["deps", "estimate", "fit", "op", "stores", "tokens"],
                ),
                ("loops", &["fit", "op"]),
                ("lowered", &["cost", "fit", "map"]),
                (
                    "device",
                    &["allocator", "cost", "deps", "fit", "map", "op", "schedule"],
                ),
                (
                    "rows",
                    &["allocator", "deps", "device", "fit", "loops", "map", "op"],
                ),
                (
                    "pool",
                    &[
                        "deps", "device", "fit", "loops", "lowered", "map", "op", "rows",
                    ],
                ),
                (
                    "resize",
                    &[
                        "allocator",
                        "device",
                        "fit",
                        "loops",
                        "lowered",
                        "map",
                        "op",
                        "rows",
                    ],
                ),
                (
                    "rearrange",
                    &["device", "fit", "loops", "lowered", "map", "op", "rows"],
                ),
                (
                    "conv",
                    &[
                        "allocator",
                        "cost",
                        "deps",
                        "device",
                        "fit",
                        "loops",
                        "lowered",
                        "map",
                        "op",
                        "pool",
                    ],
                ),
                ("tiling", &["conv", "cost", "lowered"]),
                ("ways", &["conv", "device", "fit", "lowered", "schedule"]),
                (
                    "search",
                    &[
                        "conv", "device", "fit", "lowered", "schedule", "tiling", "ways",
                    ],
                ),
                (
                    "placement",
                    &[
                        "device",
                        "links",
                        "lowered",
                        "map",
                        "pool",
                        "rearrange",
                        "resize",
                    ],
                ),
                ("layout", &["error", "fit", "links", "map", "placement"]),
                ("lower", &["fit", "lowered", "map", "options"]),
                ("order", &["links", "lower", "map", "placement"]),
                ("emit", &["error", "fit", "op", "schedule"]),
                (
                    "layers",
                    &["cost", "error", "fit", "layout", "lower", "lowered", "map"],
                ),
                ("sample", &["fit", "lower", "lowered", "map"]),
                (
                    "choice",
                    &[
                        "conv", "device", "fit", "layers", "lower", "lowered", "map", "op", "pool",
                        "schedule", "search", "ways",
                    ],
                ),
                (
                    "frame",
                    &[
                        "choice",
                        "error",
                        "fit",
                        "layers",
                        "layout",
                        "links",
                        "lower",
                        "lowered",
                        "map",
                        "order",
                        "placement",
                        "sample",
                        "search",
                    ],
                ),
                (
                    "launch",
                    &[
                        "choice",
                        "device",
                        "error",
                        "fit",
                        "frame",
                        "layers",
                        "lowered",
                        "order",
                        "placement",
                        "pool",
                        "rearrange",
                        "resize",
                        "schedule",
                        "search",
                        "ways",
                    ],
                ),
                (
                    "program",
                    &[
                        "choice", "emit", "error", "fit", "frame", "launch", "layers", "layout",
                        "links", "lower", "order",
                    ],
                ),
                (
                    "compiler",
                    &[
                        "choice",
                        "error",
                        "frame",
                        "launch",
                        "links",
                        "lower",
                        "options",
                        "order",
                        "placement",
                        "program",
                        "sample",
                    ],
                ),
            ],
        ),
    ];

    fn files(dir: &Path, out: &mut Vec<std::path::PathBuf>) {
        if dir.is_file() {
            out.push(dir.to_path_buf());
            return;
        }
        for entry in fs::read_dir(dir).expect("the folder can be read") {
            files(&entry.expect("the folder can be read").path(), out);
        }
    }

    /// The modules that a source names after `crate::`.
    fn imports(source: &str) -> Vec<String> {
        let code = source.lines().filter(|l| !l.trim_start().starts_with("//"));
        code.flat_map(|l| l.split("crate::").skip(1).map(str::to_owned))
            .map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                rest[..end.unwrap_or(rest.len())].to_owned()
            })
            .collect()
    }

    #[test]
    fn modules_import_only_downward() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
        let mut wrong = Vec::new();
        for (name, modules) in LAYERS {
            let src = crates.join(name).join("src");
            for entry in fs::read_dir(&src).expect("src can be read") {
                let path = entry.expect("src can be read").path();
                let stem = path.file_stem().expect("a name").to_string_lossy();
                if stem == "lib" {
                    continue;
                }
                let Some((_, below)) = modules.iter().find(|m| *m.0 == *stem) else {
                    wrong.push(format!("{} has no row in tests/tidy.rs", path.display()));
                    continue;
                };
                let mut sources = Vec::new();
                files(&path, &mut sources);
                for file in sources {
                    let text = fs::read_to_string(&file).unwrap_or_default();
                    for import in imports(&text) {
                        if import != stem && !below.contains(&import.as_str()) {
                            wrong.push(format!("{} imports {import}", file.display()));
                        }
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What a crate does without, also by way of what it depends on.
    const WITHOUT: &[(&str, &[&str])] = &[
        (
            "vta-sim",
            &[
                "clap",
                "indicatif",
                "burn",
                "png",
                "zune-jpeg",
                "roxmltree",
                "vta-verify",
                "vta-net",
                "vta-compile",
                "vta-data",
            ],
        ),
        // A program is held against its network: `vta-net` is there for that.
        ("vta-verify", &["clap", "burn", "vta-sim", "vta-compile"]),
        (
            "vta-compile",
            &["clap", "vta-sim", "vta-verify", "vta-prune"],
        ),
        (
            "vta-prune",
            &["burn", "vta-program", "vta-sim", "vta-compile"],
        ),
    ];

    /// The packages that a package is made of, by Cargo's own account.
    fn packages(of: &str) -> Vec<String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let out = std::process::Command::new(cargo)
            .args([
                "tree",
                "--offline",
                "--locked",
                "-e",
                "normal",
                "--prefix",
                "none",
                "-p",
                of,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo starts");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let text = String::from_utf8(out.stdout).expect("names are ASCII");
        let first = |l: &str| l.split(' ').next().unwrap_or_default().to_owned();
        text.lines().map(first).collect()
    }

    #[test]
    fn crates_do_without_what_they_do_not_need() {
        for (name, without) in WITHOUT {
            let packages = packages(name);
            assert_eq!(packages.first().map(String::as_str), Some(*name));
            let there = |w: &&&str| packages.iter().any(|p| p == **w);
            let there: Vec<_> = without.iter().filter(there).collect();
            assert!(there.is_empty(), "{name} depends on {there:?}");
        }
    }

    #[test]
    fn the_table_has_no_circle() {
        for (name, modules) in LAYERS {
            for (i, (module, below)) in modules.iter().enumerate() {
                for b in *below {
                    let at = modules.iter().position(|l| l.0 == *b);
                    assert!(at.is_some_and(|at| at < i), "{name}: {module} imports {b}");
                }
            }
        }
    }
}
