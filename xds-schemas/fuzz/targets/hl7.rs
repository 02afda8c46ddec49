//! See [`xds_schemas_fuzz::hl7`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xds_schemas_fuzz::hl7(data));
