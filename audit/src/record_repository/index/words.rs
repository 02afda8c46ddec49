//! The words by which an event is found.
//!
//! A word is a number: a hash of what it is a word for and of what it says. What is searched by parts
//! of it is kept in full besides.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use xds_schemas::syslog_message::SyslogMessage;

use crate::fhir::audit_event::{AuditEvent, Coding, Concept, Identifier, Reference};
use crate::fhir::codes;
use crate::record_repository::received::{Form, Received};
use crate::record_repository::understood::Told;

/// The edition of what is indexed. Another one is indexed anew.
pub(super) const SHAPE: i32 = 1;
/// Characters of a value that is searched by its parts.
const STRING: usize = 512;

/// What a word is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Every event has it.
    Event = 1,
    /// Every syslog message has it.
    Syslog = 2,
    Type = 3,
    Subtype = 4,
    Action = 5,
    Outcome = 6,
    Agent = 7,
    AgentName = 8,
    AgentRole = 9,
    AlternativeId = 10,
    Address = 11,
    Policy = 12,
    Purpose = 13,
    Source = 14,
    Site = 15,
    Patient = 16,
    Entity = 17,
    EntityName = 18,
    EntityType = 19,
    EntityRole = 20,
    Priority = 21,
    Version = 22,
    HostName = 23,
    AppName = 24,
    ProcessId = 25,
    MessageId = 26,
    Facility = 27,
    Severity = 28,
}

/// A word.
pub(crate) type Word = i64;

/// A value that is searched by its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text {
    pub(super) kind: i32,
    pub(super) value: String,
    pub(super) word: Word,
}

/// What makes words of one index. Who does not know its salt cannot say what a word stands for.
#[derive(Clone)]
pub(crate) struct Words {
    salt: Vec<u8>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Words")
    }
}

/// Everything by which one event is found.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    pub(super) words: BTreeSet<Word>,
    pub(super) texts: Vec<Text>,
}

impl Words {
    pub(super) fn new(salt: &[u8]) -> Self {
        let salt = salt.to_vec();
        Self { salt }
    }

    /// A word for a value.
    pub(crate) fn plain(&self, kind: Kind, value: &str) -> Word {
        self.word(kind, b'=', "", value)
    }

    /// A word for a value of a system.
    fn of_system(&self, kind: Kind, system: &str, value: &str) -> Word {
        self.word(kind, b'|', system, value)
    }

    /// A word for a value of any system but the usual one.
    fn of_others(&self, kind: Kind, value: &str) -> Word {
        self.word(kind, b'*', "", value)
    }

    fn word(&self, kind: Kind, form: u8, system: &str, value: &str) -> Word {
        let mut hash = Sha256::new();
        hash.update(&self.salt);
        hash.update([kind as u8, form]);
        hash.update((system.len() as u64).to_le_bytes());
        hash.update(system);
        hash.update(value);
        let digest = hash.finalize();
        let first = digest.first_chunk().copied().unwrap_or_default();
        i64::from_le_bytes(first)
    }

    /// The words of a token as it is searched: any of them. Without a system, every one fits; with an
    /// empty one, only what has none.
    pub(crate) fn asked(&self, kind: Kind, system: Option<&str>, value: &str) -> Vec<Word> {
        match system {
            None => vec![self.plain(kind, value), self.of_others(kind, value)],
            Some(system) if system == usual(kind) => vec![self.plain(kind, value)],
            Some(system) => vec![self.of_system(kind, system, value)],
        }
    }

    fn token(&self, named: &mut Named, kind: Kind, system: Option<&str>, value: &str) {
        match system.unwrap_or_default() {
            system if system == usual(kind) => _ = named.words.insert(self.plain(kind, value)),
            system => {
                named.words.insert(self.of_system(kind, system, value));
                named.words.insert(self.of_others(kind, value));
            }
        }
    }

    fn coding(&self, named: &mut Named, kind: Kind, coding: &Coding) {
        if let Some(code) = &coding.code {
            self.token(named, kind, coding.system.as_deref(), code);
        }
    }

    fn concept(&self, named: &mut Named, kind: Kind, concept: &Concept) {
        for coding in &concept.coding {
            self.coding(named, kind, coding);
        }
    }

    fn identifier(&self, named: &mut Named, kind: Kind, identifier: &Identifier) {
        if let Some(value) = &identifier.value {
            self.token(named, kind, identifier.system.as_deref(), value);
        }
    }

    fn reference(&self, named: &mut Named, kind: Kind, reference: &Reference) {
        if let Some(identifier) = &reference.identifier {
            self.identifier(named, kind, identifier);
        }
        if let Some(reference) = &reference.reference {
            self.token(named, kind, None, reference);
        }
        if let (None, None, Some(display)) = (
            &reference.identifier,
            &reference.reference,
            &reference.display,
        ) {
            self.token(named, kind, None, display);
        }
    }

    /// A value that is searched by its parts.
    fn text(&self, named: &mut Named, kind: Kind, value: &str) {
        let value: String = value.chars().take(STRING).collect();
        let word = self.plain(kind, &value);
        named.words.insert(word);
        named.texts.push(Text {
            kind: kind as i32,
            value,
            word,
        });
    }

    /// Everything by which an event is found, or a syslog message that is none.
    pub(super) fn of(&self, told: Option<&Told>, received: &Received) -> Named {
        let mut named = Named::default();
        if let Some(told) = told {
            named.words.insert(self.plain(Kind::Event, ""));
            self.event(&mut named, &told.event());
        }
        // Events that were fed are never found as syslog messages.
        if received.form == Form::Syslog {
            named.words.insert(self.plain(Kind::Syslog, ""));
            self.header(&mut named, &SyslogMessage::read(&received.bytes));
        }
        named
    }

    fn event(&self, named: &mut Named, event: &AuditEvent) {
        self.coding(named, Kind::Type, &event.kind);
        for subtype in &event.subtype {
            self.coding(named, Kind::Subtype, subtype);
        }
        for (kind, code) in [
            (Kind::Action, &event.action),
            (Kind::Outcome, &event.outcome),
        ] {
            if let Some(code) = code {
                named.words.insert(self.plain(kind, code));
            }
        }
        for purpose in &event.purpose_of_event {
            self.concept(named, Kind::Purpose, purpose);
        }
        self.agents(named, event);
        self.reference(named, Kind::Source, &event.source.observer);
        if let Some(site) = &event.source.site {
            named.words.insert(self.plain(Kind::Site, site));
        }
        self.entities(named, event);
    }

    fn agents(&self, named: &mut Named, event: &AuditEvent) {
        for agent in &event.agent {
            for role in agent.kind.iter().chain(&agent.role) {
                self.concept(named, Kind::AgentRole, role);
            }
            if let Some(who) = &agent.who {
                self.reference(named, Kind::Agent, who);
                if who.kind.as_deref() == Some("Patient") {
                    self.reference(named, Kind::Patient, who);
                }
            }
            if let Some(id) = &agent.alt_id {
                named.words.insert(self.plain(Kind::AlternativeId, id));
            }
            if let Some(name) = &agent.name {
                self.text(named, Kind::AgentName, name);
            }
            let address = agent.network.as_ref().and_then(|it| it.address.as_deref());
            if let Some(address) = address {
                self.text(named, Kind::Address, address);
            }
            for policy in &agent.policy {
                named.words.insert(self.plain(Kind::Policy, policy));
            }
            for purpose in &agent.purpose_of_use {
                self.concept(named, Kind::Purpose, purpose);
            }
        }
    }

    fn entities(&self, named: &mut Named, event: &AuditEvent) {
        for entity in &event.entity {
            if let Some(kind) = &entity.kind {
                self.coding(named, Kind::EntityType, kind);
            }
            if let Some(role) = &entity.role {
                self.coding(named, Kind::EntityRole, role);
            }
            if let Some(name) = &entity.name {
                self.text(named, Kind::EntityName, name);
            }
            let Some(what) = &entity.what else {
                continue;
            };
            self.reference(named, Kind::Entity, what);
            let is_patient = what.kind.as_deref() == Some("Patient")
                || what
                    .reference
                    .as_deref()
                    .is_some_and(|it| it.contains("Patient/"))
                || entity
                    .role
                    .as_ref()
                    .is_some_and(|it| it.is(codes::ENTITY_ROLE, "1"));
            if is_patient {
                self.reference(named, Kind::Patient, what);
            }
        }
    }

    fn header(&self, named: &mut Named, message: &SyslogMessage<'_>) {
        if let Some(priority) = message.priority {
            self.text(named, Kind::Priority, &priority.to_string());
            let numbers = [
                (Kind::Facility, message.facility()),
                (Kind::Severity, message.severity()),
            ];
            for (kind, number) in numbers {
                let number = number.unwrap_or_default().to_string();
                named.words.insert(self.plain(kind, &number));
            }
        }
        if let Some(version) = message.version {
            self.text(named, Kind::Version, &version.to_string());
        }
        let fields = [
            (Kind::HostName, &message.host_name),
            (Kind::AppName, &message.app_name),
            (Kind::ProcessId, &message.process_id),
            (Kind::MessageId, &message.message_id),
        ];
        for (kind, value) in fields {
            if let Some(value) = value {
                self.text(named, kind, value);
            }
        }
    }
}

/// The system that values of a kind usually have. It needs no word of its own.
const fn usual(kind: Kind) -> &'static str {
    match kind {
        Kind::Type | Kind::AgentRole => codes::DCM,
        Kind::Subtype => codes::TRANSACTION,
        Kind::Action => codes::ACTION,
        Kind::Outcome => codes::OUTCOME,
        Kind::EntityType => codes::ENTITY_TYPE,
        Kind::EntityRole => codes::ENTITY_ROLE,
        _ => "",
    }
}
