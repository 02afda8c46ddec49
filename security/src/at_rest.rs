//! Encryption at rest: who finds the disk finds nothing on it.
//!
//! Every object (a document, an image, a submission's metadata) has a random data key of its own.
//! Its bytes are encrypted with that key in frames, so that any range of it can be read and verified
//! alone; the data key stands in the object's header, wrapped by a key-encryption key of the site's
//! [`KeyRing`]. To change keys, headers are rewritten, not contents. `docs/at-rest.md` has every byte.
//!
//! * [`Vault`] says how files are written: encrypted, or plain if the site wants that.
//! * [`open`] reads files, whichever of both they are.
//! * [`fields`] are the same for what databases say of patients, and [`journal`]s for files that grow.
//!
//! Writing is explicit, since it is a choice. Reading is not: a file says which key it needs, and the
//! keys that a process has been given ([`KeyRing::install`]) are looked through by their random names.

mod command;
pub mod fields;
mod file;
mod frames;
mod header;
pub mod journal;
mod key;
mod rewrap;
mod ring;
mod scratch;
#[cfg(test)]
mod tests;

pub use command::KeyCommand;
pub use file::{Opened, Output, SealedReader, Vault, content_of, open, opened, plain};
pub use frames::{DataKey, FRAME, Geometry, Opening, Sealing};
pub use header::{HEADER, is_damaged};
pub use key::KeyId;
pub use rewrap::{Rewrapped, bind, keys_of, keys_of_bytes, rewrap, rewrap_bytes};
pub use ring::{KeyError, KeyRing, KeyUse, has_keys};
pub use scratch::Scratch;
