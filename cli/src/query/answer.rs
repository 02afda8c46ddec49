//! What a query has found: read, and shown as tables.

use xds_schemas::codes::ebrim_uuids::{folder, submission_set};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrim::{Body, InternationalString, RegistryObject};
use xds_schemas::metadata::{
    Association, Code, DocumentEntry, DocumentEntryType, Folder, SubmissionSet, Timestamp,
};

use crate::terminal::{Table, printable, tell};

/// The objects of an answer.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) documents: Vec<DocumentEntry>,
    pub(crate) submission_sets: Vec<SubmissionSet>,
    pub(crate) folders: Vec<Folder>,
    pub(crate) associations: Vec<Association>,
    /// Objects of which only the name was asked, as entryUUIDs.
    pub(super) object_refs: Vec<String>,
}

impl Found {
    /// Reads the objects. One that cannot be read is pointed out and left out.
    pub(crate) fn read(objects: &[RegistryObject]) -> Self {
        let mut found = Self::default();
        for object in objects {
            let offences = match &object.body {
                Body::ExtrinsicObject { .. } => {
                    add(&mut found.documents, DocumentEntry::from_ebrim(object))
                }
                Body::RegistryPackage if object.is_classified_as(folder::NODE) => {
                    add(&mut found.folders, Folder::from_ebrim(object))
                }
                Body::RegistryPackage if object.is_classified_as(submission_set::NODE) => add(
                    &mut found.submission_sets,
                    SubmissionSet::from_ebrim(object),
                ),
                Body::RegistryPackage => {
                    vec!["is neither a submission set nor a folder".to_owned()]
                }
                Body::Association { .. } => {
                    add(&mut found.associations, Association::from_ebrim(object))
                }
                Body::ObjectRef => {
                    found.object_refs.push(object.id.clone());
                    Vec::new()
                }
            };
            for offence in offences {
                let id = printable(&object.id);
                tell(&format!("warning: {id} is left out: {offence}"));
            }
        }
        found
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.documents.is_empty()
            && self.submission_sets.is_empty()
            && self.folders.is_empty()
            && self.associations.is_empty()
            && self.object_refs.is_empty()
    }

    /// A table for each kind of object.
    pub(super) fn text(&self) -> String {
        let mut tables = vec![
            self.document_table(),
            self.submission_set_table(),
            self.folder_table(),
            self.association_table(),
        ];
        let mut names = Table::new(&["ENTRY UUID"]);
        for name in &self.object_refs {
            names.row(vec![name.clone()]);
        }
        tables.push(names);
        let tables = tables.iter().filter(|table| !table.is_empty());
        let texts: Vec<String> = tables.map(Table::text).collect();
        texts.join("\n")
    }

    /// entryUUIDs are shown where something refers to them.
    fn document_table(&self) -> Table {
        let mut head = vec![
            "TITLE",
            "CLASS",
            "TYPE",
            "TIME",
            "MIME TYPE",
            "SIZE",
            "STATUS",
            "REPOSITORY",
            "UNIQUE ID",
        ];
        let linked = !self.associations.is_empty();
        if linked {
            head.push("ENTRY UUID");
        }
        let mut homes: Vec<_> = self
            .documents
            .iter()
            .map(|it| &it.home_community_id)
            .collect();
        homes.dedup();
        let several = homes.len() > 1;
        if several {
            head.push("COMMUNITY");
        }
        let mut table = Table::new(&head);
        for document in &self.documents {
            let mut row = vec![
                text(document.title.as_ref()),
                code(document.class_code.as_ref()),
                code(document.type_code.as_ref()),
                time(document.creation_time.as_ref()),
                document.mime_type.clone(),
                match document.entry_type {
                    DocumentEntryType::OnDemand => "on demand".to_owned(),
                    DocumentEntryType::Stable => document
                        .size
                        .map(|size| size.to_string())
                        .unwrap_or_default(),
                },
                status(document.availability_status),
                document
                    .repository_unique_id
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                document.unique_id.to_string(),
            ];
            if linked {
                row.push(document.entry_uuid.to_string());
            }
            if several {
                let home = document.home_community_id.as_ref();
                row.push(home.map(ToString::to_string).unwrap_or_default());
            }
            table.row(row);
        }
        table
    }

    fn submission_set_table(&self) -> Table {
        let mut table = Table::new(&[
            "SUBMISSION",
            "CONTENT",
            "TIME",
            "SOURCE",
            "UNIQUE ID",
            "ENTRY UUID",
        ]);
        for set in &self.submission_sets {
            table.row(vec![
                text(set.title.as_ref()),
                code(set.content_type_code.as_ref()),
                time(set.submission_time.as_ref()),
                set.source_id.clone(),
                set.unique_id.to_string(),
                set.entry_uuid.to_string(),
            ]);
        }
        table
    }

    fn folder_table(&self) -> Table {
        let mut table = Table::new(&["FOLDER", "CODES", "UPDATED", "UNIQUE ID", "ENTRY UUID"]);
        for folder in &self.folders {
            let codes: Vec<String> = folder.codes.iter().map(|one| code(Some(one))).collect();
            table.row(vec![
                text(folder.title.as_ref()),
                codes.join(", "),
                time(folder.last_update_time.as_ref()),
                folder.unique_id.to_string(),
                folder.entry_uuid.to_string(),
            ]);
        }
        table
    }

    fn association_table(&self) -> Table {
        let mut table = Table::new(&["ASSOCIATION", "FROM", "TO", "STATUS", "ENTRY UUID"]);
        for association in &self.associations {
            let urn = association.association_type.as_str();
            table.row(vec![
                urn.rsplit(':').next().unwrap_or(urn).to_owned(),
                association.source.to_string(),
                association.target.to_string(),
                status(association.availability_status),
                association.entry_uuid.to_string(),
            ]);
        }
        table
    }
}

/// Adds what could be read; otherwise says what is wrong with it.
fn add<T>(to: &mut Vec<T>, read: Result<T, Vec<xds_schemas::ebrs::RegistryError>>) -> Vec<String> {
    match read {
        Ok(object) => {
            to.push(object);
            Vec::new()
        }
        Err(errors) => {
            let context = |error: xds_schemas::ebrs::RegistryError| error.context;
            errors.into_iter().map(context).collect()
        }
    }
}

fn text(text: Option<&InternationalString>) -> String {
    let first = text.and_then(InternationalString::first);
    first.unwrap_or_default().to_owned()
}

/// What a code is displayed as, or else the code.
fn code(code: Option<&Code>) -> String {
    let Some(code) = code else {
        return String::new();
    };
    let display = code.display.first().filter(|display| !display.is_empty());
    display.unwrap_or(&code.code).to_owned()
}

fn status(status: Option<AvailabilityStatus>) -> String {
    let word = match status {
        Some(AvailabilityStatus::Approved) => "Approved",
        Some(AvailabilityStatus::Deprecated) => "Deprecated",
        None => "",
    };
    word.to_owned()
}

/// `20261125093000` as `2026-11-25 09:30:00`, as far as it goes.
fn time(time: Option<&Timestamp>) -> String {
    let digits = time.map(Timestamp::as_str).unwrap_or_default();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        match place {
            4 | 6 => shown.push('-'),
            8 => shown.push(' '),
            10 | 12 => shown.push(':'),
            _ => {}
        }
        shown.push(digit);
    }
    shown
}
