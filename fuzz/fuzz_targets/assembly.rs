#![no_main]

#[global_allocator]
static ALLOCATOR: vta_fuzz::memory::Counting = vta_fuzz::memory::Counting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| vta_fuzz::ASSEMBLY.check(data));
