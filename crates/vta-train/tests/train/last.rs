//! Operators for maps with channels last against those with channels first.

use crate::operators::{Case, run};
use crate::values::{distance, random, tensor};
use burn_tensor::Tensor;
use burn_tensor::backend::AutodiffBackend;
use vta_net::graph::Window;
use vta_train::backend::{Cpu, CpuGrad, Kernels, floats};
use vta_train::kernels::conv::{self, Geometry};
use vta_train::kernels::last::{
    Blocks, fits, fits_input_gradient, forward, input_gradient, to_first, to_last, weight_gradient,
};

fn case(x: [usize; 4], co: usize, window: Window) -> Case {
    let [kh, kw] = window.kernel;
    Case {
        x,
        weight: [co, x[1], kh, kw],
        window,
        groups: 1,
    }
}

/// Shapes with one group and two, with blocks that are not full, with strides,
/// dilation, padding of all kinds, and rows of all lengths.
fn cases() -> Vec<Case> {
    let odd = Window {
        kernel: [3, 2],
        stride: [2, 1],
        dilation: [1, 2],
        pads: [1, 2, 0, 1],
    };
    let wide = Window {
        dilation: [2, 2],
        ..Window::square(3, 1, 2)
    };
    vec![
        case([3, 32, 9, 9], 32, Window::square(3, 1, 1)),
        case([2, 3, 17, 16], 32, Window::square(3, 1, 1)),
        case([9, 64, 8, 8], 96, Window::square(3, 1, 1)),
        case([2, 48, 8, 7], 80, Window::square(3, 2, 1)),
        case([2, 16, 7, 8], 16, Window::square(3, 2, 1)),
        case([3, 32, 8, 8], 64, Window::square(1, 2, 0)),
        case([3, 32, 5, 7], 64, Window::square(1, 1, 0)),
        case([2, 32, 11, 9], 32, wide),
        case([2, 16, 12, 10], 48, Window::square(5, 1, 0)),
        case([2, 32, 9, 8], 48, odd),
        case([2, 16, 4, 4], 16, Window::square(3, 1, 5)),
        case([2, 20, 6, 6], 16, Window::square(3, 3, 1)),
        case([2, 32, 6, 6], 20, Window::square(3, 1, 1)),
    ]
}

fn geometry(c: &Case) -> Geometry {
    Geometry::new(c.x, c.weight, c.window, 1).expect("the case fits")
}

/// Result and gradients, through both orders.
fn both<A: AutodiffBackend + Kernels>(c: &Case) -> [[Vec<f32>; 4]; 2] {
    let last = run::<A>(c, |(x, w, b), c| {
        A::to_first(A::conv_last(A::to_last(x), w, Some(b), &c.window, None))
    });
    let first = run::<A>(c, |(x, w, b), c| A::conv(x, w, Some(b), &c.window, 1));
    [last, first]
}

#[test]
fn convolutions_agree_with_channels_first() {
    for (i, c) in cases().iter().enumerate() {
        let [last, first] = both::<CpuGrad>(c);
        for (what, (a, b)) in ["y", "dx", "dw", "db"].iter().zip(last.iter().zip(&first)) {
            let d = distance(a, b);
            assert!(d < 1e-4, "case {i}, {what}: {d}");
        }
    }
}

/// A third of the blocks of a weight gone, by a rule without order.
fn some(c: &Case) -> Vec<f32> {
    let [co, ci, kh, kw] = c.weight;
    let mut w = random(co * ci * kh * kw, 2);
    for (i, w) in w.iter_mut().enumerate() {
        let (o, rest) = (i / (ci * kh * kw), i % (ci * kh * kw));
        let (i, at) = (rest / (kh * kw), rest % (kh * kw));
        if (o / 32 * 5 + i / 32 * 7 + at).is_multiple_of(3) {
            *w = 0.0;
        }
    }
    w
}

#[test]
fn blocks_that_are_gone_change_nothing_and_have_no_gradient() {
    for c in cases() {
        let g = geometry(&c);
        if !fits(&g) {
            continue;
        }
        let x = random(c.x.iter().product(), 1);
        let w = some(&c);
        let r = random(g.n * g.co * g.out_plane(), 3);
        let x_last = to_last(&x, g.ci, g.in_plane());
        let r_last = to_last(&r, g.co, g.out_plane());
        let y = to_first(&forward(&g, &x_last, &w, None), g.co, g.out_plane());
        assert!(distance(&y, &conv::forward(&g, &x, &w, None)) < 1e-4);
        if fits_input_gradient(&g) {
            let dx = input_gradient(&g, &r_last, &w);
            let dx = to_first(&dx, g.ci, g.in_plane());
            let want = vta_train::kernels::input_gradient(&g, &r, &w);
            assert!(distance(&dx, &want) < 1e-4);
        }
        let taken = Blocks::of(c.weight, &w);
        let [all, some] = taken.count();
        assert!(some < all);
        let dw = weight_gradient(&g, &x_last, &r_last, &taken);
        let mut want = vta_train::kernels::weight_gradient(&g, &x, &r);
        for (d, w) in want.iter_mut().zip(&w) {
            // The rule makes whole blocks zero, and no value is zero by chance.
            *d = if *w == 0.0 { 0.0 } else { *d };
        }
        assert!(distance(&dw, &want) < 1e-4);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for c in cases() {
        let g = geometry(&c);
        if !fits_input_gradient(&g) {
            continue;
        }
        let x = random(c.x.iter().product(), 1);
        let w = some(&c);
        let r = random(g.n * g.co * g.out_plane(), 3);
        let taken = Blocks::all(c.weight);
        let all = || {
            let y = forward(&g, &x, &w, None);
            [
                y,
                input_gradient(&g, &r, &w),
                weight_gradient(&g, &x, &r, &taken)[..].into(),
            ]
        };
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let all = pool.expect("threads start").install(all);
            all.map(|v| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
        };
        let one = bits(1);
        for threads in [2, 3, 7] {
            assert_eq!(bits(threads), one);
        }
    }
}

#[test]
fn normalisations_agree_with_channels_first() {
    for (dims, residual, relu) in [
        ([4, 5, 7, 3], false, false),
        ([3, 32, 8, 8], false, true),
        ([3, 32, 5, 5], true, true),
        ([6, 3, 1, 1], true, false),
        ([2, 700, 3, 3], true, true),
    ] {
        let last = crate::operators::run_norm::<CpuGrad>((dims, residual), |(x, g, b, r)| {
            let r = r.map(CpuGrad::to_last);
            let n = CpuGrad::batch_norm_last(CpuGrad::to_last(x), (g, b), r, relu, 1e-5);
            CpuGrad::to_first(n.y)
        });
        let first = crate::operators::run_own_norm::<CpuGrad>((dims, residual, relu));
        for (i, (a, b)) in last.iter().zip(&first).enumerate() {
            let d = distance(a, b);
            assert!(d < 1e-4, "{dims:?}, {i}: {d}");
        }
        let x = tensor::<Cpu, 4>(random(dims.iter().product(), 1), dims);
        let ones = || Tensor::<Cpu, 1>::ones([dims[1]], &Default::default());
        let first = Cpu::batch_norm(x.clone(), (ones(), ones()), None, relu, 1e-5);
        let last = Cpu::batch_norm_last(Cpu::to_last(x), (ones(), ones()), None, relu, 1e-5);
        assert!(distance(&first.mean, &last.mean) < 1e-5);
        assert!(distance(&first.var, &last.var) < 1e-5);
        assert!(distance(&floats(first.y), &floats(Cpu::to_first(last.y))) < 1e-4);
    }
}

#[test]
fn orders_are_permutations() {
    let x = tensor::<Cpu, 4>(random(2 * 3 * 4 * 5, 1), [2, 3, 4, 5]);
    let last = Cpu::to_last(x.clone());
    assert_eq!(last.dims(), [2, 4, 5, 3]);
    assert_eq!(
        floats(last.clone()),
        floats(x.clone().permute([0, 2, 3, 1]))
    );
    assert_eq!(floats(Cpu::to_first(last)), floats(x));
}
