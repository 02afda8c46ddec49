//! ITI-52 Document Metadata Subscribe: ask to be told of what happens, and to be left alone again.
//!
//! Asked by Document Metadata Subscribers; answered by the Document Metadata Notification Broker.
//! A [`Subscribe`] is what stands on the wire; [`Subscribe::judge`] makes a [`Subscription`] of it
//! or the fault that the framework has for what is wrong. [`topic`] is what can happen, [`filter`]
//! is to what.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-52.html>

pub mod filter;
mod read;
#[cfg(test)]
mod tests;
pub mod topic;

use crate::soap::{Fault, QName};
use crate::transaction::Transaction;
use crate::wsn::{EndpointReference, FaultKind, SIMPLE_DIALECT, TopicExpression, empty, time};
use crate::xml::ns;

pub use filter::{AdhocQuery, SubscriptionFilter};
pub use topic::{Change, Topic};

/// The half of ITI-52 that begins a subscription. The action is that of the standard, not of
/// Appendix V (ITI TF-2 3.52.4.1.2).
#[derive(Debug, Clone, Copy)]
pub struct DocumentMetadataSubscribe;

impl Transaction for DocumentMetadataSubscribe {
    const ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/NotificationProducer/SubscribeRequest";
    const RESPONSE_ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/NotificationProducer/SubscribeResponse";
    const MTOM: bool = false;
    type Request = Subscribe;
    type Response = SubscribeResponse;
}

/// The half of ITI-52 that ends it: sent to where the subscription's reference says.
#[derive(Debug, Clone, Copy)]
pub struct DocumentMetadataUnsubscribe;

impl Transaction for DocumentMetadataUnsubscribe {
    const ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest";
    const RESPONSE_ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeResponse";
    const MTOM: bool = false;
    type Request = Unsubscribe;
    type Response = UnsubscribeResponse;
}

empty! {
    /// A `wsnt:Unsubscribe`.
    Unsubscribe = "Unsubscribe";
    /// A `wsnt:UnsubscribeResponse`.
    UnsubscribeResponse = "UnsubscribeResponse";
}

/// A `wsnt:Subscribe`, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscribe {
    /// `wsnt:ConsumerReference`: whom to tell.
    pub consumer: EndpointReference,
    /// What stands in `wsnt:Filter`.
    pub filter: Filter,
    /// `wsnt:InitialTerminationTime`.
    pub initial_termination_time: Option<TerminationTime>,
    /// What stands in `wsnt:SubscriptionPolicy`.
    pub policies: Vec<QName>,
}

/// What stands in `wsnt:Filter`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// `wsnt:TopicExpression`.
    pub topics: Vec<TopicExpression>,
    /// `rim:AdhocQuery`.
    pub queries: Vec<AdhocQuery>,
    /// Anything else.
    pub others: Vec<QName>,
}

/// When a subscription shall end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminationTime {
    /// An `xs:dateTime` or an `xs:duration`.
    At(String),
    /// `xsi:nil`: never.
    Never,
}

/// A `wsnt:SubscribeResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeResponse {
    /// `wsnt:SubscriptionReference`: where it is cancelled.
    pub subscription: String,
    /// `wsnt:CurrentTime`.
    pub current_time: Option<String>,
    /// `wsnt:TerminationTime`.
    pub termination_time: Option<String>,
}

/// How long subscriptions last, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// If the subscriber does not say.
    pub usual: u64,
    /// At most.
    pub longest: u64,
}

/// What is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Whom to tell.
    pub consumer: String,
    /// Of what to tell, and how much.
    pub topic: Topic,
    /// The filter as it is written.
    pub query: AdhocQuery,
    /// The same, understood.
    pub filter: SubscriptionFilter,
    /// When it ends, in seconds since 1970.
    pub terminates: u64,
}

impl Subscribe {
    /// A request for what happens on a topic, of what passes the filter.
    pub fn new(consumer: impl Into<String>, topic: Topic, query: AdhocQuery) -> Self {
        Self {
            consumer: EndpointReference::of(consumer),
            filter: Filter {
                topics: vec![TopicExpression::simple(topic.as_str())],
                queries: vec![query],
                others: Vec::new(),
            },
            ..Self::default()
        }
    }

    /// What is subscribed to.
    ///
    /// # Errors
    /// The fault that ITI TF-2 3.52.4.1.3 or WS-BaseNotification has for what is wrong, of which
    /// there can be only one. `now` is in seconds since 1970.
    pub fn judge(&self, now: u64, lifetimes: Lifetimes) -> Result<Subscription, Fault> {
        let topic = self
            .topic()
            .map_err(|(kind, reason)| kind.at(now, reason))?;
        let (query, filter) = self
            .query(topic)
            .map_err(|reason| FaultKind::InvalidFilter(adhoc_query()).at(now, reason))?;
        self.judge_policies(now)?;
        if self.consumer.parameters {
            let reason = "reference parameters of the ConsumerReference are not supported";
            return Err(FaultKind::SubscribeCreationFailed.at(now, reason));
        }
        Ok(Subscription {
            consumer: self.consumer.address.clone(),
            topic,
            query: query.clone(),
            filter,
            terminates: self.terminates(now, lifetimes)?,
        })
    }

    /// The filter shall contain a topic (3.52.4.1.2), and nothing that is not known here.
    fn topic(&self) -> Result<Topic, (FaultKind, String)> {
        if let Some(other) = self.filter.others.first() {
            let reason = format!("a filter of the kind {} is not supported", other.name);
            return Err((FaultKind::InvalidFilter(other.clone()), reason));
        }
        let [topic] = &self.filter.topics[..] else {
            let name = QName {
                namespace: ns::WSNT.to_owned(),
                name: "TopicExpression".to_owned(),
            };
            let reason = "the filter must have one wsnt:TopicExpression".to_owned();
            return Err((FaultKind::InvalidFilter(name), reason));
        };
        if topic.dialect != SIMPLE_DIALECT {
            let reason = format!("topics are understood in the dialect {SIMPLE_DIALECT}");
            return Err((FaultKind::TopicExpressionDialectUnknown, reason));
        }
        if !topic::is_simple(&topic.text) {
            let reason = "a topic of the simple dialect is one qualified name".to_owned();
            return Err((FaultKind::InvalidTopicExpression, reason));
        }
        Topic::parse(&topic.text).ok_or_else(|| {
            let known: Vec<&str> = Topic::ALL.iter().map(|topic| topic.as_str()).collect();
            let reason = format!("the topics are {}", known.join(", "));
            (FaultKind::TopicNotSupported, reason)
        })
    }

    fn query(&self, topic: Topic) -> Result<(&AdhocQuery, SubscriptionFilter), String> {
        let [query] = &self.filter.queries[..] else {
            return Err("the filter must have one rim:AdhocQuery".to_owned());
        };
        SubscriptionFilter::read(topic, query).map(|filter| (query, filter))
    }

    fn judge_policies(&self, now: u64) -> Result<(), Fault> {
        let Some(policy) = self.policies.first() else {
            return Ok(());
        };
        let reason = format!("the policy {} is not supported", policy.name);
        let kind = match policy.namespace == ns::WSNT && policy.name == "UseRaw" {
            true => FaultKind::UnsupportedPolicyRequest(policy.clone()),
            false => FaultKind::UnrecognizedPolicyRequest(policy.clone()),
        };
        Err(kind.at(now, reason))
    }

    /// WS-BaseNotification 1.3, section 4.2: what cannot be granted in full is refused, and so is
    /// what is not in the future.
    fn terminates(&self, now: u64, lifetimes: Lifetimes) -> Result<u64, Fault> {
        let maximum = now.saturating_add(lifetimes.longest);
        let kind = FaultKind::UnacceptableInitialTerminationTime {
            minimum: now.saturating_add(1),
            maximum,
        };
        let unacceptable = |reason: &str| Err(kind.at(now, reason));
        let asked = match &self.initial_termination_time {
            None => return Ok(now.saturating_add(lifetimes.usual.min(lifetimes.longest))),
            Some(TerminationTime::Never) => {
                return unacceptable("a subscription must end some time");
            }
            Some(TerminationTime::At(text)) => time::read(text, now),
        };
        match asked.map(u64::try_from) {
            Err(problem) => unacceptable(&format!("InitialTerminationTime: {problem}")),
            Ok(Ok(at)) if at > now && at <= maximum => Ok(at),
            Ok(Ok(at)) if at > maximum => unacceptable("subscriptions do not last so long here"),
            Ok(_) => unacceptable("the subscription would have ended already"),
        }
    }
}

fn adhoc_query() -> QName {
    QName {
        namespace: ns::RIM.to_owned(),
        name: "AdhocQuery".to_owned(),
    }
}
