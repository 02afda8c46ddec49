//! The door over real sockets: what is refused, what is answered, and what it costs.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

mod asynchronous;
mod correlation;
mod large;
mod mailbox;
mod mllp;
mod mtom;
mod nodes;
mod one_way;
mod refusals;
mod rest;
mod site;
mod tls;
