//! The fixed vocabularies of document sharing: each wire string is written down once.

pub mod association_type;
pub mod ebrim_uuids;
pub mod error_code;
pub mod status;
