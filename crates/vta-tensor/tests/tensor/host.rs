//! Host operators: each against its definition, element by element.

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use vta_tensor::Window;
use vta_tensor::host::{DType, HostError, HostOp, Tensor};

fn f32s(dims: &[usize], values: &[f32]) -> Tensor {
    Tensor::F32(ArrayD::from_shape_vec(dims, values.to_vec()).expect("as many values"))
}

fn i8s(dims: &[usize], values: &[i8]) -> Tensor {
    Tensor::I8(ArrayD::from_shape_vec(dims, values.to_vec()).expect("as many values"))
}

/// A tensor of different small values.
fn counted(dims: &[usize]) -> Tensor {
    let n: usize = dims.iter().product();
    f32s(
        dims,
        &(0..n)
            .map(|i| (i as f32 * 7.0) % 31.0 - 11.0)
            .collect::<Vec<_>>(),
    )
}

fn run(op: &HostOp, inputs: &[&Tensor]) -> Tensor {
    let result = op.run(inputs).expect("the operator takes these operands");
    let types: Vec<DType> = inputs.iter().map(|t| t.dtype()).collect();
    let dims: Vec<&[usize]> = inputs.iter().map(|t| t.dims()).collect();
    assert_eq!(op.dtype(&types).expect("it took them"), result.dtype());
    assert_eq!(op.dims(&dims).expect("it took them"), result.dims());
    result
}

#[test]
fn quantising_rounds_halves_away_from_zero_and_saturates() {
    let x = f32s(
        &[9],
        &[
            0.0,
            0.25,
            -0.25,
            0.24,
            0.75,
            63.6,
            -64.3,
            f32::NAN,
            f32::INFINITY,
        ],
    );
    let q = run(&HostOp::Quantize { exponent: -1 }, &[&x]);
    assert_eq!(q, i8s(&[9], &[0, 1, -1, 0, 2, 127, -128, 0, 127]));
    let back = run(&HostOp::Dequantize { exponent: -1 }, &[&q]);
    assert_eq!(
        back,
        f32s(&[9], &[0.0, 0.5, -0.5, 0.0, 1.0, 63.5, -64.0, 0.0, 63.5])
    );
    let tiny = f32s(&[1], &[f32::from_bits(1)]);
    let q = run(&HostOp::Quantize { exponent: -126 }, &[&tiny]);
    assert_eq!(q, i8s(&[1], &[0]));
}

#[test]
fn arithmetic_stretches_as_onnx_does() {
    let x = f32s(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let row = f32s(&[3], &[10.0, 20.0, 30.0]);
    let column = f32s(&[2, 1], &[2.0, 3.0]);
    let sum = run(&HostOp::Add, &[&x, &row]);
    assert_eq!(sum, f32s(&[2, 3], &[11.0, 22.0, 33.0, 14.0, 25.0, 36.0]));
    let product = run(&HostOp::Mul, &[&column, &row]);
    assert_eq!(
        product,
        f32s(&[2, 3], &[20.0, 40.0, 60.0, 30.0, 60.0, 90.0])
    );
    let values = vec![10.0, 20.0, 30.0];
    let dims = vec![1, 3];
    let add = HostOp::AddConst {
        dims: dims.clone(),
        values: values.clone(),
    };
    assert_eq!(run(&add, &[&x]), sum);
    let mul = HostOp::MulConst { dims, values };
    assert_eq!(run(&mul, &[&column]), product);
    let alone = HostOp::AddConst {
        dims: vec![],
        values: vec![1.0],
    };
    assert_eq!(run(&alone, &[&row]), f32s(&[3], &[11.0, 21.0, 31.0]));
}

#[test]
fn activations() {
    let x = f32s(&[4], &[-2.0, -0.5, 0.5, 9.0]);
    let clip = HostOp::Clip {
        min: -1.0,
        max: 6.0,
    };
    assert_eq!(run(&clip, &[&x]), f32s(&[4], &[-1.0, -0.5, 0.5, 6.0]));
    let leaky = HostOp::LeakyRelu { alpha: 0.25 };
    assert_eq!(run(&leaky, &[&x]), f32s(&[4], &[-0.5, -0.125, 0.5, 9.0]));
    let s = run(&HostOp::Sigmoid, &[&f32s(&[3], &[0.0, 100.0, -100.0])]);
    let Tensor::F32(s) = s else { unreachable!() };
    assert_eq!((s[0], s[1]), (0.5, 1.0));
    assert!(s[2] >= 0.0 && s[2] < 1e-40);
    let p = run(
        &HostOp::Softmax { axis: 1 },
        &[&f32s(&[2, 3], &[1.0, 2.0, 3.0, 0.0, 0.0, 1e9])],
    );
    let Tensor::F32(p) = p else { unreachable!() };
    // e^-2, e^-1 and 1 over their sum.
    for (i, expected) in [0.090_030_57, 0.244_728_47, 0.665_240_94, 0.0, 0.0, 1.0]
        .iter()
        .enumerate()
    {
        assert!((p[[i / 3, i % 3]] - expected).abs() < 1e-7);
    }
}

#[test]
fn products_of_matrices() {
    let a = counted(&[2, 1, 3, 4]);
    let b = counted(&[5, 4, 2]);
    let y = run(&HostOp::MatMul, &[&a, &b]);
    let (Tensor::F32(a), Tensor::F32(b), Tensor::F32(y)) = (a, b, y) else {
        unreachable!()
    };
    assert_eq!(y.shape(), [2, 5, 3, 2]);
    for (at, v) in y.indexed_iter() {
        let (p, q, i, j) = (at[0], at[1], at[2], at[3]);
        let sum: f32 = (0..4).map(|k| a[[p, 0, i, k]] * b[[q, k, j]]).sum();
        assert_eq!(*v, sum);
    }
}

#[test]
fn means() {
    let x = f32s(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 6.0]);
    let pool = |count_include_pad| HostOp::AveragePool {
        kernel: [2, 2],
        stride: [2, 2],
        pads: [1, 1, 1, 1],
        dilation: [1, 1],
        count_include_pad,
    };
    assert_eq!(run(&pool(false), &[&x]), x);
    assert_eq!(
        run(&pool(true), &[&x]),
        f32s(&[1, 1, 2, 2], &[0.25, 0.5, 0.75, 1.5])
    );
    let far = HostOp::AveragePool {
        kernel: [1, 1],
        stride: [1, 1],
        pads: [0, 0, 0, 1],
        dilation: [1, 1],
        count_include_pad: false,
    };
    assert_eq!(
        run(&far, &[&x]),
        f32s(&[1, 1, 2, 3], &[1.0, 2.0, 0.0, 3.0, 6.0, 0.0])
    );
    let mean = run(&HostOp::ReduceMean { axes: vec![2, 3] }, &[&x]);
    assert_eq!(mean, f32s(&[1, 1, 1, 1], &[3.0]));
    let mean = run(&HostOp::ReduceMean { axes: vec![2] }, &[&x]);
    assert_eq!(mean, f32s(&[1, 1, 1, 2], &[2.0, 4.0]));
}

#[test]
fn moving_elements() {
    let x = i8s(&[2, 3], &[1, 2, 3, 4, 5, 6]);
    let t = run(&HostOp::Transpose { perm: vec![1, 0] }, &[&x]);
    assert_eq!(t, i8s(&[3, 2], &[1, 4, 2, 5, 3, 6]));
    let r = run(
        &HostOp::Reshape {
            dims: vec![3, 1, 2],
        },
        &[&t],
    );
    assert_eq!(r, i8s(&[3, 1, 2], &[1, 4, 2, 5, 3, 6]));
    let s = HostOp::Slice {
        axis: 1,
        start: 0,
        len: 2,
        step: 2,
    };
    assert_eq!(run(&s, &[&x]), i8s(&[2, 2], &[1, 3, 4, 6]));
    let c = run(
        &HostOp::Concat { axis: 1 },
        &[&x, &i8s(&[2, 1], &[7, 8]), &x],
    );
    assert_eq!(c, i8s(&[2, 7], &[1, 2, 3, 7, 1, 2, 3, 4, 5, 6, 8, 4, 5, 6]));
    let p = HostOp::Pad {
        pads: vec![(0, 1), (1, 0)],
        value: -200.5,
    };
    assert_eq!(
        run(&p, &[&x]),
        i8s(
            &[3, 4],
            &[-128, 1, 2, 3, -128, 4, 5, 6, -128, -128, -128, -128]
        )
    );
    let up = run(
        &HostOp::Resize { factor: [2, 3] },
        &[&i8s(&[1, 2, 1, 2], &[1, 2, 3, 4])],
    );
    assert_eq!(
        up,
        i8s(
            &[1, 2, 2, 6],
            &[
                1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4
            ]
        )
    );
    assert_eq!(run(&HostOp::Copy, &[&up]), up);
}

/// What a window meets at an output: none on padding.
fn met(x: &ArrayD<f32>, c: usize, o: [usize; 2], k: [usize; 2], w: &Window) -> Option<f32> {
    let at = |axis: usize| {
        let i = o[axis] * w.stride[axis] + k[axis] * w.dilation[axis];
        i.checked_sub(w.pads[axis])
            .filter(|i| *i < x.shape()[2 + axis])
    };
    Some(x[[0, c, at(0)?, at(1)?]])
}

fn windows() -> impl Strategy<Value = (Vec<usize>, Window)> {
    let pair = |r: std::ops::Range<usize>| [r.clone(), r];
    let pads = [0..4usize, 0..4, 0..4, 0..4];
    (
        pair(1..5),
        pair(1..4),
        pair(1..4),
        pads,
        1..4usize,
        pair(1..9),
    )
        .prop_filter_map(
            "the window fits",
            |(kernel, stride, dilation, pads, c, size)| {
                let fits =
                    |a: usize| size[a] + pads[a] + pads[a + 2] > (kernel[a] - 1) * dilation[a];
                let window = Window {
                    kernel,
                    stride,
                    dilation,
                    pads,
                };
                (fits(0) && fits(1)).then_some((vec![1, c, size[0], size[1]], window))
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_meet_what_their_definition_says((dims, w) in windows()) {
        let x = counted(&dims);
        let Tensor::F32(a) = &x else { unreachable!() };
        let Window { kernel, stride, dilation, pads } = w;
        let [kh, kw] = kernel;
        let columns = run(&HostOp::Im2col(w), &[&x]);
        let max = run(&HostOp::MaxPool(w), &[&x]);
        let (Tensor::F32(columns), Tensor::F32(max)) = (columns, max) else { unreachable!() };
        let out = |axis: usize| {
            let span = (kernel[axis] - 1) * dilation[axis] + 1;
            (dims[2 + axis] + pads[axis] + pads[axis + 2] - span) / stride[axis] + 1
        };
        prop_assert_eq!(columns.shape(), &[1, dims[1] * kh * kw, out(0), out(1)]);
        for (at, top) in max.indexed_iter() {
            let (c, o) = (at[1], [at[2], at[3]]);
            let mut largest = f32::NEG_INFINITY;
            for k in 0..kh * kw {
                let v = met(a, c, o, [k / kw, k % kw], &w);
                largest = largest.max(v.unwrap_or(f32::NEG_INFINITY));
                prop_assert_eq!(columns[[0, c * kh * kw + k, o[0], o[1]]], v.unwrap_or(0.0));
            }
            prop_assert_eq!(*top, largest);
        }
        let average = |count_include_pad| HostOp::AveragePool { kernel, stride, pads, dilation: [1, 1], count_include_pad };
        if dilation == [1, 1] {
            for all in [false, true] {
                let Tensor::F32(mean) = run(&average(all), &[&x]) else { unreachable!() };
                for (at, v) in mean.indexed_iter() {
                    let all_k = (0..kh * kw).map(|k| [k / kw, k % kw]);
                    let met: Vec<f32> = all_k.filter_map(|k| met(a, at[1], [at[2], at[3]], k, &w)).collect();
                    let n = if all { kh * kw } else { met.len().max(1) };
                    prop_assert_eq!(*v, met.iter().sum::<f32>() / n as f32);
                }
            }
        }
        // The same on int8.
        let small = Tensor::I8(a.mapv(|v| v as i8));
        let Tensor::I8(m) = run(&HostOp::MaxPool(w), &[&small]) else { unreachable!() };
        // Minus infinity becomes -128.
        let same = m.iter().zip(&max).all(|(i, f)| *i == *f as i8);
        prop_assert!(same);
    }

    #[test]
    fn a_constant_survives_json(bits in any::<[u32; 4]>()) {
        let v = bits.map(f32::from_bits);
        prop_assume!(v.iter().all(|v| !v.is_nan()));
        let ops = [
            HostOp::AddConst { dims: vec![4], values: v.to_vec() },
            HostOp::Clip { min: v[0], max: v[1] },
            HostOp::LeakyRelu { alpha: v[2] },
            HostOp::Pad { pads: vec![(1, 2)], value: v[3] },
        ];
        for op in ops {
            let text = serde_json::to_string(&op).unwrap();
            prop_assert_eq!(serde_json::from_str::<HostOp>(&text).unwrap(), op);
        }
    }
}

#[test]
fn infinities_survive_json() {
    let clip = HostOp::Clip {
        min: 0.0,
        max: f32::INFINITY,
    };
    let text = serde_json::to_string(&clip).unwrap();
    assert_eq!(text, r#"{"kind":"clip","min":0.0,"max":"inf"}"#);
    assert_eq!(serde_json::from_str::<HostOp>(&text).unwrap(), clip);
    assert!(serde_json::from_str::<HostOp>(&text.replace("inf", "much")).is_err());
    assert!(serde_json::from_str::<HostOp>(&text.replace("clip", "clap")).is_err());
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = counted(&[1, 2, 3, 3]);
    let matrix = counted(&[2, 3]);
    let q = i8s(&[2], &[1, 2]);
    let window = |kernel, stride, dilation, pads| {
        HostOp::MaxPool(Window {
            kernel,
            stride,
            dilation,
            pads,
        })
    };
    let huge = usize::MAX;
    let wrong: Vec<(HostOp, Vec<&Tensor>)> = vec![
        (HostOp::Quantize { exponent: 0 }, vec![&q]),
        (HostOp::Quantize { exponent: i32::MIN }, vec![&x]),
        (HostOp::Dequantize { exponent: 127 }, vec![&q]),
        (HostOp::Dequantize { exponent: 0 }, vec![&x]),
        (HostOp::Copy, vec![]),
        (HostOp::Copy, vec![&x, &x]),
        (HostOp::Add, vec![&x]),
        (HostOp::Add, vec![&q, &q]),
        (HostOp::Add, vec![&x, &q]),
        (HostOp::Concat { axis: 0 }, vec![&x, &q]),
        (HostOp::Concat { axis: 4 }, vec![&x, &x]),
        (HostOp::Concat { axis: 0 }, vec![]),
        (HostOp::Reshape { dims: vec![17] }, vec![&x]),
        (
            HostOp::Reshape {
                dims: vec![huge, huge],
            },
            vec![&x],
        ),
        (
            HostOp::Transpose {
                perm: vec![0, 1, 2],
            },
            vec![&x],
        ),
        (
            HostOp::Transpose {
                perm: vec![0, 1, 2, 2],
            },
            vec![&x],
        ),
        (
            HostOp::Slice {
                axis: 1,
                start: 1,
                len: 2,
                step: 1,
            },
            vec![&x],
        ),
        (
            HostOp::Slice {
                axis: 1,
                start: huge,
                len: 2,
                step: huge,
            },
            vec![&x],
        ),
        (
            HostOp::Slice {
                axis: 1,
                start: 0,
                len: 0,
                step: 1,
            },
            vec![&x],
        ),
        (
            HostOp::Slice {
                axis: 1,
                start: 0,
                len: 1,
                step: 0,
            },
            vec![&x],
        ),
        (
            HostOp::Slice {
                axis: 9,
                start: 0,
                len: 1,
                step: 1,
            },
            vec![&x],
        ),
        (HostOp::Resize { factor: [0, 1] }, vec![&x]),
        (HostOp::Resize { factor: [huge, 2] }, vec![&x]),
        (
            HostOp::ResizeLinear {
                factor: [0, 1],
                half_pixel: true,
            },
            vec![&x],
        ),
        (
            HostOp::ResizeLinear {
                factor: [2, huge],
                half_pixel: false,
            },
            vec![&x],
        ),
        (
            HostOp::Resize {
                factor: [1 << 20, 1 << 20],
            },
            vec![&x],
        ),
        (
            HostOp::Pad {
                pads: vec![(0, 0)],
                value: 0.0,
            },
            vec![&x],
        ),
        (
            HostOp::Pad {
                pads: vec![(huge, 0); 4],
                value: 0.0,
            },
            vec![&x],
        ),
        (
            HostOp::Pad {
                pads: vec![(1 << 20, 0); 4],
                value: 0.0,
            },
            vec![&x],
        ),
        (HostOp::ReduceMean { axes: vec![4] }, vec![&x]),
        (HostOp::Softmax { axis: 4 }, vec![&x]),
        (HostOp::MatMul, vec![&x, &matrix]),
        (
            HostOp::AddConst {
                dims: vec![2],
                values: vec![1.0],
            },
            vec![&x],
        ),
        (
            HostOp::AddConst {
                dims: vec![0],
                values: vec![],
            },
            vec![&x],
        ),
        (
            HostOp::AddConst {
                dims: vec![2],
                values: vec![1.0, 2.0],
            },
            vec![&x],
        ),
        (window([4, 1], [1, 1], [1, 1], [0; 4]), vec![&x]),
        (window([0, 1], [1, 1], [1, 1], [0; 4]), vec![&x]),
        (window([1, 1], [0, 1], [1, 1], [0; 4]), vec![&x]),
        (window([1, 1], [1, 1], [0, 1], [0; 4]), vec![&x]),
        (window([2, 2], [1, 1], [huge, 1], [0; 4]), vec![&x]),
        (window([2, 2], [1, 1], [1, 1], [huge; 4]), vec![&x]),
        (window([1, 1], [1, 1], [1, 1], [0; 4]), vec![&q]),
        (
            HostOp::Im2col(Window::undilated([huge; 2], [1, 1], [0; 4])),
            vec![&x],
        ),
    ];
    for (op, inputs) in &wrong {
        let error = op.run(inputs).expect_err(&format!("{op:?}"));
        assert!(error.to_string().contains(op.name()), "{error}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let q = i8s(&[2], &[1, 2]);
    let x = f32s(&[2], &[1.0, 2.0]);
    assert_eq!(
        HostOp::Add.run(&[&x, &q]),
        Err(HostError::Type {
            op: "Add",
            operand: 1,
            expected: DType::F32,
            found: DType::I8
        })
    );
    let e = HostOp::Concat { axis: 0 }.run(&[&x, &q]).unwrap_err();
    assert_eq!(e.to_string(), "Concat: operand 0 is f32, operand 1 is i8");
    let e = HostOp::MatMul.dims(&[&[2, 3], &[4, 5]]).unwrap_err();
    assert_eq!(e.to_string(), "MatMul: [2, 3] times [4, 5]");
    let e = HostOp::Softmax { axis: 1 }.dims(&[&[3]]).unwrap_err();
    assert_eq!(e.to_string(), "Softmax: axis 1 of a tensor [3]");
}

#[test]
fn elements_in_another_order_of_memory_are_read_in_theirs() {
    let x = ArrayD::from_shape_vec(IxDyn(&[2, 3]), (0..6).map(|i| i as i8).collect()).unwrap();
    let turned = Tensor::I8(x.reversed_axes());
    let r = run(&HostOp::Reshape { dims: vec![6] }, &[&turned]);
    assert_eq!(r, i8s(&[6], &[0, 3, 1, 4, 2, 5]));
}

/// What a linear upsampling is along an axis: an input has the less of an output, the
/// farther it is from it; the edge has what is beyond it.
fn share(o: usize, i: usize, factor: usize, half_pixel: bool, inputs: usize) -> f64 {
    let at = match half_pixel {
        true => (o as f64 + 0.5) / factor as f64 - 0.5,
        false => o as f64 / factor as f64,
    };
    let of = |i: i64| (1.0 - (at - i as f64).abs()).max(0.0);
    let last = inputs as i64 - 1;
    let all = (-1..=inputs as i64).filter(|j| (*j).clamp(0, last) == i as i64);
    all.map(of).sum()
}

proptest! {
    #[test]
    fn linear_upsampling_is_its_definition(
        (h, w, fy, fx) in (1..5_usize, 1..5_usize, 1..6_usize, 1..6_usize),
        half_pixel in any::<bool>(),
        values in proptest::collection::vec(any::<i8>(), 32),
    ) {
        let (op, values) = (HostOp::ResizeLinear { factor: [fy, fx], half_pixel }, &values[..2 * h * w]);
        let q = i8s(&[1, 2, h, w], values);
        let x = f32s(&[1, 2, h, w], &values.iter().map(|v| f32::from(*v)).collect::<Vec<_>>());
        let (q, x) = (run(&op, &[&q]), run(&op, &[&x]));
        let (q, x) = (q.as_i8().expect("int8"), x.as_f32().expect("float"));
        for (at, y) in x.indexed_iter() {
            let mut want = 0.0;
            for (i, v) in values.iter().enumerate().filter(|(i, _)| i / (h * w) == at[1]) {
                let (iy, ix) = (i / w % h, i % w);
                want += f64::from(*v) * share(at[2], iy, fy, half_pixel, h) * share(at[3], ix, fx, half_pixel, w);
            }
            prop_assert!((f64::from(*y) - want).abs() < 1e-3, "{at:?}: {y}, not {want}");
            // The nearest integer; a half is one up.
            let rounded = (want + 1e-9 + 0.5).floor();
            prop_assert_eq!(f64::from(q[&at]), rounded, "{:?}: {}", at, want);
        }
    }
}
