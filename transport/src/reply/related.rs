//! `multipart/related` that is not MTOM: many things of one kind in one message (RFC 2387).

use uuid::Uuid;
use xds_schemas::mtom;

use super::PartSource;
use crate::body::Piece;

/// One thing among many.
#[derive(Debug)]
pub struct RelatedPart {
    /// The media type with its parameters.
    pub content_type: String,
    /// Where it can be had alone, or what it is called.
    pub content_location: Option<String>,
    /// The content.
    pub source: PartSource,
}

/// The `Content-Type` of a message whose first part is of the media type `kind`, and the message.
pub(crate) fn related(kind: &str, parts: Vec<RelatedPart>) -> (String, Vec<Piece>) {
    let boundary = format!("hilum-{}", Uuid::new_v4().simple());
    let content_type = format!("multipart/related; type=\"{kind}\"; boundary={boundary}");
    let mut pieces = Vec::with_capacity(2 * parts.len() + 1);
    for part in parts {
        let location = part.content_location.as_deref();
        let opening = mtom::related_opening(&boundary, &part.content_type, location);
        pieces.push(Piece::Bytes(opening.into()));
        pieces.push(part.source.plain());
    }
    pieces.push(Piece::Bytes(mtom::message_closing(&boundary).into()));
    (content_type, pieces)
}
