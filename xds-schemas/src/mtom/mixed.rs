//! `multipart/mixed` (RFC 2046, section 5.1.3): an answer in several messages, each sent when it is there.
//!
//! This is not IHE's: who asks for it gets it. The last message has no [`COMMUNITY`], and behind it the
//! multipart body is closed; without that, the answer broke off.

use super::push_header_value;

/// The header of a part that says of which community it is.
pub const COMMUNITY: &str = "Hilum-Community";
/// The media type, without its parameters.
pub const MIXED: &str = "multipart/mixed";

/// The `Content-Type` of such an answer.
pub fn mixed_content_type(boundary: &str) -> String {
    format!("{MIXED}; boundary=\"{boundary}\"")
}

/// What stands before the first part.
pub fn mixed_opening(boundary: &str) -> String {
    format!("--{boundary}\r\n")
}

/// A part, and the line that ends it, so that whoever reads has all of it before the next one comes. The one
/// of no community is the last.
pub fn mixed_part(boundary: &str, community: Option<&str>, envelope: &str) -> String {
    let mut part = String::with_capacity(envelope.len() + 256);
    part.push_str("Content-Type: application/soap+xml; charset=UTF-8\r\n");
    if let Some(community) = community {
        part.push_str(COMMUNITY);
        part.push_str(": ");
        push_header_value(&mut part, community);
        part.push_str("\r\n");
    }
    for piece in ["\r\n", envelope, "\r\n--", boundary] {
        part.push_str(piece);
    }
    part.push_str(match community {
        Some(_) => "\r\n",
        None => "--\r\n",
    });
    part
}
