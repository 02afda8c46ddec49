//! Whole journeys, and what must hold on bad days.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod access_inbound;
mod access_users;
mod across;
mod across_streaming;
mod as_they_come;
mod audit_sender;
mod commands;
mod exits;
mod federation;
mod floods;
mod imaging;
mod imaging_door;
mod killed;
mod large_document;
mod media;
mod namespaces;
mod on_demand;
mod removed;
mod secrets;
mod stopped;
mod two_hosts;
mod versions;
mod volumes;
