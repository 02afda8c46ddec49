//! The imaging source over the web: DICOMweb and WADO-URI on real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browsers;
mod gate;
mod query;
mod rendered;
mod retrieve;
mod site;
mod store;
#[path = "../vault/mod.rs"]
mod vault;
mod wado;
