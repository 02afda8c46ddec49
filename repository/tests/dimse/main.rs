//! DICOM's own protocol as others speak it: our own requestor, raw bytes, DCMTK and Orthanc.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod commitment;
mod gate;
mod hostile;
mod node;
mod orthanc;
mod programs;
mod raw;
mod requesting;
#[path = "../vault/mod.rs"]
mod vault;
