//! What a patient said, as options of a command, and in words.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use hilum_security::access::{Consent, Period, Provision, Wish, span_of_fhir};
use xds_schemas::metadata::PatientId;

use crate::status::Usage;

/// What is wished. Without an option that restricts it, it is wished of everything.
#[derive(Debug, Args)]
pub(super) struct Said {
    /// The patient wants it to be given
    #[arg(long, required_unless_present = "deny", conflicts_with = "deny")]
    permit: bool,
    /// The patient does not
    #[arg(long)]
    deny: bool,
    /// To users of this organisation: urn:oid:…, a URL or its name; may be repeated
    #[arg(long = "organisation", value_name = "ORGANISATION")]
    organisations: Vec<String>,
    /// To this person, program or node; may be repeated
    #[arg(long = "actor", value_name = "NAME")]
    actors: Vec<String>,
    /// To users in this role: CODE or CODE^^SYSTEM; may be repeated
    #[arg(long = "role", value_name = "CODE")]
    roles: Vec<String>,
    /// For this purpose: TREAT, HRESCH, …; may be repeated
    #[arg(long = "purpose", value_name = "CODE")]
    purposes: Vec<String>,
    /// Of documents with this confidentiality code; may be repeated
    #[arg(long = "confidentiality", value_name = "CODE")]
    confidentiality_codes: Vec<String>,
    /// Of documents of this class, type or format; may be repeated
    #[arg(long = "class", value_name = "CODE")]
    class_codes: Vec<String>,
    /// Of the document with this uniqueId; may be repeated
    #[arg(long = "document", value_name = "UNIQUE_ID")]
    documents: Vec<String>,
    /// Of everything else
    #[arg(long, value_name = "WISH")]
    otherwise: Option<Otherwise>,
    /// From then on: 2026-11-27, or a time with its zone
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Up to and including then
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Otherwise {
    Permit,
    Deny,
}

impl Said {
    /// The consent.
    pub(super) fn consent(&self, of: &PatientId, now: SystemTime) -> Result<Consent, Usage> {
        let wish = if self.deny { Wish::Deny } else { Wish::Permit };
        let provision = Provision {
            organisations: self.organisations.clone(),
            actors: self.actors.clone(),
            roles: self.roles.clone(),
            purposes: self.purposes.clone(),
            confidentiality_codes: self.confidentiality_codes.clone(),
            class_codes: self.class_codes.clone(),
            documents: self.documents.clone(),
            ..Provision::of(wish)
        };
        let of_everything = provision == Provision::of(wish);
        let otherwise = self.otherwise.map(|otherwise| match otherwise {
            Otherwise::Permit => Wish::Permit,
            Otherwise::Deny => Wish::Deny,
        });
        if of_everything && otherwise.is_some() {
            let problem = "--otherwise: it is wished of everything already";
            return Err(Usage(problem.to_owned()));
        }
        let period = Period {
            from: moment("--from", self.from.as_deref())?.map(|(from, _)| from),
            until: moment("--until", self.until.as_deref())?.map(|(_, until)| until),
        };
        let consent = Consent::of("", of.to_string(), wish);
        Ok(match (of_everything, otherwise) {
            (true, _) => Consent {
                given: Some(now),
                period,
                ..consent
            },
            (false, Some(otherwise)) => Consent {
                given: Some(now),
                period,
                base: Some(otherwise),
                provisions: vec![provision],
                ..consent
            },
            // Of everything else nothing is said, so that the period is that of what is.
            (false, None) => Consent {
                given: Some(now),
                base: None,
                provisions: vec![Provision {
                    period,
                    ..provision
                }],
                ..consent
            },
        })
    }
}

fn moment(option: &str, text: Option<&str>) -> Result<Option<(SystemTime, SystemTime)>, Usage> {
    let read = |text| span_of_fhir(text).ok_or_else(|| Usage(format!("{option}: it is no date")));
    text.map(read).transpose()
}

/// A consent in a few words.
pub(super) fn in_words(consent: &Consent) -> String {
    let mut words: Vec<String> = consent.provisions.iter().map(of_provision).collect();
    if let Some(base) = consent.base {
        let what = if words.is_empty() {
            "everything"
        } else {
            "otherwise"
        };
        words.push(format!("{} {what}", wish(base)));
    }
    words.join("; ")
}

const fn wish(wish: Wish) -> &'static str {
    match wish {
        Wish::Permit => "permit",
        Wish::Deny => "deny",
    }
}

fn of_provision(provision: &Provision) -> String {
    let lists = [
        ("to", &provision.organisations),
        ("to", &provision.actors),
        ("in the role", &provision.roles),
        ("for", &provision.purposes),
        ("of confidentiality", &provision.confidentiality_codes),
        ("of class", &provision.class_codes),
        ("of", &provision.documents),
    ];
    let mut words = vec![wish(provision.wish).to_owned()];
    for (preposition, values) in lists {
        if !values.is_empty() {
            words.push(format!("{preposition} {}", values.join(", ")));
        }
    }
    if !provision.provisions.is_empty() {
        let within: Vec<String> = provision.provisions.iter().map(of_provision).collect();
        words.push(format!("but {}", within.join("; ")));
    }
    words.join(" ")
}
