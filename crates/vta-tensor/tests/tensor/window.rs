//! Windows against their definition: an output meets a kernel position at
//! `o * stride + k * dilation - before`, and what lies outside is padding.

use proptest::prelude::*;
use vta_tensor::{Axis, Window};

fn axes() -> impl Strategy<Value = (Axis, usize)> {
    let axis = (1..5usize, 1..4usize, 1..4usize, 0..6usize, 0..6usize);
    (axis, 1..12usize).prop_map(|((kernel, stride, dilation, before, after), inputs)| {
        let axis = Axis {
            kernel,
            stride,
            dilation,
            before,
            after,
        };
        (axis, inputs)
    })
}

/// What kernel position `k` of output `o` meets, by definition.
fn met(a: &Axis, o: usize, k: usize, inputs: usize) -> Option<usize> {
    let at = (o * a.stride + k * a.dilation) as isize - a.before as isize;
    (0..inputs as isize).contains(&at).then_some(at as usize)
}

/// The outputs whose last kernel position lies in the padded input, counted one by one.
fn counted(a: &Axis, inputs: usize) -> usize {
    let padded = inputs + a.before + a.after;
    (0..)
        .take_while(|o| o * a.stride + (a.kernel - 1) * a.dilation < padded)
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_axis_is_as_defined((a, inputs) in axes()) {
        let outputs = counted(&a, inputs);
        prop_assert_eq!(a.outputs(inputs), Some(outputs).filter(|n| *n > 0));
        for k in 0..a.kernel {
            let of_k: Vec<usize> = a.outputs_met(k, inputs, outputs).collect();
            let want: Vec<usize> = (0..outputs).filter(|o| met(&a, *o, k, inputs).is_some()).collect();
            prop_assert_eq!(of_k, want);
        }
        let reads = |o: usize| (0..a.kernel).filter_map(move |k| met(&a, o, k, inputs));
        for o in 0..outputs {
            prop_assert!(a.inputs_read(o, inputs).eq(reads(o)));
        }
        let on_padding = (0..outputs).find(|o| reads(*o).next().is_none());
        prop_assert_eq!(a.output_on_padding(inputs, outputs), on_padding);
    }

    #[test]
    fn ceil_mode_adds_a_window_that_starts_inside((a, inputs) in axes()) {
        let window = |a: Axis| Window {
            kernel: [a.kernel; 2],
            stride: [a.stride; 2],
            dilation: [a.dilation; 2],
            pads: [a.before, a.before, a.after, a.after],
        };
        let plain = window(a);
        let Some([floor, _]) = plain.output(inputs, inputs) else { return Ok(()) };
        let ceil = plain.ceil_mode([inputs; 2]);
        let Some([n, _]) = ceil.output(inputs, inputs) else { unreachable!() };
        // One more where a window begins in the input or before it and ends behind the padding.
        let left = counted(&a, inputs) * a.stride < inputs + a.before
            && (inputs + a.before + a.after - ((a.kernel - 1) * a.dilation + 1)) % a.stride != 0;
        // Padding at the end can be so large that even the last whole window starts in it.
        if (floor - 1) * a.stride < inputs + a.before {
            prop_assert_eq!(n, floor + usize::from(left));
        } else {
            prop_assert_eq!(ceil, plain);
        }
        prop_assert_eq!(ceil.pads[..2].to_vec(), plain.pads[..2].to_vec());
    }

    #[test]
    fn same_padding_makes_an_output_for_each_stride((a, inputs) in axes(), upper: bool) {
        let window = Window {
            kernel: [a.kernel; 2],
            stride: [a.stride; 2],
            dilation: [a.dilation; 2],
            pads: [0; 4],
        };
        let same = window.same([inputs; 2], upper);
        let count = inputs.div_ceil(a.stride);
        let got = same.output(inputs, inputs).map(|[h, _]| h);
        // A stride beyond the kernel can leave inputs behind the last window.
        prop_assert_eq!(got.map(|n| n.min(count)), Some(count));
        prop_assert_eq!(same.pads[0].abs_diff(same.pads[2]) <= 1, true);
        prop_assert_eq!(same.pads[0] > same.pads[2] && upper, false);
    }
}

#[test]
fn no_window_fits() {
    let three = Window::square(3, 1, 0);
    assert_eq!(three.output(3, 5), Some([1, 3]));
    assert_eq!(three.output(2, 5), None);
    assert_eq!(Window::square(0, 1, 0).output(4, 4), None);
    assert_eq!(Window::square(1, 0, 0).output(4, 4), None);
    let undilated = Window {
        dilation: [0, 1],
        ..Window::POINT
    };
    assert_eq!(undilated.output(4, 4), None);
    let huge = Window {
        dilation: [usize::MAX; 2],
        ..three
    };
    assert_eq!(huge.output(4, 4), None);
    assert_eq!(Window::square(1, 1, usize::MAX).output(4, 4), None);
    assert_eq!(Window::whole([4, 7]).output(4, 7), Some([1, 1]));
}

#[test]
fn a_window_is_four_fields_in_json() {
    use vta_tensor::host::HostOp;
    let op = HostOp::MaxPool(Window::square(3, 2, 1));
    let text =
        r#"{"kind":"max_pool","kernel":[3,3],"stride":[2,2],"dilation":[1,1],"pads":[1,1,1,1]}"#;
    assert_eq!(serde_json::to_string(&op).expect("JSON"), text);
    assert_eq!(
        serde_json::from_str::<HostOp>(text).expect("an operator"),
        op
    );
    let more = text.replace("\"pads\"", "\"ceil_mode\":1,\"pads\"");
    assert!(serde_json::from_str::<HostOp>(&more).is_err());
    let less = text.replace(",\"pads\":[1,1,1,1]", "");
    assert!(serde_json::from_str::<HostOp>(&less).is_err());
}
