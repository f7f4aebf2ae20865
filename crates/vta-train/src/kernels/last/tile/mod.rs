//! The inner products of convolutions: some rows of 16 or 32 sums, kept in registers.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

/// Sums of a group; a row of a tile has one or two.
pub(super) const GROUP: usize = 16;

/// Some products of a sum: `k` of them, from `a` and `b` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) k: usize,
}

/// Distances of elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    /// From a row of sums to the next, in `c`.
    pub(super) c: usize,
    /// From a row of sums to the next, in `a`; 1 if `a_k` is not.
    pub(super) a: usize,
    /// From a product to the next, in `a`; 1 if `a` is not.
    pub(super) a_k: usize,
    /// From a product to the next, in `b`.
    pub(super) b_k: usize,
}

/// The products of all sums of a tile.
#[derive(Debug)]
pub(super) struct Stretches {
    list: Vec<Stretch>,
    steps: Steps,
    /// Elements of `a` and `b` that the first row of one group needs.
    reach: [usize; 2],
}

impl Stretches {
    /// Those of a list; what follows directly is joined.
    pub(super) fn new(list: impl IntoIterator<Item = Stretch>, steps: Steps) -> Self {
        assert!(steps.a == 1 || steps.a_k == 1);
        let mut joined: Vec<Stretch> = Vec::new();
        for s in list {
            match joined.last_mut() {
                Some(l) if s.a == l.a + l.k * steps.a_k && s.b == l.b + l.k * steps.b_k => {
                    l.k += s.k;
                }
                _ if s.k > 0 => joined.push(s),
                _ => {}
            }
        }
        let end = |from: fn(&Stretch) -> usize, step: usize| {
            let ends = joined.iter().map(|s| from(s) + (s.k - 1) * step + 1);
            ends.max().unwrap_or(0)
        };
        let reach = [end(|s| s.a, steps.a_k), end(|s| s.b, steps.b_k)];
        Self {
            list: joined,
            steps,
            reach,
        }
    }

    /// A tile of these products, whose bounds the caller has checked.
    fn tile<'a>(
        &'a self,
        c: &mut [f32],
        (a, b): (&[f32], &[f32]),
        rows: usize,
        add: bool,
    ) -> Tile<'a> {
        Tile {
            c: c.as_mut_ptr(),
            a: a.as_ptr(),
            b: b.as_ptr(),
            rows,
            stretches: &self.list,
            steps: self.steps,
            add,
        }
    }

    /// Whether there are no products.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// What a tile needs, the bounds checked: `c[r][j] = sum of a[r][k] b[k][j]`,
/// `+=` if `add`, for `rows` rows and a group or two of `j`.
pub(super) struct Tile<'a> {
    c: *mut f32,
    a: *const f32,
    b: *const f32,
    rows: usize,
    stretches: &'a [Stretch],
    steps: Steps,
    add: bool,
}

/// `c[r][j] = sum of a[r][k] b[k][j]` over all stretches, `+=` if `add`, for
/// `rows` rows and one or two groups of `j`.
///
/// # Panics
/// A slice that is too short: a mistake in the caller.
pub(super) fn product(
    c: &mut [f32],
    (a, b): (&[f32], &[f32]),
    stretches: &Stretches,
    (rows, groups): (usize, usize),
    add: bool,
) {
    let steps = stretches.steps;
    if rows == 0 || (stretches.is_empty() && add) {
        return;
    }
    assert!(groups == 1 || groups == 2);
    assert!((rows - 1) * steps.c + groups * GROUP <= c.len());
    if !stretches.is_empty() {
        assert!((rows - 1) * steps.a + stretches.reach[0] <= a.len());
        assert!(stretches.reach[1] - 1 + groups * GROUP <= b.len());
    }
    let tile = stretches.tile(c, (a, b), rows, add);
    // SAFETY: every element that the stretches and steps reach is in its slice, by
    // the assertions above; `c` is borrowed exclusively; `form` gives a form that
    // this processor has.
    unsafe {
        match (form(), groups) {
            #[cfg(target_arch = "x86_64")]
            (Form::Avx512, 1) => x86::Avx512::all::<1>(tile),
            #[cfg(target_arch = "x86_64")]
            (Form::Avx512, _) => x86::Avx512::all::<2>(tile),
            #[cfg(target_arch = "x86_64")]
            (Form::Avx2, 1) => x86::Avx2::all::<1>(tile),
            #[cfg(target_arch = "x86_64")]
            (Form::Avx2, _) => x86::Avx2::all::<2>(tile),
            (Form::Portable, 1) => portable::all::<1>(tile),
            (Form::Portable, _) => portable::all::<2>(tile),
        }
    }
}

/// Which instructions are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// The fastest form that this processor has.
fn form() -> Form {
    static FORM: OnceLock<Form> = OnceLock::new();
    *FORM.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Form::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Form::Avx2;
            }
        }
        Form::Portable
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 37 + 11) % 64) as f32 - 31.0).collect()
    }

    /// All forms, with whole numbers, against plain loops.
    #[test]
    fn forms_agree() {
        let along = Steps {
            c: 40,
            a: 9,
            a_k: 1,
            b_k: 32,
        };
        let across = Steps {
            c: 32,
            a: 1,
            a_k: 20,
            b_k: 48,
        };
        for steps in [along, across] {
            let list = [(0, 0, 3), (100, 200, 5), (3, 400, 1)];
            let list = list.map(|(a, b, k)| Stretch { a, b, k });
            let stretches = Stretches::new(list, steps);
            let (a, b) = (values(500), values(1000));
            for rows in 1..=19 {
                for (groups, add) in [(1, false), (1, true), (2, false), (2, true)] {
                    let old = values(1000);
                    let mut want = old.clone();
                    for r in 0..rows {
                        for j in 0..groups * GROUP {
                            let c = &mut want[r * steps.c + j];
                            let mut sum = if add { *c } else { 0.0 };
                            for s in &stretches.list {
                                for k in 0..s.k {
                                    sum += a[s.a + r * steps.a + k * steps.a_k]
                                        * b[s.b + k * steps.b_k + j];
                                }
                            }
                            *c = sum;
                        }
                    }
                    let mut got = old.clone();
                    product(&mut got, (&a, &b), &stretches, (rows, groups), add);
                    assert_eq!(got, want, "{rows} {groups} {add}");
                    let mut forms: Vec<unsafe fn(Tile<'_>)> = vec![match groups {
                        1 => portable::all::<1>,
                        _ => portable::all::<2>,
                    }];
                    #[cfg(target_arch = "x86_64")]
                    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                        forms.push(match groups {
                            1 => x86::Avx2::all::<1>,
                            _ => x86::Avx2::all::<2>,
                        });
                    }
                    for form in forms {
                        let mut got = old.clone();
                        let tile = stretches.tile(&mut got, (&a, &b), rows, add);
                        // SAFETY: the same sizes went through `product`; the
                        // processor has the form.
                        unsafe { form(tile) };
                        assert_eq!(got, want, "{rows} {groups} {add}");
                    }
                }
            }
        }
    }
}
