//! What a folder of another compiler expects, in words and as JSON.

use super::{CliError, Paint};
use serde_json::{Value, json};
use vta::asm::insn_text;
use vta::report::thousands;
use vta::tsim::Status;
use vta::{Apart, Expectation, Program};

/// What is said of a program's expectation.
pub struct Said {
    /// Lines.
    pub text: String,
    /// The same as JSON.
    pub json: Value,
    /// Whether the hardware gives what is expected.
    pub is_met: bool,
}

/// Runs a program that came with an expectation; nothing for others.
///
/// # Errors
/// A launch that cannot start or leaves DRAM.
pub fn of(program: &Program, max_cycles: u64, paint: Paint) -> Result<Option<Said>, CliError> {
    let found = program.expectation(max_cycles)?;
    Ok(found.map(|e| said(program, &e, paint)))
}

fn said(program: &Program, e: &Expectation, paint: Paint) -> Said {
    let file = e.file;
    let mut text = match (&e.status, e.hardware.count) {
        (Status::Ok, 0) => {
            let bytes = thousands(e.bytes);
            let good = paint.good("as expected");
            format!("{good}: the hardware gives all {bytes} bytes of {file}\n")
        }
        (Status::Ok, _) => {
            let bad = paint.bad("not as expected");
            format!("{bad}: {}\n", differ(&e.hardware, e, "the hardware"))
        }
        _ => format!(
            "{}: the hardware does not come to the end; `vta run` says why\n",
            paint.bad("not as expected")
        ),
    };
    if !e.is_met() {
        text += &match e.upstream.count {
            _ if !e.whole => "a functional simulator: not compared, the launch does not come to FINISH in program order\n".to_owned(),
            0 => format!("a functional simulator gives {file}; it is not the hardware\n"),
            _ => format!("{}\n", differ(&e.upstream, e, "a functional simulator")),
        };
    }
    let image = program.dram_image();
    let launch = program.launches().next();
    for effect in e.effects.iter().filter(|_| !e.is_met()) {
        let word = launch.and_then(|l| l.words(&image).nth(effect.first as usize));
        let insn = insn_text(word.unwrap_or_default());
        let more = match effect.count {
            1 => String::new(),
            n => format!(", the first of {n}"),
        };
        text += &format!(
            "instruction {}{more}: {insn}\n  {}\n",
            effect.first, effect.difference
        );
    }
    let effects = e.effects.iter().map(|f| {
        json!({ "kind": f.difference.name(), "instruction": f.first, "count": f.count, "what": f.difference.to_string() })
    });
    let json = json!({
        "file": file,
        "bytes": e.bytes,
        "met": e.is_met(),
        "hardware": apart(&e.hardware),
        "functional_simulator": e.whole.then(|| apart(&e.upstream)),
        "differences": effects.collect::<Vec<_>>(),
    });
    Said {
        text,
        json,
        is_met: e.is_met(),
    }
}

fn differ(a: &Apart, e: &Expectation, who: &str) -> String {
    let (count, bytes) = (thousands(a.count), thousands(e.bytes));
    let first = a.first.map_or_else(String::new, |(at, expected, found)| {
        format!("; byte {at} is {found:#04x}, not {expected:#04x}")
    });
    format!(
        "{who} gives {count} of {bytes} bytes otherwise than {}{first}",
        e.file
    )
}

fn apart(a: &Apart) -> Value {
    let first = a
        .first
        .map(|(at, expected, found)| json!({ "byte": at, "expected": expected, "found": found }));
    json!({ "differ": a.count, "first": first })
}
