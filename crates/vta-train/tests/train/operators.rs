//! Our operators against burn's and against finite differences.

use crate::values::{distance, random, tensor};
use burn_tensor::backend::AutodiffBackend;
use burn_tensor::ops::ConvOptions;
use burn_tensor::{Tensor, activation, module};
use vta_net::graph::Window;
use vta_train::backend::{Cpu, CpuGrad, Kernels, floats};
use vta_train::kernels::conv::{Geometry, forward};
use vta_train::kernels::fake::Grid;
use vta_train::kernels::{input_gradient, weight_gradient};

pub struct Case {
    pub x: [usize; 4],
    pub weight: [usize; 4],
    pub window: Window,
    pub groups: usize,
}

fn case(x: [usize; 4], weight: [usize; 4], window: Window, groups: usize) -> Case {
    Case {
        x,
        weight,
        window,
        groups,
    }
}

fn wide(mut window: Window, dilation: [usize; 2]) -> Window {
    window.dilation = dilation;
    window
}

/// Shapes that take all roads through the kernels.
pub fn cases() -> Vec<Case> {
    let odd = Window {
        kernel: [3, 2],
        stride: [2, 1],
        dilation: [1, 2],
        pads: [1, 2, 0, 1],
    };
    vec![
        case([3, 4, 9, 9], [5, 4, 3, 3], Window::square(3, 1, 1), 1),
        case([2, 4, 32, 32], [6, 4, 3, 3], Window::square(3, 1, 1), 1),
        case([5, 3, 8, 8], [4, 3, 3, 3], Window::square(3, 2, 1), 1),
        case([70, 3, 6, 6], [4, 3, 3, 3], Window::square(3, 2, 1), 1),
        case([3, 6, 7, 5], [8, 6, 1, 1], Window::square(1, 1, 0), 1),
        case([2, 6, 40, 20], [8, 6, 1, 1], Window::square(1, 1, 0), 1),
        case([3, 6, 7, 7], [8, 6, 1, 1], Window::square(1, 2, 0), 1),
        case(
            [2, 4, 11, 9],
            [4, 4, 3, 3],
            wide(Window::square(3, 1, 2), [2, 2]),
            1,
        ),
        case([2, 6, 9, 9], [4, 3, 3, 3], Window::square(3, 1, 1), 2),
        case([2, 6, 9, 9], [6, 1, 3, 3], Window::square(3, 2, 1), 6),
        case([2, 4, 9, 9], [8, 1, 3, 3], Window::square(3, 1, 1), 4),
        case([2, 3, 12, 10], [4, 3, 5, 5], Window::square(5, 1, 0), 1),
        case([2, 3, 9, 8], [4, 3, 3, 2], odd, 1),
        case([2, 2, 4, 4], [3, 2, 3, 3], Window::square(3, 1, 5), 1),
    ]
}

/// With symmetric padding burn can do it itself; else it pads first.
fn burns((x, weight, bias): Operands<CpuGrad>, c: &Case) -> Tensor<CpuGrad, 4> {
    let [top, left, bottom, right] = c.window.pads;
    let mode = burn_tensor::ops::PadMode::Constant(0.0);
    let x = x.pad((left, right, top, bottom), mode);
    let options = ConvOptions::new(c.window.stride, [0, 0], c.window.dilation, c.groups);
    module::conv2d(x, weight, Some(bias), options)
}

/// `x [n, ci, h, w]`, weight, bias.
type Operands<A> = (Tensor<A, 4>, Tensor<A, 4>, Tensor<A, 1>);

/// Result and gradients of `x`, weight and bias, for a loss that weighs each result differently.
pub fn run<A: AutodiffBackend>(
    c: &Case,
    conv: impl Fn(Operands<A>, &Case) -> Tensor<A, 4>,
) -> [Vec<f32>; 4] {
    let elements = |d: &[usize]| d.iter().product::<usize>();
    let x = tensor::<A, 4>(random(elements(&c.x), 1), c.x).require_grad();
    let w = tensor::<A, 4>(random(elements(&c.weight), 2), c.weight).require_grad();
    let b = tensor::<A, 1>(random(c.weight[0], 3), [c.weight[0]]).require_grad();
    let y = conv((x.clone(), w.clone(), b.clone()), c);
    let dims = y.dims();
    let loss = (y.clone() * tensor(random(elements(&dims), 4), dims)).sum();
    let grads = loss.backward();
    [
        floats(y),
        floats(x.grad(&grads).expect("x has a gradient")),
        floats(w.grad(&grads).expect("the weight has a gradient")),
        floats(b.grad(&grads).expect("the bias has a gradient")),
    ]
}

/// As [`run`], by the backend's own convolution.
pub fn run_own<A: AutodiffBackend + Kernels>(c: &Case) -> [Vec<f32>; 4] {
    run::<A>(c, |(x, w, b), c| {
        A::conv(x, w, Some(b), &c.window, c.groups)
    })
}

#[test]
fn convolutions_agree_with_burns() {
    for (i, c) in cases().iter().enumerate() {
        let ours = run_own::<CpuGrad>(c);
        let theirs = run(c, burns);
        for (what, (a, b)) in ["y", "dx", "dw", "db"].iter().zip(ours.iter().zip(&theirs)) {
            let d = distance(a, b);
            assert!(d < 1e-4, "case {i}, {what}: {d}");
        }
    }
}

/// `<conv(x, w), r>` in double precision from single precision results.
fn loss(g: &Geometry, x: &[f32], w: &[f32], r: &[f32]) -> f64 {
    let y = forward(g, x, w, None);
    y.iter()
        .zip(r)
        .map(|(y, r)| f64::from(*y) * f64::from(*r))
        .sum()
}

#[test]
fn gradients_of_convolutions_are_finite_differences() {
    for (i, c) in cases().iter().enumerate() {
        let g = Geometry::new(c.x, c.weight, c.window, c.groups).expect("the case fits");
        let mut x = random(c.x.iter().product(), 1);
        let mut w = random(c.weight.iter().product(), 2);
        let r = random(g.n * g.co * g.output[0] * g.output[1], 3);
        let (dx, dw) = (input_gradient(&g, &r, &w), weight_gradient(&g, &x, &r));
        // The loss is linear in each: any step will do, powers of two are exact.
        for at in (0..x.len()).step_by(x.len() / 7 + 1) {
            let old = x[at];
            x[at] = old + 0.5;
            let up = loss(&g, &x, &w, &r);
            x[at] = old - 0.5;
            let slope = up - loss(&g, &x, &w, &r);
            x[at] = old;
            assert!(
                (slope - f64::from(dx[at])).abs() < 1e-3,
                "case {i}, x[{at}]: {slope} {}",
                dx[at]
            );
        }
        for at in (0..w.len()).step_by(w.len() / 7 + 1) {
            let old = w[at];
            w[at] = old + 0.5;
            let up = loss(&g, &x, &w, &r);
            w[at] = old - 0.5;
            let slope = up - loss(&g, &x, &w, &r);
            w[at] = old;
            let bound = 1e-4 * (1.0 + f64::from(dw[at]).abs()) * (r.len() as f64).sqrt();
            assert!(
                (slope - f64::from(dw[at])).abs() < bound,
                "case {i}, w[{at}]: {slope} {}",
                dw[at]
            );
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for c in cases() {
        let g = Geometry::new(c.x, c.weight, c.window, c.groups).expect("the case fits");
        let x = random(c.x.iter().product(), 1);
        let w = random(c.weight.iter().product(), 2);
        let r = random(g.n * g.co * g.output[0] * g.output[1], 3);
        let all = || {
            let y = forward(&g, &x, &w, None);
            [y, input_gradient(&g, &r, &w), weight_gradient(&g, &x, &r)]
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

/// Batch normalisation in burn's operators.
fn norm_by_burn(
    x: Tensor<CpuGrad, 4>,
    gamma: Tensor<CpuGrad, 1>,
    beta: Tensor<CpuGrad, 1>,
    residual: Option<Tensor<CpuGrad, 4>>,
    relu: bool,
) -> Tensor<CpuGrad, 4> {
    let c = gamma.dims()[0];
    let mean_of = |t: Tensor<CpuGrad, 4>| t.mean_dim(0).mean_dim(2).mean_dim(3);
    let centred = x.clone() - mean_of(x);
    let var = mean_of(centred.clone().square());
    let y =
        centred / (var + 1e-5).sqrt() * gamma.reshape([1, c, 1, 1]) + beta.reshape([1, c, 1, 1]);
    let y = match residual {
        Some(r) => y + r,
        None => y,
    };
    if relu { activation::relu(y) } else { y }
}

/// Sizes, whether there is a second operand, whether ReLU follows.
pub const NORMS: [([usize; 4], bool, bool); 4] = [
    ([4, 5, 7, 3], false, false),
    ([3, 5, 8, 8], false, true),
    ([3, 2, 5, 5], true, true),
    ([6, 3, 1, 1], true, false),
];

/// `x [n, c, h, w]`, gamma, beta, the second operand.
type Normal<A> = (
    Tensor<A, 4>,
    Tensor<A, 1>,
    Tensor<A, 1>,
    Option<Tensor<A, 4>>,
);

/// Result and gradients of a normalisation.
pub fn run_norm<A: AutodiffBackend>(
    (dims, residual): ([usize; 4], bool),
    norm: impl Fn(Normal<A>) -> Tensor<A, 4>,
) -> Vec<Vec<f32>> {
    let n: usize = dims.iter().product();
    let x = tensor::<A, 4>(random(n, 1), dims).require_grad();
    let g = tensor::<A, 1>(random(dims[1], 2), [dims[1]]).require_grad();
    let b = tensor::<A, 1>(random(dims[1], 3), [dims[1]]).require_grad();
    let r = residual.then(|| tensor::<A, 4>(random(n, 4), dims).require_grad());
    let y = norm((x.clone(), g.clone(), b.clone(), r.clone()));
    let grads = (y.clone() * tensor(random(n, 5), dims)).sum().backward();
    let mut all = vec![
        floats(y),
        floats(x.grad(&grads).expect("a gradient")),
        floats(g.grad(&grads).expect("a gradient")),
        floats(b.grad(&grads).expect("a gradient")),
    ];
    all.extend(r.map(|r| floats(r.grad(&grads).expect("a gradient"))));
    all
}

/// As [`run_norm`], by the backend's own normalisation.
pub fn run_own_norm<A: AutodiffBackend + Kernels>(
    (dims, residual, relu): ([usize; 4], bool, bool),
) -> Vec<Vec<f32>> {
    run_norm::<A>((dims, residual), |(x, g, b, r)| {
        A::batch_norm(x, (g, b), r, relu, 1e-5).y
    })
}

#[test]
fn normalisations_agree_with_burns() {
    for (dims, residual, relu) in NORMS {
        let ours = run_own_norm::<CpuGrad>((dims, residual, relu));
        let theirs = run_norm((dims, residual), |(x, g, b, r)| {
            norm_by_burn(x, g, b, r, relu)
        });
        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            let d = distance(a, b);
            assert!(d < 1e-4, "{dims:?}, {i}: {d}");
        }
    }
}

#[test]
fn gradients_of_normalisations_are_finite_differences() {
    let dims = [3, 2, 4, 4];
    let n: usize = dims.iter().product();
    let (mut x, r) = (random(n, 1), random(n, 2));
    let affine = || {
        (
            tensor([1.5, -0.7].into(), [2]),
            tensor([0.1, 0.2].into(), [2]),
        )
    };
    let value = |x: &[f32]| -> f64 {
        let y = Cpu::batch_norm(tensor(x.to_vec(), dims), affine(), None, true, 1e-5).y;
        floats(y)
            .iter()
            .zip(&r)
            .map(|(y, r)| f64::from(y * r))
            .sum()
    };
    let leaf = tensor::<CpuGrad, 4>(x.clone(), dims).require_grad();
    let affine_ = (
        tensor([1.5, -0.7].into(), [2]),
        tensor([0.1, 0.2].into(), [2]),
    );
    let y = CpuGrad::batch_norm(leaf.clone(), affine_, None, true, 1e-5).y;
    let grads = (y * tensor(r.clone(), dims)).sum().backward();
    let dx = floats(leaf.grad(&grads).expect("a gradient"));
    let h = 1.0 / 1024.0;
    for at in 0..n {
        let old = x[at];
        x[at] = old + h;
        let up = value(&x);
        x[at] = old - h;
        let slope = (up - value(&x)) / f64::from(2.0 * h);
        x[at] = old;
        assert!(
            (slope - f64::from(dx[at])).abs() < 2e-2,
            "{at}: {slope} {}",
            dx[at]
        );
    }
}

#[test]
fn rounding_passes_gradients_inside_the_grid() {
    let x = [
        -3.0f32, -1.125, -0.375, -0.125, 0.1, 0.124, 0.125, 0.374, 0.375, 31.7, 32.0, 40.0,
    ];
    let grids = [Grid::result(-2)];
    let leaf = tensor::<CpuGrad, 1>(x.to_vec(), [x.len()]).require_grad();
    let y = CpuGrad::fake_quantise(leaf.clone(), &grids);
    // Halves go up.
    let want = [
        -3.0, -1.0, -0.25, 0.0, 0.0, 0.0, 0.25, 0.25, 0.5, 31.75, 31.75, 31.75,
    ];
    assert_eq!(floats(y.clone()), want);
    let dx = floats(leaf.grad(&y.sum().backward()).expect("a gradient"));
    let inside = x.map(|x| if x <= 31.75 { 1.0 } else { 0.0 });
    assert_eq!(dx, inside);
    // Weights: halves go away from zero, and a grid for each half of the values.
    let w = tensor::<Cpu, 1>(vec![-0.125, 0.125, -0.25, 0.75], [4]);
    let y = floats(Cpu::fake_quantise(w, &[Grid::weight(-2), Grid::weight(-1)]));
    assert_eq!(y, [-0.25, 0.25, -0.5, 1.0]);
}
