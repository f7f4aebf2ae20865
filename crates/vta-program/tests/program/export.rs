//! Raw DRAM images of a program's launches.

use serde_json::{Value, json};
use std::convert::Infallible;
use std::fs;
use vta_program::config::HwConfig;
use vta_program::program::export::{ExportError, export_images};
use vta_test_support::programs::two_launches;

#[test]
fn each_launch_is_a_folder_with_the_image_before_it() {
    let program = two_launches();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let names = export_images(&program, &out, |k, _| {
        let mut image = program.dram_image();
        image[12000] = k as u8;
        Ok::<_, Infallible>(image)
    });
    assert_eq!(names.unwrap(), ["00-first", "01-second"]);
    let second = out.join("01-second");
    assert_eq!(fs::read(second.join("dram.bin")).unwrap()[12000], 1);
    let launch: Value =
        serde_json::from_slice(&fs::read(second.join("launch.json")).unwrap()).unwrap();
    let want = json!({
        "name": "second", "insn_addr": 4128, "insn_count": 2, "config": "de10", "outputs": [[8192, 64]],
    });
    assert_eq!(launch, want);
    let config = HwConfig::load(second.join("config.json").to_str().unwrap()).unwrap();
    assert_eq!(
        HwConfig {
            name: "de10".into(),
            ..config
        },
        program.config
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_configuration_of_ones_own_is_written_in_full() {
    let mut program = two_launches();
    program.config.name = "mine.json".into();
    program.config.mem_delay = 99;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    export_images(&program, &out, |_, _| {
        Ok::<_, Infallible>(program.dram_image())
    })
    .unwrap();
    let launch: Value =
        serde_json::from_slice(&fs::read(out.join("00-first/launch.json")).unwrap()).unwrap();
    assert_eq!(launch["config"]["MEM_DELAY"], 99);
}

#[test]
fn nothing_is_left_when_an_image_fails_or_the_folder_is_in_use() {
    let program = two_launches();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let r = export_images(&program, &out, |k, _| match k {
        0 => Ok(program.dram_image()),
        _ => Err("no"),
    });
    assert!(matches!(r, Err(ExportError::Image { source: "no", .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "").unwrap();
    let r = export_images(&program, &out, |_, _| {
        Ok::<_, Infallible>(program.dram_image())
    });
    assert!(matches!(r, Err(ExportError::Io { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
