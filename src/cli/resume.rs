//! What is said of a run that cannot go on, in the words of the command line.

use vta::train::Difference;

/// What a run's identity calls what these options say.
const OPTIONS: [(&str, &str); 15] = [
    ("batch", "--batch"),
    ("distillation.every", "--teach-every"),
    ("epochs", "--epochs"),
    ("floor", "--floor"),
    ("layers that stay dense", "--keep-dense"),
    ("learning rate", "--lr"),
    ("method.permutation", "--permute"),
    ("method.recipe", "--method"),
    ("network", "model"),
    ("optimiser", "--optimiser"),
    ("order of channels.seed", "--permute-seed"),
    ("seed", "--seed"),
    ("smoothing", "--smoothing"),
    ("sparsities of layers", "--uniform or --rates"),
    ("unit to weigh by", "--weigh-by"),
];

/// All that differs, by the names of options where there are such.
pub fn differences(all: &[Difference]) -> String {
    let one = |d: &Difference| {
        let option = OPTIONS.iter().find(|o| o.0 == d.name);
        let name = option.map_or(d.name.as_str(), |o| o.1).to_owned();
        Difference { name, ..d.clone() }.to_string()
    };
    all.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vta::train::Identity;

    #[test]
    fn options_are_named() {
        let (mut then, mut now) = (Identity::default(), Identity::default());
        then.put("epochs", 4);
        now.put("epochs", 8);
        then.put_digest("network", ["a"]);
        now.put_digest("network", ["b"]);
        then.put("lengths.ramp", 0.1);
        now.put("lengths.ramp", 0.2);
        assert_eq!(
            differences(&now.differences(&then)),
            "--epochs was 4, is 8; lengths.ramp was 0.1, is 0.2; the model changed"
        );
    }
}
