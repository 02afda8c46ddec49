//! C-ECHO, C-FIND and C-MOVE, and the report of a storage commitment.

use bytes::Bytes;
use dicom_dictionary_std::uids;
use hilum_dicom::walk;
use tokio::time::Instant;

use super::super::association::Next;
use super::super::command::{
    self, AFFECTED_SOP_CLASS_UID, COMPLETED_SUBOPERATIONS, Command, FAILED_SUBOPERATIONS,
    MOVE_DESTINATION, WARNING_SUBOPERATIONS,
};
use super::super::data_set;
use super::error::broken;
use super::{Identifier, Model, Requested, RequestorError};

/// Bytes of one data set that is found.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// There are more answers to come.
const PENDING: [u16; 2] = [0xFF00, 0xFF01];
const CANCEL: u16 = 0xFE00;
/// Some suboperations failed.
const SOME_FAILED: u16 = 0xB000;
const CONTEXT: &str = "a presentation context that was not agreed upon";

/// What a query has found.
#[derive(Debug, Clone, Default)]
pub struct Matches {
    /// A data set for each match, with the keys that were asked for as far as the other end has them.
    pub data_sets: Vec<walk::DataSet>,
    /// Whether there were more than were wanted.
    pub more: bool,
}

/// What became of what was to be moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Instances that arrived.
    pub completed: u16,
    /// Instances that did not.
    pub failed: u16,
    /// Instances that arrived, but not as they were.
    pub warning: u16,
}

impl Requested {
    /// C-ECHO: whether the other end is there.
    ///
    /// # Errors
    /// If it does not say that it is.
    pub async fn echo(&mut self) -> Result<(), RequestorError> {
        let (context, _) = self.context_of(uids::VERIFICATION, "C-ECHO")?;
        let id = self.association.new_message_id();
        let request = Command::request(command::C_ECHO_RQ, id, false)
            .text(AFFECTED_SOP_CLASS_UID, uids::VERIFICATION);
        self.send(context, &request, None).await?;
        let (_, answer) = self.answer(id).await?;
        match answer.status() {
            0 => Ok(()),
            _ => Err(self.refused("C-ECHO", &answer)),
        }
    }

    /// C-FIND: what the other end has. When more than `most` are found, it is told to stop.
    ///
    /// # Errors
    /// If it does not answer, refuses, or sends what is no DICOM.
    pub async fn find(
        &mut self,
        model: Model,
        identifier: &Identifier,
        most: usize,
    ) -> Result<Matches, RequestorError> {
        let (context, syntax) = self.context_of(model.find(), "C-FIND")?;
        let id = self.association.new_message_id();
        let request = Command::request(command::C_FIND_RQ, id, true)
            .with_priority()
            .text(AFFECTED_SOP_CLASS_UID, model.find());
        let data = self.written(identifier, &syntax)?;
        self.send(context, &request, Some(data)).await?;
        let mut found = Matches::default();
        loop {
            let (of_context, answer) = self.answer(id).await?;
            let data = self.data(of_context, &answer).await?;
            match answer.status() {
                status if PENDING.contains(&status) && found.more => {}
                status if PENDING.contains(&status) && found.data_sets.len() >= most => {
                    found.more = true;
                    self.send(context, &Command::cancel(id), None).await?;
                }
                status if PENDING.contains(&status) => {
                    let data = data_set::read(model.find(), &syntax, &data.unwrap_or_default());
                    let data = data.map_err(|error| self.broken(&error.into()))?;
                    found.data_sets.push(data);
                }
                0 => return Ok(found),
                CANCEL if found.more => return Ok(found),
                _ => return Err(self.refused("C-FIND", &answer)),
            }
        }
    }

    /// C-MOVE: has the other end send instances to an application entity that it knows by this title.
    /// They are there when this returns.
    ///
    /// # Errors
    /// If the other end does not answer or refuses. That single instances were not moved is none.
    pub async fn move_to(
        &mut self,
        destination: &str,
        model: Model,
        identifier: &Identifier,
    ) -> Result<Moved, RequestorError> {
        let (context, syntax) = self.context_of(model.move_(), "C-MOVE")?;
        let id = self.association.new_message_id();
        let request = Command::request(command::C_MOVE_RQ, id, true)
            .with_priority()
            .text(AFFECTED_SOP_CLASS_UID, model.move_())
            .text(MOVE_DESTINATION, destination);
        let data = self.written(identifier, &syntax)?;
        self.send(context, &request, Some(data)).await?;
        loop {
            let (of_context, answer) = self.answer(id).await?;
            self.data(of_context, &answer).await?;
            match answer.status() {
                status if PENDING.contains(&status) => {}
                0 | SOME_FAILED => {
                    let count = |element| answer.get(element).unwrap_or(0);
                    return Ok(Moved {
                        completed: count(COMPLETED_SUBOPERATIONS),
                        failed: count(FAILED_SUBOPERATIONS),
                        warning: count(WARNING_SUBOPERATIONS),
                    });
                }
                _ => return Err(self.refused("C-MOVE", &answer)),
            }
        }
    }

    /// N-EVENT-REPORT of a storage commitment. `message` makes it, given a message ID and the transfer
    /// syntax.
    pub(in crate::imaging::dimse) async fn report<F>(
        &mut self,
        message: impl FnOnce(u16, String) -> F,
    ) -> anyhow::Result<Command>
    where
        F: Future<Output = anyhow::Result<(Command, Bytes)>>,
    {
        let class = uids::STORAGE_COMMITMENT_PUSH_MODEL;
        let (context, syntax) = self.context_of(class, "storage commitment")?;
        let id = self.association.new_message_id();
        let (command, data) = message(id, syntax).await?;
        self.send(context, &command, Some(data)).await?;
        let (context, answer) = self.answer(id).await?;
        self.data(context, &answer).await?;
        Ok(answer)
    }

    fn context_of(&self, class: &str, what: &str) -> Result<(u8, String), RequestorError> {
        let found = self.association.context_of(class);
        let (id, agreed) = found.ok_or_else(|| RequestorError::NotAgreed {
            peer: self.peer.clone(),
            what: what.to_owned(),
        })?;
        Ok((id, agreed.transfer_syntax.clone()))
    }

    fn written(&self, identifier: &Identifier, syntax: &str) -> Result<Bytes, RequestorError> {
        let written = identifier.data_set().write(syntax);
        written.map_err(|error| RequestorError::Unsuitable(format!("{error:#}")))
    }

    pub(super) async fn send(
        &mut self,
        context: u8,
        command: &Command,
        data: Option<Bytes>,
    ) -> Result<(), RequestorError> {
        let sent = self.association.send(context, command, data).await;
        sent.map_err(|error| self.broken(&error))
    }

    /// The next answer to this request, and its context.
    pub(super) async fn answer(&mut self, id: u16) -> Result<(u8, Command), RequestorError> {
        let until = Instant::now() + self.patience;
        let next = self.association.next(until).await;
        let why = match next.map_err(|error| self.broken(&error))? {
            Next::Message { context, command } => {
                let known = self.association.contexts.contains_key(&context);
                match command.is_response() && command.responds_to() == id && known {
                    true => return Ok((context, command)),
                    false if !known => CONTEXT.to_owned(),
                    false => "it sends something else than the answer".to_owned(),
                }
            }
            Next::Silence => format!("nothing came for {} seconds", self.patience.as_secs()),
            Next::End(_) => "it ended the association".to_owned(),
        };
        Err(self.broken(&anyhow::Error::msg(why)))
    }

    /// The data set of an answer, if it has one.
    async fn data(
        &mut self,
        context: u8,
        answer: &Command,
    ) -> Result<Option<Vec<u8>>, RequestorError> {
        if !answer.has_data() {
            return Ok(None);
        }
        let data = self.association.whole_data(context, MOST_BYTES).await;
        match data.map_err(|error| self.broken(&error))? {
            Some(data) => Ok(Some(data)),
            None => Err(self.broken(&anyhow::Error::msg("it sends too long a data set"))),
        }
    }

    pub(super) fn broken(&self, error: &anyhow::Error) -> RequestorError {
        broken(self.peer.clone(), error)
    }

    pub(super) fn refused(&self, operation: &'static str, answer: &Command) -> RequestorError {
        let comment = answer.string(command::ERROR_COMMENT);
        let comment = comment.map_or_else(String::new, |comment| format!(", {comment}"));
        RequestorError::Refused {
            peer: self.peer.clone(),
            operation,
            status: answer.status(),
            comment,
        }
    }
}
