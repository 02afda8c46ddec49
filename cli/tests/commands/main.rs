//! The command as people and scripts use it: a real node, and its clients.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod advice;
mod audit;
mod audit_repository;
mod certs;
mod demo;
mod dicom;
mod import;
mod node;
mod open_files;
mod query;
mod retrieve;
mod site;
mod stopping;
mod submit;
mod unread;
mod untrusted;
mod update;
