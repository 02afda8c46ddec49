//! Answers in several messages, of which the first is here before the last is made.

use std::marker::PhantomData;

use http::{HeaderValue, StatusCode, header};
use xds_schemas::mtom;
use xds_schemas::soap::Header;
use xds_schemas::transaction::Transaction;

use super::{
    Attachments, Client, ClientError, Message, garbled, new_message_id, parse, read_answer,
};
use crate::call::content_type;
use crate::limits::Limits;
use crate::parts::Parts;
use crate::wire::{Trouble, Wire};

/// What is taken for an answer.
const ACCEPTED: HeaderValue = HeaderValue::from_static("multipart/mixed, application/soap+xml");

/// The messages of an answer, still on the wire.
#[derive(Debug)]
pub struct Several<T: Transaction> {
    url: String,
    status: StatusCode,
    client: Client,
    coming: Coming<T::Response>,
    transaction: PhantomData<fn() -> T>,
}

#[derive(Debug)]
enum Coming<R> {
    Parts(Parts),
    /// The peer answered in one.
    Whole(Box<R>),
    Nothing,
}

impl Client {
    /// Asks for a transaction whose answer is taken in several messages, if the peer gives it so. Each may be
    /// as late as an answer.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send_for_several<T: Transaction>(
        &self,
        url: &str,
        request: &T::Request,
    ) -> Result<Several<T>, ClientError> {
        let header = Header::request(T::ACTION, new_message_id(), url);
        let envelope = self.envelope(header, request);
        let message = Message::new(envelope, Vec::new(), T::MTOM, Some(T::ACTION));
        let target = parse(url)?;
        let mut sent = target.request("POST", Some(message.content_type), message.body);
        sent.headers_mut().insert(header::ACCEPT, ACCEPTED);
        let (response, lease) = self.transfer(url, &target, sent).await?;
        let status = response.status();
        let kind = content_type(response.headers());
        let several = |coming| Several {
            url: url.to_owned(),
            status,
            client: self.clone(),
            coming,
            transaction: PhantomData,
        };
        match kind {
            Ok(kind) if kind.essence == mtom::MIXED && status == StatusCode::OK => {
                let wire = Wire::new(response.into_body(), Some(lease), &self.limits);
                let wire = wire.limited(self.limits.body_bytes);
                let wire = wire.now_and_then(self.limits.answer());
                let parts = Parts::of(wire, &kind, &self.limits);
                let parts = parts.map_err(|trouble| garbled(url, status, trouble))?;
                Ok(several(Coming::Parts(parts)))
            }
            _ => {
                let (status, root, attachments) = self.received(url, response, lease).await?;
                let answer = read_answer::<T>(url, status, root, attachments, self.manner)?;
                Ok(several(Coming::Whole(Box::new(answer.response))))
            }
        }
    }
}

impl<T: Transaction> Several<T> {
    /// The next message, and of which community it is; that of nobody is the last, behind which there is nothing.
    /// A peer that answers in one message sends only that.
    ///
    /// # Errors
    /// If the answer breaks off, or a message cannot be read. Then there are no more.
    pub async fn next(&mut self) -> Result<Option<(Option<String>, T::Response)>, ClientError> {
        match std::mem::replace(&mut self.coming, Coming::Nothing) {
            Coming::Nothing => Ok(None),
            Coming::Whole(response) => Ok(Some((None, *response))),
            Coming::Parts(mut parts) => {
                let limits = &self.client.limits;
                let taken = take(&mut parts, limits).await;
                let (community, root) =
                    taken.map_err(|trouble| garbled(&self.url, self.status, trouble))?;
                let (url, none) = (&self.url, Attachments::none());
                let answer = read_answer::<T>(url, self.status, root, none, self.client.manner)?;
                if community.is_some() {
                    self.coming = Coming::Parts(parts);
                }
                Ok(Some((community, answer.response)))
            }
        }
    }
}

/// The next part. Behind the last one there must be the end, or the answer is not whole.
async fn take(
    parts: &mut Parts,
    limits: &Limits,
) -> Result<(Option<String>, bytes::Bytes), Trouble> {
    let Some(part) = parts.next().await? else {
        return Err(Trouble::bad("its last message is missing"));
    };
    let community = part.community().map(str::to_owned);
    let root = part.collect(limits.root_bytes).await?;
    if community.is_none() && parts.next().await?.is_some() {
        return Err(Trouble::bad("something follows its last message"));
    }
    Ok((community, root))
}
