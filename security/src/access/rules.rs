//! The rules file. Whatever is wrong is refused with its line.

mod conditions;
pub(super) mod purposes;
mod section;

use std::collections::HashSet;
use std::sync::Arc;

use thiserror::Error;
use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::metadata::hl7::is_oid;

use super::acknowledged::Acknowledgement;
use super::codes::Word;
use super::policy::{Emergency, INFRASTRUCTURE, NO_RULE, Needed, Rule};
use super::who::{Project, Who};
use super::{Level, Period, Policy, Provision, Vocabulary, Wish};
use crate::permission::Permission;

pub(super) use section::nearest;

use section::Section;

/// More rules, projects or policies than this are refused.
const MAX_RULES: usize = 1000;
/// Purposes by which the glass is broken, unless others are named.
const EMERGENCIES: [&str; 2] = ["BTG", "ETREAT"];

const ROOT: &[&str] = &["rule", "project", "policies", "break_glass", "known"];
const RULE: &[&str] = &[
    "name",
    "who",
    "what",
    "permission",
    "consent",
    "from",
    "until",
    "break_glass",
    "level",
];
const POLICY: &[&str] = &[
    "name",
    "wish",
    "otherwise",
    "organisation",
    "actor",
    "role",
    "purpose",
    "confidentiality",
    "class",
];
const PERMISSIONS: [(&str, Permission); 12] = [
    ("query", Permission::Query),
    ("register", Permission::Register),
    ("provide", Permission::Provide),
    ("retrieve", Permission::Retrieve),
    ("update", Permission::Update),
    ("remove", Permission::Remove),
    ("announce", Permission::Announce),
    ("patients", Permission::Patients),
    ("subscribe", Permission::Subscribe),
    ("consent", Permission::Consent),
    ("audit", Permission::Audit),
    ("administer", Permission::Administer),
];

/// What is decided without regard to documents.
const ABOUT_NO_DOCUMENT: [Permission; 4] = [
    Permission::Announce,
    Permission::Patients,
    Permission::Audit,
    Permission::Administer,
];

/// Why a text is no rules file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {message}")]
pub struct RulesError {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

type Read<T> = Result<T, RulesError>;

/// A word of the file for each permission.
pub(super) fn permission_word(permission: Permission) -> &'static str {
    let found = PERMISSIONS.iter().find(|(_, it)| *it == permission);
    found.map_or("", |(word, _)| word)
}

pub(super) fn read(text: &str, known: &Vocabulary) -> Read<Policy> {
    section::with_root(text, |root| {
        root.only(ROOT)?;
        let file = File::of(root, known)?;
        let mut names = HashSet::new();
        let mut rules = Vec::new();
        for section in root.tables("rule", MAX_RULES)? {
            let rule = file.rule(&section)?;
            if [INFRASTRUCTURE, NO_RULE].contains(&&*rule.name) || !names.insert(rule.name.clone())
            {
                let problem = format!("{:?}: another rule is called so", &*rule.name);
                return Err(section.error_of("name", &problem));
            }
            rules.push(rule);
        }
        let acknowledgements = root.named("policies", MAX_RULES)?;
        let acknowledgements = acknowledgements.iter();
        let acknowledgements = acknowledgements.map(|(oid, it)| file.acknowledgement(oid, it));
        let acknowledgements = acknowledgements.collect::<Read<_>>()?;
        let known = (file.purposes, file.roles);
        Ok(Policy::of(rules, acknowledgements, file.emergency, known))
    })
}

/// What rules may refer to.
struct File<'a> {
    known: &'a Vocabulary,
    purposes: Vec<String>,
    roles: Option<Vec<String>>,
    projects: Vec<Project>,
    emergency: Emergency,
}

impl<'a> File<'a> {
    fn of(root: &Section<'_>, known: &'a Vocabulary) -> Read<Self> {
        let mut file = Self {
            known,
            purposes: purposes::KNOWN.iter().map(|it| (*it).to_owned()).collect(),
            roles: None,
            projects: Vec::new(),
            emergency: Emergency {
                purposes: EMERGENCIES.map(Word::parse).into(),
                reason_needed: true,
            },
        };
        if let Some(own) = root.table("known")? {
            own.only(&["purpose", "role"])?;
            let more = own.texts("purpose")?.unwrap_or_default();
            file.purposes.extend(more.into_iter().map(|it| it.text));
            let roles = own.texts("role")?;
            file.roles = roles.map(|all| all.into_iter().map(|it| it.text).collect());
        }
        if let Some(glass) = root.table("break_glass")? {
            glass.only(&["purpose", "reason"])?;
            if let Some(purposes) = file.purposes(&glass)? {
                file.emergency.purposes = purposes;
            }
            let reasons = [("required", true), ("optional", false)];
            let reason = glass.one_of("reason", &reasons)?;
            file.emergency.reason_needed = reason.unwrap_or(true);
        }
        for (name, section) in root.named("project", MAX_RULES)? {
            section.only(&["member", "from", "until"])?;
            let members = section.tables("member", MAX_RULES)?;
            let members = members.iter().map(|it| {
                let who = file.who(it)?;
                match who.is_empty() {
                    true => Err(it.error("it names nobody")),
                    false => Ok(who),
                }
            });
            let members: Vec<Vec<Who>> = members.collect::<Read<_>>()?;
            let period = period(&section)?;
            file.projects.push(Project {
                name,
                period,
                members,
            });
        }
        Ok(file)
    }

    fn rule(&self, section: &Section<'_>) -> Read<Rule> {
        section.only(RULE)?;
        let name = section.required("name")?;
        let who = section.table("who")?;
        let what = section.table("what")?;
        let levels = Level::ALL.map(|level| (level.as_str(), level));
        let needs = [
            ("opt-in", Needed::OptIn),
            ("opt-out", Needed::OptOut),
            ("refused", Needed::Refused),
        ];
        let level = section.one_of("level", &levels)?;
        let rule = Rule {
            name: Arc::from(name),
            line: section.line(),
            who: who.map(|it| self.who(&it)).transpose()?.unwrap_or_default(),
            what: what
                .map(|it| self.what(&it))
                .transpose()?
                .unwrap_or_default(),
            permissions: section
                .some_of("permission", &PERMISSIONS)?
                .unwrap_or_default(),
            consent: section.one_of("consent", &needs)?,
            period: period(section)?,
            break_glass: section.flag("break_glass")?,
            level: level.ok_or_else(|| section.error("level is missing"))?,
        };
        // Whoever wrote such a rule would wait in vain for what it grants or forbids.
        let about_nothing = |it: &&Permission| ABOUT_NO_DOCUMENT.contains(it);
        if let Some(permission) = rule.permissions.iter().find(about_nothing)
            && !(rule.what.is_empty() && rule.consent.is_none())
        {
            let problem = format!(
                "\"{}\" is not about documents, so what and consent cannot stand beside it: \
                 write a rule of its own for it",
                permission_word(*permission)
            );
            return Err(section.error_of("permission", &problem));
        }
        Ok(rule)
    }

    fn acknowledgement(&self, oid: &str, section: &Section<'_>) -> Read<Acknowledgement> {
        section.only(POLICY)?;
        let plain = oid.strip_prefix("urn:oid:").unwrap_or(oid);
        if !is_oid(plain) {
            return Err(section.error("it is no OID"));
        }
        section.text("name")?;
        let wishes = [("permit", Wish::Permit), ("deny", Wish::Deny)];
        let wish = section.one_of("wish", &wishes)?;
        let wish = wish.ok_or_else(|| section.error("wish is missing"))?;
        let texts = |key: &str| Ok(section.plain(key)?.unwrap_or_default());
        self.purposes(section)?;
        self.roles(section)?;
        self.codes(section, "confidentiality", CodeKind::ConfidentialityCode)?;
        self.classes(section)?;
        Ok(Acknowledgement {
            oid: plain.to_owned(),
            otherwise: section.one_of("otherwise", &wishes)?,
            provision: Provision {
                organisations: texts("organisation")?,
                actors: texts("actor")?,
                roles: texts("role")?,
                purposes: texts("purpose")?,
                confidentiality_codes: texts("confidentiality")?,
                class_codes: texts("class")?,
                ..Provision::of(wish)
            },
        })
    }
}

fn period(section: &Section<'_>) -> Read<Period> {
    let (from, until) = (section.moment("from")?, section.moment("until")?);
    let period = Period {
        from: from.map(|(from, _)| from),
        until: until.map(|(_, until)| until),
    };
    match (period.from, period.until) {
        (Some(from), Some(until)) if until <= from => {
            Err(section.error_of("until", "it is before from"))
        }
        _ => Ok(period),
    }
}

#[cfg(test)]
mod tests;
