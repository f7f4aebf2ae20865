//! Texts of configurations.

use vta_program::config::HwConfig;

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let config = match HwConfig::from_json(&text, "fuzz.json") {
        Ok(config) => config,
        Err(e) => {
            assert!(e.to_string().starts_with("configuration fuzz.json"), "{e}");
            return;
        }
    };
    config.check().expect("what is read can be built");
    let again = HwConfig::from_json(&config.to_json(), "fuzz.json");
    assert_eq!(again.as_ref(), Ok(&config));
}
