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
