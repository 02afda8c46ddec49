//! Whether what an archive sends is what it was asked for. That is known before a byte of it is
//! passed on.

use bytes::Bytes;
use hilum_dicom::{Uid, walk};
use hilum_transport::{HttpStream, IncomingPart};

use super::{Names, Trouble};

/// Bytes in which an instance must have said its names: private groups that are long may stand
/// before them.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Bytes after which one looks for the first time.
const FIRST_LOOK: usize = 4096;

/// Bytes of an instance on their way, from a multipart answer or one without parts.
pub(super) enum Coming<'a> {
    Part(IncomingPart<'a>),
    Whole(Box<HttpStream>),
}

impl Coming<'_> {
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Trouble> {
        match self {
            Self::Part(part) => {
                let chunk = part.chunk().await;
                chunk.map_err(|trouble| Trouble::Failed(trouble.to_string()))
            }
            Self::Whole(stream) => {
                let chunk = stream.chunk().await;
                chunk.map_err(|error| Trouble::Failed(error.to_string()))
            }
        }
    }
}

/// The beginning of an instance: all that has come of it, and how it is written.
pub(super) struct Begun {
    pub(super) bytes: Vec<u8>,
    pub(super) transfer_syntax_uid: Uid,
}

/// Takes as much of an instance as it needs to know that it is the one that was asked for.
pub(super) async fn begin(coming: &mut Coming<'_>, names: &Names) -> Result<Begun, Trouble> {
    let wrong = |problem: &str| Trouble::Wrong(problem.to_owned());
    let mut bytes = Vec::new();
    let mut look_at = FIRST_LOOK;
    loop {
        let chunk = coming.chunk().await?;
        let ended = chunk.is_none();
        bytes.extend_from_slice(&chunk.unwrap_or_default());
        if bytes.len() < look_at && !ended {
            continue;
        }
        look_at = bytes.len() * 2;
        let said = walk::beginning(&bytes);
        let said = said.map_err(|error| Trouble::Wrong(format!("it sends no instance: {error}")));
        match said? {
            Some(said)
                if said.sop_instance_uid != names.instance
                    || said.series_instance_uid != names.series
                    || said.study_instance_uid != names.study =>
            {
                return Err(wrong("it sends another instance than it was asked for"));
            }
            Some(said) => {
                return Ok(Begun {
                    bytes,
                    transfer_syntax_uid: said.transfer_syntax_uid,
                });
            }
            None if ended => return Err(wrong("it sends the beginning of an instance only")),
            None if bytes.len() > MOST_BYTES => {
                return Err(wrong("what it sends does not say which instance it is"));
            }
            None => {}
        }
    }
}
