//! Somebody who might ask, and a document that might be asked for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::Args;
use hilum_security::access::Described;
use hilum_security::{Caller, NodeName, Permission, Shown, User, UserCode, Vouched};
use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::metadata::Code;

use crate::domain::Domain;
use crate::status::Usage;
use crate::terminal::{printable, tell};

/// Who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Who asks")]
pub(super) struct Who {
    /// The node: subject of its certificate, such as "CN=viewer.example, O=Clinic", its SHA-256, or, if it
    /// has no certificate, "address IP"; "AE TITLE" for one that speaks DICOM's own protocol
    #[arg(long, value_name = "SUBJECT")]
    node: Option<String>,
    /// The user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Who vouches for the user
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// A role: CODE or CODE^^SYSTEM
    #[arg(long, value_name = "CODE")]
    role: Vec<String>,
    /// A purpose of use: CODE or CODE^^SYSTEM
    #[arg(long, value_name = "CODE")]
    purpose: Vec<String>,
    /// The user's organisation: urn:oid:…, or its name
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
    /// The community from which the user asks
    #[arg(long, value_name = "ID")]
    community: Option<String>,
    /// The program (client_id of a token)
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// What the token is for
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The user is vouched for by a token, not by an assertion
    #[arg(long)]
    token: bool,
    /// The patient whom the assertion or token is about (resource-id)
    #[arg(long, value_name = "ID")]
    about_patient: Option<String>,
    /// Why the glass is broken
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// What is asked for, if it is not a document that is registered.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is asked for")]
pub(super) struct What {
    /// Confidentiality codes: CODE^^SCHEME
    #[arg(long, value_name = "CODE")]
    confidentiality: Vec<String>,
    /// Its class
    #[arg(long, value_name = "CODE")]
    class: Option<String>,
    /// Its type
    #[arg(long = "type", value_name = "CODE")]
    type_code: Option<String>,
    /// Its format
    #[arg(long, value_name = "CODE")]
    format: Option<String>,
    /// Its practice setting
    #[arg(long, value_name = "CODE")]
    practice_setting: Option<String>,
    /// The type of the facility
    #[arg(long, value_name = "CODE")]
    facility: Option<String>,
    /// The institution of an author
    #[arg(long, value_name = "NAME")]
    institution: Vec<String>,
    /// The collection of images
    #[arg(long, value_name = "NAME")]
    collection: Option<String>,
    /// The community where it lies
    #[arg(long, value_name = "ID")]
    home: Option<String>,
    /// Its patient: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
}

impl Who {
    /// Somebody who asks.
    pub(super) fn caller(&self, domain: &Domain) -> anyhow::Result<Caller> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut caller = Caller::unknown(address);
        match self.node.as_deref().map(|node| node.split_once(' ')) {
            Some(Some(("address", address))) => {
                let address = address.trim().parse::<IpAddr>();
                let problem = || Usage("--node: it is no address".to_owned());
                caller.address.set_ip(address.map_err(|_| problem())?);
            }
            Some(Some(("AE", title))) => caller.ae_title = Some(title.trim().to_owned()),
            _ => {
                caller.node = self.node.as_ref().map(|node| NodeName {
                    subject: node.clone(),
                    fingerprint: node.replace(':', "").to_ascii_lowercase(),
                    certificate: Shown::default(),
                });
            }
        }
        let patient = self.about_patient.as_deref();
        let patient = patient.map(|id| domain.patient(id)).transpose()?;
        let user = User {
            name: self.user.clone().unwrap_or_default(),
            issuer: self.issuer.clone().unwrap_or_default(),
            vouched: match self.token {
                true => Vouched::Token,
                false => Vouched::Assertion,
            },
            organization: self.organisation.clone(),
            organization_id: self.organisation.clone(),
            home_community_id: self.community.clone(),
            roles: self.role.iter().map(|it| code(it)).collect(),
            purposes: self.purpose.iter().map(|it| code(it)).collect(),
            patient_id: patient.map(|it| it.to_string()),
            client_id: self.client.clone(),
            scopes: self.scope.clone(),
            reason: self.reason.clone(),
            ..User::default()
        };
        let nobody = User {
            vouched: user.vouched,
            ..User::default()
        };
        if user != nobody {
            if self.user.is_none() {
                let problem = "--user: it is needed, since something is said of the user";
                return Err(Usage(problem.to_owned()).into());
            }
            caller.user = Some(Arc::new(user));
        }
        Ok(caller)
    }
}

fn code(text: &str) -> UserCode {
    let (code, system) = text.split_once("^^").unwrap_or((text, ""));
    UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display: None,
    }
}

impl What {
    /// A document of which this is said, beside what is registered of it.
    pub(super) fn describe(&self, domain: &Domain, known: Described) -> anyhow::Result<Described> {
        let patient = self.patient.as_deref();
        let patient = patient.map(|id| domain.patient(id)).transpose()?;
        let list = |said: &Vec<String>, known: Vec<String>| match said.is_empty() {
            true => known,
            false => said.clone(),
        };
        let one = |said: &Option<String>, known: Option<String>| said.clone().or(known);
        self.note_unknown(domain);
        Ok(Described {
            patient_id: patient.map(|it| it.to_string()).or(known.patient_id),
            unique_id: known.unique_id,
            confidentiality_codes: list(&self.confidentiality, known.confidentiality_codes),
            class_code: one(&self.class, known.class_code),
            type_code: one(&self.type_code, known.type_code),
            format_code: one(&self.format, known.format_code),
            practice_setting_code: one(&self.practice_setting, known.practice_setting_code),
            healthcare_facility_type_code: one(&self.facility, known.healthcare_facility_type_code),
            author_institutions: list(&self.institution, known.author_institutions),
            collection: one(&self.collection, known.collection),
            home_community_id: one(&self.home, known.home_community_id),
        })
    }
}

impl What {
    /// Says which codes the affinity domain does not have: a document of another one may have them.
    fn note_unknown(&self, domain: &Domain) {
        let one = |said: &Option<String>| said.iter().cloned().collect::<Vec<_>>();
        let said = [
            (
                "--confidentiality",
                CodeKind::ConfidentialityCode,
                self.confidentiality.clone(),
            ),
            ("--class", CodeKind::ClassCode, one(&self.class)),
            ("--type", CodeKind::TypeCode, one(&self.type_code)),
            ("--format", CodeKind::FormatCode, one(&self.format)),
            (
                "--practice-setting",
                CodeKind::PracticeSettingCode,
                one(&self.practice_setting),
            ),
            (
                "--facility",
                CodeKind::HealthcareFacilityTypeCode,
                one(&self.facility),
            ),
        ];
        for (option, kind, codes) in said {
            let known = domain.kind(kind);
            let is_known = |text: &String| {
                let (code, scheme) = text.split_once("^^").unwrap_or((text, ""));
                let is = |it: &Code| it.code == code && (scheme.is_empty() || it.scheme == scheme);
                known.iter().any(is)
            };
            for code in codes.iter().filter(|it| !known.is_empty() && !is_known(it)) {
                let (code, kind) = (printable(code), kind.name());
                tell(&format!(
                    "{option}: {code} is no {kind} of the affinity domain"
                ));
            }
        }
    }
}

/// What may be asked for, in words.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Asked {
    Query,
    Register,
    Provide,
    Retrieve,
    Update,
    Remove,
    Subscribe,
}

impl Asked {
    pub(super) const fn permission(self) -> Permission {
        match self {
            Self::Query => Permission::Query,
            Self::Register => Permission::Register,
            Self::Provide => Permission::Provide,
            Self::Retrieve => Permission::Retrieve,
            Self::Update => Permission::Update,
            Self::Remove => Permission::Remove,
            Self::Subscribe => Permission::Subscribe,
        }
    }
}
