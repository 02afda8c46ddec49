//! The door: SOAP over HTTP with mutual TLS, MTOM streams, HTTP without SOAP, and HL7 v2 over MLLP.
//!
//! It knows no transaction by name. [`serve`](serve::serve) takes connections and turns each
//! request into an [`Incoming`], which a room answers with a [`Reply`]. A [`Call`] shows who asks
//! for what; it can only be read when it is permitted, and its attachments stay on the wire until
//! the room takes them. So it is with a [`Request`], which is not SOAP. [`Client`] is the other end. Answers that are wanted elsewhere are sent by
//! [`asynchronous`] and received by [`correlation`]. Every resource a peer can use has a limit, and
//! all of them are in [`Limits`] and [`Asynchronous`].

pub mod asynchronous;
mod beginning;
mod body;
pub mod call;
pub mod client;
pub mod correlation;
mod ended;
mod heads;
pub mod limits;
pub mod mllp;
pub mod mtom_stream;
mod noticed;
pub mod outlet;
pub mod parts;
mod patient;
mod pool;
mod presence;
mod prompt;
mod refused_connections;
pub mod reply;
pub mod rest;
pub mod serve;
pub mod streams;
mod target;
pub mod tokens;
mod trusted;
mod users;
mod wire;

pub use asynchronous::{Asynchronous, Replies};
pub use call::{Call, Get, Incoming, Permitted, Refusal, Refused, TakesSeveral};
pub use client::{
    ActionIn, Answer, Client, ClientError, HttpAnswer, HttpRequest, HttpStream, Manner, Several,
    Unreached,
};
pub use correlation::Correlation;
pub use limits::Limits;
pub use mtom_stream::{Attachment, Attachments};
pub use parts::{IncomingPart, Parts};
pub use presence::Presence;
pub use reply::{OneOfSeveral, Part, PartSource, Reading, RelatedPart, Reply, Stream};
pub use rest::{PermittedRequest, Request, Rest};
pub use serve::{serve, serve_with};
pub use target::{Origin, shown};
pub use users::{Doorway, Users};
pub use wire::Trouble;
