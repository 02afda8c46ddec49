//! Who is calling, and what they may do.
//!
//! Nodes are known by their certificates (ITI-19): [`iti19_authenticate_node`] makes the TLS
//! configuration of both sides, [`caller`] says who was found, and [`permission`] what may be
//! asked. Of documents, [`access`] decides: once, for every room. Users are known by assertions
//! ([`iti40_provide_x_user_assertion`]) and tokens ([`iti72_incorporate_access_token`]), which bring
//! the same. [`development_ca`] makes certificates for trying things out, and [`inspection`] tells
//! an administrator what is wrong with the ones in use.

pub mod access;
pub mod at_rest;
pub mod caller;
pub mod development_ca;
pub mod inspection;
pub mod iti19_authenticate_node;
pub mod iti40_provide_x_user_assertion;
pub mod iti72_incorporate_access_token;
pub mod permission;
mod seen;
pub mod signing;
mod user_refused;

pub use caller::{Caller, NodeName, Shown, User, UserCode, Vouched};
pub use permission::{NotPermitted, Permission};
pub use seen::{REMEMBERED, Replay};
pub use user_refused::UserRefused;
