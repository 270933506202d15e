#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| daybook_fuzz::questions::check(data));
