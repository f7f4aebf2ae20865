//! What must hold of any input: the bodies of the fuzz targets.
//!
//! A body is a function of bytes that panics where a promise of
//! `docs/robustness.md` does not hold: not only on a crash, but also on a wrong
//! result, on a value that does not survive being written and read, and on memory
//! that the input does not account for ([`memory`]). What a body returns from is
//! right, or was refused with a typed error.
//!
//! `fuzz/` runs them with libFuzzer; `tests/` runs them over the committed corpus
//! and over mutants of it ([`mutants`]).

mod assembly;
mod bundle;
mod bundle_parts;
#[cfg(feature = "train")]
mod checkpoint;
mod configuration;
mod costs;
mod data;
mod engines;
mod exponents;
mod golden;
mod masks;
pub mod memory;
pub mod mutants;
mod networks;
mod npy;
mod onnx;
mod onnx_graph;
mod orders;
mod programs;
mod protobuf;
mod traces;
mod words;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of the target in `fuzz/` and of the folder in `corpus/`.
    pub name: &'static str,
    /// What it holds its input to.
    pub what: &'static str,
    /// The body.
    pub run: fn(&[u8]),
    /// Most bytes that it may allocate at a time, for inputs of up to 64 KiB.
    pub memory: usize,
}

const MIB: usize = 1 << 20;

/// An instruction word decodes and encodes to itself, or is refused.
pub const WORDS: Target = Target {
    name: "words",
    what: "an instruction word decodes and encodes to itself, or is refused",
    run: words::run,
    memory: MIB,
};

/// Assembly text gives a program that its own listing gives again.
pub const ASSEMBLY: Target = Target {
    name: "assembly",
    what: "assembly text gives a program that its own listing gives again",
    run: assembly::run,
    memory: 64 * MIB,
};

/// Bytes of a bundle give a program that its own bundle gives again.
pub const BUNDLE: Target = Target {
    name: "bundle",
    what: "bytes of a bundle give a program that its own bundle gives again",
    run: bundle::run,
    memory: 64 * MIB,
};

/// A bundle with a changed manifest or changed parts, and right checksums.
pub const BUNDLE_PARTS: Target = Target {
    name: "bundle_parts",
    what: "a bundle with a changed manifest or changed parts, and right checksums",
    run: bundle_parts::run,
    memory: 64 * MIB,
};

/// Text of a configuration gives one that its own text gives again.
pub const CONFIGURATION: Target = Target {
    name: "configuration",
    what: "text of a configuration gives one that its own text gives again",
    run: configuration::run,
    memory: MIB,
};

/// An array that its own file gives again.
pub const NPY: Target = Target {
    name: "npy",
    what: "an array that its own file gives again",
    run: npy::run,
    memory: 4 * MIB,
};

/// Exponents that their own file gives again; a network quantised with them.
pub const EXPONENTS: Target = Target {
    name: "exponents",
    what: "exponents that their own file gives again; a network quantised with them",
    run: exponents::run,
    memory: 16 * MIB,
};

/// Masks that their own file gives again.
pub const MASKS: Target = Target {
    name: "masks",
    what: "masks that their own file gives again",
    run: masks::run,
    memory: 4 * MIB,
};

/// A cost table that its own file gives again, with costs that are numbers.
pub const COSTS: Target = Target {
    name: "costs",
    what: "a cost table that its own file gives again, with costs that are numbers",
    run: costs::run,
    memory: 16 * MIB,
};

/// A golden case, read and compared with itself.
pub const GOLDEN: Target = Target {
    name: "golden",
    what: "a golden case, read and compared with itself",
    run: golden::run,
    memory: 64 * MIB,
};

/// Rows and timelines of any program: readable, in order, the same each time.
pub const TRACES: Target = Target {
    name: "traces",
    what: "rows and timelines of any program: readable, in order, the same each time",
    run: traces::run,
    memory: 64 * MIB,
};

/// A folder of CIFAR.
pub const CIFAR: Target = Target {
    name: "cifar",
    what: "a folder of CIFAR",
    run: data::cifar,
    memory: 64 * MIB,
};

/// A folder of IDX.
pub const IDX: Target = Target {
    name: "idx",
    what: "a folder of IDX",
    run: data::idx,
    memory: 64 * MIB,
};

/// A folder with one image: PNG, JPEG, PPM.
pub const IMAGES: Target = Target {
    name: "images",
    what: "a folder with one image: PNG, JPEG, PPM",
    run: data::images,
    memory: 768 * MIB,
};

/// A folder of any names, of folders, files and lists.
pub const FOLDERS: Target = Target {
    name: "folders",
    what: "a folder of any names, of folders, files and lists",
    run: data::folders,
    memory: 4 * MIB,
};

/// A folder of Pascal VOC with any annotation and list.
pub const VOC: Target = Target {
    name: "voc",
    what: "a folder of Pascal VOC with any annotation and list",
    run: data::voc,
    memory: 64 * MIB,
};

/// Bytes of a model give a graph that its own file gives again.
pub const ONNX: Target = Target {
    name: "onnx",
    what: "bytes of a model give a graph that its own file gives again",
    run: onnx::run,
    memory: 1024 * MIB,
};

/// A model of random nodes: refused, or float and int8 run, and the device agrees.
pub const ONNX_GRAPH: Target = Target {
    name: "onnx_graph",
    what: "a model of random nodes: refused, or float and int8 run, and the device agrees",
    run: onnx_graph::run,
    memory: 256 * MIB,
};

/// The event engine equals the cycle engine on any words.
pub const ENGINES: Target = Target {
    name: "engines",
    what: "the event engine equals the cycle engine on any words",
    run: engines::run,
    memory: 64 * MIB,
};

/// What the verifier proves ends well, with the bytes of program order.
pub const ORDERS: Target = Target {
    name: "orders",
    what: "what the verifier proves ends well, with the bytes of program order",
    run: orders::run,
    memory: 64 * MIB,
};

/// A random network on a random configuration: does not fit, or proven and right.
pub const NETWORKS: Target = Target {
    name: "networks",
    what: "a random network on a random configuration: does not fit, or proven and right",
    run: networks::run,
    memory: 256 * MIB,
};

/// A checkpoint that its own file gives again.
#[cfg(feature = "train")]
pub const CHECKPOINT: Target = Target {
    name: "checkpoint",
    what: "a checkpoint that its own file gives again",
    run: checkpoint::run,
    memory: 4 * MIB,
};

/// All targets. A fuzzer names its own, so that nothing else is linked.
pub const TARGETS: &[Target] = &[
    WORDS,
    ASSEMBLY,
    BUNDLE,
    BUNDLE_PARTS,
    CONFIGURATION,
    NPY,
    EXPONENTS,
    MASKS,
    COSTS,
    GOLDEN,
    TRACES,
    CIFAR,
    IDX,
    IMAGES,
    FOLDERS,
    VOC,
    ONNX,
    ONNX_GRAPH,
    ENGINES,
    ORDERS,
    NETWORKS,
    #[cfg(feature = "train")]
    CHECKPOINT,
];

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|t| t.name == name)
}

impl Target {
    /// Runs the body. Where [`memory::Counting`] is the allocator, also what it
    /// allocates is held to [`Self::memory`].
    ///
    /// # Panics
    ///
    /// If a promise does not hold.
    pub fn check(&self, data: &[u8]) {
        memory::begin();
        (self.run)(data);
        let most = memory::most();
        assert!(
            most <= self.memory,
            "{}: {most} bytes at a time for an input of {} bytes, more than {}",
            self.name,
            data.len(),
            self.memory
        );
    }
}
