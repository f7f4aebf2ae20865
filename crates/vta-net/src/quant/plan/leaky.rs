//! Slopes as sums of powers of two.

/// Relative error of a slope with which fewer terms are good enough.
const CLOSE: f64 = 1. / 64.;

/// At most three `k` with the sum of `2^-k` near `alpha`, which is in 0..=1: as
/// few as come within a 64th of it, else the nearest three. Empty for 0.
pub(super) fn powers(alpha: f32) -> Option<Vec<u8>> {
    let alpha = f64::from(alpha);
    if !(0. ..1.).contains(&alpha) {
        return None;
    }
    let mut best = (alpha, Vec::new());
    for terms in 1..=3 {
        if best.0 <= CLOSE * alpha {
            break;
        }
        search(alpha, 0., terms, &mut Vec::new(), &mut best);
    }
    Some(best.1)
}

/// The slope that the device has for one of `alpha`: a sum of powers of two.
/// None where the host does it.
pub fn slope(alpha: f32) -> Option<f32> {
    let powers = powers(alpha)?;
    Some(powers.iter().map(|k| 0.5_f32.powi((*k).into())).sum())
}

/// All falling sums of `terms` further terms; `best` is an error and its powers.
fn search(alpha: f64, sum: f64, terms: u8, powers: &mut Vec<u8>, best: &mut (f64, Vec<u8>)) {
    if terms == 0 {
        let error = (alpha - sum).abs();
        if error < best.0 {
            *best = (error, powers.clone());
        }
        return;
    }
    let first = powers.last().map_or(1, |k| k + 1);
    for k in first..=15 {
        powers.push(k);
        search(alpha, sum + 0.5_f64.powi(k.into()), terms - 1, powers, best);
        powers.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::powers;

    #[test]
    fn few_terms_that_are_near() {
        assert_eq!(powers(0.25), Some(vec![2]));
        assert_eq!(powers(0.75), Some(vec![1, 2]));
        assert_eq!(powers(0.1), Some(vec![4, 5, 7]));
        assert_eq!(powers(0.0), Some(vec![]));
        for alpha in [0.01, 0.02, 0.05, 0.125, 0.2, 0.3, 0.9] {
            let powers = powers(alpha).expect("a slope");
            let sum: f32 = powers.iter().map(|k| 0.5_f32.powi((*k).into())).sum();
            assert!((sum - alpha).abs() < 0.03 * alpha, "{alpha}: {powers:?}");
        }
        for alpha in [-0.1, 1.0, 1.5, f32::NAN] {
            assert_eq!(powers(alpha), None);
        }
    }
}
