//! From the command line to a stored query.

use std::str::FromStr;

use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindDocuments, FindFolders, FindImaging,
    FindSubmissionSets, GetAll, GetContents, GetRelatedDocuments, Names, Pattern, StoredQuery,
};
use xds_schemas::metadata::timestamp::TimeRange;
use xds_schemas::metadata::{EntryUuid, PatientId, ReferenceId, UniqueId};

use super::arguments::{
    All, Arguments, Contents, Documents, Find, Folders, Raw, Related, SubmissionSets, Which,
};
use super::choices::{association_types, statuses, types};
use super::question::Question;
use crate::domain::{Domain, time};
use crate::status::Usage;

/// What is asked.
pub(super) fn question(arguments: &Arguments, domain: &Domain) -> anyhow::Result<Question> {
    let asking = Asking {
        domain,
        patient: arguments.common.patient.as_deref(),
    };
    let plain = arguments.find == Find::default() && arguments.raw == Raw::default();
    let mut question = match (&arguments.which, &arguments.raw.stored_query) {
        (Some(_), _) if !plain => {
            let problem = "what narrows a subcommand stands behind it";
            return Err(Usage::new(problem).into());
        }
        (Some(which), _) => Question::from(&asking.which(which)?),
        (None, Some(_)) if arguments.find != Find::default() || asking.patient.is_some() => {
            let problem = "--stored-query takes its parameters by -p alone";
            return Err(Usage::new(problem).into());
        }
        (None, Some(name)) => Question::raw(name, &arguments.raw.parameter)?,
        (None, None) => Question::from(&asking.find(&arguments.find)?),
    };
    if arguments.common.object_refs {
        question.request.return_type = xds_schemas::ebrs::ReturnType::ObjectRef;
    }
    if arguments.common.versions {
        question = question.with_versions();
    }
    Ok(question.of_home(arguments.common.home.as_deref()))
}

struct Asking<'a> {
    domain: &'a Domain,
    patient: Option<&'a str>,
}

impl Asking<'_> {
    fn which(&self, which: &Which) -> anyhow::Result<StoredQuery> {
        let by_patient = matches!(which, Which::All(_))
            || matches!(which, Which::SubmissionSets(sets) if sets.by_patient())
            || matches!(which, Which::Folders(folders) if folders.by_patient());
        if self.patient.is_some() && !by_patient {
            return Err(Usage::new("IDs are asked for without --patient").into());
        }
        match which {
            Which::Documents(documents) => Ok(self.documents(documents)),
            Which::Related(related) => self.related(related),
            Which::SubmissionSets(sets) => self.submission_sets(sets),
            Which::Folders(folders) => self.folders(folders),
            Which::Associations(associations) => {
                Ok(StoredQuery::GetAssociations(uuids(&associations.uuid)))
            }
            Which::All(all) => self.all(all),
            Which::Parameters(_) => Err(Usage::new("parameters are asked of nobody").into()),
        }
    }

    fn patient(&self) -> anyhow::Result<PatientId> {
        let Some(patient) = self.patient else {
            let problem = "whose? Say --patient ID; hilum query --help shows other ways to ask";
            return Err(Usage::new(problem).into());
        };
        Ok(self.domain.patient(patient)?)
    }

    fn find(&self, find: &Find) -> anyhow::Result<StoredQuery> {
        let codes = |kind, codes| self.any_of(kind, codes);
        let filter = DocumentFilter {
            entry_types: types(find.entry_type.as_deref())?,
            class_codes: codes(CodeKind::ClassCode, &find.class_code)?,
            type_codes: codes(CodeKind::TypeCode, &find.type_code)?,
            practice_setting_codes: codes(
                CodeKind::PracticeSettingCode,
                &find.practice_setting_code,
            )?,
            healthcare_facility_type_codes: codes(
                CodeKind::HealthcareFacilityTypeCode,
                &find.healthcare_facility_type_code,
            )?,
            format_codes: codes(CodeKind::FormatCode, &find.format_code)?,
            event_codes: self.all_of(CodeKind::EventCode, &find.event_code)?,
            confidentiality_codes: self
                .all_of(CodeKind::ConfidentialityCode, &find.confidentiality_code)?,
            author_persons: like(&find.author),
            reference_ids: reference_ids(&find.reference_id)?,
            creation_time: range(&find.from, &find.to)?,
            service_start_time: range(&find.service_start_from, &find.service_start_to)?,
            service_stop_time: range(&find.service_stop_from, &find.service_stop_to)?,
            availabilities: Vec::new(),
        };
        if find.is_about_images() {
            return self.images(find, filter);
        }
        let by_reference = !find.reference_id.is_empty();
        let find = FindDocuments {
            patient: self.patient()?,
            statuses: statuses(find.status.as_deref())?,
            filter,
        };
        Ok(match by_reference {
            true => StoredQuery::FindDocumentsByReferenceId(find),
            false => StoredQuery::FindDocuments(find),
        })
    }

    /// One of our own queries. Without a patient, everybody is meant.
    fn images(&self, find: &Find, filter: DocumentFilter) -> anyhow::Result<StoredQuery> {
        let patient = self.patient.map(|patient| self.domain.patient(patient));
        let specimen = |group: &String| like(&alternatives(group));
        let query = FindImaging {
            patients: patient.transpose()?.into_iter().collect(),
            statuses: statuses(find.status.as_deref())?,
            filter,
            acquisition: conditions("--acquisition", &find.acquisition)?,
            measurements: conditions("--measurement", &find.measurement)?,
            specimens: AllOf(find.specimen.iter().map(specimen).collect()),
        };
        let asked = (
            find.acquisition.is_empty(),
            find.measurement.is_empty(),
            find.specimen.is_empty(),
        );
        Ok(match asked {
            (false, true, true) => StoredQuery::FindDocumentsByAcquisition(query),
            (true, false, true) => StoredQuery::FindDocumentsByMeasurement(query),
            (true, true, false) => StoredQuery::FindDocumentsBySpecimen(query),
            _ => StoredQuery::FindDocumentsForCohort(query),
        })
    }

    fn documents(&self, documents: &Documents) -> StoredQuery {
        let names = names(&documents.ids.uuid, &documents.ids.unique_id);
        match documents.associations {
            true => StoredQuery::GetDocumentsAndAssociations(names),
            false => StoredQuery::GetDocuments(names),
        }
    }

    fn related(&self, related: &Related) -> anyhow::Result<StoredQuery> {
        Ok(StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
            of: one(&related.ids.uuid, &related.ids.unique_id)?,
            association_types: association_types(&related.association)?,
            entry_types: types(related.entry_type.as_deref())?,
        }))
    }

    fn submission_sets(&self, sets: &SubmissionSets) -> anyhow::Result<StoredQuery> {
        if !sets.of.is_empty() {
            return Ok(StoredQuery::GetSubmissionSets(uuids(&sets.of)));
        }
        if !sets.by_patient() {
            return Ok(StoredQuery::GetSubmissionSetAndContents(GetContents {
                of: one(&sets.ids.uuid, &sets.ids.unique_id)?,
                filter: self.contents(&sets.contents)?,
            }));
        }
        let exact = |id: &String| Pattern::exact(id);
        Ok(StoredQuery::FindSubmissionSets(FindSubmissionSets {
            patient: self.patient()?,
            statuses: vec![AvailabilityStatus::Approved],
            source_ids: AnyOf(sets.source_id.iter().map(exact).collect()),
            submission_time: range(&sets.from, &sets.to)?,
            author_person: like(sets.author.as_slice()),
            content_type_codes: self.any_of(CodeKind::ContentTypeCode, &sets.content_type_code)?,
        }))
    }

    fn folders(&self, folders: &Folders) -> anyhow::Result<StoredQuery> {
        let ids = &folders.ids;
        if let Some(document) = &folders.of_document {
            return Ok(StoredQuery::GetFoldersForDocument(name(document)));
        }
        if folders.by_patient() {
            return Ok(StoredQuery::FindFolders(FindFolders {
                patient: self.patient()?,
                statuses: vec![AvailabilityStatus::Approved],
                last_update_time: range(&folders.from, &folders.to)?,
                codes: self.all_of(CodeKind::FolderCode, &folders.code)?,
            }));
        }
        if folders.with_contents {
            return Ok(StoredQuery::GetFolderAndContents(GetContents {
                of: one(&ids.uuid, &ids.unique_id)?,
                filter: self.contents(&folders.contents)?,
            }));
        }
        Ok(StoredQuery::GetFolders(names(&ids.uuid, &ids.unique_id)))
    }

    fn all(&self, all: &All) -> anyhow::Result<StoredQuery> {
        let statuses = statuses(all.status.as_deref())?;
        Ok(StoredQuery::GetAll(GetAll {
            patient: self.patient()?,
            document_entry_statuses: statuses.clone(),
            submission_set_statuses: statuses.clone(),
            folder_statuses: statuses,
            filter: self.contents(&all.contents)?,
        }))
    }

    fn contents(&self, contents: &Contents) -> anyhow::Result<ContentFilter> {
        let confidentiality = &contents.confidentiality_code;
        Ok(ContentFilter {
            entry_types: types(contents.entry_type.as_deref())?,
            format_codes: self.any_of(CodeKind::FormatCode, &contents.format_code)?,
            confidentiality_codes: self.all_of(CodeKind::ConfidentialityCode, confidentiality)?,
        })
    }

    /// Alternatives.
    fn any_of(&self, kind: CodeKind, codes: &[String]) -> Result<AnyOf, Usage> {
        let pattern = |code: &String| {
            let code = self.domain.code(kind, code)?;
            Ok(Pattern::exact(format!("{}^^{}", code.code, code.scheme)))
        };
        codes
            .iter()
            .map(pattern)
            .collect::<Result<_, _>>()
            .map(AnyOf)
    }

    /// Groups of alternatives, all of which must match.
    fn all_of(&self, kind: CodeKind, groups: &[String]) -> Result<AllOf, Usage> {
        let group = |group: &String| self.any_of(kind, &alternatives(group));
        groups
            .iter()
            .map(group)
            .collect::<Result<_, _>>()
            .map(AllOf)
    }
}

/// Groups of alternatives, as the query has them.
fn conditions<T: FromStr<Err = String>>(
    option: &str,
    groups: &[String],
) -> Result<Vec<Vec<T>>, Usage> {
    let read = |text: String| {
        let read = text.parse();
        read.map_err(|problem| Usage(format!("{option} {text:?}: {problem}")))
    };
    let group = |group: &String| alternatives(group).into_iter().map(read).collect();
    groups.iter().map(group).collect()
}

fn alternatives(group: &str) -> Vec<String> {
    group.split('|').map(str::to_owned).collect()
}

fn like(patterns: &[String]) -> AnyOf {
    AnyOf(patterns.iter().map(Pattern::like).collect())
}

/// Groups of reference ids, or of patterns of them.
fn reference_ids(groups: &[String]) -> Result<AllOf, Usage> {
    let group = |group: &String| {
        let alternatives = alternatives(group);
        for text in alternatives.iter().filter(|text| !text.contains('%')) {
            let read = ReferenceId::parse(text);
            read.map_err(|problem| Usage(format!("--reference-id: {text:?} {problem}")))?;
        }
        Ok(like(&alternatives))
    };
    groups
        .iter()
        .map(group)
        .collect::<Result<_, _>>()
        .map(AllOf)
}

fn range(from: &Option<String>, to: &Option<String>) -> Result<TimeRange, Usage> {
    let bound = |text: &Option<String>| text.as_deref().map(time).transpose();
    Ok(TimeRange {
        from: bound(from)?,
        to: bound(to)?,
    })
}

fn uuids(uuids: &[String]) -> Vec<EntryUuid> {
    uuids
        .iter()
        .map(|uuid| EntryUuid::from(uuid.as_str()))
        .collect()
}

/// Exactly one of both is filled.
fn names(uuid: &[String], unique_id: &[String]) -> Names {
    match unique_id.is_empty() {
        true => Names::EntryUuids(uuids(uuid)),
        false => Names::UniqueIds(
            unique_id
                .iter()
                .map(|id| UniqueId::from(id.as_str()))
                .collect(),
        ),
    }
}

fn one(uuid: &[String], unique_id: &[String]) -> Result<Names, Usage> {
    match uuid.len() + unique_id.len() {
        1 => Ok(names(uuid, unique_id)),
        _ => Err(Usage::new("this query takes one ID")),
    }
}

/// An entryUUID, or else a uniqueId.
pub(crate) fn name(id: &str) -> Names {
    match id.starts_with("urn:uuid:") {
        true => Names::EntryUuids(vec![EntryUuid::from(id)]),
        false => Names::UniqueIds(vec![UniqueId::from(id)]),
    }
}
