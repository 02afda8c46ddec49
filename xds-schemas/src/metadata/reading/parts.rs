//! The classifications and external identifiers in an object.

use super::Reading;
use crate::ebrim::{self, Classification, ExternalIdentifier};
use crate::metadata::judge::Concern;
use crate::metadata::optionality::Optionality;
use crate::metadata::{Author, Code, Extra, formats};

/// What ebRIM lets an identifier have (its `LongName`): answers with longer ones would not be valid.
const LONG_NAME: usize = 256;

impl Reading<'_> {
    /// What every nested classification must satisfy: its object is the one around it.
    pub(in crate::metadata) fn classification_is_sound(
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
    pub(in crate::metadata) fn one_code(
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
    pub(in crate::metadata) fn codes(
        &mut self,
        attribute: &str,
        classification: &Classification,
        target: &mut Vec<Code>,
    ) {
        target.extend(self.code(attribute, classification));
    }

    /// Takes an author (ITI TF-3 4.2.3.1.4).
    pub(in crate::metadata) fn author(
        &mut self,
        classification: &Classification,
        target: &mut Vec<Author>,
    ) {
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
    pub(in crate::metadata) fn limited_metadata(
        &mut self,
        classification: &Classification,
        target: &mut bool,
    ) {
        self.classification_is_sound("limitedMetadata", classification);
        if self.optionality("limitedMetadata") == Optionality::Prohibited {
            self.offend(
                Concern::Recipient,
                "limitedMetadata",
                "must not be used in XDS, nor where limited metadata is not accepted",
            );
        }
        *target = true;
    }

    /// Keeps a classification that no attribute claims.
    pub(in crate::metadata) fn unclaimed_classification(
        &mut self,
        classification: &Classification,
    ) {
        self.classification_is_sound("a classification", classification);
        self.extra.classifications.push(classification.clone());
    }

    /// Takes an external identifier; one that cannot be read stays extra.
    pub(in crate::metadata) fn identifier<T>(
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
    pub(in crate::metadata) fn unclaimed_identifier(&mut self, identifier: &ExternalIdentifier) {
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
        if formats::longer_than(&identifier.value, LONG_NAME) {
            self.offend(Concern::Registry, attribute, "has more than 256 characters");
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
