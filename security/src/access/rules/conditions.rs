//! What rules ask of callers and documents, as the file writes it.

use std::net::IpAddr;

use xds_schemas::affinity_codes::{AffinityCodes, CodeKind};

use super::section::{Section, Text};
use super::{File, Read};
use crate::access::codes::{self, Word};
use crate::access::who::{NodeWord, Project, What, Who};
use crate::caller::Vouched;

/// PS3.5 section 6.2, AE.
const AE_TITLE_CHARACTERS: usize = 16;
const WHO: &[&str] = &[
    "node",
    "user",
    "issuer",
    "role",
    "purpose",
    "organisation",
    "community",
    "scope",
    "client",
    "vouched",
    "project",
];
const WHAT: &[&str] = &[
    "confidentiality",
    "any_confidentiality",
    "class",
    "type",
    "format",
    "practice_setting",
    "facility",
    "institution",
    "collection",
    "community",
    "document",
    "patient",
];

impl File<'_> {
    pub(super) fn who(&self, section: &Section<'_>) -> Read<Vec<Who>> {
        section.only(WHO)?;
        let vouched = [
            ("assertion", Some(Vouched::Assertion)),
            ("token", Some(Vouched::Token)),
            ("nobody", None),
        ];
        let nodes = section.texts("node")?;
        let nodes = nodes.map(|all| all.iter().map(|it| node(section, it)).collect());
        let nodes = nodes.transpose()?;
        let projects = section.texts("project")?;
        let projects = projects
            .map(|all| self.projects(section, &all))
            .transpose()?;
        let all = [
            nodes.map(Who::Node),
            section.plain("user")?.map(Who::User),
            section.plain("issuer")?.map(Who::Issuer),
            self.roles(section)?.map(Who::Role),
            self.purposes(section)?.map(Who::Purpose),
            section.plain("organisation")?.map(Who::Organisation),
            section.plain("community")?.map(Who::Community),
            section.plain("scope")?.map(Who::Scope),
            section.plain("client")?.map(Who::Client),
            section.some_of("vouched", &vouched)?.map(Who::Vouched),
            projects.map(Who::Project),
        ];
        Ok(all.into_iter().flatten().collect())
    }

    pub(super) fn what(&self, section: &Section<'_>) -> Read<Vec<What>> {
        section.only(WHAT)?;
        let codes = |key: &str, kind: CodeKind| self.codes(section, key, kind);
        let confidentiality = CodeKind::ConfidentialityCode;
        let all = [
            codes("confidentiality", confidentiality)?.map(What::Confidentiality),
            codes("any_confidentiality", confidentiality)?.map(What::AnyConfidentiality),
            codes("class", CodeKind::ClassCode)?.map(What::Class),
            codes("type", CodeKind::TypeCode)?.map(What::Type),
            codes("format", CodeKind::FormatCode)?.map(What::Format),
            codes("practice_setting", CodeKind::PracticeSettingCode)?.map(What::PracticeSetting),
            codes("facility", CodeKind::HealthcareFacilityTypeCode)?.map(What::Facility),
            section.plain("institution")?.map(What::Institution),
            self.collections(section)?.map(What::Collection),
            section.plain("community")?.map(What::Community),
            section.plain("document")?.map(What::Document),
            section
                .one_of("patient", &[("own", ())])?
                .map(|()| What::OwnPatient),
        ];
        Ok(all.into_iter().flatten().collect())
    }

    /// Codes of documents, which the affinity domain must have.
    pub(super) fn codes(
        &self,
        section: &Section<'_>,
        key: &str,
        kind: CodeKind,
    ) -> Read<Option<Vec<Word>>> {
        let Some(texts) = section.texts(key)? else {
            return Ok(None);
        };
        let known = self.known.codes.as_ref();
        let known = known
            .map(|codes| known_codes(codes, kind))
            .unwrap_or_default();
        for text in &texts {
            let word = Word::parse(&text.text);
            // A kind of code that the affinity domain does not list is not restricted.
            if !known.is_empty() && !known.iter().any(|it| word.means(it)) {
                let known = known.iter().map(|it| shown(it, &text.text));
                return Err(section.unknown((key, text), known));
            }
        }
        Ok(Some(texts.iter().map(|it| Word::parse(&it.text)).collect()))
    }

    /// Classes as consents have them: class, type or format of a document.
    pub(super) fn classes(&self, section: &Section<'_>) -> Read<()> {
        let kinds = [
            CodeKind::ClassCode,
            CodeKind::TypeCode,
            CodeKind::FormatCode,
        ];
        let known = self
            .known
            .codes
            .as_ref()
            .map(|codes| kinds.map(|kind| known_codes(codes, kind)));
        let Some(known) = known.filter(|kinds| kinds.iter().all(|it| !it.is_empty())) else {
            return Ok(());
        };
        let known = known.concat();
        for text in section.texts("class")?.unwrap_or_default() {
            let word = Word::parse(&text.text);
            if !known.iter().any(|it| word.means(it)) {
                let known = known.iter().map(|it| shown(it, &text.text));
                return Err(section.unknown(("class", &text), known));
            }
        }
        Ok(())
    }

    pub(super) fn purposes(&self, section: &Section<'_>) -> Read<Option<Vec<Word>>> {
        let Some(texts) = section.texts("purpose")? else {
            return Ok(None);
        };
        let words = texts.iter().map(|text| {
            let word = Word::parse(&text.text);
            // Codes of other systems are not known here.
            let foreign = (word.system.as_deref()).is_some_and(|it| it != codes::ACT_REASON);
            let known = || self.purposes.iter();
            match foreign || known().any(|it| *it == word.code) {
                true => Ok(word),
                false => Err(section.unknown(("purpose", text), known().map(String::as_str))),
            }
        });
        words.collect::<Read<_>>().map(Some)
    }

    /// Roles are whatever issuers write, unless the file says which there are.
    pub(super) fn roles(&self, section: &Section<'_>) -> Read<Option<Vec<Word>>> {
        let Some(texts) = section.texts("role")? else {
            return Ok(None);
        };
        let words = texts.iter().map(|text| match &self.roles {
            Some(known) if !known.contains(&text.text) => {
                Err(section.unknown(("role", text), known.iter().map(String::as_str)))
            }
            _ => Ok(Word::parse(&text.text)),
        });
        words.collect::<Read<_>>().map(Some)
    }

    fn projects(&self, section: &Section<'_>, names: &[Text]) -> Read<Vec<Project>> {
        let project = |name: &Text| {
            let found = self.projects.iter().find(|it| it.name == name.text);
            let known = self.projects.iter().map(|it| it.name.as_str());
            found
                .cloned()
                .ok_or_else(|| section.unknown(("project", name), known))
        };
        names.iter().map(project).collect()
    }

    fn collections(&self, section: &Section<'_>) -> Read<Option<Vec<String>>> {
        let Some(texts) = section.texts("collection")? else {
            return Ok(None);
        };
        let names = texts.into_iter().map(|text| match &self.known.collections {
            Some(known) if !known.contains(&text.text) => {
                let known = known.iter().map(String::as_str);
                Err(section.unknown(("collection", &text), known))
            }
            _ => Ok(text.text),
        });
        names.collect::<Read<_>>().map(Some)
    }
}

/// The SHA-256 of a certificate may be written with colons and in capitals.
fn node(section: &Section<'_>, text: &Text) -> Read<NodeWord> {
    let written = text.text.as_str();
    if let Some(address) = written.strip_prefix("address ") {
        let address = address.trim().parse::<IpAddr>();
        let address = address.map_err(|_| section.error_in("node", text, "it is no address"))?;
        return Ok(NodeWord::Address(address.to_canonical()));
    }
    if let Some(title) = written.strip_prefix("AE ") {
        let title = title.trim();
        if title.is_empty() || title.len() > AE_TITLE_CHARACTERS || title.contains('\\') {
            let problem = "an AE title has at most 16 characters, and no backslash";
            return Err(section.error_in("node", text, problem));
        }
        return Ok(NodeWord::AeTitle(title.to_owned()));
    }
    let digits: String = written.chars().filter(|it| *it != ':').collect();
    let name = match digits.len() == 64 && digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        true => digits.to_ascii_lowercase(),
        false => written.to_owned(),
    };
    Ok(NodeWord::Certificate(name))
}

fn known_codes(codes: &AffinityCodes, kind: CodeKind) -> Vec<String> {
    let codes = codes.codes(kind).into_iter();
    codes
        .map(|it| format!("{}^^{}", it.code, it.scheme))
        .collect()
}

/// A known code as whoever wrote `text` writes codes.
fn shown<'a>(known: &'a str, text: &str) -> &'a str {
    match text.contains("^^") {
        true => known,
        false => known.split("^^").next().unwrap_or_default(),
    }
}
