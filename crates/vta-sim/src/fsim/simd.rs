//! Which form of the inner product runs: chosen once for a core, by what the
//! processor has.

/// A form of the GEMM kernel. All give the same bytes; tests compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Simd {
    /// Plain loops, which the compiler may turn into vectors; every processor.
    Portable,
    /// AVX2: pairs of int16, eight outputs at a time (`vpmaddwd`).
    Avx2,
    /// AVX-VNNI: four int8, eight outputs at a time (`vpdpbusd`, 256 bits).
    AvxVnni,
    /// AVX-512 VNNI: four int8, sixteen outputs at a time (`vpdpbusd`, 512 bits).
    Avx512Vnni,
}

impl Simd {
    /// All forms, the plainest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::AvxVnni, Self::Avx512Vnni];

    /// Outputs that a vector holds.
    pub(super) const fn lanes(self) -> usize {
        match self {
            Self::Portable => 1,
            Self::Avx2 | Self::AvxVnni => 8,
            Self::Avx512Vnni => 16,
        }
    }

    /// Whether this processor has it and a block of `block` fills its vectors.
    pub fn is_available(self, block: u32) -> bool {
        (block as usize).is_multiple_of(self.lanes()) && self.is_detected()
    }

    /// The fastest form for a block on this processor.
    pub fn best(block: u32) -> Self {
        let fits = |s: &&Self| s.is_available(block);
        *Self::ALL.iter().rfind(fits).unwrap_or(&Self::Portable)
    }

    #[cfg(target_arch = "x86_64")]
    fn is_detected(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        match self {
            Self::Portable => true,
            Self::Avx2 => has!("avx2"),
            Self::AvxVnni => has!("avx2") && has!("avxvnni"),
            Self::Avx512Vnni => {
                has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512vnni")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    const fn is_detected(self) -> bool {
        matches!(self, Self::Portable)
    }
}
