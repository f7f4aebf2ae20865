//! Numbers on which the statements about known limits in
//! `docs/validation.md` rest.

use vta_program::config::HwConfig;
use vta_program::isa::{Field, LOAD_FIELDS};

fn most(name: &str) -> u32 {
    let found = LOAD_FIELDS.iter().find(|f| f.name == name);
    let f: &Field = found.expect("LOAD has the field");
    u32::try_from(f.max()).expect("a small field")
}

/// D1: two bursts of one load that follow each other have the same tag only if
/// the elements of a burst and the side padding make a multiple of the depth. The
/// longest burst and the widest padding stay below it.
#[test]
fn no_burst_reaches_around_a_scratchpad() {
    let pads = most("x_pad_0") + most("x_pad_1");
    for name in HwConfig::BUILT_IN {
        let c = HwConfig::built_in(name).expect("it is built in");
        let burst_bytes = c.beat_bytes() << c.mem_len_bits;
        for (bytes, depth) in [
            (c.uop_bytes(), c.uop_depth),
            (c.inp_bytes(), c.inp_depth),
            (c.wgt_bytes(), c.wgt_depth),
            (c.acc_bytes(), c.acc_depth),
        ] {
            assert!(burst_bytes / bytes + pads < depth, "{name}: {bytes} bytes");
        }
    }
}
