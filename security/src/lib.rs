//! Who is calling, and what they may do.
//!
//! Nodes are known by their certificates (ITI-19): [`iti19_authenticate_node`] makes the TLS
//! configuration of both sides, [`caller`] says who was found, and [`permission`] what may be
//! asked. Of documents, [`access`] decides: once, for every room. [`development_ca`] makes certificates for trying things out, and [`inspection`] tells an
//! administrator what is wrong with the ones in use.

pub mod access;
pub mod at_rest;
pub mod caller;
pub mod development_ca;
pub mod inspection;
pub mod iti19_authenticate_node;
pub mod permission;

pub use caller::{Caller, NodeName, User, UserCode, Vouched};
pub use permission::{NotPermitted, Permission};
