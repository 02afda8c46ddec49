//! The imaging source as others see it: over real sockets, beside a real repository and registry.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod changed;
mod damaged;
mod described;
mod files;
mod gate;
mod imported;
mod interrupted;
#[path = "../room/link.rs"]
mod link;
mod rejected;
mod retrieve;
mod sent;
mod site;
#[path = "../vault/mod.rs"]
mod vault;
mod volumes;
