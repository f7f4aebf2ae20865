//! Compile an ONNX file with masks of 32x32 weight blocks, and compare with dense:
//! `cargo run --release --example compile_with_masks [MODEL.onnx [MASKS.safetensors]]`.

use vta::config::HwConfig;

fn main() -> Result<(), vta::Error> {
    let mut args = std::env::args().skip(1);
    let model = vta::Model::load(&args.next().unwrap_or("resnet8".into()), 1)?;
    let masks = match args.next() {
        Some(file) => model.read_masks(file)?,
        None => model.random_masks(0.25, 1)?,
    };
    let net = model.mask(masks)?.quantise(&vta::Calibration::default())?;
    let (dense, sparse) = net.compile_both(&HwConfig::de10())?;
    let sample = &net.masked().random_samples(1, 1).values[0];
    let compared = vta::Comparison::new(&net, &dense, &sparse, sample, vta::MAX_CYCLES)?;
    for layer in compared.layers() {
        let (dense, sparse) = (layer.dense.1.cycles, layer.sparse.1.cycles);
        println!("{:20} {dense:8} {sparse:8} cycles", layer.sparse.0.name);
    }
    println!("outputs equal: {}", compared.outputs_equal());
    println!("speed-up: {:.2}", compared.speedup().unwrap_or(1.0));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("it runs");
    }
}
