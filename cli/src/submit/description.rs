//! What is said of the documents: in a file, on the command line, or by neither.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::arguments::{Arguments, Attributes, AuthorText};
use crate::status::Usage;

/// What a metadata file says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Description {
    pub(super) patient: Option<String>,
    /// Of every document.
    document: Attributes,
    /// Of single ones, by their file names.
    documents: BTreeMap<String, Attributes>,
    pub(super) submission_set: SetAttributes,
}

/// Attributes of the submission set, as text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SetAttributes {
    pub(super) title: Option<String>,
    pub(super) comments: Option<String>,
    pub(super) content_type_code: Option<String>,
    pub(super) source_id: Option<String>,
    pub(super) unique_id: Option<String>,
    pub(super) intended_recipients: Vec<String>,
    pub(super) authors: Vec<AuthorText>,
}

impl Description {
    /// Everything that was said, in the file and on the command line.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, Usage> {
        let mut description = match &arguments.metadata {
            Some(file) => Self::read(file)?,
            None => Self::default(),
        };
        description.check_names(&arguments.files)?;
        let said = on_command_line(arguments)?;
        let of_files = std::mem::take(&mut description.document);
        description.document = said.or(of_files);
        let set = &mut description.submission_set;
        let option = |option: &Option<String>, said: &mut Option<String>| {
            if option.is_some() {
                said.clone_from(option);
            }
        };
        option(&arguments.patient, &mut description.patient);
        option(&arguments.content_type_code, &mut set.content_type_code);
        option(&arguments.source_id, &mut set.source_id);
        Ok(description)
    }

    fn read(file: &Path) -> Result<Self, Usage> {
        let problem = |problem: String| Usage(format!("{}: {problem}", file.display()));
        let text = std::fs::read_to_string(file)
            .map_err(|error| problem(format!("cannot be read: {error}")))?;
        let json = file
            .extension()
            .is_some_and(|extension| extension == "json");
        match json {
            true => serde_json::from_str(&text).map_err(|error| problem(error.to_string())),
            false => toml::from_str(&text).map_err(|error| {
                let line = error
                    .span()
                    .map(|span| text[..span.start].matches('\n').count() + 1);
                let line = line
                    .map(|line| format!("line {line}: "))
                    .unwrap_or_default();
                problem(format!("{line}{}", error.message()))
            }),
        }
    }

    /// A name that is misspelled must not be passed over.
    fn check_names(&self, files: &[std::path::PathBuf]) -> Result<(), Usage> {
        let unknown = |name: &&String| !files.iter().any(|file| is_named(file, name));
        match self.documents.keys().find(unknown) {
            Some(name) => Err(Usage(format!(
                "[documents.{name:?}]: no such file is submitted"
            ))),
            None => Ok(()),
        }
    }

    /// What is said of one file: what is said of it alone, unless the command line says otherwise,
    /// and then what is said of all.
    pub(super) fn document(&self, file: &Path) -> Attributes {
        let own = self.documents.iter().find(|(name, _)| is_named(file, name));
        match own {
            Some((_, own)) => own.clone().or(self.document.clone()),
            None => self.document.clone(),
        }
    }
}

fn is_named(file: &Path, name: &str) -> bool {
    file == Path::new(name) || file.file_name().is_some_and(|own| own == name)
}

/// What the options say.
fn on_command_line(arguments: &Arguments) -> Result<Attributes, Usage> {
    let mut said = arguments.attributes.clone();
    if said.unique_id.is_some() && arguments.files.len() > 1 {
        return Err(Usage::new("--unique-id: there are several documents"));
    }
    let institutions = &arguments.author_institution;
    let author = |person| AuthorText {
        person,
        institutions: institutions.clone(),
        ..AuthorText::default()
    };
    said.authors = match arguments.author.is_empty() {
        false => arguments
            .author
            .iter()
            .cloned()
            .map(Some)
            .map(author)
            .collect(),
        true if institutions.is_empty() => Vec::new(),
        true => vec![author(None)],
    };
    for slot in &arguments.slot {
        let Some((name, value)) = slot.split_once('=') else {
            return Err(Usage(format!(
                "--slot: {slot:?} is not of the form URN=VALUE"
            )));
        };
        let values = said.slots.entry(name.to_owned()).or_default();
        values.push(value.to_owned());
    }
    Ok(said)
}

impl Attributes {
    /// These; and of the others those that are not given here.
    fn or(self, other: Self) -> Self {
        let list = |own: Vec<String>, other| if own.is_empty() { other } else { own };
        let mut slots = other.slots;
        slots.extend(self.slots);
        Self {
            title: self.title.or(other.title),
            comments: self.comments.or(other.comments),
            mime_type: self.mime_type.or(other.mime_type),
            unique_id: self.unique_id.or(other.unique_id),
            class_code: self.class_code.or(other.class_code),
            type_code: self.type_code.or(other.type_code),
            format_code: self.format_code.or(other.format_code),
            practice_setting_code: self.practice_setting_code.or(other.practice_setting_code),
            healthcare_facility_type_code: self
                .healthcare_facility_type_code
                .or(other.healthcare_facility_type_code),
            confidentiality_codes: list(self.confidentiality_codes, other.confidentiality_codes),
            event_codes: list(self.event_codes, other.event_codes),
            language_code: self.language_code.or(other.language_code),
            creation_time: self.creation_time.or(other.creation_time),
            service_start_time: self.service_start_time.or(other.service_start_time),
            service_stop_time: self.service_stop_time.or(other.service_stop_time),
            legal_authenticator: self.legal_authenticator.or(other.legal_authenticator),
            source_patient_id: self.source_patient_id.or(other.source_patient_id),
            source_patient_info: list(self.source_patient_info, other.source_patient_info),
            reference_ids: list(self.reference_ids, other.reference_ids),
            authors: match self.authors.is_empty() {
                true => other.authors,
                false => self.authors,
            },
            slots,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn described(file: &str, text: &str, options: &[&str]) -> Result<Description, Usage> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let line = ["submit", "in/a.pdf", "b.pdf", "--metadata", path];
        let line = line.iter().chain(options);
        Description::of(&Line::try_parse_from(line).unwrap().arguments)
    }

    #[test]
    fn options_win_over_the_file_and_one_document_over_all() {
        let text = "patient = 'P1'\n[document]\ntitle = 'all'\nclass_code = 'X'\n\
                    authors = [{ person = '^A' }]\n[documents.'a.pdf']\ncomments = 'own'\n\
                    [submission_set]\ntitle = 'set'\n";
        let options = ["--class-code", "Y", "--patient", "P2"];
        let described = described("m.toml", text, &options).unwrap();
        assert_eq!(described.patient.as_deref(), Some("P2"));
        assert_eq!(described.submission_set.title.as_deref(), Some("set"));
        let own = described.document(Path::new("in/a.pdf"));
        let said = (
            own.title.as_deref(),
            own.comments.as_deref(),
            own.class_code.as_deref(),
        );
        assert_eq!(said, (Some("all"), Some("own"), Some("Y")));
        assert_eq!(own.authors[0].person.as_deref(), Some("^A"));
        assert_eq!(described.document(Path::new("b.pdf")).comments, None);
    }

    #[test]
    fn the_file_may_say_what_the_help_says() {
        let (_, listed) = super::super::arguments::NOTES
            .split_once("it knows\n")
            .unwrap();
        let (listed, _) = listed.split_once(":\n").unwrap();
        let names = listed.replace(" and ", ", ").replace('\n', " ");
        let lists = [
            "authors",
            "confidentiality_codes",
            "event_codes",
            "reference_ids",
            "source_patient_info",
        ];
        let mut text = "[document]\n".to_owned();
        for name in names.split(',').map(str::trim) {
            let value = match name {
                "slots" => "{}",
                name if lists.contains(&name) => "[]",
                _ => "'x'",
            };
            text.push_str(&format!("{name} = {value}\n"));
        }
        assert_eq!(text.lines().count(), 22, "{text}");
        described("m.toml", &text, &[]).unwrap();
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |file, text| described(file, text, &[]).unwrap_err().0;
        assert!(wrong("m.toml", "\n[document]\ntitel = 'x'\n").contains("line 3: "));
        assert!(wrong("m.json", "{\"document\": {\"titel\": 1}}").contains("titel"));
        assert!(wrong("m.toml", "[documents.'c.pdf']\ntitle = 'x'").contains("c.pdf"));
        let described = described("m.json", "{\"patient\": \"P\"}", &["--slot", "urn:x"]);
        assert!(described.is_err());
    }
}
