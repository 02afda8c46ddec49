//! What a record says: events, each with the id by which it is asked for.
//!
//! A DICOM audit message is one event, and so is what should be one and cannot be read. What came as
//! FHIR is given back as it came: one event, or those of a bundle that can be taken. Another syslog
//! message is no event.

use std::net::IpAddr;
use std::ops::Range;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use xds_schemas::audit_message::{AuditMessage, NotRead};
use xds_schemas::syslog_message::SyslogMessage;

use super::received::{Form, Received};
use crate::fhir::audit_event::AuditEvent;
use crate::fhir::{from_dicom, judged, members, read, time};

/// Events of one bundle that are taken.
pub(crate) const ENTRIES: usize = 10_000;
/// Message ids that say that a message is an audit record.
const AUDIT_MESSAGES: [&str; 4] = [
    "IHE+RFC-3881",
    "IHE+DICOM",
    "DICOM+RFC3881",
    "DICOM+RFC-3881",
];

/// By what an event is asked for: the number of its record, and its place if the record is a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventId {
    pub(crate) number: u64,
    /// Counted from 1; 0 if the record is one event.
    pub(crate) part: u16,
}

impl std::fmt::Display for EventId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.part {
            0 => write!(out, "{}", self.number),
            part => write!(out, "{}-{part}", self.number),
        }
    }
}

impl EventId {
    pub(crate) const fn of(number: u64) -> Self {
        Self { number, part: 0 }
    }

    /// Reads an id. Each has one way to be written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, part) = text.split_once('-').unwrap_or((text, "0"));
        let id = Self {
            number: number.parse().ok()?,
            part: part.parse().ok()?,
        };
        (id.to_string() == text).then_some(id)
    }
}

/// An event of a record.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) id: EventId,
    /// When it happened, in milliseconds since 1970.
    pub(crate) recorded: i64,
    pub(crate) content: Content,
}

/// Where an event is from.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// From what was said in other words.
    Made(Box<AuditEvent>),
    /// It was sent as it is: the resource, and its text if it was sent as JSON.
    Sent {
        resource: Value,
        text: Option<String>,
        /// When it came.
        at: i64,
    },
}

/// When something that is no event was written or, if it does not say, came.
pub(crate) fn written(received: &Received) -> i64 {
    let message = SyslogMessage::read(&received.bytes);
    let written = message.timestamp.as_deref().and_then(time::point);
    written.unwrap_or_else(|| arrived(received))
}

/// When something came, in milliseconds since 1970.
pub(crate) fn arrived(received: &Received) -> i64 {
    let since = received.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The events of a record.
pub(crate) fn events(number: u64, received: &Received) -> Vec<Told> {
    match received.form {
        Form::Syslog => syslog(number, received).into_iter().collect(),
        Form::FhirJson | Form::FhirXml => match fed(received.form, &received.bytes) {
            Ok(fed) => {
                let at = arrived(received);
                let wrong = fed.events.iter().flat_map(|event| &event.problems).next();
                // It was taken all the same: by an edition that asked for less.
                if let (None, Some(wrong)) = (&fed.bundle, wrong) {
                    let reason = format!("{}: {}", wrong.place, wrong.text);
                    return vec![unreadable(number, received, &reason)];
                }
                let taken = fed.events.into_iter();
                let taken = taken.filter(|event| event.problems.is_empty());
                taken.map(|event| event.told(number, at)).collect()
            }
            Err(reason) => vec![unreadable(number, received, &reason)],
        },
    }
}

/// The event with this id, of the record in which it should be.
pub(crate) fn event(id: EventId, received: &Received) -> Option<Told> {
    let events = events(id.number, received);
    events.into_iter().find(|event| event.id == id)
}

fn syslog(number: u64, received: &Received) -> Option<Told> {
    let message = SyslogMessage::read(&received.bytes);
    let named = message.message_id.as_deref();
    let is_named = named.is_some_and(|id| AUDIT_MESSAGES.contains(&id));
    let Some(xml) = message.xml() else {
        let reason = "the message holds no XML";
        return is_named.then(|| unreadable(number, received, reason));
    };
    match AuditMessage::read(xml) {
        Ok(audit) => {
            let facts = facts(received, &message);
            let id = EventId::of(number);
            let event = from_dicom::event(&id.to_string(), &audit, &facts);
            Some(Told {
                id,
                recorded: time::point(&event.recorded).unwrap_or(facts.at),
                content: Content::Made(Box::new(event)),
            })
        }
        Err(NotRead::Other) if is_named => Some(unreadable(
            number,
            received,
            "the message is no AuditMessage",
        )),
        Err(NotRead::Other) => None,
        Err(NotRead::Xml(error)) => {
            // What merely begins with a bracket is a message of another kind.
            let looks = xml.starts_with(b"<?xml") || contains(xml, b"AuditMessage");
            let cut = if received.cut {
                "; it was too long and is cut"
            } else {
                ""
            };
            let reason = format!("{error}{cut}");
            (is_named || looks).then(|| unreadable(number, received, &reason))
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes
        .windows(part.len())
        .take(4096)
        .any(|window| window == part)
}

fn facts(received: &Received, message: &SyslogMessage<'_>) -> from_dicom::Received {
    let host = message.host_name.as_deref().map(str::to_owned);
    let at = arrived(received);
    from_dicom::Received {
        at,
        from: address(received.from.ip()),
        sender: received.node.clone().or(host),
        written: message.timestamp.as_deref().and_then(time::point),
    }
}

/// An address as others write it.
pub(crate) fn address(ip: IpAddr) -> String {
    ip.to_canonical().to_string()
}

fn unreadable(number: u64, received: &Received, reason: &str) -> Told {
    let message = match received.form {
        Form::Syslog => SyslogMessage::read(&received.bytes),
        _ => SyslogMessage::read(b""),
    };
    // When it was written is not believed of what cannot be read.
    let facts = from_dicom::Received {
        written: None,
        ..facts(received, &message)
    };
    let id = EventId::of(number);
    let event = from_dicom::unreadable(&id.to_string(), reason, &facts);
    Told {
        id,
        recorded: facts.at,
        content: Content::Made(Box::new(event)),
    }
}

/// What was fed.
#[derive(Debug)]
pub(crate) struct Fed {
    /// Whether it came as a bundle, and of which type.
    pub(crate) bundle: Option<String>,
    pub(crate) events: Vec<FedEvent>,
}

/// One event that was fed.
#[derive(Debug)]
pub(crate) struct FedEvent {
    /// Its place in a bundle, counted from 1.
    pub(crate) part: u16,
    resource: Value,
    text: Option<String>,
    /// What is wrong with it.
    pub(crate) problems: Vec<judged::Problem>,
}

impl FedEvent {
    /// The event, as part of the record with this number that came at this time.
    pub(crate) fn told(self, number: u64, at: i64) -> Told {
        let recorded = self.resource["recorded"].as_str().and_then(time::point);
        Told {
            id: EventId {
                number,
                part: self.part,
            },
            recorded: recorded.unwrap_or(at),
            content: Content::Sent {
                resource: self.resource,
                text: self.text,
                at,
            },
        }
    }
}

/// Reads what was fed.
///
/// # Errors
/// If it is neither an event nor a bundle.
pub(crate) fn fed(form: Form, bytes: &[u8]) -> Result<Fed, String> {
    let text = match form {
        Form::FhirXml => None,
        _ => Some(std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?),
    };
    let text = text.map(|text| text.trim_start_matches('\u{feff}'));
    let resource: Value = match text {
        Some(text) => serde_json::from_str(text).map_err(|error| {
            format!(
                "it is no JSON: line {}, column {}",
                error.line(),
                error.column()
            )
        })?,
        None => read::resource(bytes).map_err(|error| error.to_string())?,
    };
    match resource["resourceType"].as_str() {
        Some("AuditEvent") => {
            let event = one(0, resource, text.map(str::to_owned));
            Ok(Fed {
                bundle: None,
                events: vec![event],
            })
        }
        Some("Bundle") => bundle(resource, text),
        _ => Err("it is neither an AuditEvent nor a Bundle".to_owned()),
    }
}

fn one(part: u16, resource: Value, text: Option<String>) -> FedEvent {
    FedEvent {
        part,
        problems: judged::event(&resource),
        resource,
        text,
    }
}

/// The entries of a bundle ask for something, and only one thing is done here.
fn asked_wrongly(request: &Value) -> Option<judged::Problem> {
    let url = request["url"].as_str().unwrap_or_default();
    let creates = request["method"] == "POST" && url.trim_matches('/') == "AuditEvent";
    (!creates).then(|| judged::Problem {
        place: "Bundle.entry.request".to_owned(),
        code: "not-supported",
        text: "only POST of AuditEvent is done here",
    })
}

fn bundle(mut bundle: Value, text: Option<&str>) -> Result<Fed, String> {
    let kind = bundle["type"].as_str().unwrap_or_default().to_owned();
    let entries = match bundle.get_mut("entry").map(Value::take).unwrap_or_default() {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    };
    if entries.len() > ENTRIES {
        return Err(format!("the bundle has more than {ENTRIES} entries"));
    }
    let texts = text.and_then(entry_texts).unwrap_or_default();
    let events = entries.into_iter().enumerate().map(|(at, mut entry)| {
        let text = texts.get(at).cloned().flatten();
        let part = u16::try_from(at + 1).unwrap_or(u16::MAX);
        // An entry may be anything.
        let resource = entry.get_mut("resource").map(Value::take);
        let resource = resource.unwrap_or_default();
        let mut event = one(part, resource, text);
        event.problems.extend(asked_wrongly(&entry["request"]));
        event
    });
    Ok(Fed {
        bundle: Some(kind),
        events: events.collect(),
    })
}

/// The resources of a bundle as they were written, in their order.
fn entry_texts(bundle: &str) -> Option<Vec<Option<String>>> {
    let member = |json: &str, name: &str| -> Option<Range<usize>> {
        let members = members::members(json)?;
        members
            .into_iter()
            .find(|(it, _)| *it == name)
            .map(|(_, range)| range)
    };
    let entries = &bundle[member(bundle, "entry")?];
    let items = members::items(entries)?;
    let texts = items.into_iter().map(|item| {
        let entry = &entries[item];
        member(entry, "resource").map(|range| entry[range].to_owned())
    });
    Some(texts.collect())
}

impl Told {
    /// The event, as far as it is searched.
    pub(crate) fn event(&self) -> AuditEvent {
        match &self.content {
            Content::Made(event) => AuditEvent::clone(event),
            // It was found to be one.
            Content::Sent { resource, .. } => {
                serde_json::from_value(resource.clone()).unwrap_or_default()
            }
        }
    }

    /// The resource.
    pub(crate) fn resource(&self) -> Value {
        match &self.content {
            Content::Made(event) => serde_json::to_value(event).unwrap_or_default(),
            Content::Sent { resource, at, .. } => {
                let mut resource = resource.clone();
                resource["id"] = json!(self.id.to_string());
                resource["meta"] = meta(&resource["meta"], *at);
                resource
            }
        }
    }

    /// The resource as JSON: as it was sent if it was, but for its id and what the repository says of
    /// it in `meta`.
    pub(crate) fn json(&self) -> String {
        let Content::Sent {
            resource,
            text: Some(text),
            at,
        } = &self.content
        else {
            return self.resource().to_string();
        };
        let Some(members) = members::members(text) else {
            return self.resource().to_string();
        };
        let meta = meta(&resource["meta"], *at);
        let mut json = format!(
            "{{\"resourceType\":\"AuditEvent\",\"id\":\"{}\",\"meta\":{meta}",
            self.id
        );
        for (name, range) in members {
            // Letters of a name may be escaped.
            let plain: String = serde_json::from_str(&format!("\"{name}\"")).unwrap_or_default();
            if !matches!(plain.as_str(), "resourceType" | "id" | "meta") {
                json.push_str(",\"");
                json.push_str(name);
                json.push_str("\":");
                json.push_str(&text[range]);
            }
        }
        json.push('}');
        json
    }
}

/// What was sent as `meta`, with what only the repository can say.
fn meta(sent: &Value, at: i64) -> Value {
    let mut meta = match sent {
        Value::Object(_) => sent.clone(),
        _ => json!({}),
    };
    meta["versionId"] = json!("1");
    meta["lastUpdated"] = json!(time::instant(at));
    meta
}
