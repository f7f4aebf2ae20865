//! The `.config` directive.

use super::data::Fields;
use super::error::{AsmErrorKind, Fault};
use super::names::Names;
use super::text::quote;
use super::validate;
use crate::config::HwConfig;

/// The numbers of a configuration, by name.
fn numbers(c: &mut HwConfig) -> [(&'static str, &mut u32); 10] {
    [
        ("block", &mut c.block),
        ("uop_depth", &mut c.uop_depth),
        ("inp_depth", &mut c.inp_depth),
        ("wgt_depth", &mut c.wgt_depth),
        ("acc_depth", &mut c.acc_depth),
        ("out_depth", &mut c.out_depth),
        ("mem_data_bits", &mut c.mem_data_bits),
        ("mem_len_bits", &mut c.mem_len_bits),
        ("mem_delay", &mut c.mem_delay),
        ("insn_queue_entries", &mut c.insn_queue_entries),
    ]
}

/// `.config NAME field=value ...`: a built-in configuration, or `de10` under
/// another name, with these numbers changed.
pub(super) fn parse<'a>(f: &Fields<'_, 'a>) -> Result<HwConfig, Fault<'a>> {
    let mut bare = f.bare();
    let Some(first) = bare.next() else {
        return Err(Fault::new(
            f.head,
            AsmErrorKind::Expected("the name of a configuration"),
        ));
    };
    if let Some(v) = bare.next() {
        return Err(Fault::new(v.text(), AsmErrorKind::Expected("field=value")));
    }
    let Some(name) = first.name() else {
        return Err(Fault::new(first.text(), AsmErrorKind::Expected("a name")));
    };
    let mut c = HwConfig::built_in(&name).unwrap_or(HwConfig {
        name,
        ..HwConfig::default()
    });
    let mut given = numbers(&mut c);
    f.check(&given.each_ref().map(|n| n.0))?;
    // Nothing else has a name yet.
    let names = Names::new(HwConfig::default());
    for (name, value) in &mut given {
        if let Some(v) = f.number(name, (0, u32::MAX.into()), &names, &[])? {
            **value = v as u32;
        }
    }
    validate::config(&c).map_err(|e| Fault::new(f.head, e.into()))?;
    Ok(c)
}

/// The directive for a configuration.
pub(super) fn text(c: &HwConfig) -> String {
    let mut out = format!(".config {}", quote(&c.name));
    if HwConfig::built_in(&c.name).as_ref() != Some(c) {
        for (name, value) in numbers(&mut c.clone()) {
            out += &format!(" {name}={value}");
        }
    }
    out
}
