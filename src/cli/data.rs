//! `vta data`: data sets to train and measure with.

use super::outputs::Outputs;
use super::{CliError, Output, number};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use vta::data::{
    BUILT_IN, Data, DataError, Dataset, Disk, Fault, Fit, Label, OpenOptions, Split, contact_sheet,
    contact_sheet_of_boxes, encode_png, open,
};
use vta::printable::printable;
use vta::program::atomic::write_file;
use vta::report::Table;
use vta::spelling::nearest;

/// Most problems that are printed; JSON has all.
const SHOWN: usize = 10;

/// List the data sets that need no file, or say what is in one
#[derive(Debug, Args)]
pub struct DataArgs {
    /// A set that is built in, or a folder: CIFAR, IDX, Pascal VOC, or a folder of images for each class
    name: Option<String>,
    /// Seed of a set that is built in [default: 1]
    #[arg(long, value_name = "SEED", value_parser = number::long, requires = "name")]
    seed: Option<u64>,
    /// Write a contact sheet of the first images, with boxes drawn, as a PNG file
    #[arg(long, value_name = "FILE", requires = "name")]
    png: Option<PathBuf>,
    /// The split on the contact sheet
    #[arg(long, value_name = "SPLIT", value_parser = ["train", "val", "test"], default_value = "train", requires = "png")]
    split: String,
    /// Images on the contact sheet
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "100", requires = "png")]
    samples: u32,
    /// Images of a row of the contact sheet
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "10", requires = "png")]
    columns: u32,
}

impl DataArgs {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let Some(name) = &self.name else {
            return self.list();
        };
        if self.seed.is_some() && !BUILT_IN.contains(&name.as_str()) {
            let why = format!("on {name}: it is for sets that are built in");
            return Err(CliError::no_effect("--seed", &why));
        }
        let folder = (!BUILT_IN.contains(&name.as_str())).then_some(name.as_ref());
        Outputs::new(&self.png, folder)?;
        let data = self.open(name)?;
        let mut output = match &data {
            Data::Classes(set) => describe(set, "class"),
            Data::Boxes(set) => describe(set, "boxes"),
        };
        if let Some(png) = &self.png {
            let bytes = self.contact_sheet(&data)?;
            write_file(png, &bytes).map_err(|e| CliError::file(png, e))?;
            let png = png.display().to_string();
            output.text += &format!("{}\n", printable(&png));
            output.json["png"] = json!(png);
        }
        Ok(output)
    }

    fn open(&self, name: &str) -> Result<Data, CliError> {
        open_set(name, self.seed.unwrap_or(1))
    }

    fn list(&self) -> Result<Output, CliError> {
        let mut table = Table::new(&["name", "label", "image", "classes", "train", "val", "test"]);
        let mut all = Vec::new();
        for name in BUILT_IN {
            let (json, label) = match self.open(name)? {
                Data::Classes(set) => (as_json(&set), "class"),
                Data::Boxes(set) => (as_json(&set), "boxes"),
            };
            let size = |split: &str| json["splits"][split]["images"].as_u64();
            let dims = json["dims"].to_string().replace(',', ", ");
            let classes = json["classes"].as_array().map_or(0, Vec::len) as u64;
            table.row([
                name.into(),
                label.into(),
                dims.into(),
                classes.into(),
                size("train").into(),
                size("val").into(),
                size("test").into(),
            ]);
            all.push(json);
        }
        Ok(Output::ok(table.to_string(), json!({ "data": all })))
    }

    /// The contact sheet as a PNG file.
    fn contact_sheet(&self, data: &Data) -> Result<Vec<u8>, CliError> {
        let split = Split::ALL.into_iter().find(|s| s.name() == self.split);
        let split = split.unwrap_or(Split::Train);
        let (n, columns) = (self.samples as usize, self.columns as usize);
        let image = match data {
            Data::Classes(set) => {
                let images = set.split(split).iter().map(|s| &s.image);
                contact_sheet(images.take(n), columns)
            }
            Data::Boxes(set) => {
                let samples = set.split(split);
                contact_sheet_of_boxes(&samples[..n.min(samples.len())], columns)
            }
        };
        let bytes = image.and_then(|i| encode_png(&i));
        bytes.map_err(|e| CliError::new("data", e))
    }
}

/// A set by its name.
///
/// # Errors
/// No such set, with the name that may have been meant; what its reader says.
pub fn open_set(name: &str, seed: u64) -> Result<Data, CliError> {
    open_with(
        name,
        &OpenOptions {
            seed,
            ..OpenOptions::default()
        },
    )
}

/// As [`open_set`], with all options.
pub fn open_with(name: &str, options: &OpenOptions) -> Result<Data, CliError> {
    let _span = tracing::info_span!("data", name).entered();
    open(&Disk, name, options).map_err(|e| {
        let unknown = matches!(e.fault, Fault::Unknown(_));
        let error = CliError::from(e);
        if !unknown {
            return error;
        }
        let sets = BUILT_IN.join(", ");
        error.help(match nearest(name, BUILT_IN) {
            Some(near) => format!("did you mean {near}? Built in are {sets}"),
            None => format!("built in are {sets}"),
        })
    })
}

/// What is in a set.
fn describe<L: Label>(set: &Dataset<L>, label: &str) -> Output {
    let size = match set.dims() {
        Some([c, h, w]) => format!("images [{c}, {h}, {w}]"),
        None => "images of several sizes".into(),
    };
    let mut text = format!("{}: {size} with {label}\n", printable(&set.name));
    let mut table = Table::new(&["class", "train", "val", "test"]);
    let counts = Split::ALL.map(|s| set.counts(s));
    for (i, class) in set.classes.iter().enumerate() {
        let [train, val, test] = [0, 1, 2].map(|s: usize| counts[s][i] as u64);
        table.row([class.as_str().into(), train.into(), val.into(), test.into()]);
    }
    let [train, val, test] = Split::ALL.map(|s| set.split(s).len() as u64);
    table.row(["images".into(), train.into(), val.into(), test.into()]);
    text += &table.to_string();
    for problem in set.repaired.iter().take(SHOWN) {
        text += &format!("repaired: {}\n", printable(&problem.to_string()));
    }
    if let Some(more) = set.repaired.len().checked_sub(SHOWN).filter(|n| *n > 0) {
        text += &format!("repaired: and {more} more\n");
    }
    let mut json = as_json(set);
    json["label"] = json!(label);
    Output::ok(text, json)
}

fn as_json<L: Label>(set: &Dataset<L>) -> Value {
    let mut splits = json!({});
    for split in Split::ALL {
        let images = set.split(split).len();
        splits[split.name()] = json!({ "images": images, "counts": set.counts(split) });
    }
    let repaired: Vec<String> = set.repaired.iter().map(DataError::to_string).collect();
    json!({
        "name": set.name, "classes": set.classes, "dims": set.dims(),
        "splits": splits, "repaired": repaired,
    })
}

/// What frames around images are filled with: 0 once they are floats.
const FILL: u8 = 128;

/// A set by name, with images of the size that is wanted.
///
/// # Errors
/// A set that cannot be read.
pub fn open_sized(name: &str, size: Option<[usize; 2]>) -> Result<Data, CliError> {
    let fit = match size {
        Some([h, w]) => Fit::Letterbox(h, w, FILL),
        None => Fit::Exact,
    };
    let options = OpenOptions {
        fit,
        ..OpenOptions::default()
    };
    open_with(name, &options)
}
