//! Compiled programs stream long loads and stores; the event-driven engine goes over
//! what repeats when nobody listens. That must not change anything.

use crate::cases::{Conv, Kept, convs};
use crate::layers::configs;
use proptest::prelude::*;
use std::convert::Infallible;
use vta_compile::{Options, Sparsity, compile};
use vta_net::graph::Window;
use vta_program::config::HwConfig;
use vta_program::mem::Dram;
use vta_program::program::{Program, Step};
use vta_sim::tsim::{self, Event, NoSink, Sink, Stop};

/// Wants all events, keeps none.
struct Listener;

impl Sink for Listener {
    type Error = Infallible;

    fn event(&mut self, _: u64, _: Event) -> Result<(), Stop> {
        Ok(())
    }
}

fn outcomes(program: &Program, max_cycles: u64) {
    let c = &program.config;
    let mut dram = Dram::new(program.dram_image());
    for step in &program.steps {
        let Step::Launch(l) = step else { continue };
        let (addr, count) = (l.insn_addr, l.insn_count);
        let options = |jump| tsim::Options {
            max_cycles,
            data: false,
            jump,
        };
        let events = tsim::run(c, &mut dram, addr, count, options(true), &mut NoSink);
        let jumps = tsim::run(c, &mut dram, addr, count, options(true), &mut Listener);
        let ticks = tsim::run(c, &mut dram, addr, count, options(false), &mut NoSink);
        assert_eq!(events, jumps);
        assert_eq!(events, ticks);
    }
}

/// Layers with wide rows, many weights and few sums: loads that last.
fn streaming() -> impl Strategy<Value = Conv> {
    (
        1..5_usize,
        3..20_usize,
        1..6_usize,
        20..60_usize,
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(co, ci, h, w, seed, dense)| Conv {
            co: 16 * co,
            ci: 16 * ci,
            groups: 1,
            size: if dense { [1, 1] } else { [h, w] },
            window: Window {
                kernel: if dense { [1, 1] } else { [3, 3] },
                stride: [1, 1],
                dilation: [1, 1],
                pads: [usize::from(!dense); 4],
            },
            residual: seed % 2 == 0,
            leaky: None,
            by_channel: false,
            post_shift: 0,
            kept: Kept::Share(1.0),
            seed,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn leaping_equals_ticking(
        conv in prop_oneof![2 => streaming().boxed(), 1 => convs().boxed()],
        config in configs(),
        cut in prop_oneof![Just(u64::MAX), 0..20_000_u64],
    ) {
        let net = conv.net();
        let options = Options {
            config: HwConfig::built_in(config).expect("built in"),
            sparsity: Sparsity::Dense,
        };
        let program = compile(&net, &options).expect("it compiles");
        outcomes(&program, cut);
    }
}
