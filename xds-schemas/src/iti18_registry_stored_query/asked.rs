//! The slots of a query and their values, judged by the table of parameters.

use std::str::FromStr;

use super::bounds::{Left, MOST_SLOTS};
use super::conditions::MOST_CONDITIONS;
use super::parameters::{Multiplicity, Need, Parameter, slot};
use super::{AllOf, AnyOf, Names, Pattern, QueryKind, syntax};
use crate::codes::error_code::ErrorCode;
use crate::codes::status::{AvailabilityStatus, DocumentAvailability};
use crate::ebrs::{AdhocQueryRequest, RegistryError};
use crate::metadata::timestamp::TimeRange;
use crate::metadata::{
    AssociationType, DocumentEntryType, EntryUuid, PatientId, Timestamp, UniqueId,
};

/// The parameters of one query: for each slot that was given its values.
pub(super) struct Asked {
    pub(super) kind: QueryKind,
    slots: Vec<(&'static str, Vec<String>)>,
    pub(super) errors: Vec<RegistryError>,
}

impl Asked {
    /// # Errors
    /// If it is too much to be looked at.
    pub(super) fn collect(
        kind: QueryKind,
        request: &AdhocQueryRequest,
    ) -> Result<Self, Vec<RegistryError>> {
        let mut asked = Self {
            kind,
            slots: Vec::new(),
            errors: Vec::new(),
        };
        if request.slots.len() > MOST_SLOTS {
            return Err(asked.too_much(&format!("it may have {MOST_SLOTS} slots")));
        }
        let mut left = Left::all();
        for given in &request.slots {
            let Some(parameter) = kind.all_parameters().find(|one| one.name == given.name) else {
                // Nobody reads it, but it came.
                let values = syntax::read(&given.values).map_or(given.values.len(), |it| it.len());
                match left.count(values) {
                    Ok(()) => continue,
                    Err(problem) => return Err(asked.too_much(&problem)),
                }
            };
            match syntax::read(&given.values) {
                Ok(values) => match left.take(parameter.name, &values) {
                    Ok(()) => asked.add(parameter, values),
                    Err(problem) => return Err(asked.too_much(&problem)),
                },
                Err(problem) => {
                    asked.wrong(parameter.name, problem);
                    // It was given, so it is not missing too.
                    asked.slots.push((parameter.name, Vec::new()));
                }
            }
        }
        Ok(asked)
    }

    pub(super) fn add(&mut self, parameter: &Parameter, values: Vec<String>) {
        if values.is_empty() {
            return;
        }
        if parameter.multiplicity != Multiplicity::Lists && self.has(parameter.name) {
            let problem = format!("{} may be given only once", parameter.name);
            return self.say(ErrorCode::StoredQueryParamNumber, parameter.name, &problem);
        }
        if parameter.multiplicity == Multiplicity::One && values.len() > 1 {
            let problem = format!("{} may have one value only", parameter.name);
            self.say(ErrorCode::StoredQueryParamNumber, parameter.name, &problem);
        }
        self.slots.push((parameter.name, values));
    }

    pub(super) fn judge_needs(&mut self) {
        let kind = self.kind;
        for parameter in kind.all_parameters() {
            if parameter.need == Need::Required && !self.has(parameter.name) {
                self.missing(parameter.name);
            }
        }
        let with = |need| {
            let all = kind.all_parameters().filter(move |it| it.need == need);
            all.map(|it| it.name).collect::<Vec<_>>()
        };
        let exclusive = with(Need::OneOfThese);
        let given: Vec<&str> = exclusive
            .iter()
            .copied()
            .filter(|it| self.has(it))
            .collect();
        match given.len() {
            0 if !exclusive.is_empty() => self.missing(&exclusive.join(" or ")),
            0 | 1 => {}
            _ => self.exclusive(&given),
        }
        let some = with(Need::SomeOfThese);
        if !some.is_empty() && !some.iter().any(|name| self.has(name)) {
            self.missing(&some.join(" or "));
        }
        for wanted in kind.all_parameters().map(|it| it.name) {
            let unwanted = format!("{wanted}Exclude");
            if self.has(wanted) && self.has(&unwanted) {
                self.exclusive(&[wanted, &unwanted]);
            }
        }
    }

    pub(super) fn exclusive(&mut self, names: &[&str]) {
        let names = names.join(" and ");
        let problem = format!("{names} exclude each other");
        self.say(ErrorCode::StoredQueryParamNumber, &names, &problem);
    }

    /// Says what is wrong, and with which parameter.
    pub(super) fn say(&mut self, code: ErrorCode, name: &str, problem: &str) {
        let context = format!("{}: {problem}", self.kind.name());
        self.errors
            .push(RegistryError::error(code, context).at(name));
    }

    /// Nothing else is said of what is too much.
    fn too_much(mut self, problem: &str) -> Vec<RegistryError> {
        self.errors.clear();
        self.say(ErrorCode::StoredQueryParamNumber, "AdhocQuery", problem);
        self.errors
    }

    pub(super) fn missing(&mut self, name: &str) {
        let problem = format!("{name} is missing");
        self.say(ErrorCode::StoredQueryMissingParam, name, &problem);
    }

    pub(super) fn wrong(&mut self, name: &str, problem: &str) {
        self.say(
            ErrorCode::RegistryError,
            name,
            &format!("{name}: {problem}"),
        );
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.slots.iter().any(|(given, _)| *given == name)
    }

    /// The values of the first slot of this name.
    pub(super) fn values(&self, name: &str) -> &[String] {
        let found = self.slots.iter().find(|(given, _)| *given == name);
        found.map_or(&[], |(_, values)| values)
    }

    pub(super) fn patient(&mut self, name: &'static str) -> Option<PatientId> {
        let read = PatientId::parse(self.values(name).first()?);
        read.map_err(|problem| self.wrong(name, &problem)).ok()
    }

    pub(super) fn patients(&mut self, name: &'static str) -> Vec<PatientId> {
        let read: Result<Vec<_>, _> = self.values(name).iter().map(|it| it.parse()).collect();
        read.unwrap_or_else(|problem: String| {
            self.wrong(name, &problem);
            Vec::new()
        })
    }

    /// Statuses that are known. If none is, the parameter is as good as missing.
    pub(super) fn statuses(&mut self, name: &'static str) -> Vec<AvailabilityStatus> {
        let known = self.known_statuses(name);
        if known.is_empty() && self.has(name) {
            self.missing(name);
        }
        known
    }

    /// The same where nothing need be said.
    pub(super) fn known_statuses(&self, name: &str) -> Vec<AvailabilityStatus> {
        let given = self.values(name).iter();
        given
            .filter_map(|urn| AvailabilityStatus::parse(urn))
            .collect()
    }

    /// On-demand entries are found by those who ask for them (ITI TF-2 3.18.4.1.2.3.6.2).
    pub(super) fn entry_types(&mut self) -> Vec<DocumentEntryType> {
        let unwanted = self.types(slot::NOT_DE_TYPE);
        if !unwanted.is_empty() {
            let mut left = vec![DocumentEntryType::Stable, DocumentEntryType::OnDemand];
            left.retain(|it| !unwanted.contains(it));
            return left;
        }
        match self.values(slot::DE_TYPE) {
            [] => vec![DocumentEntryType::Stable],
            _ => self.types(slot::DE_TYPE),
        }
    }

    pub(super) fn types(&mut self, name: &'static str) -> Vec<DocumentEntryType> {
        let given = self.values(name);
        let read = |uuid: &String| DocumentEntryType::parse(uuid);
        let known: Vec<_> = given.iter().filter_map(read).collect();
        if known.len() < given.len() {
            let problem = "it has values that are no types of document entries";
            self.wrong(name, problem);
        }
        known
    }

    /// Older senders leave out the prefixes of the framework's types.
    pub(super) fn association_types(&mut self) -> Vec<AssociationType> {
        let given = self.values(slot::ASSOCIATION_TYPES);
        given
            .iter()
            .map(|urn| AssociationType::parse_lenient(urn))
            .collect()
    }

    pub(super) fn any_of(&self, name: &str, pattern: fn(String) -> Pattern) -> AnyOf {
        AnyOf(self.values(name).iter().cloned().map(pattern).collect())
    }

    pub(super) fn all_of(&self, name: &str, pattern: fn(String) -> Pattern) -> AllOf {
        let slots = self.slots.iter().filter(|(given, _)| *given == name);
        AllOf(
            slots
                .map(|(_, values)| AnyOf(values.iter().cloned().map(pattern).collect()))
                .collect(),
        )
    }

    /// Conditions: those of each slot are alternatives.
    pub(super) fn conditions<T: FromStr<Err = String>>(
        &mut self,
        name: &'static str,
    ) -> Vec<Vec<T>> {
        let slots = self.slots.iter().filter(|(given, _)| *given == name);
        let slots: Vec<Vec<String>> = slots.map(|(_, values)| values.clone()).collect();
        if slots.iter().map(Vec::len).sum::<usize>() > MOST_CONDITIONS {
            let problem = format!("{name} may have {MOST_CONDITIONS} conditions in all");
            self.say(ErrorCode::StoredQueryParamNumber, name, &problem);
            return Vec::new();
        }
        let mut place = 0;
        let mut read = |text: &String| {
            place += 1;
            match text.parse() {
                Ok(condition) => Some(condition),
                Err(problem) => {
                    self.wrong(name, &format!("condition {place}: {problem}"));
                    None
                }
            }
        };
        let slots = slots.iter();
        slots
            .map(|values| values.iter().filter_map(&mut read).collect())
            .collect()
    }

    pub(super) fn codes(&mut self, name: &'static str) -> AnyOf {
        let codes = self.any_of(name, Pattern::exact);
        self.judge_codes(name, &codes);
        codes
    }

    pub(super) fn all_codes(&mut self, name: &'static str) -> AllOf {
        let codes = self.all_of(name, Pattern::exact);
        codes.0.iter().for_each(|any| self.judge_codes(name, any));
        codes
    }

    pub(super) fn judge_codes(&mut self, name: &'static str, codes: &AnyOf) {
        let is_code = |code: &Pattern| {
            code.as_str()
                .split_once("^^")
                .is_some_and(|(code, scheme)| {
                    !code.is_empty() && !scheme.is_empty() && !scheme.contains('^')
                })
        };
        if !codes.0.iter().all(is_code) {
            self.wrong(name, "codes are written as 'code^^codingScheme'");
        }
    }

    pub(super) fn time_range(&mut self, from: &'static str, to: &'static str) -> TimeRange {
        TimeRange {
            from: self.time(from),
            to: self.time(to),
        }
    }

    pub(super) fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        let read = Timestamp::parse(self.values(name).first()?);
        read.map_err(|problem| self.wrong(name, &problem)).ok()
    }

    pub(super) fn uuids(&self, name: &str) -> Vec<EntryUuid> {
        self.values(name).iter().cloned().map(EntryUuid).collect()
    }

    /// Without a `by_logical_id` there are no versions.
    pub(super) fn names(&self, by_uuid: &str, by_unique_id: &str, by_logical_id: &str) -> Names {
        if self.has(by_uuid) {
            return Names::EntryUuids(self.uuids(by_uuid));
        }
        if self.has(by_logical_id) {
            return Names::LogicalIds(self.uuids(by_logical_id));
        }
        let unique_ids = self.values(by_unique_id).iter().cloned();
        Names::UniqueIds(unique_ids.map(UniqueId).collect())
    }

    pub(super) fn availabilities(&mut self) -> Vec<DocumentAvailability> {
        let given = self.values(slot::DE_AVAILABILITY);
        let known: Vec<_> = given
            .iter()
            .filter_map(|urn| DocumentAvailability::parse(urn))
            .collect();
        if known.len() < given.len() {
            let problem = "it has values that are no documentAvailability";
            self.wrong(slot::DE_AVAILABILITY, problem);
        }
        known
    }
}
