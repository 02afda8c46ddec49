//! Values that stand apart from the metadata, at the addresses that it gives (PS3.18 10.4.1.1.5).

use std::io::{self, Read};

use hilum_dicom::bulk::{Content, TagPath};
use hilum_dicom::walk::{self, Value};
use hilum_transport::rest::Ranged;
use hilum_transport::{PartSource, RelatedPart, Reply, Stream};

use super::super::asked::Asked;
use super::super::refused::Refused;
use super::{Found, Given, frames};

const OCTETS: &str = "application/octet-stream";

/// Gives one value. Compressed pixels are given frame by frame, as if all frames were asked for.
pub(super) fn give(asked: &Asked, found: Found, place: &TagPath) -> Result<Given, Refused> {
    let instance = found.one()?.clone();
    let file = walk::whole_file(&instance.path).map_err(anyhow::Error::from)?;
    if let Some((_, Value::Fragments(_))) = place.find(&file.data) {
        return frames::give(asked, found, &[]);
    }
    let content = Content::of(&instance.path, &file, place).map_err(anyhow::Error::from)?;
    let content = content.ok_or_else(|| Refused::new(404, "there is no such value here"))?;
    let reply = match packing(asked)? {
        Packing::Parts => {
            let part = RelatedPart {
                content_type: OCTETS.to_owned(),
                content_location: Some(format!("{}/bulkdata/{place}", instance.url(&asked.base))),
                source: source(content),
            };
            Reply::related(200, OCTETS, vec![part])
        }
        Packing::Plain => plain(asked, content),
    };
    Ok(Given::of(&found, &found.instances, reply))
}

enum Packing {
    Parts,
    Plain,
}

fn packing(asked: &Asked) -> Result<Packing, Refused> {
    for range in asked.accept.wanted() {
        let kind = range.media.parameter("type").unwrap_or("*/*");
        match range.media.essence.as_str() {
            "multipart/related" | "multipart/*" if [OCTETS, "*/*"].contains(&kind) => {
                return Ok(Packing::Parts);
            }
            OCTETS | "application/*" | "*/*" => return Ok(Packing::Plain),
            _ => {}
        }
    }
    Err(Refused::new(
        406,
        "values can be given as application/octet-stream, alone or in multipart/related",
    ))
}

/// All of it or, if that is asked for, a range.
fn plain(asked: &Asked, content: Content) -> Reply {
    let length = content.length();
    let reply = match Ranged::of(asked.range.as_deref(), length) {
        Ranged::All => Reply::content(200, OCTETS, source(content)),
        Ranged::Nothing => {
            let reply = Reply::empty(416);
            return reply.and_header("content-range", &format!("bytes */{length}"));
        }
        Ranged::Part(range) => {
            let stream = Stream::written(Some(range.length), move |out| {
                let mut content = content;
                io::copy(&mut (&mut content).take(range.offset), &mut io::sink())?;
                io::copy(&mut content.take(range.length), out).map(drop)
            });
            let reply = Reply::content(206, OCTETS, PartSource::Stream(stream));
            reply.and_header("content-range", &range.content_range(length))
        }
    };
    reply.and_header("accept-ranges", "bytes")
}

/// A value that is read while it is sent.
pub(super) fn source(mut content: Content) -> PartSource {
    PartSource::Stream(Stream::written(Some(content.length()), move |out| {
        io::copy(&mut content, out).map(drop)
    }))
}
