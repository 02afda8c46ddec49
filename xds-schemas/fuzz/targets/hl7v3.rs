//! See [`xds_schemas_fuzz::hl7v3`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xds_schemas_fuzz::hl7v3(data));
