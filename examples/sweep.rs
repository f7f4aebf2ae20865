//! Cycles of a network over configurations: `cargo run --release --example sweep`.

use vta::config::HwConfig;

fn main() -> Result<(), vta::Error> {
    let net = vta::Model::zoo("resnet8", 1)?.quantise(&vta::Calibration::default())?;
    for mem_data_bits in [64, 128, 256, 512] {
        let config = HwConfig {
            mem_data_bits,
            ..HwConfig::de10()
        };
        match config.check() {
            Err(why) => println!("{mem_data_bits:4} bits: {why}"),
            Ok(()) => println!(
                "{mem_data_bits:4} bits: {} cycles",
                net.compile(&config)?.cycles()?
            ),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("it runs");
    }
}
