//! The repository as others see it: over real sockets, with a registry behind it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod at_rest;
mod figures;
mod interrupted;
mod link;
mod object_store;
mod objects;
mod on_demand;
mod provide;
mod real_registry;
mod remove;
mod retrieve;
mod site;
mod stand_in;
mod submissions;
#[path = "../vault/mod.rs"]
mod vault;
