//! C-STORE: files are sent as they are.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use dicom_dictionary_std::tags;
use hilum_dicom::walk;
use hilum_security::at_rest;
use tokio::task::spawn_blocking;

use super::super::command::{self, AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, Command};
use super::{Requested, RequestorError, Wanted};

/// Bytes that are read at once.
const AT_ONCE: u64 = 1024 * 1024;
/// Status of this kind is a warning: the object was stored (PS3.4 table B.2-1).
const WARNING: u16 = 0xB000;

/// A file that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToSend {
    /// The file.
    pub path: PathBuf,
    /// SOP Class UID.
    pub sop_class: String,
    /// SOP Instance UID.
    pub sop_instance: String,
    /// Transfer Syntax UID.
    pub transfer_syntax: String,
    /// Study Instance UID, if it has one.
    pub study: Option<String>,
    /// Patient ID, if it has one.
    pub patient_id: Option<String>,
    data_offset: u64,
}

impl ToSend {
    /// What an association must be wanted for, if this is to be sent on it.
    pub fn wanted(&self) -> Wanted {
        Wanted::Store {
            sop_class: self.sop_class.clone(),
            transfer_syntax: self.transfer_syntax.clone(),
        }
    }
}

/// Looks at a file that is to be sent. Blocks.
///
/// # Errors
/// Says in a sentence why it is no object of DICOM.
pub fn to_send(path: &Path) -> Result<ToSend, RequestorError> {
    let wanted = [
        tags::SOP_CLASS_UID,
        tags::SOP_INSTANCE_UID,
        tags::STUDY_INSTANCE_UID,
        tags::PATIENT_ID,
    ];
    let unsuitable = |why: &str| {
        let path = path.display();
        RequestorError::Unsuitable(format!("{path}: {why}"))
    };
    let read = walk::file(path, &wanted).map_err(|error| unsuitable(&error.to_string()))?;
    let text = |tag| read.data.ascii(tag).filter(|text| !text.is_empty());
    let uid = |tag, name| text(tag).ok_or_else(|| unsuitable(&format!("no {name}")));
    Ok(ToSend {
        path: path.to_owned(),
        sop_class: uid(tags::SOP_CLASS_UID, "SOP Class UID")?,
        sop_instance: uid(tags::SOP_INSTANCE_UID, "SOP Instance UID")?,
        transfer_syntax: read.transfer_syntax_uid.clone(),
        study: text(tags::STUDY_INSTANCE_UID),
        patient_id: text(tags::PATIENT_ID),
        data_offset: read.data_offset,
    })
}

impl Requested {
    /// C-STORE: sends a file. Gives back what the other end remarks, if it has stored it with a
    /// warning.
    ///
    /// # Errors
    /// If the other end does not take this kind of object, refuses this one, or does not answer; or if
    /// the file cannot be read, after which the association cannot go on.
    pub async fn store(&mut self, file: &ToSend) -> Result<Option<String>, RequestorError> {
        let contexts = self.association.contexts.iter();
        let mut fitting = contexts.filter(|(_, agreed)| {
            agreed.abstract_syntax == file.sop_class
                && agreed.transfer_syntax == file.transfer_syntax
        });
        let context = fitting.next().map(|(id, _)| *id);
        let context = context.ok_or_else(|| RequestorError::NotAgreed {
            peer: self.peer.clone(),
            what: format!(
                "objects of class {} in transfer syntax {}",
                file.sop_class, file.transfer_syntax
            ),
        })?;
        let id = self.association.new_message_id();
        let request = Command::request(command::C_STORE_RQ, id, true)
            .with_priority()
            .text(AFFECTED_SOP_CLASS_UID, &file.sop_class)
            .text(AFFECTED_SOP_INSTANCE_UID, &file.sop_instance);
        self.send(context, &request, None).await?;
        let sent = self.send_file(context, file).await;
        sent.map_err(|error| self.broken(&error))?;
        let (_, answer) = self.answer(id).await?;
        match answer.status() {
            0 => Ok(None),
            status if status & 0xF000 == WARNING => Ok(Some(answer.said())),
            _ => Err(self.refused("C-STORE", &answer)),
        }
    }

    /// Sends the data set of a file, piece by piece.
    async fn send_file(&mut self, context: u8, file: &ToSend) -> anyhow::Result<()> {
        let (path, offset) = (file.path.clone(), file.data_offset);
        let opened = spawn_blocking(move || -> anyhow::Result<_> {
            let mut file = at_rest::open(&path).context("the file cannot be opened")?;
            let length = file.length()?;
            file.seek(SeekFrom::Start(offset))?;
            Ok((file, length.saturating_sub(offset)))
        });
        let (mut file, mut left) = opened.await??;
        loop {
            let length = left.min(AT_ONCE);
            let read = spawn_blocking(move || -> anyhow::Result<_> {
                let mut bytes = vec![0; usize::try_from(length)?];
                file.read_exact(&mut bytes)
                    .context("the file cannot be read")?;
                Ok((file, bytes))
            });
            let bytes: Vec<u8>;
            (file, bytes) = read.await??;
            left -= length;
            let bytes = Bytes::from(bytes);
            self.association
                .send_data(context, bytes, left == 0)
                .await?;
            if left == 0 {
                return Ok(());
            }
        }
    }
}
