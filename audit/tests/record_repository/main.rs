//! The Audit Record Repository from outside: its files, its listeners, and what it proves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crashes;
mod encrypted;
mod forwarding;
mod killed;
mod store;
mod syslog;
mod tampering;
