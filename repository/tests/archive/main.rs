//! The imaging source beside other archives: a real one (Orthanc with its DICOMweb plugin), and
//! pretended ones that are slow, broken or hostile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;
mod hostile;
mod moved;
mod node;
mod orthanc;
mod pretended;
#[path = "../vault/mod.rs"]
mod vault;
