//! Numbers in JSON: every f32 comes back as it was, infinities too.

/// One number: a JSON number, or a string where JSON has none (`"inf"`).
pub(super) mod number {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }

    pub fn serialize<S: Serializer>(x: &f32, s: S) -> Result<S::Ok, S::Error> {
        if x.is_finite() {
            s.serialize_f32(*x)
        } else {
            s.collect_str(x)
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f32, D::Error> {
        match Either::deserialize(d)? {
            Either::Number(x) => Ok(x as f32),
            Either::Text(t) => t
                .parse()
                .map_err(|_| D::Error::custom(format_args!("{t:?} is not a number"))),
        }
    }
}

/// Many numbers: a string with spaces between.
pub(super) mod numbers {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(all: &[f32], s: S) -> Result<S::Ok, S::Error> {
        let words: Vec<String> = all.iter().map(f32::to_string).collect();
        s.serialize_str(&words.join(" "))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f32>, D::Error> {
        let text = String::deserialize(d)?;
        text.split_ascii_whitespace()
            .map(|w| {
                let word = || D::Error::custom(format_args!("{w:?} is not a number"));
                w.parse().map_err(|_| word())
            })
            .collect()
    }
}
