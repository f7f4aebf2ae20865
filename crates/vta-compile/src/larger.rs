//! What of a configuration would have to be larger for something to fit.

use vta_program::config::HwConfig;

/// A size of the hardware by its key, and the next larger one.
type Size = (&'static str, fn(&mut HwConfig));

const UOP: Size = ("UOP_DEPTH", |c| c.uop_depth *= 2);
const INP: Size = ("INP_DEPTH", |c| c.inp_depth *= 2);
const WGT: Size = ("WGT_DEPTH", |c| c.wgt_depth *= 2);
const ACC: Size = ("ACC_DEPTH", |c| c.acc_depth *= 2);
const OUT: Size = ("OUT_DEPTH", |c| c.out_depth *= 2);

/// Sizes that are tried together: first one alone, then what holds the same values.
const TRIED: [&[Size]; 8] = [
    &[INP],
    &[ACC],
    &[OUT],
    &[ACC, OUT],
    &[INP, ACC, OUT],
    &[WGT],
    &[UOP],
    &[INP, WGT, ACC, OUT, UOP],
];

/// The configuration with these sizes one step larger, each as far as it goes.
fn grown(c: &HwConfig, sizes: &[Size]) -> Option<HwConfig> {
    let mut all = c.clone();
    let mut any = false;
    for (_, grow) in sizes {
        let mut one = all.clone();
        grow(&mut one);
        if one.check().is_ok() {
            (all, any) = (one, true);
        }
    }
    any.then_some(all)
}

/// Which sizes would have to be how large, in words.
pub(crate) fn larger(c: &HwConfig, fits: impl Fn(&HwConfig) -> bool) -> String {
    for sizes in TRIED {
        let mut steps: Vec<HwConfig> = vec![];
        while let Some(next) = grown(steps.last().unwrap_or(c), sizes) {
            steps.push(next);
        }
        // If the largest is not enough, none is.
        if !steps.last().is_some_and(&fits) {
            continue;
        }
        if let Some(enough) = steps.iter().find(|c| fits(c)) {
            let keys = [
                "UOP_DEPTH",
                "INP_DEPTH",
                "WGT_DEPTH",
                "ACC_DEPTH",
                "OUT_DEPTH",
            ];
            let all = keys.into_iter().zip(c.depths()).zip(enough.depths());
            let needed = all.filter(|((_, is), needed)| is < needed);
            let needed = needed.map(|((key, is), needed)| format!("{key} {needed}, not {is}"));
            let needed: Vec<String> = needed.collect();
            return format!("it would take {}", needed.join("; "));
        }
    }
    format!("no depths are enough with blocks of {}", c.block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_size_that_is_enough_is_named() {
        let small = HwConfig::built_in("small").expect("built in");
        let said = larger(&small, |c| c.inp_depth >= 1000);
        assert_eq!(said, "it would take INP_DEPTH 1024, not 512");
        let both = larger(&small, |c| c.acc_depth.min(c.out_depth) > 1024);
        assert_eq!(
            both,
            "it would take ACC_DEPTH 2048, not 512; OUT_DEPTH 2048, not 512"
        );
        let none = larger(&small, |c| c.inp_depth > 1 << 20);
        assert_eq!(none, "no depths are enough with blocks of 16");
    }
}
