//! The faults of WS-BaseNotification: SOAP faults whose detail says the same in WS-BaseFaults.

use crate::soap::{self, About, Fault, FaultCode, QName};
use crate::wsn::time;
use crate::xml::{ToXml, Writer, ns};

/// What was wrong, in the words of WS-BaseNotification and WS-Resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The filter was not understood or is not supported; which element of it is named.
    InvalidFilter(QName),
    /// The dialect of the topic is none that is known here.
    TopicExpressionDialectUnknown,
    /// The topic is not written as its dialect wants.
    InvalidTopicExpression,
    /// Nothing is ever told on this topic.
    TopicNotSupported,
    /// The subscription would have to end too early or too late: what is possible, in seconds
    /// since 1970.
    UnacceptableInitialTerminationTime {
        /// The first moment.
        minimum: u64,
        /// The last moment.
        maximum: u64,
    },
    /// A policy that is not known was asked for.
    UnrecognizedPolicyRequest(QName),
    /// A policy that is known and not supported was asked for.
    UnsupportedPolicyRequest(QName),
    /// The subscription could not be made, for reasons of the subscriber's.
    SubscribeCreationFailed,
    /// The same for reasons of the broker's.
    SubscribeCreationImpossible,
    /// There is no such subscription or pull point.
    ResourceUnknown,
    /// The subscription could not be cancelled.
    UnableToDestroySubscription,
    /// No pull point could be made.
    UnableToCreatePullPoint,
    /// The pull point could not be removed.
    UnableToDestroyPullPoint,
    /// The pull point could not give its messages.
    UnableToGetMessages,
}

impl FaultKind {
    /// The local name of the fault's element.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::InvalidFilter(_) => "InvalidFilterFault",
            Self::TopicExpressionDialectUnknown => "TopicExpressionDialectUnknownFault",
            Self::InvalidTopicExpression => "InvalidTopicExpressionFault",
            Self::TopicNotSupported => "TopicNotSupportedFault",
            Self::UnacceptableInitialTerminationTime { .. } => {
                "UnacceptableInitialTerminationTimeFault"
            }
            Self::UnrecognizedPolicyRequest(_) => "UnrecognizedPolicyRequestFault",
            Self::UnsupportedPolicyRequest(_) => "UnsupportedPolicyRequestFault",
            Self::SubscribeCreationFailed | Self::SubscribeCreationImpossible => {
                "SubscribeCreationFailedFault"
            }
            Self::ResourceUnknown => "ResourceUnknownFault",
            Self::UnableToDestroySubscription => "UnableToDestroySubscriptionFault",
            Self::UnableToCreatePullPoint => "UnableToCreatePullPointFault",
            Self::UnableToDestroyPullPoint => "UnableToDestroyPullPointFault",
            Self::UnableToGetMessages => "UnableToGetMessagesFault",
        }
    }

    const fn namespace(&self) -> &'static str {
        match self {
            Self::ResourceUnknown => ns::WSRF_R,
            _ => ns::WSNT,
        }
    }

    const fn code(&self) -> FaultCode {
        match self {
            Self::SubscribeCreationImpossible
            | Self::UnableToDestroySubscription
            | Self::UnableToCreatePullPoint
            | Self::UnableToDestroyPullPoint
            | Self::UnableToGetMessages => FaultCode::Receiver,
            _ => FaultCode::Sender,
        }
    }

    /// The SOAP fault, as it happened `now`, in seconds since 1970. The reason is for people, in
    /// English, without patient data.
    pub fn at(self, now: u64, reason: impl Into<String>) -> Fault {
        let reason = reason.into();
        let subcode = QName {
            namespace: self.namespace().to_owned(),
            name: self.name().to_owned(),
        };
        Fault {
            code: self.code(),
            subcodes: vec![subcode],
            reason: reason.clone(),
            about: Some(About::Notification(Box::new(BaseFault {
                kind: self,
                timestamp: now,
                description: reason,
            }))),
            detail: None,
        }
    }
}

/// The detail of such a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseFault {
    /// What was wrong.
    pub kind: FaultKind,
    /// When, in seconds since 1970.
    pub timestamp: u64,
    /// The same for people.
    pub description: String,
}

impl ToXml for BaseFault {
    fn to_xml(&self, writer: &mut Writer) {
        let element = format!("f:{}", self.kind.name());
        writer
            .open(&element)
            .attribute("xmlns:f", self.kind.namespace())
            .attribute("xmlns:wsrf-bf", ns::WSRF_BF)
            .element("wsrf-bf:Timestamp", &time::written(self.timestamp));
        writer
            .open("wsrf-bf:Description")
            .attribute("xml:lang", "en")
            .text(&self.description)
            .close("wsrf-bf:Description");
        match &self.kind {
            FaultKind::InvalidFilter(name) => write_name(writer, "f:UnknownFilter", name),
            FaultKind::UnrecognizedPolicyRequest(name) => {
                write_name(writer, "f:UnrecognizedPolicy", name);
            }
            FaultKind::UnsupportedPolicyRequest(name) => {
                write_name(writer, "f:UnsupportedPolicy", name);
            }
            FaultKind::UnacceptableInitialTerminationTime { minimum, maximum } => {
                writer
                    .element("f:MinimumTime", &time::written(*minimum))
                    .element("f:MaximumTime", &time::written(*maximum));
            }
            _ => {}
        }
        writer.close(&element);
    }
}

fn write_name(writer: &mut Writer, element: &str, name: &QName) {
    soap::write_qname(writer, element, name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::{BodyOrFault, Header};
    use crate::transaction::Nothing;

    #[test]
    fn a_fault_says_the_same_twice() {
        let name = QName {
            namespace: ns::RIM.to_owned(),
            name: "AdhocQuery".to_owned(),
        };
        let fault = FaultKind::InvalidFilter(name).at(0, "no <such> filter");
        assert_eq!(fault.action(), crate::wsn::FAULT_ACTION);
        let header = Header::answer(fault.action(), "urn:uuid:1".to_owned(), None);
        let xml = soap::write_fault(&header, &fault);
        for part in [
            "<f:InvalidFilterFault",
            "<wsrf-bf:Timestamp>1970-01-01T00:00:00Z</wsrf-bf:Timestamp>",
            "no &lt;such&gt; filter</wsrf-bf:Description>",
            ">q:AdhocQuery</f:UnknownFilter>",
        ] {
            assert!(xml.contains(part), "{part}: {xml}");
        }
        let read = soap::read_answer::<Nothing>(xml.as_bytes()).unwrap();
        let BodyOrFault::Fault(read) = read else {
            panic!("a fault was expected")
        };
        assert!(read.is("InvalidFilterFault"), "{read}");
        assert_eq!((read.code, read.reason), (fault.code, fault.reason));
    }

    #[test]
    fn what_is_not_there_is_said_in_the_words_of_ws_resource() {
        let fault = FaultKind::ResourceUnknown.at(0, "gone");
        assert_eq!(fault.action(), crate::wsn::RESOURCE_FAULT_ACTION);
    }
}
