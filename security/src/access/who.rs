//! What rules ask of callers and of documents.

use std::fmt;
use std::net::IpAddr;

use super::codes::{self, Name, Word};
use super::{Asking, Described, Period};
use crate::caller::{Caller, User, Vouched};

/// What is asked of a caller. It is enough that one of a list is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// The node.
    Node(Vec<NodeWord>),
    /// The user: `name` or `issuer|name`.
    User(Vec<String>),
    /// Who vouches for the user.
    Issuer(Vec<String>),
    /// The user's role.
    Role(Vec<Word>),
    /// The purpose of use.
    Purpose(Vec<Word>),
    /// The user's organisation.
    Organisation(Vec<String>),
    /// The community from which the user asks.
    Community(Vec<String>),
    /// What a token is for.
    Scope(Vec<String>),
    /// The program.
    Client(Vec<String>),
    /// By what the user is vouched for; `None` if there is no user.
    Vouched(Vec<Option<Vouched>>),
    /// A member of one of these projects, while it runs.
    Project(Vec<Project>),
}

/// Whether one of these is about the node.
pub(super) fn heeds_nodes(all: &[Who]) -> bool {
    all.iter().any(|who| match who {
        Who::Node(_) => true,
        Who::Project(projects) => projects
            .iter()
            .any(|project| project.members.iter().any(|member| heeds_nodes(member))),
        _ => false,
    })
}

/// Callers who work together for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) name: String,
    pub(super) period: Period,
    /// Each of these is a member.
    pub(super) members: Vec<Vec<Who>>,
}

/// Whether a caller is all of this.
pub(super) fn unmet<'a>(conditions: &'a [Who], asking: &Asking<'_>) -> Option<&'a Who> {
    conditions.iter().find(|it| !it.is(asking))
}

impl Who {
    /// Its key in the file.
    pub(super) const fn key(&self) -> &'static str {
        match self {
            Self::Node(_) => "node",
            Self::User(_) => "user",
            Self::Issuer(_) => "issuer",
            Self::Role(_) => "role",
            Self::Purpose(_) => "purpose",
            Self::Organisation(_) => "organisation",
            Self::Community(_) => "community",
            Self::Scope(_) => "scope",
            Self::Client(_) => "client",
            Self::Vouched(_) => "vouched",
            Self::Project(_) => "project",
        }
    }

    fn is(&self, asking: &Asking<'_>) -> bool {
        let Asking { caller, .. } = asking;
        let user = |is: &dyn Fn(&User) -> bool| caller.user.as_deref().is_some_and(is);
        match self {
            Self::Node(nodes) => nodes.iter().any(|it| it.is(caller)),
            Self::User(names) => user(&|user| names.iter().any(|it| Name::of(it).is_user(user))),
            Self::Issuer(issuers) => user(&|user| issuers.contains(&user.issuer)),
            Self::Role(words) => user(&|user| words.iter().any(|it| it.is_one_of(&user.roles))),
            Self::Purpose(words) => {
                user(&|user| words.iter().any(|it| it.is_one_of(&user.purposes)))
            }
            Self::Organisation(names) => {
                user(&|user| (names.iter()).any(|it| Name::of(it).is_organisation_of(user)))
            }
            Self::Community(homes) => user(&|user| {
                let home = user.home_community_id.as_deref();
                home.is_some_and(|home| is_one_of(homes, home))
            }),
            Self::Scope(scopes) => user(&|user| user.scopes.iter().any(|it| scopes.contains(it))),
            Self::Client(clients) => user(&|user| {
                let client = user.client_id.as_ref();
                client.is_some_and(|client| clients.contains(client))
            }),
            Self::Vouched(ways) => ways.contains(&caller.user.as_deref().map(|it| it.vouched)),
            Self::Project(projects) => projects.iter().any(|it| it.has(asking)),
        }
    }
}

impl Project {
    fn has(&self, asking: &Asking<'_>) -> bool {
        let is = |member: &Vec<Who>| unmet(member, asking).is_none();
        self.period.contains(asking.now) && self.members.iter().any(is)
    }
}

/// How a rule names a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NodeWord {
    /// By its certificate: subject, part of the subject, or SHA-256.
    Certificate(String),
    /// By its address, if it has no certificate.
    Address(IpAddr),
    /// By what it calls itself where it speaks DICOM's own protocol.
    AeTitle(String),
}

impl NodeWord {
    fn is(&self, caller: &Caller) -> bool {
        match (self, &caller.node) {
            (Self::Certificate(name), Some(node)) => {
                node.fingerprint == *name || node.is_called(name)
            }
            (Self::Address(address), None) => caller.address.ip().to_canonical() == *address,
            (Self::Certificate(_), None) | (Self::Address(_), Some(_)) => false,
            (Self::AeTitle(title), _) => caller.ae_title.as_ref() == Some(title),
        }
    }
}

impl fmt::Display for NodeWord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(name) => out.write_str(name),
            Self::Address(address) => write!(out, "address {address}"),
            Self::AeTitle(title) => write!(out, "AE {title}"),
        }
    }
}

fn is_one_of(homes: &[String], home: &str) -> bool {
    homes.iter().any(|it| codes::same_identifier(it, home))
}

/// What is asked of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// It has confidentiality codes, and all of them are among these.
    Confidentiality(Vec<Word>),
    /// One of its confidentiality codes is among these.
    AnyConfidentiality(Vec<Word>),
    Class(Vec<Word>),
    Type(Vec<Word>),
    Format(Vec<Word>),
    PracticeSetting(Vec<Word>),
    Facility(Vec<Word>),
    /// One of its authors is of one of these institutions.
    Institution(Vec<String>),
    Collection(Vec<String>),
    Community(Vec<String>),
    Document(Vec<String>),
    /// Its patient is the one whom the caller's assertion or token is about.
    OwnPatient,
}

/// Whether a document is all of this for a caller.
pub(super) fn missing<'a>(
    conditions: &'a [What],
    asking: &Asking<'_>,
    document: &Described,
) -> Option<&'a What> {
    conditions.iter().find(|it| !it.is(asking, document))
}

impl What {
    /// Its key in the file.
    pub(super) const fn key(&self) -> &'static str {
        match self {
            Self::Confidentiality(_) => "confidentiality",
            Self::AnyConfidentiality(_) => "any_confidentiality",
            Self::Class(_) => "class",
            Self::Type(_) => "type",
            Self::Format(_) => "format",
            Self::PracticeSetting(_) => "practice_setting",
            Self::Facility(_) => "facility",
            Self::Institution(_) => "institution",
            Self::Collection(_) => "collection",
            Self::Community(_) => "community",
            Self::Document(_) => "document",
            Self::OwnPatient => "patient",
        }
    }

    fn is(&self, asking: &Asking<'_>, document: &Described) -> bool {
        let among = |words: &[Word], code: &String| words.iter().any(|it| it.means(code));
        let is = |words: &[Word], code: &Option<String>| {
            code.as_ref().is_some_and(|code| among(words, code))
        };
        let confidentiality = &document.confidentiality_codes;
        match self {
            Self::Confidentiality(words) => {
                !confidentiality.is_empty() && confidentiality.iter().all(|it| among(words, it))
            }
            Self::AnyConfidentiality(words) => confidentiality.iter().any(|it| among(words, it)),
            Self::Class(words) => is(words, &document.class_code),
            Self::Type(words) => is(words, &document.type_code),
            Self::Format(words) => is(words, &document.format_code),
            Self::PracticeSetting(words) => is(words, &document.practice_setting_code),
            Self::Facility(words) => is(words, &document.healthcare_facility_type_code),
            Self::Institution(names) => (document.author_institutions.iter())
                .any(|xon| names.iter().any(|it| Name::of(it).is_institution(xon))),
            Self::Collection(names) => {
                let collection = document.collection.as_ref();
                collection.is_some_and(|it| names.contains(it))
            }
            Self::Community(homes) => {
                let home = document.home_community_id.as_deref();
                home.is_some_and(|home| is_one_of(homes, home))
            }
            Self::Document(ids) => document
                .unique_id
                .as_ref()
                .is_some_and(|it| ids.contains(it)),
            Self::OwnPatient => {
                let user = asking.caller.user.as_deref();
                let own = user.and_then(|user| user.patient_id.as_deref());
                match (own, document.patient_id.as_deref()) {
                    (Some(own), Some(patient)) => codes::same_patient(own, patient),
                    _ => false,
                }
            }
        }
    }
}
