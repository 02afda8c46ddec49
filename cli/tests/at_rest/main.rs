//! Encryption at rest, over the wire and on the disk: real nodes, their clients, and an attacker who has
//! the disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod identifiers;
mod keys;
mod node;
mod records;
mod stored;
mod tampered;
