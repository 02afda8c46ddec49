//! What several communities say, each as soon as it has said it, for those who take an answer in several
//! messages.
//!
//! Whoever has something, has it in a message of its own. The last message is the merged answer without its
//! objects: the status of the whole, and every error. As for the merged one, nothing is sent before it is
//! recorded: that the question was answered, before anything of it is; what a community was asked, before what
//! it said; and how the whole ended, before the last message.

use std::future::Future;
use std::pin::pin;

use hilum_audit::{Event, NotRecorded, Outcome, Recorded};
use hilum_transport::{OneOfSeveral, Reply, TakesSeveral};
use tokio::sync::mpsc;
use xds_schemas::ebrs::AdhocQueryResponse;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::xml::{ToXml, Writer};

use super::everybody::{Asking, Question};
use crate::outcome::outcome;

/// Messages that wait for whoever takes them. Communities that answer meanwhile wait too, as they would to be
/// merged.
const WAITING: usize = 1;

/// Answers with the first message; the others follow. Until there is one, a fault is possible.
pub(super) async fn answer<T: Transaction>(
    question: Question,
    asking: Asking,
    mut waiting: TakesSeveral,
) -> Result<Recorded<Reply>, Fault> {
    let mut streaming = Streaming {
        question,
        asking,
        begun: None,
        unrecorded: None,
        is_over: false,
    };
    let first = streaming.next(waiting.gone()).await?;
    let (to, others) = mpsc::channel(WAITING);
    tokio::spawn(streaming.run(to));
    Ok(first.map(|first| match first {
        Some(first) => Reply::several::<T>(first, others),
        // Nobody is there any more to get it.
        None => Reply::accepted(),
    }))
}

/// An answer that is being given.
struct Streaming {
    question: Question,
    asking: Asking,
    /// That it was recorded that the question is answered.
    begun: Option<Recorded<()>>,
    /// What else happened since something was recorded.
    unrecorded: Option<Event>,
    is_over: bool,
}

impl Streaming {
    /// Sends messages until the last one. If they cannot be recorded, it breaks off.
    async fn run(mut self, to: mpsc::Sender<OneOfSeveral>) {
        while !self.is_over {
            let next = self.next(to.closed()).await;
            let Ok(next) = next.map(Recorded::into_inner) else {
                return;
            };
            // If nobody takes it, that is seen when the next one is wanted.
            if let Some(message) = next {
                let _ = to.send(message).await;
            }
        }
    }

    /// The next message, recorded; nothing if the caller has `gone`.
    async fn next(
        &mut self,
        gone: impl Future<Output = ()>,
    ) -> Result<Recorded<Option<OneOfSeveral>>, NotRecorded> {
        let mut gone = pin!(gone);
        loop {
            let heard = tokio::select! {
                biased;
                () = &mut gone => return self.leave().await,
                heard = self.asking.next() => heard,
            };
            let Some(mut heard) = heard else {
                return self.close().await;
            };
            let Some(response) = heard.taken.alone() else {
                self.happened(heard.event.clone());
                self.asking.keep(heard);
                continue;
            };
            if self.begun.is_none() {
                let event = self.question.event(&Outcome::Success);
                self.begun = Some(self.asking.room.audit.record(event, ()).await?);
            }
            let event = after(self.unrecorded.take(), heard.event.clone());
            let community = Some(heard.home.clone());
            self.asking.keep(heard);
            let message = message(community, &response);
            return self.asking.room.audit.record(event, Some(message)).await;
        }
    }

    /// The last message.
    async fn close(&mut self) -> Result<Recorded<Option<OneOfSeveral>>, NotRecorded> {
        self.is_over = true;
        let response = self.asking.response(self.question.kind);
        let ended = outcome(response.status, &response.errors);
        let message = Some(message(None, &response));
        let event = match (self.begun.take(), self.unrecorded.take(), ended) {
            // That all went well stands in what was recorded first.
            (Some(begun), None, Outcome::Success) => return Ok(begun.map(|()| message)),
            (Some(_), Some(before), Outcome::Success) => before,
            // That part of it was done stands there already.
            (Some(_), before, Outcome::Partial(why)) => {
                after(before, self.question.event(&Outcome::Failure(why)))
            }
            (_, before, ended) => after(before, self.question.event(&ended)),
        };
        self.asking.room.audit.record(event, message).await
    }

    /// The caller has left: whoever has not answered yet is let go.
    async fn leave(&mut self) -> Result<Recorded<Option<OneOfSeveral>>, NotRecorded> {
        self.is_over = true;
        self.asking.leave();
        while let Some(heard) = self.asking.next().await {
            self.happened(heard.event);
        }
        let why = "the caller left before everybody had answered".to_owned();
        let event = self.question.event(&Outcome::Failure(why));
        let event = after(self.unrecorded.take(), event);
        self.asking.room.audit.record(event, None).await
    }

    fn happened(&mut self, event: Event) {
        self.unrecorded = Some(after(self.unrecorded.take(), event));
    }
}

/// What happened, after what happened before.
fn after(before: Option<Event>, event: Event) -> Event {
    match before {
        Some(before) => before.and(event),
        None => event,
    }
}

fn message(community: Option<String>, response: &AdhocQueryResponse) -> OneOfSeveral {
    let mut writer = Writer::with_capacity(1024);
    response.to_xml(&mut writer);
    OneOfSeveral {
        community,
        body: writer.finish(),
    }
}
