//! A stored query as it is asked: typed, or by the names of its parameters.

use xds_schemas::ebrim::Slot;
use xds_schemas::ebrs::{AdhocQueryRequest, ReturnType};
use xds_schemas::iti18_registry_stored_query::parameters::Multiplicity;
use xds_schemas::iti18_registry_stored_query::{QueryKind, StoredQuery};
use xds_schemas::xml::{ToXml, Writer};

use crate::status::Usage;
use crate::terminal::tell;

/// What is asked, and about whom.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(super) request: AdhocQueryRequest,
    /// As CX: each is named in the audit record.
    pub(super) patients: Vec<String>,
}

impl From<&StoredQuery> for Question {
    fn from(query: &StoredQuery) -> Self {
        Self {
            request: query.to_request(ReturnType::LeafClass),
            patients: query.patients().iter().map(ToString::to_string).collect(),
        }
    }
}

impl Question {
    /// The same, asked of a community.
    pub(crate) fn of_home(mut self, home: Option<&str>) -> Self {
        self.request.home = home.map(str::to_owned);
        self
    }

    /// The same for those who know of versions ($MetadataLevel 2).
    pub(crate) fn with_versions(mut self) -> Self {
        let level = Slot::single("$MetadataLevel", "2");
        self.request.slots.push(level);
        self
    }

    /// Whether this is a query of ITI-51.
    pub(super) fn is_of_several_patients(&self) -> bool {
        QueryKind::parse(&self.request.id).is_some_and(QueryKind::is_of_several_patients)
    }

    /// The stored query with this name or ID, with parameters as `NAME=VALUE`. What a value lacks
    /// of quotes and parentheses is put around it.
    pub(super) fn raw(query: &str, parameters: &[String]) -> Result<Self, Usage> {
        let named = |kind: &&QueryKind| kind.name().eq_ignore_ascii_case(query);
        let named = QueryKind::ALL.iter().find(named).copied();
        let kind = named.or_else(|| QueryKind::parse(query));
        let id = match kind {
            Some(kind) => kind.id(),
            None if query.starts_with("urn:uuid:") => query,
            None => {
                let names: Vec<&str> = QueryKind::ALL.iter().map(|kind| kind.name()).collect();
                let names = names.join(", ");
                return Err(Usage(format!(
                    "{query:?} is no stored query; there are {names}"
                )));
            }
        };
        let request = AdhocQueryRequest {
            return_type: ReturnType::LeafClass,
            id: id.to_owned(),
            ..AdhocQueryRequest::default()
        };
        let mut question = Self {
            request,
            patients: Vec::new(),
        };
        for parameter in parameters {
            question.parameter(kind, parameter)?;
        }
        Ok(question)
    }

    fn parameter(&mut self, kind: Option<QueryKind>, text: &str) -> Result<(), Usage> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Usage(format!("{text:?} is not of the form $NAME=VALUE")));
        };
        let row = kind.and_then(|kind| kind.all_parameters().find(|row| row.name == name));
        if kind.is_some() && row.is_none() {
            tell(&format!(
                "warning: this query has no parameter {name}; registries ignore it"
            ));
        }
        let number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let mut written = match value.starts_with(['\'', '(']) || number {
            true => value.to_owned(),
            false => format!("'{}'", value.replace('\'', "''")),
        };
        let list = row.is_some_and(|row| row.multiplicity != Multiplicity::One);
        if list && !written.starts_with('(') {
            written = format!("({written})");
        }
        if name.to_lowercase().ends_with("patientid") {
            let list = written.trim_matches(['(', ')']).split("',");
            let patients = list.map(|patient| patient.trim_matches(['\'', ' ']).to_owned());
            self.patients.extend(patients);
        }
        self.request.slots.push(Slot::single(name, written));
        Ok(())
    }

    /// The message, as it is recorded.
    pub(super) fn xml(&self) -> String {
        let mut writer = Writer::default();
        self.request.to_xml(&mut writer);
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_parameters_need_no_quotes() {
        let parameters = [
            "$XDSDocumentEntryPatientId=O'H^^^&1.2&ISO",
            "$XDSDocumentEntryStatus=urn:oasis:names:tc:ebxml-regrep:StatusType:Approved",
            "$XDSDocumentEntryClassCode=('a^^1','b^^1')",
            "$XDSDocumentEntryCreationTimeFrom=2026",
            "$XDSDocumentEntryType='x'",
        ];
        let question = Question::raw("finddocuments", &parameters.map(str::to_owned)).unwrap();
        assert_eq!(question.request.id, QueryKind::FindDocuments.id());
        let values = question
            .request
            .slots
            .iter()
            .map(|slot| slot.values[0].as_str());
        let expected = [
            "'O''H^^^&1.2&ISO'",
            "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
            "('a^^1','b^^1')",
            "2026",
            "('x')",
        ];
        assert_eq!(values.collect::<Vec<_>>(), expected);
        assert_eq!(question.patients.len(), 1);
    }

    #[test]
    fn any_id_may_be_asked_but_not_any_name() {
        let asked = Question::raw("urn:uuid:0", &["$x=y".to_owned()]).unwrap();
        assert_eq!(asked.request.id, "urn:uuid:0");
        let refused = Question::raw("FindEverything", &[]).unwrap_err();
        assert!(refused.0.contains("GetRelatedDocuments"), "{refused}");
        assert!(Question::raw("GetAll", &["patientId".to_owned()]).is_err());
    }
}
