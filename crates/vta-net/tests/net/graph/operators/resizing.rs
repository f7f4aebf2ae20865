//! Upsampling.

use super::*;

fn factor(m: &Model) -> [usize; 2] {
    let g = m.graph();
    match only(&g).op {
        Op::Resize { factor } => factor,
        ref other => panic!("{}", other.name()),
    }
}

#[test]
fn all_spellings() {
    let scales = || floats("s", &[4], &[1.0, 1.0, 2.0, 3.0]);
    let old = [("scales", Floats(vec![1.0, 1.0, 2.0, 3.0]))];
    assert_eq!(factor(&single(7, "Upsample", &["x"], &old)), [2, 3]);
    assert_eq!(
        factor(&single(9, "Upsample", &["x", "s"], &[]).init(scales())),
        [2, 3]
    );
    assert_eq!(
        factor(&single(10, "Resize", &["x", "s"], &[]).init(scales())),
        [2, 3]
    );
    assert_eq!(
        factor(&single(13, "Resize", &["x", "", "s"], &[]).init(scales())),
        [2, 3]
    );
    let sizes = ints("n", &[1, 4, 18, 33]);
    let inputs = ["x", "", "", "n"];
    assert_eq!(
        factor(&single(13, "Resize", &inputs, &[]).init(sizes)),
        [2, 3]
    );
    let m = single(18, "Resize", &["x", "", "s"], &[("axes", Ints(vec![3, 2]))]);
    assert_eq!(factor(&m.init(floats("s", &[2], &[3.0, 2.0]))), [2, 3]);
}

#[test]
fn modes_that_do_not_simply_repeat_are_refused() {
    let m = |mode: &'static str, nearest: &'static str| {
        let attrs = [
            ("coordinate_transformation_mode", Text(mode)),
            ("nearest_mode", Text(nearest)),
        ];
        let m = single(13, "Resize", &["x", "", "s"], &attrs);
        m.init(floats("s", &[4], &[1.0, 1.0, 3.0, 3.0]))
            .import()
            .is_ok()
    };
    assert!(m("asymmetric", "floor"));
    assert!(m("half_pixel", "round_prefer_ceil"));
    assert!(!m("asymmetric", "round_prefer_floor"));
    assert!(!m("align_corners", "floor"));
}
