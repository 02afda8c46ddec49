//! From ebRIM to attributes, one object at a time: what is taken, what offends, what stays extra.

use super::submission::Rules;
use super::{Author, Code, EntryUuid, Extra, HomeCommunityId, formats};
use crate::codes::error_code::ErrorCode;
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::{
    self, Body, Classification, ExternalIdentifier, InternationalString, RegistryObject, Slot,
};
use crate::ebrs::RegistryError;

/// Whose business a rule is. A judge hears only what is its business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concern {
    /// Without this there is nothing to represent.
    Everybody,
    /// What the repository needs to store documents (ITI TF-2 3.41.4.1.3), or would mend without
    /// noticing when it passes the metadata on.
    Repository,
    /// Everything else: the registry's.
    Registry,
}

/// How many offences are kept. Whoever sends more must begin with these.
const MOST_OFFENCES: usize = 500;

/// Hears offences, and keeps those it is concerned with.
#[derive(Debug)]
pub(super) struct Judge {
    concern: Concern,
    code: ErrorCode,
    pub(super) offences: Vec<RegistryError>,
}

impl Judge {
    /// Hears only what cannot be represented.
    pub(super) fn lenient() -> Self {
        Self {
            concern: Concern::Everybody,
            code: ErrorCode::RegistryMetadataError,
            offences: Vec::new(),
        }
    }

    pub(super) fn of(rules: Rules) -> Self {
        let concern = match rules {
            Rules::Provide => Concern::Repository,
            Rules::Register => Concern::Registry,
        };
        Self {
            concern,
            code: rules.metadata_error(),
            offences: Vec::new(),
        }
    }

    /// The metadata breaks a rule of the form.
    pub(super) fn offence(
        &mut self,
        concern: Concern,
        subject: Subject<'_>,
        attribute: &str,
        problem: &str,
    ) {
        let code = self.code.clone();
        self.coded_offence(concern, code, subject, attribute, problem);
    }

    /// The same for rules with an error code of their own.
    pub(super) fn coded_offence(
        &mut self,
        concern: Concern,
        code: ErrorCode,
        subject: Subject<'_>,
        attribute: &str,
        problem: &str,
    ) {
        if concern <= self.concern && self.offences.len() < MOST_OFFENCES {
            let context = format!("{} {}: {attribute} {problem}", subject.kind, subject.id);
            self.offences
                .push(RegistryError::error(code, context).at(subject.id));
        }
    }
}

/// The object concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
}

/// One object while it is read.
pub(super) struct Reading<'a> {
    judge: &'a mut Judge,
    subject: Subject<'a>,
    pub(super) extra: Extra,
    /// Attributes that were there but offended: they are not missing as well.
    malformed: Vec<String>,
}

impl<'a> Reading<'a> {
    /// Begins with what all objects have in common.
    pub(super) fn new(
        kind: &'static str,
        object: &'a RegistryObject,
        judge: &'a mut Judge,
    ) -> Self {
        let subject = Subject {
            kind,
            id: &object.id,
        };
        let extra = Extra::default();
        let mut reading = Self {
            judge,
            subject,
            extra,
            malformed: Vec::new(),
        };
        reading.slots_are_sound(&object.slots);
        if let Some(home) = object.home.as_deref() {
            reading.check("homeCommunityId", formats::oid_urn(home));
        }
        reading
    }

    pub(super) fn offend(&mut self, concern: Concern, attribute: &str, problem: &str) {
        self.malformed.push(attribute.to_owned());
        self.judge
            .offence(concern, self.subject, attribute, problem);
    }

    fn check(&mut self, attribute: &str, result: Result<(), String>) {
        if let Err(problem) = result {
            self.offend(Concern::Registry, attribute, &problem);
        }
    }

    /// The entryUUID and the logicalID of something that is registered for the first time.
    pub(super) fn identities(&mut self, object: &RegistryObject) -> (EntryUuid, Option<EntryUuid>) {
        if object.id.is_empty() {
            self.offend(Concern::Registry, "entryUUID", "is missing");
        } else if object.id.starts_with("urn:uuid:") {
            self.check("entryUUID", formats::uuid_urn(&object.id));
        }
        // A logicalID of another object makes it a new version, which only ITI-57 and ITI-92 carry.
        if object.lid.as_ref().is_some_and(|lid| *lid != object.id) {
            self.offend(
                Concern::Registry,
                "logicalID",
                "differs from the entryUUID, as only an update may",
            );
        }
        let logical_id = object.lid.as_deref().map(EntryUuid::from);
        (EntryUuid(object.id.clone()), logical_id)
    }

    /// Whether the object is a package, as submission sets and folders are.
    pub(super) fn is_package(&mut self, object: &RegistryObject) -> bool {
        let is_package = object.body == Body::RegistryPackage;
        if !is_package {
            self.offend(
                Concern::Everybody,
                "the element",
                "is not a RegistryPackage",
            );
        }
        is_package
    }

    /// The title: texts of less than `limit` characters.
    pub(super) fn title(&mut self, title: Option<&InternationalString>, limit: usize) {
        let texts = title.map_or(&[][..], |title| title.texts.as_slice());
        if texts
            .iter()
            .any(|text| formats::longer_than(&text.value, limit - 1))
        {
            self.offend(
                Concern::Registry,
                "title",
                &format!("does not have less than {limit} characters"),
            );
        }
    }

    pub(super) fn home(object: &RegistryObject) -> Option<HomeCommunityId> {
        object.home.as_deref().map(HomeCommunityId::from)
    }

    pub(super) fn status(object: &RegistryObject) -> Option<AvailabilityStatus> {
        object.status.as_deref().and_then(AvailabilityStatus::parse)
    }

    /// A required attribute that is absent offends, unless it already did by its form.
    pub(super) fn require(&mut self, concern: Concern, attribute: &str, present: bool) {
        if !present
            && !self
                .malformed
                .iter()
                .any(|malformed| malformed == attribute)
        {
            self.judge
                .offence(concern, self.subject, attribute, "is missing");
        }
    }

    fn slots_are_sound(&mut self, slots: &[Slot]) {
        let mut names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            self.offend(
                Concern::Registry,
                pair[0],
                "stands in two slots of one object",
            );
        }
        for slot in slots {
            // ebRIM: a value is a LongName.
            if slot
                .values
                .iter()
                .any(|value| formats::longer_than(value, 256))
            {
                self.offend(
                    Concern::Registry,
                    &slot.name,
                    "has a value of more than 256 characters",
                );
            }
        }
    }

    /// The value of a slot that must not have several. None for an empty slot, which is as good as
    /// none, and for a slot that has to stay extra.
    fn single<'s>(&mut self, concern: Concern, slot: &'s Slot, taken: bool) -> Option<&'s str> {
        match slot.values.as_slice() {
            [] => return None,
            [value] if !taken => return Some(value),
            [_] => {}
            _ => self.offend(concern, &slot.name, "has several values"),
        }
        self.extra.slots.push(slot.clone());
        None
    }

    /// Takes an attribute of one value that has a type; what cannot be read stays extra.
    pub(super) fn typed<T>(
        &mut self,
        concern: Concern,
        slot: &Slot,
        target: &mut Option<T>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) {
        match self.single(concern, slot, target.is_some()).map(parse) {
            Some(Ok(value)) => *target = Some(value),
            Some(Err(problem)) => {
                self.offend(concern, &slot.name, &problem);
                self.extra.slots.push(slot.clone());
            }
            None => {}
        }
    }

    /// Takes an attribute of one value that is kept as text, and checks its form.
    pub(super) fn text(
        &mut self,
        concern: Concern,
        slot: &Slot,
        target: &mut Option<String>,
        form: impl FnOnce(&str) -> Result<(), String>,
    ) {
        if let Some(value) = self.single(concern, slot, target.is_some()) {
            if let Err(problem) = form(value) {
                self.offend(concern, &slot.name, &problem);
            }
            *target = Some(value.to_owned());
        }
    }

    /// Takes an attribute of any number of values that are kept as text.
    pub(super) fn texts(
        &mut self,
        slot: &Slot,
        target: &mut Vec<String>,
        form: impl Fn(&str) -> Result<(), String>,
    ) {
        if !target.is_empty() {
            self.extra.slots.push(slot.clone());
            return;
        }
        if let Some(problem) = slot.values.iter().find_map(|value| form(value).err()) {
            self.offend(Concern::Registry, &slot.name, &problem);
        }
        target.clone_from(&slot.values);
    }

    /// Takes an attribute of any number of typed values; if one cannot be read, all stay extra.
    pub(super) fn typed_list<T>(
        &mut self,
        slot: &Slot,
        target: &mut Vec<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) {
        let values: Result<Vec<T>, String> = slot.values.iter().map(|value| parse(value)).collect();
        match values {
            Ok(values) if target.is_empty() => *target = values,
            Ok(_) => self.extra.slots.push(slot.clone()),
            Err(problem) => {
                self.offend(Concern::Registry, &slot.name, &problem);
                self.extra.slots.push(slot.clone());
            }
        }
    }

    /// Keeps a slot that no attribute claims, whose name must be a URN that nobody else may define
    /// (ITI TF-3 4.2.3.1.6).
    pub(super) fn unclaimed(&mut self, slot: &Slot) {
        if !formats::is_urn(&slot.name) {
            self.offend(
                Concern::Registry,
                &slot.name,
                "is neither an attribute nor named by a URN",
            );
        } else if slot.name.starts_with("urn:ihe:") {
            self.offend(
                Concern::Registry,
                &slot.name,
                "is no attribute that IHE defines",
            );
        }
        self.extra.slots.push(slot.clone());
    }

    /// What every nested classification must satisfy: its object is the one around it.
    pub(super) fn classification_is_sound(
        &mut self,
        attribute: &str,
        classification: &Classification,
    ) {
        if classification.classified_object != self.subject.id {
            self.offend(
                Concern::Repository,
                attribute,
                "is a classification of another object than the one it stands in",
            );
        }
        if classification
            .object_type
            .as_deref()
            .is_some_and(|it| it != ebrim::CLASSIFICATION)
        {
            self.offend(
                Concern::Repository,
                attribute,
                "is a classification with the objectType of something else",
            );
        }
        self.slots_are_sound(&classification.slots);
    }

    /// Reads a code; one without code or scheme stays extra.
    fn code(&mut self, attribute: &str, classification: &Classification) -> Option<Code> {
        self.classification_is_sound(attribute, classification);
        let code = classification
            .node_representation
            .as_deref()
            .filter(|code| !code.is_empty());
        let slots = classification.slots.iter();
        let of_scheme = slots.clone().position(|slot| slot.name == "codingScheme");
        let scheme = of_scheme.map(|at| classification.slots[at].values.as_slice());
        let scheme = match scheme {
            Some([scheme]) if !scheme.is_empty() => Some(scheme),
            _ => None,
        };
        let display = classification.name.clone().unwrap_or_default();
        if display.first().is_none_or(str::is_empty) {
            self.offend(Concern::Registry, attribute, "has no display name");
        }
        let (Some(code), Some(scheme)) = (code, scheme) else {
            self.offend(
                Concern::Registry,
                attribute,
                "needs a nodeRepresentation and one codingScheme",
            );
            self.extra.classifications.push(classification.clone());
            return None;
        };
        let mut others = Vec::new();
        for (_, slot) in slots.enumerate().filter(|(at, _)| Some(*at) != of_scheme) {
            self.offend(
                Concern::Registry,
                attribute,
                "has a slot besides codingScheme",
            );
            others.push(slot.clone());
        }
        Some(Code {
            code: code.to_owned(),
            scheme: scheme.clone(),
            display,
            id: lasting_id(&classification.id),
            extra: Extra {
                slots: others,
                ..Extra::default()
            },
        })
    }

    /// Takes a coded attribute of at most one value.
    pub(super) fn one_code(
        &mut self,
        attribute: &str,
        classification: &Classification,
        target: &mut Option<Code>,
    ) {
        if target.is_some() {
            self.offend(Concern::Registry, attribute, "is given twice");
            self.extra.classifications.push(classification.clone());
        } else {
            *target = self.code(attribute, classification);
        }
    }

    /// Takes a coded attribute of many values.
    pub(super) fn codes(
        &mut self,
        attribute: &str,
        classification: &Classification,
        target: &mut Vec<Code>,
    ) {
        target.extend(self.code(attribute, classification));
    }

    /// Takes an author (ITI TF-3 4.2.3.1.4).
    pub(super) fn author(&mut self, classification: &Classification, target: &mut Vec<Author>) {
        self.classification_is_sound("author", classification);
        if classification
            .node_representation
            .as_deref()
            .is_some_and(|it| !it.is_empty())
        {
            self.offend(
                Concern::Repository,
                "author",
                "has a nodeRepresentation that is not empty",
            );
        }
        let mut author = Author {
            id: lasting_id(&classification.id),
            ..Author::default()
        };
        // What stays extra belongs to the author, not to the object.
        let extra = std::mem::take(&mut self.extra);
        for slot in &classification.slots {
            match slot.name.as_str() {
                "authorPerson" => {
                    self.text(Concern::Registry, slot, &mut author.person, formats::xcn)
                }
                "authorInstitution" => self.texts(slot, &mut author.institutions, formats::xon),
                "authorRole" => self.texts(slot, &mut author.roles, formats::any),
                "authorSpecialty" => self.texts(slot, &mut author.specialties, formats::any),
                "authorTelecommunication" => {
                    self.texts(slot, &mut author.telecommunications, formats::xtn)
                }
                _ => self.unclaimed(slot),
            }
        }
        author.extra = std::mem::replace(&mut self.extra, extra);
        let anybody = author.person.is_some()
            || !author.institutions.is_empty()
            || !author.telecommunications.is_empty();
        if !anybody {
            self.offend(
                Concern::Registry,
                "author",
                "has neither authorPerson, authorInstitution nor authorTelecommunication",
            );
        }
        target.push(author);
    }

    /// Takes a flag.
    pub(super) fn limited_metadata(&mut self, classification: &Classification, target: &mut bool) {
        self.classification_is_sound("limitedMetadata", classification);
        self.offend(
            Concern::Registry,
            "limitedMetadata",
            "must not be used in XDS",
        );
        *target = true;
    }

    /// Keeps a classification that no attribute claims.
    pub(super) fn unclaimed_classification(&mut self, classification: &Classification) {
        self.classification_is_sound("a classification", classification);
        self.extra.classifications.push(classification.clone());
    }

    /// Takes an external identifier; one that cannot be read stays extra.
    pub(super) fn identifier<T>(
        &mut self,
        concern: Concern,
        attribute: &str,
        identifier: &ExternalIdentifier,
        target: &mut Option<T>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) {
        self.identifier_is_sound(attribute, identifier);
        let problem = match parse(&identifier.value) {
            _ if target.is_some() => "is given twice".to_owned(),
            Ok(value) => {
                *target = Some(value);
                if identifier.id.starts_with("urn:uuid:") {
                    let uuid = (identifier.scheme.clone(), identifier.id.clone());
                    self.extra.identifier_uuids.push(uuid);
                }
                return;
            }
            Err(problem) => problem,
        };
        self.offend(concern, attribute, &problem);
        self.extra.external_identifiers.push(identifier.clone());
    }

    /// Keeps an external identifier that no attribute claims.
    pub(super) fn unclaimed_identifier(&mut self, identifier: &ExternalIdentifier) {
        self.identifier_is_sound("an external identifier", identifier);
        self.extra.external_identifiers.push(identifier.clone());
    }

    fn identifier_is_sound(&mut self, attribute: &str, identifier: &ExternalIdentifier) {
        if identifier.registry_object != self.subject.id {
            self.offend(
                Concern::Repository,
                attribute,
                "is an identifier of another object than the one it stands in",
            );
        }
        if identifier
            .object_type
            .as_deref()
            .is_some_and(|it| it != ebrim::EXTERNAL_IDENTIFIER)
        {
            self.offend(
                Concern::Repository,
                attribute,
                "is an identifier with the objectType of something else",
            );
        }
        self.slots_are_sound(&identifier.slots);
    }
}

/// An id is worth keeping if it is valid outside the message; others are made anew.
fn lasting_id(id: &str) -> String {
    match id.starts_with("urn:uuid:") {
        true => id.to_owned(),
        false => String::new(),
    }
}
