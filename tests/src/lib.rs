//! Proof from outside: whole nodes, started as an operator starts them, asked as their peers ask.
//!
//! Nothing here looks into a room. A [`Town`] is a folder that `hilum init` wrote and a process of
//! `hilum serve`; [`words`] writes the messages of IHE as text, so that what the program believes
//! about them is not believed twice; [`raw`] is a peer that may do everything wrong, and a [`Desk`]
//! one that has its answers sent to an address of its own. When a town is left, it is stopped as an operator stops it, and its audit records are counted against the calls
//! that were made ([`calls`]).
//!
//! The program under test is the `hilum` beside the tests (`target/debug/hilum`). `cargo test`
//! builds it with everything else, and so does `cargo test --workspace`; with `-p hilum-tests`
//! alone, run `cargo build` first. `HILUM_BIN` names another one.

pub mod bent;
pub mod calls;
pub mod consumer;
pub mod desk;
pub mod feed;
pub mod namespaces;
pub mod partner;
pub mod people;
pub mod postgres;
pub mod raw;
pub mod region;
pub mod scanner;
pub mod simulated;
pub mod stranger;
pub mod streamed;
pub mod syslog;
pub mod town;
pub mod versions;
pub mod wire;
pub mod words;

pub use desk::Desk;
pub use partner::Partner;
pub use region::Region;
pub use town::{Setup, Town};
pub use wire::Wire;
